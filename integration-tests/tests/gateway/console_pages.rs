//! The pages of the console on which nothing is decided: what the ledger, the pins and the vendors say, and how to trust it all.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pinfold_integration_tests::{Answer, Gateway, Pin, Rule, client, gateway, reviewer, sha256, sha256_hex};

use crate::admission::PASSWORD;
use crate::console::{signed_in, with_reviewers};
use crate::{REVIEWED, TAMPERED, pinning, vendor_of, verified};

/// All of them, filled where they can be.
pub(crate) const SHOWN: [&str; 6] =
    ["/ledger", "/ledger?q=host:cdn.vendor.test", "/exposure?q=sha256-AAAA", "/pins", "/vendors", "/setup"];
/// What they give as files.
const FILES: [&str; 3] = ["/exposure/statement.json?q=host:cdn.vendor.test", "/pins.toml", "/root.pem"];

/// As a query of a URL has it.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[tokio::test]
async fn pages_without_a_decision_are_for_who_may_look_and_for_nobody_else() {
    let gateway = with_reviewers(pinning(&vendor_of(REVIEWED).await)).listen().await;
    let mut pat = reviewer(&gateway);
    assert_eq!(pat.sign_in("pat", PASSWORD).await.status, 403);
    let vic = signed_in(&gateway, "vic").await;
    for page in SHOWN.into_iter().chain(FILES) {
        let shown = reviewer(&gateway).open(page).await;
        assert!(shown.status == 303 && shown.body.is_empty(), "{page}: {shown:?}");
        assert_ne!(vic.open(page).await.status, 303, "{page}");
    }
}

#[tokio::test]
async fn what_is_not_there_and_what_is_no_form_is_answered_by_a_page_of_the_console() {
    let gateway = with_reviewers(pinning(&vendor_of(REVIEWED).await)).listen().await;
    let ada = signed_in(&gateway, "ada").await;
    let decide = "/pins/learned/1/decide";
    for (shown, status) in [
        (ada.open("/nothing").await, 404),
        (ada.open("/pins/learned/1/nothing").await, 404),
        (ada.open(decide).await, 405),
        (ada.open("/ledger?q=1&q=2").await, 400),
        (ada.send(decide, &[("act", "approve")]).await, 422),
        (ada.send("/setup", &[]).await, 405),
    ] {
        assert_eq!(shown.status, status, "{shown:?}");
        assert_eq!(shown.field("content-type"), Some("text/html; charset=utf-8"), "{shown:?}");
        assert!(shown.body.contains("Back to the console"), "{shown:?}");
    }
}

#[tokio::test]
async fn pins_are_found_by_url_vendor_origin_and_end_and_say_where_they_come_from() {
    let vendor = vendor_of(REVIEWED).await;
    let (app, old, far) = (vendor.url("/app.js"), vendor.url("/old.js"), vendor.url("/far.js"));
    let pin = |url: &str| Pin::new(url).digest(sha256(REVIEWED));
    let gateway = pinning(&vendor)
        .pinned(pin(&old).expires("2020-01-01"))
        .pinned(pin(&far).expires("2126-01-01").key("release", "10.4 <b>"));
    let gateway = with_reviewers(gateway).listen().await;
    verified(&client(&gateway).get(&app).await, REVIEWED);
    let vic = signed_in(&gateway, "vic").await;

    let all = vic.open("/pins").await.body;
    for said in
        [&*app, &old, &far, "pins.toml:", "reviewed for a test", "tests", "10.4 &#60;b&#62;", "2126-01-01"]
    {
        assert!(all.contains(said), "no {said}: {all}");
    }
    assert!(all.contains(">ended<") && all.contains("never"), "{all}");
    let listed = gateway.command(&["--json", "pin", "list"]).await.success().json();
    let asked = listed[0]["last_asked"].as_str().unwrap();
    assert!(all.contains(&asked[.."2026-11-28T12:00".len()].replace('T', " ")), "{asked}: {all}");
    let name = listed_vendor(&gateway).await;
    for (filter, found) in [
        ("q=/ol", [false, true, false]),
        ("ends=soon", [false, true, false]),
        ("from=file", [true; 3]),
        ("from=learned", [false; 3]),
        ("from=approved", [false; 3]),
        ("q=%22%3E%3Cscript%3E", [false; 3]),
        ("vendor=nobody", [false; 3]),
        (&format!("vendor={}", escaped(&name)), [true; 3]),
    ] {
        let shown = vic.open(&format!("/pins?{filter}")).await.body;
        assert_eq!([&app, &old, &far].map(|url| shown.contains(url.as_str())), found, "{filter}: {shown}");
    }
}

#[tokio::test]
async fn the_overview_says_what_share_was_judged_and_what_was_not_and_why() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/page.html", Answer::page("<p>a page</p>"));
    let gateway = with_reviewers(pinning(&vendor)).listen().await;
    let vic = signed_in(&gateway, "vic").await;
    let nothing = vic.open("/").await.body;
    assert!(nothing.contains("Nothing has passed since the start"), "{nothing}");

    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    assert_eq!(client(&gateway).get(vendor.url("/page.html")).await.status(), 200);
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    let shown = vic.open("/").await.body;
    for said in [
        "66.6 % of what has passed",
        "was judged: 2 of 3",
        "judged <b>2</b>",
        "documents <b>1</b>",
        "<td class=\"long\">nothing waits</td>",
    ] {
        assert!(shown.contains(said), "no {said}: {shown}");
    }
    assert!(!shown.contains("<b>0</b>") && !nothing.contains("<b>0</b>"), "{shown}");
}

/// The name of the one vendor.
async fn listed_vendor(gateway: &Gateway) -> String {
    let vic = signed_in(gateway, "vic").await;
    let page = vic.open("/").await.body;
    let row = page.split_once("<th scope=\"row\">").unwrap().1;
    row.split_once('<').unwrap().0.to_owned()
}

#[tokio::test]
async fn learned_and_approved_pins_are_told_apart_and_leave_as_the_command_exports_them() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.script("/other.js", TAMPERED);
    let rule = Rule::default().set("unpinned", "learn").set("recheck", "always");
    let gateway = with_reviewers(gateway().rule(&vendor, rule).pin(vendor.url("/app.js"), sha256("none")));
    let gateway = gateway.listen().await;
    let (app, other) = (vendor.url("/app.js"), vendor.url("/other.js"));
    client(&gateway).get(&other).await;
    let reply = client(&gateway).get(&app).await;
    let incident = reply.verdict().incident().unwrap().to_owned();
    let reason = "SEC-9: read it <all>";
    gateway.command(&["quarantine", "approve", &incident, "--reason", reason]).await.success();
    let vic = signed_in(&gateway, "vic").await;

    let learned = vic.open("/pins?from=learned").await.body;
    assert!(learned.contains(&other) && !learned.contains(&app), "{learned}");
    assert!(
        learned.contains("href=\"/pins/learned/") && learned.contains("pinfold pin export --learned"),
        "{learned}"
    );
    let approved = vic.open("/pins?from=approved").await.body;
    assert!(approved.contains(&app) && !approved.contains(&other), "{approved}");
    for said in [&*incident, "SEC-9: read it &#60;all&#62;"] {
        assert!(approved.contains(said), "no {said}: {approved}");
    }

    let file = vic.open("/pins.toml").await;
    assert!(file.field("content-disposition").unwrap().starts_with("attachment;"), "{file:?}");
    assert_eq!(file.field("content-type"), Some("application/toml"));
    let exported = String::from_utf8(gateway.command(&["pin", "export"]).await.success().stdout).unwrap();
    assert!(exported.contains(&other) && exported.contains(&app), "{exported}");
    assert_eq!(file.body.trim_end(), exported.trim_end());
}

#[tokio::test]
async fn vendors_are_shown_with_the_rules_in_force_and_what_waits_of_them() {
    let vendor = vendor_of(TAMPERED).await;
    let rule = Rule::default().set("unpinned", "quarantine").set("recheck", "90m").set("substitute", true);
    let gateway = with_reviewers(gateway().rule(&vendor, rule));
    let gateway = gateway.pin(vendor.url("/app.js"), sha256(REVIEWED)).listen().await;
    client(&gateway).get(vendor.url("/app.js")).await;
    let name = listed_vendor(&gateway).await;
    let vic = signed_in(&gateway, "vic").await;

    let shown = vic.open("/vendors").await.body;

    let rules = [
        ("mode", "&#34;enforce&#34;"),
        ("guard", "[&#34;script&#34;, &#34;wasm&#34;, &#34;installer&#34;]"),
        ("unpinned", "&#34;quarantine&#34;"),
        ("on_mismatch", "&#34;quarantine&#34;"),
        ("substitute", "true"),
        ("recheck", "&#34;90m&#34;"),
        ("cooldown", "&#34;off&#34;"),
        ("on_path_change", "&#34;report&#34;"),
        ("websocket", "&#34;allow&#34;"),
    ];
    for (key, value) in rules {
        let row = format!("<dt><code>{key}</code></dt><dd><code>{value}</code></dd>");
        assert!(shown.contains(&row), "no {row}: {shown}");
    }
    let link = format!("/quarantine?vendor={}", escaped_where_needed(&name));
    assert!(shown.contains(&format!("<a href=\"{link}\">1 item waiting</a>")), "{link}: {shown}");
    assert!(shown.contains(vendor.host()), "{shown}");
    assert!(vic.open(&link).await.body.contains(&vendor.url("/app.js")));
}

fn escaped_where_needed(text: &str) -> String {
    let one = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

#[tokio::test]
async fn setup_gives_the_root_with_its_fingerprint_and_says_what_is_enforced() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = with_reviewers(pinning(&vendor)).listen().await;
    let vic = signed_in(&gateway, "vic").await;

    let (shown, root) = (vic.open("/setup").await.body, vic.open("/root.pem").await);

    assert_eq!(root.body, std::fs::read_to_string(gateway.ca()).unwrap());
    assert!(root.body.starts_with("-----BEGIN CERTIFICATE-----") && !root.body.contains("PRIVATE"));
    assert_eq!(root.field("content-disposition"), Some("attachment; filename=\"root.pem\""));
    let base64: String = root.body.lines().filter(|line| !line.starts_with('-')).collect();
    let hex = sha256_hex(BASE64_STANDARD.decode(base64).unwrap());
    let groups: Vec<_> = (0..hex.len()).step_by(8).map(|at| &hex[at..at + 8]).collect();
    assert!(shown.contains(&groups.join(" ")), "{hex}: {shown}");
    for said in [
        &*gateway.proxy().to_string(),
        "/proxy.pac",
        "sudo trust anchor root.pem",
        "enforce; 1 pin; ",
        vendor.host(),
        "all other hosts: tunnelled without a look inside",
    ] {
        assert!(shown.contains(said), "no {said}: {shown}");
    }
}
