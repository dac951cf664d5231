//! Pages keep working: a page of three vendors, of which one changes a script, one vanishes, and one has a version
//! revoked.

use pinfold_integration_tests::{
    Answer, Event, Gateway, GatewayBuilder, Pin, Rule, Vendor, eventually, gateway, sha256, vendor,
};
use serde_json::Value;

use crate::browser::browser;

/// What a vendor's scripts say that they are.
struct Scripts<'a> {
    vendor: &'a Vendor,
    names: &'a [&'a str],
}

impl Scripts<'_> {
    fn tags(&self) -> String {
        let tag = |name| format!("<script src='{}'></script>", self.vendor.url(&path(name)));
        self.names.iter().map(|name| tag(name)).collect()
    }

    fn serve(&self, version: u32) {
        for name in self.names {
            self.vendor.script(&path(name), script(name, version));
        }
    }

    /// Pins a version of all of them, as one release.
    fn pin(&self, builder: GatewayBuilder, version: u32) -> GatewayBuilder {
        self.names.iter().fold(builder, |builder, name| {
            let pin = Pin::new(self.vendor.url(&path(name))).digest(sha256(script(name, version)));
            builder.pinned(pin.key("release", format!("{version}.0")))
        })
    }
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
        ["chat", "maps", "ads"].map(|name| vendor().named(name).host(&format!("{name}.test")));
    let (chat, maps, ads) = (chat.listen().await, maps.listen().await, ads.listen().await);
    let (of_chat, of_maps, of_ads) = (
        Scripts { vendor: &chat, names: &["chat-a", "chat-b", "chat-c", "chat-d"] },
        Scripts { vendor: &maps, names: &["maps-a", "maps-b", "maps-c"] },
        Scripts { vendor: &ads, names: &["ads-a", "ads-b", "ads-c"] },
    );
    let all = [&of_chat, &of_maps, &of_ads];
    let tags: String = all.iter().map(|scripts| scripts.tags()).collect();
    let told = "<script>document.title = (window.ran ?? []).join(', ')</script>";
    let page = Answer::page(format!("<title>no script ran</title><body>{tags}{told}"));
    let site = vendor().named("site").host("site.test").serve("/", page).listen().await;
    let builder = all.iter().fold(gateway().reach(&site), |builder, scripts| {
        scripts.serve(1);
        scripts.pin(builder.rule(scripts.vendor, rule()), 1)
    });
    let mut gateway = of_ads.pin(builder, 2).listen().await;
    let versions = |of_ads: u32| {
        let named = |scripts: &Scripts<'_>, version| {
            scripts.names.iter().map(|name| format!("{name} {version}")).collect::<Vec<_>>().join(", ")
        };
        [named(&of_chat, 1), named(&of_maps, 1), named(&of_ads, of_ads)].join(", ")
    };

    assert_eq!(open(&gateway, &site).await, versions(1));
    // The vendor of the advertisements has a new version, which is pinned: the page has it once all files of it are there.
    of_ads.serve(2);
    while open(&gateway, &site).await != versions(2) {}

    chat.script("/chat-b.js", "(window.ran ??= []).push('chat-b tampered');");
    let vanished = maps.url("/maps-a.js");
    drop(maps);
    gateway.rewrite(|files| files.revoke(sha256(script("ads-b", 2))));

    let drift = gateway.event_called("drift").await;
    assert_eq!(drift.text("Pinfold.subject"), Some(&*chat.url("/chat-b.js")));
    gateway.event_called("policy-reloaded").await;
    assert_eq!(open(&gateway, &site).await, versions(1));

    let quarantine = gateway.command(&["quarantine", "list"]).await.success().text();
    assert!(quarantine.contains("chat-b.js"), "{quarantine}");
    eventually("the vendor that is down to be said to be", is_unreachable(&gateway, &vanished)).await;
    gateway.terminate().await;
    let events = gateway.rest_of_events().await;
    let is_refusal = |event: &&Event| matches!(event.verdict(), Some("blocked" | "quarantined"));
    let refused: Vec<_> = events.iter().filter(is_refusal).collect();
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
