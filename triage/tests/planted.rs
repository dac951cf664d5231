//! Attacks planted in a small library, each as somebody writes it and as somebody hides it: what each of them does is named.

#![expect(clippy::panic, reason = "a test says what went wrong by panicking")]

use pinfold_triage::{Capability, Change, Findings, Limits, compare};

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
