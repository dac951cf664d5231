//! Pages keep working: a page of three vendors, of which one changes a script, one vanishes, and one has a version
//! revoked.

use pinfold_integration_tests::{
    Answer, Event, Gateway, GatewayBuilder, Pin, Rule, Vendor, eventually, gateway, sha256, vendor,
};
use serde_json::Value;

use crate::browser::browser;

const CHAT: [&str; 4] = ["chat-a", "chat-b", "chat-c", "chat-d"];
const MAPS: [&str; 3] = ["maps-a", "maps-b", "maps-c"];
const ADS: [&str; 3] = ["ads-a", "ads-b", "ads-c"];

fn tags(vendor: &Vendor, names: &[&str]) -> String {
    names.iter().map(|name| format!("<script src='{}'></script>", vendor.url(&path(name)))).collect()
}

fn serve(vendor: &Vendor, names: &[&str], version: u32) {
    for name in names {
        vendor.script(&path(name), script(name, version));
    }
}

/// Pins a version of all of them, as one release.
fn pin(builder: GatewayBuilder, vendor: &Vendor, names: &[&str], version: u32) -> GatewayBuilder {
    names.iter().fold(builder, |builder, name| {
        let pin = Pin::new(vendor.url(&path(name))).digest(sha256(script(name, version)));
        builder.pinned(pin.key("release", format!("{version}.0")))
    })
}

/// What the page says when all have run, those of advertisements in one version and the others in the first.
fn ran(of_ads: u32) -> String {
    let others = CHAT.iter().chain(&MAPS).map(|name| format!("{name} 1"));
    others.chain(ADS.iter().map(|name| format!("{name} {of_ads}"))).collect::<Vec<_>>().join(", ")
}

fn path(name: &str) -> String {
    format!("/{name}.js")
}

fn script(name: &str, version: u32) -> String {
    format!("(window.ran ??= []).push('{name} {version}');")
}

fn rule() -> Rule {
    Rule::default().set("recheck", "1s").set("substitute", true)
}

/// The page in a browser that has seen nothing yet.
async fn open(gateway: &Gateway, site: &Vendor) -> String {
    browser(gateway).await.open(site.url("/")).await.title().to_owned()
}

#[tokio::test]
async fn a_page_of_three_vendors_goes_on_with_nobody_at_work() {
    let [chat, maps, ads] =
        ["chat", "maps", "ads"].map(|name| vendor().named(name).host(&format!("{name}.test")).listen());
    let (chat, maps, ads) = (chat.await, maps.await, ads.await);
    let all = [(&chat, &CHAT[..]), (&maps, &MAPS), (&ads, &ADS)];
    let tags: String = all.iter().map(|(vendor, names)| tags(vendor, names)).collect();
    let told = "<script>document.title = (window.ran ?? []).join(', ')</script>";
    let page = Answer::page(format!("<title>no script ran</title><body>{tags}{told}"));
    let site = vendor().named("site").host("site.test").serve("/", page).listen().await;
    let builder = all.iter().fold(gateway().reach(&site), |builder, (vendor, names)| {
        serve(vendor, names, 1);
        pin(builder.rule(vendor, rule()), vendor, names, 1)
    });
    let mut gateway = pin(builder, &ads, &ADS, 2).listen().await;

    assert_eq!(open(&gateway, &site).await, ran(1));
    // A new version of the advertisements, which is pinned: the page has it once all files of it are there.
    serve(&ads, &ADS, 2);
    eventually("the new version", async { while open(&gateway, &site).await != ran(2) {} }).await;

    chat.script("/chat-b.js", "(window.ran ??= []).push('chat-b tampered');");
    let vanished = maps.url("/maps-a.js");
    drop(maps);
    gateway.rewrite(|files| files.revoke(sha256(script("ads-b", 2))));

    // The revoked version is no longer what is expected either, and which of the two is looked at first is open.
    let changed = chat.url("/chat-b.js");
    while gateway.event_called("drift").await.text("Pinfold.subject") != Some(&*changed) {}
    eventually("the version before the revoked one", async {
        while open(&gateway, &site).await != ran(1) {}
    })
    .await;

    let quarantine = gateway.command(&["quarantine", "list"]).await.success().text();
    assert!(quarantine.contains("chat-b.js"), "{quarantine}");
    eventually("the vendor that is down to be said to be", is_unreachable(&gateway, &vanished)).await;
    gateway.terminate().await;
    let events = gateway.rest_of_events().await;
    // The browser asks its own makers for things, too.
    let is_ours = |event: &&Event| event.url().is_some_and(|url| url.contains(".test/"));
    let was_refused = |event: &&Event| matches!(event.verdict(), Some("blocked" | "quarantined"));
    let refused: Vec<_> = events.iter().filter(is_ours).filter(was_refused).collect();
    assert!(refused.is_empty(), "the browser was refused something: {refused:?}");
}

/// Waits until the list of pins says so of one.
async fn is_unreachable(gateway: &Gateway, url: &str) {
    loop {
        let pins = gateway.command(&["pin", "list", "--json"]).await.success().text();
        let pins: Value = serde_json::from_str(&pins).unwrap();
        let pin = pins.as_array().unwrap().iter().find(|pin| pin["url"] == url).unwrap();
        if pin.to_string().contains("upstream-unreachable") {
            return;
        }
    }
}
