//! What is said of whole scripts; the attacks are in `tests/planted.rs`.

use std::time::Instant;

use proptest::prelude::*;

use super::*;

fn changed(old: &str, new: &str) -> Findings {
    compare(Some(old.as_bytes()), new.as_bytes(), Limits::default(), &|_| None)
}

fn alone(new: &str) -> Findings {
    compare(None, new.as_bytes(), Limits::default(), &|_| None)
}

fn capabilities(findings: &Findings) -> Vec<Capability> {
    findings.facts.iter().map(|fact| fact.capability).collect()
}

#[test]
fn the_kind_of_a_change_is_named() {
    let old = "/*! v1 */ function f(first) { return send(first, 'one', 1); }";
    for (new, change) in [
        (old, Change::Same),
        (
            "/*! v2 */\nfunction f(first) {\n  return send(first, \"one\", 1)\n}\n//# sourceMappingURL=f.js.map",
            Change::Trivia,
        ),
        ("function f(a) { return send(a, 'one', 1); }", Change::Names),
        ("function f(a) { return send(a, 'two', 2); }", Change::Data),
        ("function f(first) { return send(first, 'one', 1, 2); }", Change::Code),
        ("function f(first) { return post(first, 'one', 1); }", Change::Code),
        ("function g(first) { return send(g, 'one', 1); }", Change::Code),
    ] {
        assert_eq!(changed(old, new).change, change, "{new}");
    }
    assert_eq!(changed("var a, b; f(a, b)", "var a, b; f(b, a)").change, Change::Code);
    assert_eq!(changed("x['get'](1)", "x['set'](1)").change, Change::Code);
}

#[test]
fn changed_literals_are_listed_with_what_they_were() {
    let findings = changed("var a = ['x', 1]; f('same')", "var a = ['y', 2]; f('same')");
    let found: Vec<_> = findings.literals.iter().map(|literal| (&*literal.old, &*literal.new)).collect();
    assert_eq!(found, [("\"x\"", "\"y\""), ("1", "2")]);
}

#[test]
fn a_literal_that_differs_beyond_what_is_shown_is_listed() {
    let long = |end: &str| format!("f('{}{end}')", "x".repeat(5000));
    let findings = changed(&long("good"), &long("bad!"));
    assert_eq!((findings.change, findings.literals.len()), (Change::Data, 1));
}

#[test]
fn what_one_literal_takes_from_the_next_changes_them() {
    let findings = changed("f('ab', 'c')", "f('a', 'bc')");
    assert_eq!((findings.change, findings.literals.len()), (Change::Data, 2));
}

#[test]
fn a_member_that_differs_by_blanks_in_its_name_is_no_new_name_of_a_local() {
    for (old, new) in [
        ("f(x['a b'])", "f(x['a  b'])"),
        ("f({ 'a b': 1 })", "f({ 'a  b': 1 })"),
        ("class A { 'a b'() {} }", "class A { 'a\\tb'() {} }"),
        ("const { 'a b': c } = x", "const { 'a  b': c } = x"),
        ("const { 'title': c } = document", "const { 'cookie': c } = document"),
        ("({ 'title': x.y } = document)", "({ 'cookie': x.y } = document)"),
        ("import 'a b'; f()", "import 'a  b'; f()"),
    ] {
        assert_eq!(changed(old, new).change, Change::Code, "{new}");
    }
}

/// None of them is written as another.
const EXPRESSIONS: [&str; 60] = [
    "a",
    "b",
    "c",
    "ƒ",
    "() => {}",
    "function () {}",
    "function c() {}",
    "async () => {}",
    "async function () {}",
    "function* () {}",
    "async function* () {}",
    "class {}",
    "class { c() {} }",
    "class { static c() {} }",
    "class { get c() {} }",
    "class { set c(d) {} }",
    "class { #c() {} }",
    "class { c = 1 }",
    "class { 'c' = 1 }",
    "{ a }",
    "{ a: b }",
    "{ b: a }",
    "{ c() {} }",
    "{ async c() {} }",
    "{ *c() {} }",
    "{ get c() {} }",
    "{ [a]: a }",
    "{ __proto__: a }",
    "{ ['__proto__']: a }",
    "a.c",
    "a?.c",
    "a['c']",
    "a[c]",
    "a(c)",
    "a?.(c)",
    "new a(c)",
    "a`c`",
    "`c`",
    "`${c}`",
    "`c${a}`",
    "`${a}c`",
    "'c'",
    "'1'",
    "1",
    "1n",
    "/1/",
    "/1/g",
    "'1' + a",
    "a + '1'",
    "a + 1",
    "a - 1",
    "a, b",
    "[a, b]",
    "[a, , b]",
    "[...a, b]",
    "a ?? b",
    "a || b",
    "a && b",
    "delete a.c",
    "void a",
];

#[test]
fn two_functions_that_differ_are_never_taken_for_the_same() {
    let script = |told: &str| format!("top(function f(a, b) {{ q({told}); }})");
    for (at, old) in EXPRESSIONS.into_iter().enumerate() {
        for new in EXPRESSIONS.into_iter().skip(at + 1) {
            let found = changed(&script(old), &script(new));
            assert!(matches!(found.change, Change::Code | Change::Data), "{old} {new}: {:?}", found.change);
            let is_inside = |function: &Function| &*function.name != "(top level)";
            assert!(found.functions.iter().any(is_inside), "{old} {new}");
        }
    }
}

#[test]
fn a_script_that_was_minified_anew_has_no_changed_functions() {
    let old = "function one(a){return function(){return a+1}}function two(b){return one(b)()*2}";
    let new = "function one(x){return function(){return x+1}}function two(y){return one(y)()*2}two(3)";
    let names: Vec<_> = changed(old, new).functions.into_iter().map(|function| function.name).collect();
    assert_eq!(names, ["(top level)".into()]);
}

#[test]
fn functions_are_added_removed_changed_and_moved() {
    let body = "if (a > b) { return call(a, b, 'some words that make it long'); } return call(b, a, 0);";
    let old = format!(
        "function gone() {{ return 7; }} function stays(a, b) {{ {body} }} function moves(a, b) {{ {body} more(); }} function edited() {{ one(); }}"
    );
    let new = format!(
        "function moves(a, b) {{ {body} more(); }} function stays(a, b) {{ {body} }} function edited() {{ two(); }} function fresh() {{ x(); }}"
    );
    let found = changed(&old, &new).functions;
    let found: Vec<_> = found.iter().map(|function| (&*function.name, function.how)).collect();
    for wanted in [
        ("fresh", FunctionChange::Added),
        ("gone", FunctionChange::Removed),
        ("edited", FunctionChange::Changed),
    ] {
        assert!(found.contains(&wanted), "{wanted:?}: {found:?}");
    }
    let moved: Vec<_> = found.iter().filter(|(_, how)| *how == FunctionChange::Moved).collect();
    assert_eq!(moved.len(), 1, "{found:?}");
}

#[test]
fn of_a_script_that_was_built_by_other_tools_it_is_said_that_its_functions_have_no_pairs() {
    let script = |call: &str, count: usize| {
        let functions = (0..count).map(|at| format!("function () {{ {call}(y{at}); }}"));
        format!("x([{}])", functions.collect::<Vec<_>>().join(","))
    };
    let counts = |old: &str, new: &str| changed(old, new).function_counts;
    let rebuilt = counts(&script("one", 300), &script("two", 400));
    assert_eq!((rebuilt.reviewed, rebuilt.new), (301, 401));
    let said = rebuilt.rebuilt().unwrap();
    for part in ["401 functions, and 400 of them", "301 functions, and 300 of them", "do not tell which."] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // Much that is new, or gone, is no other build.
    for (old, new) in [(20, 200), (200, 20), (3, 200)] {
        let grown = counts(&script("one", old), &script("one", new));
        assert_eq!(grown.rebuilt(), None, "{old} {new}: {grown:?}");
    }
    let found = changed(&script("one", 300), &script("two", 400)).functions;
    let listed = |how| found.iter().filter(|function| function.how == how).count();
    assert!(listed(FunctionChange::Removed) > 0 && listed(FunctionChange::Added) > 0, "{found:?}");
}

#[test]
fn what_is_said_of_unchanged_lines_is_said_where_lines_were_compared_and_by_how() {
    let names = changed("function f(a) { return g(a) } one()", "function f(b) { return g(b) } two()").diff;
    assert!(names.unchanged().unwrap().contains("names of local variables"), "{names:?}");
    let new = compare(None, b"fetch('/a')", Limits::default(), &|_| None).diff;
    assert_eq!(new.unchanged(), None);
}

#[test]
fn what_was_there_before_is_no_news_and_more_of_it_is() {
    assert_eq!(changed("fetch('/a'); fetch('/b')", "one(fetch('/b'))").facts, []);
    let facts = changed("fetch('/a')", "fetch('/a'); fetch('/b')").facts;
    let [fact] = facts.as_slice() else { panic!("{facts:?}") };
    assert_eq!((fact.capability, fact.reviewed, fact.new), (Capability::Fetch, 1, 2));
    assert_eq!((fact.sites.len(), fact.sites[0].line), (1, 2));
}

/// The capability that is a fact because of what it is given, with the excerpts of what is there and of what is gone.
fn swapped(old: &str, new: &str) -> Vec<(Capability, Vec<String>, Vec<String>)> {
    let excerpts = |sites: &[Site]| sites.iter().map(|site| site.excerpt.to_string()).collect();
    let facts = changed(old, new).facts.into_iter().filter(|fact| fact.novelty() == Novelty::Other);
    facts.map(|fact| (fact.capability, excerpts(&fact.sites), excerpts(&fact.gone))).collect()
}

#[test]
fn a_swapped_use_is_a_fact() {
    let found = swapped("one(); fetch('/a');", "fetch(document.cookie); two();");
    let wanted =
        (Capability::Fetch, vec!["fetch(document.cookie);".to_owned()], vec!["fetch(\"/a\");".to_owned()]);
    assert_eq!(found, [wanted]);
}

#[test]
fn what_a_use_is_given_is_followed_to_where_it_comes_from() {
    for (old, new, capability) in [
        ("fetch('/a')", "fetch('/b')", Capability::Fetch),
        ("fetch('/a')", "fetch(secretUrl)", Capability::Fetch),
        ("let x = '/a'; fetch(x)", "let x = document.title; fetch(x)", Capability::Fetch),
        ("let x; x = '/a'; fetch(x)", "let x; x = '/a'; x = f.secret; fetch(x)", Capability::Fetch),
        ("function s(x) { fetch(x) } s('/a')", "function s(x) { fetch(x) } s(o.token)", Capability::Fetch),
        ("fetch(u, { body: a.form })", "fetch(u, { body: a.password })", Capability::Fetch),
        ("fetch(`/a?${q.page}`)", "fetch(`/a?${q.card}`)", Capability::Fetch),
        ("const f = fetch; f('/a')", "const f = fetch; f(o.token)", Capability::Fetch),
        ("const f = fetch; f.call(0, '/a')", "const f = fetch; f.call(0, o.token)", Capability::Fetch),
        ("(0, fetch)('/a')", "(0, fetch)(o.token)", Capability::Fetch),
        (
            "x = new XMLHttpRequest; x.open('GET', '/a')",
            "x = new XMLHttpRequest; x.open('GET', o.u)",
            Capability::Xhr,
        ),
        ("x = new XMLHttpRequest; x.send(a.b)", "x = new XMLHttpRequest; x.send(a.secret)", Capability::Xhr),
        ("new Image().src = '/a'", "new Image().src = o.u", Capability::Image),
        ("e.src = '/a'", "e.src = o.u", Capability::Resource),
        ("e.innerHTML = f(text)", "e.innerHTML = g(text)", Capability::Html),
        ("e.innerHTML = '<b>hi</b>'", "e.innerHTML = '<img src=x onerror=f()>'", Capability::Html),
        ("log(document.cookie)", "send(document.cookie)", Capability::Cookies),
        ("document.cookie = 'a=1'", "document.cookie = o.session", Capability::Cookies),
        ("localStorage.getItem('theme')", "localStorage.getItem('token')", Capability::Storage),
        ("parent.postMessage(1, '*')", "parent.postMessage(o.token, '*')", Capability::PostMessageAny),
        ("field.onkeydown = f", "document.onkeydown = f", Capability::KeyListener),
        ("eval('a.one()')", "eval('a.two()')", Capability::Eval),
        ("import('./a.js')", "import('./b.js')", Capability::DynamicImport),
        ("location.href = '/a'", "location.href = o.u", Capability::Navigation),
    ] {
        let found = swapped(old, new);
        assert!(found.iter().any(|(found, ..)| *found == capability), "{old} → {new}: {found:?}");
    }
}

#[test]
fn the_same_use_in_other_words_is_no_fact() {
    for (old, new) in [
        ("function f(url) { fetch(url.path) }", "function f(a) { fetch(a.path) }"),
        ("fetch('/a'); fetch('/b'); x()", "fetch('/b'); fetch('/a'); y()"),
        ("const path = '/a'; fetch(path); x()", "fetch('/a'); y()"),
        ("fetch('/a' + '?b=' + c); x()", "fetch(`/a?b=${c}`); y()"),
        ("fetch('https://cdn.test/lib@1.2.3/a.js')", "fetch('https://cdn.test/lib@1.3.10/a.js')"),
        ("fetch('/a', { timeout: 1000 })", "fetch('/a', { timeout: 2000 })"),
        ("function f(e) { fetch(e.aB) }", "function f(e) { fetch(e.zW) }"),
        ("e.innerHTML = '<b>one</b>'", "e.innerHTML = '<b>two</b>'"),
        (
            "function a() {} e.addEventListener('keydown', x => a(x))",
            "function b() {} e.addEventListener('keydown', y => b(y))",
        ),
    ] {
        let facts = changed(old, new).facts;
        assert_eq!(facts, [], "{old} → {new}");
    }
}

/// Whoever puts much in front of what is given, or hides it deep inside, hides nothing.
#[test]
fn what_a_use_is_given_beyond_the_bounds_is_seen() {
    let many = "1, ".repeat(100);
    let deep = |what: &str| format!("fetch({}{what}{})", "f(".repeat(30), ")".repeat(30));
    for (old, new) in [
        (format!("fetch([{many} a.url])"), format!("fetch([{many} a.secret])")),
        (deep("a.url"), deep("a.secret")),
    ] {
        assert!(!swapped(&old, &new).is_empty(), "{new}");
    }
}

/// A use that is given something deep inside of a call, in a function of two parameters.
fn deep_inside(parameters: &str, before: &str, given: &str) -> String {
    let deep = format!("{}{given}{}", "f(".repeat(30), ")".repeat(30));
    format!("(function ({parameters}) {{ {before}; fetch({deep}) }})(a => a, b => b)")
}

#[test]
fn what_a_build_calls_otherwise_is_no_fact_beyond_the_bounds_either() {
    for (old, new) in [
        (deep_inside("one, two", "f(two)", "one.url"), deep_inside("e, t", "g(t)", "e.url")),
        (
            deep_inside("one, two", "f(two); var url = two.url", "url + one"),
            deep_inside("e, t", "g(t); var n = t.url", "n + e"),
        ),
        (deep_inside("one, two", "f(1)", "{ one, a: two }"), deep_inside("e, t", "g(1)", "{ one: e, a: t }")),
        // What code in a string can ask for by its name is the same for the code around it.
        (deep_inside("one, two", "eval(two)", "one"), deep_inside("e, t", "g(); eval(t)", "e")),
    ] {
        let facts = changed(&old, &new).facts;
        assert_eq!(facts, [], "{new}");
    }
}

#[test]
fn another_local_beyond_the_bounds_is_a_fact_whatever_it_is_called() {
    let (user, pass) = ("var user = form.user, pass = form.pass", "var pass = form.user, user = form.pass");
    for (old, new) in [
        // Another parameter, by its name, and under the name that the first had.
        (deep_inside("one, two", "", "one"), deep_inside("one, two", "", "two")),
        (deep_inside("one, two", "", "one"), deep_inside("two, one", "", "one")),
        // Another variable, and what the same one is given.
        (deep_inside("form", user, "user"), deep_inside("form", user, "pass")),
        (deep_inside("form", user, "user"), deep_inside("form", pass, "user")),
        (deep_inside("form", user, "user"), deep_inside("form", "var user = form.secret", "user")),
        // A global of the page, and a local by the name of one.
        (deep_inside("one", "", "one"), deep_inside("one", "", "secret")),
        (deep_inside("secret", "", "secret"), deep_inside("one", "", "secret")),
    ] {
        assert!(!swapped(&old, &new).is_empty(), "{new}");
    }
}

/// What a variable holds is another thing, and its name another one: no call and no plain assignment binds it.
#[test]
fn a_local_that_holds_something_else_is_a_fact_beyond_the_bounds_however_it_is_bound() {
    for script in [
        "(text, secret) => { for (const NAME of HELD) FETCH }",
        "(text, secret) => { for (const NAME in HELD) FETCH }",
        "(text, secret) => { let NAME; for (NAME of HELD) FETCH }",
        "HELD.forEach((NAME) => FETCH)",
        "get('HELD').then((NAME) => FETCH)",
        "HELD.oninput = (NAME) => FETCH",
        "HELD(function (...NAME) { FETCH })",
        "on({ HELD(NAME) { FETCH } })",
        "on(function ({ HELD: NAME }) { FETCH })",
        "on(({ form: { HELD: NAME } }) => FETCH)",
        "on(([NAME = HELD]) => FETCH)",
        "on(function (NAME = HELD) { FETCH })",
        "(() => { var { form: { HELD: NAME } } = page; FETCH })()",
        "(() => { var [[NAME]] = [[HELD]]; FETCH })()",
        "import { HELD as NAME } from './form.js'; FETCH",
        "import NAME from './HELD.js'; FETCH",
        "(() => { class NAME { static value = HELD } FETCH })()",
        "(() => { try { throw HELD } catch (NAME) { FETCH } })()",
        "(() => { let NAME; [NAME] = [HELD]; FETCH })()",
        "(() => { let NAME; ({ HELD: NAME } = form); FETCH })()",
        "(() => { let NAME = ''; NAME += HELD; FETCH })()",
        "(() => { let NAME = []; NAME.push(HELD); FETCH })()",
        "(() => { let NAME = {}; NAME.value = HELD; FETCH })()",
        "(() => { var NAME; NAME = 1; NAME = 2; NAME = 3; NAME = 4; NAME = 5; NAME = 6; NAME = 7; NAME = 8; NAME = HELD; FETCH })()",
        "(text, secret) => { var NAME = HELD.value; FETCH }",
        "(text, secret) => { var one = HELD.value; var NAME = one.value; FETCH }",
        "(() => { var NAME = 'a long text in front of it, and more of it than is written of a function: it goes on, and goes on, and \
         then there is a bit more of it' + HELD; FETCH })()",
    ] {
        let fetched = format!("fetch({}NAME{})", "f(".repeat(30), ")".repeat(30));
        let script =
            |name, held| script.replace("FETCH", &fetched).replace("NAME", name).replace("HELD", held);
        let facts = |name, held| changed(&script("first", "text"), &script(name, held)).facts;
        assert!(
            facts("second", "secret").iter().any(|fact| fact.capability == Capability::Fetch),
            "{}",
            script("second", "secret")
        );
        assert_eq!(facts("second", "text"), [], "{}", script("second", "text"));
    }
}

/// Of the first place of the only fact: where it differs from what stood there, and where that differs from it.
fn differs(old: &str, new: &str) -> [(usize, String); 2] {
    let facts = changed(old, new).facts;
    let [fact] = facts.as_slice() else { panic!("{facts:?}") };
    // What stands there as before is told once.
    if let [origin] = fact.sites[0].origins.as_slice() {
        assert_eq!(fact.gone, []);
        return [&origin.new, &origin.old].map(|there| {
            let there = there.as_ref().unwrap_or_else(|| panic!("{fact:?}"));
            (there.line, there.excerpt.to_string())
        });
    }
    [&fact.sites, &fact.gone].map(|sites| {
        let differs = sites[0].differs.as_ref().unwrap_or_else(|| panic!("{fact:?}"));
        (differs.line, differs.excerpt.to_string())
    })
}

#[test]
fn of_two_uses_that_look_the_same_it_is_said_where_they_differ() {
    // On the lines behind the first.
    let [is, was] = differs(
        "fetch('/a', { method: 'POST', body: form.text })",
        "fetch('/a', { method: 'POST', body: form.secret })",
    );
    assert_eq!((is.0, is.1.as_str(), was.1.as_str()), (3, "body: form.secret", "body: form.text"));
    // Behind what is shown of a line.
    let long = |end: &str| format!("show(1); fetch('/{}' + {end});", "a".repeat(400));
    let [is, was] = differs(&long("form.text"), &long("form.secret"));
    assert_eq!((is.0, was.0), (2, 2));
    assert!(is.1.contains("form.secret") && was.1.contains("form.text"), "{is:?} {was:?}");
    // In what a name stands for, and that name does.
    let named = |value: &str, name: &str| {
        format!("(function () {{ var first = {value}; var {name} = first.to; fetch({name}); }})();")
    };
    let [is, was] = differs(&named("page()", "u"), &named("secret()", "e"));
    assert_eq!((is, was), ((2, "var first = secret();".to_owned()), (2, "var first = page();".to_owned())));
    // Numbers and names of a build are not what differs.
    let many = |number: usize, name: &str, body: &str| {
        format!("fetch('/a', {{ timeout: {number}, x: form.{name}, body: form.{body} }})")
    };
    let [is, _] = differs(&many(10, "aB", "text"), &many(20, "zW", "secret"));
    assert_eq!(is.1, "body: form.secret");
}

#[test]
fn what_a_listener_newly_does_is_where_it_differs() {
    let listens =
        |body: &str| format!("document.addEventListener('keydown', typed); function typed(e) {{ {body} }}");
    let [is, was] = differs(&listens("close(e);"), &listens("close(e); log(e.key);"));
    assert_eq!((is.1.as_str(), was.1.as_str()), ("log(e.key);", "}"));
}

#[test]
fn of_two_uses_that_look_otherwise_nothing_more_is_said() {
    let facts = changed("fetch(form.text)", "fetch(form.secret)").facts;
    assert_eq!(facts[0].sites[0].differs, None);
}

#[test]
fn what_both_versions_say_that_they_are_is_told() {
    for (old, new, text) in [
        ("/*! v3.6.4 */ f()", "/*! v3.7.0 */ g()", Some("says that it is 3.7.0, was 3.6.4")),
        ("/*! v3.6.4 */ f()", "/*! v3.7.0 */ f()", Some("says that it is 3.7.0, was 3.6.4")),
        (
            "/*! v3.6.4 */ f()",
            "/*! v3.6.4 */ g()",
            Some("says that it is 3.6.4, as the verified version does"),
        ),
        ("f()", "/*! v3.7.0 */ g()", None),
        ("/*! v3.6.4 */ f()", "g()", None),
    ] {
        assert_eq!(changed(old, new).version.map(|version| version.text()).as_deref(), text, "{old} → {new}");
    }
}

#[test]
fn a_guard_that_is_gone_is_a_fact() {
    let listener =
        |test: &str| format!("addEventListener('message', function (e) {{ {test} run(e.data); }})");
    let refuses = listener("if (e.origin !== 'https://a.example') return;");
    for (old, new, guard, text) in [
        (refuses.clone(), listener(""), Guard::MessageOrigin, "a check of a message's origin is gone"),
        (
            refuses.clone(),
            listener("if (e.origin !== 'https://b.example') return;"),
            Guard::MessageOrigin,
            "a check of a message's origin is another than before",
        ),
        (
            listener("if (!allowed.includes(e.origin)) return;"),
            listener(""),
            Guard::MessageOrigin,
            "a check of a message's origin is gone",
        ),
        (
            listener("if (e.source !== frame.contentWindow) return;"),
            listener(""),
            Guard::MessageSource,
            "a check of a message's source is gone",
        ),
        (
            "x.onclick = e => e.isTrusted && pay()".to_owned(),
            "x.onclick = e => pay()".to_owned(),
            Guard::Trusted,
            "a check that a person caused an event is gone",
        ),
        (
            "s.integrity = 'sha384-x'; s.src = u".to_owned(),
            "s.src = u".to_owned(),
            Guard::Integrity,
            "the integrity of what is loaded is gone",
        ),
        (
            "e.innerHTML = DOMPurify.sanitize(t); f.innerHTML = DOMPurify.sanitize(u)".to_owned(),
            "e.innerHTML = DOMPurify.sanitize(t); f.innerHTML = u".to_owned(),
            Guard::Cleaning,
            "the cleaning of text that becomes HTML is gone, at 1 of 2 places",
        ),
        (
            "s.nonce = n; run(s)".to_owned(),
            "run(s)".to_owned(),
            Guard::ContentSecurityPolicy,
            "a Content Security Policy, a nonce or trusted types is gone",
        ),
        (
            "f.setAttribute('sandbox', ''); add(f)".to_owned(),
            "add(f)".to_owned(),
            Guard::Sandbox,
            "the sandbox of a frame is gone",
        ),
        (
            "a.rel = 'noopener'; add(a)".to_owned(),
            "add(a)".to_owned(),
            Guard::Noopener,
            "noopener or noreferrer of a link is gone",
        ),
        (
            "if (!await crypto.subtle.verify(a, k, s, d)) throw 1; run(d)".to_owned(),
            "run(d)".to_owned(),
            Guard::Signature,
            "a check of a signature or a hash is gone",
        ),
        (
            "export default Object.freeze(api)".to_owned(),
            "export default api".to_owned(),
            Guard::Frozen,
            "an object that nobody can change (Object.freeze) is gone",
        ),
        ("try { a() } catch { b() }".to_owned(), "a()".to_owned(), Guard::Catch, "a catch of errors is gone"),
    ] {
        let losses = changed(&old, &new).losses;
        let found: Vec<_> = losses.iter().map(|loss| (loss.guard, loss.text())).collect();
        assert!(found.contains(&(guard, text.to_owned())), "{old} → {new}: {found:?}");
        assert!(losses.iter().all(|loss| !loss.gone.is_empty()), "{losses:?}");
    }
}

/// A check that always lets through, or leads nowhere, is not the check that it was.
#[test]
fn a_guard_that_is_defused_is_a_fact() {
    let listener =
        |test: &str| format!("addEventListener('message', function (e) {{ {test} run(e.data); }})");
    let refuses = listener("if (e.origin !== A) return;");
    for defused in [
        "if (e.origin !== A && e.origin) return;",
        "if (e.origin !== A && false) return;",
        "if (e.origin !== A) {}",
        "if (e.origin !== A) log(e.origin);",
        "if (e.origin === A) return;",
    ] {
        assert_eq!(changed(&refuses, &listener(defused)).losses.len(), 1, "{defused}");
    }
    let renamed = "var more = 1; addEventListener('message', function (t) { if (t.origin !== A) return; run(t.data); })";
    assert_eq!(changed(&refuses, renamed).losses, []);
    assert_eq!(changed("f(new URL(u).origin === A)", "f(u)").losses, [], "an address, and no message");
}

#[test]
fn an_alias_is_what_it_stands_for() {
    for (script, capability) in [
        ("const f = window.fetch; f(u)", Capability::Fetch),
        ("const { fetch: f } = self; f(u)", Capability::Fetch),
        ("window['fe' + 'tch'](u)", Capability::Fetch),
        ("window[`fe${'tch'}`](u)", Capability::Fetch),
        ("self[atob('ZmV0Y2g=')](u)", Capability::Fetch),
        ("this['\\x66etch'](u)", Capability::Fetch),
        ("globalThis?.['hctef'.split('').reverse().join('')]?.(u)", Capability::Fetch),
        ("Reflect.get(window, 'fet' + 'ch')(u)", Capability::Fetch),
        ("Function('return this')()['fet' + 'ch'](u)", Capability::Fetch),
        ("(function (w) { w['fet'.concat('ch')](u) })(this)", Capability::Fetch),
        ("fetch.call(null, u)", Capability::Fetch),
        ("(0, eval)(s)", Capability::Eval),
        ("window['ev' + 'al'](s)", Capability::Eval),
        ("const g = eval; g(s)", Capability::Eval),
        ("[]['constructor']['constructor']('x')()", Capability::FunctionConstructor),
        ("[]['filter'].constructor('x')()", Capability::FunctionConstructor),
        ("(function () {}).constructor('x')()", Capability::FunctionConstructor),
        ("(async () => {}).constructor('x')()", Capability::FunctionConstructor),
        ("''.sub.constructor('x')()", Capability::FunctionConstructor),
        ("x.constructor.constructor('x')()", Capability::FunctionConstructor),
        ("new Function('x')", Capability::FunctionConstructor),
        ("setTimeout('f()', 1)", Capability::StringTimer),
        ("document['cook' + 'ie']", Capability::Cookies),
        ("var d = document, c = 'cookie'; d[c] = 'x'", Capability::Cookies),
        ("navigator.sendBeacon.bind(navigator)(u, d)", Capability::Beacon),
        ("el['inner' + 'HTML'] = h", Capability::Html),
        ("var o = { a: 'loc', b: 'ation' }; window[o.a + o.b] = u", Capability::Navigation),
        ("new (window.XMLHttpRequest || ActiveXObject)('Microsoft.XMLHTTP')", Capability::Xhr),
        ("document.addEventListener(['key', 'down'].join(''), f)", Capability::KeyListener),
        ("window[k](u)", Capability::UnknownGlobal),
        ("window['at' + 'ob'](s)", Capability::Decoder),
        ("codes.map(code => String['fromChar' + 'Code'](code ^ 7))", Capability::Decoder),
        ("eval(atob('ZG9jdW1lbnQuY29va2ll'))", Capability::Cookies),
        ("s.text = 'fetch(\"/x\")'", Capability::Fetch),
    ] {
        let findings = alone(script);
        assert_eq!(findings.not_analysed, None, "{script}");
        assert!(capabilities(&findings).contains(&capability), "{script}: {:?}", capabilities(&findings));
    }
}

#[test]
fn what_is_only_asked_for_is_not_used() {
    for script in [
        "typeof fetch",
        "x instanceof Function",
        "Function.prototype.call",
        "o.fetch(u)",
        "function fetch() {} fetch()",
    ] {
        assert_eq!(capabilities(&alone(script)), [], "{script}");
    }
}

#[test]
fn hidden_hosts_are_found_and_marked() {
    for script in [
        "f('https://' + 'evil' + '.test/a')",
        "f(`https://${'evil'}.test/a`)",
        "f(['https:/', ['evil', 'test'].join('.'), 'a'].join('/'))",
        "f(atob('aHR0cHM6Ly9ldmlsLnRlc3QvYQ=='))",
        "var key = 'aHR0cHM6Ly9ldmlsLnRlc3QvYQ=='",
        "f('\\x68ttps://ev\\u0069l.test/a')",
        "f(String.fromCharCode(104,116,116,112,115,58,47,47,101,118,105,108,46,116,101,115,116,47,97))",
        "f([104,116,116,112,115,58,47,47,101,118,105,108,46,116,101,115,116,47,97])",
        "f('68747470733a2f2f6576696c2e746573742f61')",
        "f('https%3A%2F%2F%65vil.test%2Fa')",
        "f('a/tset.live//:sptth')",
        "f(x + 'https://ev' + 'il.test/a' + y)",
    ] {
        let findings = alone(script);
        let found: Vec<_> = findings.hosts.iter().map(|host| (&*host.host, host.hidden)).collect();
        assert_eq!(found, [("evil.test", true)], "{script}");
    }
    assert!(!alone("f('https://evil.test/a')").hosts[0].hidden);
}

#[test]
fn a_hidden_host_whose_list_begins_a_line_is_quoted_with_the_lines_behind_it() {
    let findings = alone("f([104,116,116,112,115,58,47,47,101,118,105,108,46,116,101,115,116,47,97])");
    let quoted = findings.hosts[0].excerpt.as_deref().unwrap_or_default();
    assert!(quoted.contains("104") && quoted.contains("116"), "{quoted}");
}

#[test]
fn what_a_socket_sends_is_no_request() {
    let old = "new XMLHttpRequest().send(a); var s = new WebSocket(u); s.send(b)";
    let new = "new XMLHttpRequest().send(a); var s = new WebSocket(u); s.send(document.cookie)";
    let findings = changed(old, new);
    let of = |capability| findings.facts.iter().find(|fact| fact.capability == capability);
    assert!(of(Capability::WebSocket).is_some(), "{findings:?}");
    assert!(of(Capability::Xhr).is_none(), "{findings:?}");
}

#[test]
fn the_place_that_is_new_is_named_also_where_a_build_gave_other_short_names() {
    let old = "function t(e) { if (location.hostname == e.site) e.show(e) } t(x)";
    let new = "if (location.hostname == 'shop.test') go(); function n(r) { if (location.hostname == r.site) r.show(r) } n(x)";
    let findings = changed(old, new);
    let fact = findings.facts.iter().find(|fact| fact.capability == Capability::Location).unwrap();
    assert_eq!((fact.reviewed, fact.new, fact.sites.len()), (1, 2, 1));
    assert!(fact.sites[0].excerpt.contains("shop.test"), "{fact:?}");
}

#[test]
fn whoever_asks_for_a_decoder_decodes_nothing() {
    assert!(!capabilities(&alone("var has = typeof atob === 'function'")).contains(&Capability::Decoder));
}

#[test]
fn a_decoder_with_a_loop_is_worked_out() {
    let script = "function d(s, k) { var r = ''; for (var i = 0; i < s.length; i++) { r += String.fromCharCode(s.charCodeAt(i) ^ k); } return r; }
        window[d('gdubi', 1)](d('iuuqr;..dwhm/udru.', 1))";
    let findings = alone(script);
    assert!(capabilities(&findings).contains(&Capability::Fetch), "{findings:?}");
    assert_eq!(&*findings.hosts[0].host, "evil.test");
}

#[test]
fn what_cannot_be_analysed_is_said_and_its_hosts_are_named() {
    let limits = Limits { size: 100, ..Limits::default() };
    let large = format!("f('https://evil.test/'); {}", " ".repeat(100));
    let over = Limits::default().until(Instant::now());
    for (script, limits, code) in [
        (large.clone(), limits, "too-large"),
        (format!("f('https://evil.test/', {}", "[".repeat(5000)), Limits::default(), "too-deep"),
        ("f('https://evil.test/'".to_owned(), Limits::default(), "no-script"),
    ] {
        let findings = compare(Some(b"f('https://known.test/')"), script.as_bytes(), limits, &|_| None);
        assert_eq!(findings.not_analysed.as_ref().map(NotAnalysed::code), Some(code));
        let hosts: Vec<_> = findings.hosts.iter().map(|host| &*host.host).collect();
        assert_eq!((findings.change, hosts), (Change::Unknown, vec!["evil.test"]), "{code}");
    }
    let findings = changed("f('https://known.test/')", "MZ\0\u{1} https://evil.test/ ");
    assert_eq!(findings.not_analysed, Some(NotAnalysed::UnknownType));
    assert_eq!((findings.change, &*findings.hosts[0].host), (Change::Contents, "evil.test"));
    let findings = compare(None, large.as_bytes(), over, &|_| None);
    assert_eq!(findings.not_analysed, Some(NotAnalysed::TimeOver));
    let findings = changed("f(", "fetch('/a')");
    assert_eq!(findings.not_analysed.as_ref().map(NotAnalysed::code), Some("reviewed-unreadable"));
    assert_eq!(capabilities(&findings), [Capability::Fetch]);
}

#[test]
fn a_module_is_read_as_one() {
    let findings = alone("import a from 'https://cdn.test/a.js'; export default await fetch(a)");
    assert_eq!((findings.not_analysed, findings.hosts.len()), (None, 1));
}

/// Each link, as often as the limit lets through, is parsed, formatted and looked at: the stack holds it.
#[test]
fn whatever_is_let_through_the_stack_holds() {
    for (link, end) in [
        ("(", ")"),
        ("[", "]"),
        ("{", "}"),
        ("!", ""),
        ("a=>", ""),
        ("a=>{", "}"),
        ("a?b:", ""),
        ("a?", ":b"),
        ("a=", ""),
        ("1+", ""),
        ("a**", ""),
        ("if(a)", ""),
        ("if(a);else ", ""),
        ("for(;;)", ""),
        ("a:", ""),
        ("new a(", ")"),
        ("`${", "}`"),
        ("f(function(){return ", "})"),
        ("a.b(", ")"),
        ("({a:", "})"),
        ("class A extends (", "){}"),
        ("async()=>await ", ""),
        ("function f(a=", "){}"),
        ("a[", "]"),
    ] {
        let most = (1..)
            .map(|doubled| 1_usize << doubled)
            .take_while(|count| nesting::nesting(&link.repeat(*count)).depth < 1900);
        let count = most.last().unwrap_or(1);
        let script = format!("{}a{}", link.repeat(count), end.repeat(count));
        let findings = changed("a", &script);
        assert_ne!(findings.not_analysed, Some(NotAnalysed::Failed), "{link}");
        for count in [100_000, 1_000_000] {
            let code = alone(&link.repeat(count)).not_analysed.map(|why| why.code());
            assert!(matches!(code, Some("too-deep" | "too-large")), "{link}: {code:?}");
        }
    }
    let chain = format!("a{}", ".b()".repeat(900));
    assert_eq!(alone(&chain).not_analysed, None);
}

#[test]
fn names_that_stand_for_each_other_end() {
    let circle =
        "var a = b, b = c, c = a; window[a](a + b); function f(x) { return f(x + 'a'); } window[f('')]()";
    assert_eq!(alone(circle).not_analysed, None);
    let doubling: String = (1..60).map(|at| format!("var a{at} = a{0} + a{0};", at - 1)).collect();
    assert_eq!(alone(&format!("var a0 = 'aaaaaaaa'; {doubling} window[a59]()")).not_analysed, None);
    let chain: String = (1..20_000).rev().map(|at| format!("var a{at} = a{};", at - 1)).collect();
    assert_ne!(
        alone(&format!("{chain} var a0 = 'x'; window[a19999]()")).not_analysed,
        Some(NotAnalysed::Failed)
    );
    let endless = "function f() { var i = 0; while (true) { i++; } return i; } window[f()]()";
    assert_eq!(alone(endless).not_analysed, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_bytes_break_it(old: Vec<u8>, new: Vec<u8>) {
        let findings = compare(Some(&old), &new, Limits::default(), &|_| None);
        prop_assert_ne!(findings.not_analysed, Some(NotAnalysed::Failed));
    }

    #[test]
    fn no_pieces_of_scripts_break_it(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        let script = pieces.concat();
        let findings = changed("var a = 1;", &script);
        prop_assert_ne!(findings.not_analysed, Some(NotAnalysed::Failed), "{}", script);
    }
}

const PIECES: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "`",
    "${",
    "'",
    "\"",
    "/",
    "//",
    "/*",
    "*/",
    "\\",
    "\n",
    ";",
    ",",
    ":",
    "?",
    "=>",
    "=",
    "+",
    ".",
    "!",
    "...",
    "function ",
    "async ",
    "class ",
    "a",
    "b",
    "window",
    "atob",
    "'aGk='",
    "fetch",
    "eval",
    "return ",
    "if",
    "else ",
    "for",
    "while",
    "var ",
    "const ",
    "new ",
    "constructor",
    "split",
    "join",
    "reverse",
    "\u{2028}",
    "\u{feff}",
    "\\u{61}",
    "1",
    "0x1f",
    "1e9",
    "<!--",
    "-->",
    "#a",
    "@",
    "import ",
    "export ",
    "await ",
    "yield ",
    "of ",
    "in ",
    "typeof ",
    "é",
    "𝒳",
];

#[test]
fn a_part_that_is_cut_from_the_whole_is_what_an_analysis_of_that_part_says() {
    let script = |name: &str, value: usize| {
        let long = "x".repeat(950);
        let lines = (0..700).map(|line| format!("f({name}, {line}, {}, '{long}');\n", line * value));
        format!("(function ({name}) {{\n{}}})();", lines.collect::<String>())
    };
    let (old, new) = (script("a", 1), script("b", 2));
    for comparing in [Comparing::ButNames, Comparing::ToTheLetter] {
        let found = |part| {
            let asked = DifferenceAsked { comparing, part };
            compare_by(asked, Some(old.as_bytes()), new.as_bytes(), Limits::default(), &|_| None)
        };
        let first = found(0);
        let whole = first.whole.as_ref().unwrap();
        assert!(first.parts() > 2);
        for part in 0..=first.parts() {
            assert_eq!(whole.part(part), found(part).diff);
        }
    }
    assert_eq!(changed("f(1)", "f(2)").whole, None);
}

#[test]
fn without_a_reviewed_version_the_lines_around_what_is_named_are_shown() {
    let filler = "f(1);\n".repeat(50);
    let script = format!("{filler}fetch('https://there.example/a');\n{filler}");
    let findings = alone(&script);
    assert_eq!(findings.diff.hunks.len(), 1);
    let hunk = &findings.diff.hunks[0];
    assert_eq!((hunk.new_start, hunk.lines.len()), (48, 7));
    let line = &hunk.lines[3];
    assert_eq!((line.mark, &*line.text), (Mark::Both, "fetch(\"https://there.example/a\");"));
}
