//! Every way in which the web platform turns a response into code, in a real Chromium: what is reviewed runs, and nothing
//! else does.

use pinfold_integration_tests::{
    Answer, Gate, Gateway, GatewayBuilder, Page, Pin, Vendor, VendorBuilder, gateway, sha256, vendor,
};

use crate::browser::browser;

const ATTEMPTS: &str = include_str!("platform.js");

/// The ways that any page has, those that need a secure context, and those of a page on the vendor's own host.
const ANYWHERE: [&str; 11] = [
    "classic",
    "compiled",
    "dynamic",
    "imported",
    "jsonp",
    "mapped",
    "module",
    "modulepreloaded",
    "prefetched",
    "preloaded",
    "streamed",
];
const SECURE: [&str; 2] = ["audioworklet", "paintworklet"];
const OWN: [&str; 4] = ["fromworker", "moduleworker", "sharedworker", "worker"];
const OWN_SECURE: [&str; 1] = ["serviceworker"];
const ALL: [&[&str]; 4] = [&ANYWHERE, &SECURE, &OWN, &OWN_SECURE];

/// Types under which a script is none.
const DISGUISES: [Option<&str>; 10] = [
    None,
    Some(""),
    Some("text/plain"),
    Some("text/html"),
    Some("text/css"),
    Some("image/png"),
    Some("video/mp4"),
    Some("application/json"),
    Some("application/octet-stream"),
    Some("garbage"),
];

/// A pinned worker that imports what its address says.
const IMPORTER: &str =
    "try { importScripts(decodeURIComponent(location.search.slice(1))) } catch { postMessage('no') }";

#[tokio::test]
async fn chromium_runs_nothing_of_another_hosts_code_but_what_is_reviewed() {
    let (vendor, gateway) = listen(vendor()).await;
    let page = page(&vendor, false);
    let gate = Gate::closed();
    let shop = pinfold_integration_tests::vendor().named("shop").host("shop.test").serve("/", page);
    let shop = shop.serve("/wait", waiting(&gate)).listen().await;
    let gateway = gateway.reach(&shop).listen().await;

    let page = open(&gateway, &shop, &gate).await;

    assert_ran(&page, &[&ANYWHERE, &SECURE]);
}

#[tokio::test]
async fn chromium_runs_nothing_of_its_own_hosts_code_but_what_is_reviewed() {
    let (vendor, gateway) = listen(vendor()).await;

    let page = open_own(&vendor, gateway).await;

    assert_ran(&page, &ALL);
}

#[tokio::test]
async fn chromium_runs_nothing_over_http_but_what_is_reviewed() {
    // There a browser does not say what it wants: no `Sec-Fetch-Dest` outside secure contexts.
    let (vendor, gateway) = listen(vendor().clear_text()).await;

    let page = open_own(&vendor, gateway).await;

    assert_ran(&page, &[&ANYWHERE, &OWN]);
    assert!(vendor.seen("/unpinned/classic").iter().all(|seen| seen.header("sec-fetch-dest").is_none()));
    assert_eq!(vendor.seen("/disguised/2").len(), 5, "each disguise was tried in each way");
}

/// A vendor with each file three times: as reviewed, tampered with, and never pinned; and its pins.
async fn listen(builder: VendorBuilder) -> (Vendor, GatewayBuilder) {
    let mut builder = builder.serve("/importer", Answer::script(IMPORTER));
    for way in ALL.iter().copied().flatten() {
        for root in ["reviewed", "tampered", "unpinned"] {
            builder = builder.serve(&format!("/{root}/{way}"), code(root, way));
        }
    }
    for (at, media_type) in DISGUISES.iter().enumerate() {
        let script = script(&format!("disguised/{at}"));
        let answer = match media_type {
            Some(media_type) => Answer::typed(media_type, script),
            None => Answer::untyped(script),
        };
        builder = builder.serve(&format!("/disguised/{at}"), open_to_all(answer));
    }
    let vendor = builder.listen().await;
    let mut gateway = gateway().vendor(&vendor).pin(vendor.url("/importer"), sha256(IMPORTER));
    // What holds the page open comes as late as the slowest machine is done.
    gateway = gateway.set_in("limits", "upstream_timeout", "10m");
    for way in ALL.iter().copied().flatten() {
        let digest = sha256(body("reviewed", way));
        let kind = if is_wasm(way) { "wasm" } else { "script" };
        for root in ["reviewed", "tampered"] {
            let pin = Pin::new(vendor.url(&format!("/{root}/{way}"))).digest(&digest);
            gateway = gateway.pinned(pin.kind(kind));
        }
    }
    (vendor, gateway)
}

fn code(root: &str, way: &str) -> Answer {
    let body = body(root, way);
    open_to_all(if is_wasm(way) { Answer::typed("application/wasm", body) } else { Answer::script(body) })
}

/// Modules and worklets of another host need its leave.
fn open_to_all(answer: Answer) -> Answer {
    answer.header("access-control-allow-origin", "*")
}

fn is_wasm(way: &str) -> bool {
    ["compiled", "streamed"].contains(&way)
}

fn body(root: &str, way: &str) -> Vec<u8> {
    if !is_wasm(way) {
        return script(&format!("{root}/{way}")).into_bytes();
    }
    // A module with nothing but a custom section, which holds its name.
    let name = u8::try_from(root.len()).unwrap();
    [b"\0asm\x01\0\0\0\0", &[name + 1, name][..], root.as_bytes()].concat()
}

/// Says its name in a page, and sends word from a worker.
fn script(name: &str) -> String {
    format!(
        "if (globalThis.document) ran.push('{name}');\n\
         else {{ globalThis.postMessage?.('ran'); globalThis.onconnect = (e) => e.ports[0].postMessage('ran'); }}\n"
    )
}

/// The page. It has not loaded before its last image has, which waits for the end of the attempts.
fn page(vendor: &Vendor, own: bool) -> Answer {
    let cdn = vendor.url("");
    let mapped = ["reviewed", "tampered", "unpinned"]
        .map(|root| format!("\"mapped-{root}\": \"{cdn}/{root}/mapped\""))
        .join(", ");
    let disguises = DISGUISES.len();
    Answer::page(format!(
        "<!doctype html><title>not yet</title><script type=importmap>{{\"imports\": {{{mapped}}}}}</script>\
         <script>const CDN = '{cdn}', OWN = {own}, DISGUISES = {disguises};\n{ATTEMPTS}</script><img src='/wait'>"
    ))
}

fn waiting(gate: &Gate) -> Answer {
    Answer::typed("image/png", "").behind(gate)
}

/// Opens the vendor's own page, which is not guarded.
async fn open_own(vendor: &Vendor, gateway: GatewayBuilder) -> Page {
    let gate = Gate::closed();
    vendor.serve("/", page(vendor, true));
    vendor.serve("/wait", waiting(&gate));
    open(&gateway.listen().await, vendor, &gate).await
}

async fn open(gateway: &Gateway, host: &Vendor, gate: &Gate) -> Page {
    let browser = browser(gateway).await;
    let done = async {
        host.asked("/done", 1).await;
        gate.open();
        std::future::pending().await
    };
    // A browser that ends before says in its log why.
    tokio::select! {
        page = browser.open(host.url("/")) => page,
        never = done => never,
    }
}

#[track_caller]
fn assert_ran(page: &Page, ways: &[&[&str]]) {
    let mut reviewed: Vec<_> = ways.iter().copied().flatten().map(|way| format!("reviewed/{way}")).collect();
    reviewed.sort_unstable();
    assert_eq!(page.title().split(' ').collect::<Vec<_>>(), reviewed, "{}", page.log());
}
