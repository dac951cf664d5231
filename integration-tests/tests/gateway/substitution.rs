//! `substitute = true`: reviewed bytes in place of a refusal.

use pinfold_integration_tests::{Answer, Gate, Pin, Rule, client, sha256};

use super::*;

/// A vendor that is asked on every request, and whose refusals are made good from the shelf.
fn substituting() -> Rule {
    Rule::default().set("recheck", "always").set("substitute", true)
}

fn substituted(reply: &Reply, script: &str, reason: &str) {
    let verdict = reply.verdict();
    assert_eq!(
        (reply.status().as_u16(), verdict.token(), verdict.reason()),
        (200, "substituted", Some(reason)),
        "{reply:?}"
    );
    assert_eq!(reply.body(), script.as_bytes());
}

#[tokio::test]
async fn a_changed_script_is_kept_and_the_reviewed_one_goes_out() {
    let vendor = vendor_of(REVIEWED).await;
    let builder = gateway().rule(&vendor, substituting());
    let gateway = builder.pin(vendor.url("/app.js"), sha256(REVIEWED)).listen().await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    vendor.script("/app.js", TAMPERED);

    let reply = client(&gateway).get(vendor.url("/app.js")).await;

    substituted(&reply, REVIEWED, "digest-mismatch");
    let incident = reply.verdict().incident().unwrap().to_owned();
    let shown = gateway.command(&["quarantine", "show", &incident]).await.success().text();
    assert!(shown.contains(&sha256(TAMPERED)), "{shown}");
    let event = gateway.event_of(&vendor.url("/app.js")).await;
    assert_eq!(event.text("Pinfold.verdict"), Some("verified"));
    gateway.terminate().await;
    let events = gateway.rest_of_events().await;
    let event = events.iter().find(|event| event.text("Pinfold.verdict") == Some("substituted")).unwrap();
    assert_eq!(event.text("event.reason"), Some("digest-mismatch"));
    assert_eq!(event.text("event.code"), Some("PF-1005"));
}

#[tokio::test]
async fn a_vendor_that_breaks_does_not_break_the_page() {
    let vendor = vendor().serve("/raw", Answer::raw("")).script("/app.js", REVIEWED).listen().await;
    let builder = gateway().rule(&vendor, substituting()).set_in("limits", "upstream_timeout", "1s");
    let gateway = builder.pin(vendor.url("/app.js"), sha256(REVIEWED)).listen().await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);

    for (answer, reason) in [
        (Answer::script("gone").status(500), "upstream-status"),
        (Answer::script(REVIEWED).header("content-encoding", "gzip"), "bad-encoding"),
        (
            Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\ncontent-length: 8\r\n\r\n"),
            "malformed-response",
        ),
        (Answer::raw("HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\nlet"), "truncated"),
    ] {
        vendor.serve("/app.js", answer);
        substituted(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED, reason);
    }
    let url = vendor.url("/app.js");
    drop(vendor);
    substituted(&client(&gateway).get(url).await, REVIEWED, "upstream-unreachable");
}

#[tokio::test]
async fn what_is_revoked_rejected_or_expired_substitutes_nothing() {
    let vendor = vendor_of(REVIEWED).await;
    let builder = gateway().rule(&vendor, substituting());
    let strict = builder.pin(vendor.url("/app.js"), sha256(REVIEWED)).revoke(sha256(REVIEWED)).listen().await;
    refused(&client(&strict).get(vendor.url("/app.js")).await, 403, "blocked", "revoked");
    vendor.script("/app.js", TAMPERED);
    refused(&client(&strict).get(vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");

    let vendor = vendor_of(REVIEWED).await;
    let pin = Pin::new(vendor.url("/app.js")).digest(sha256(REVIEWED)).expires("2020-01-01");
    let gateway = gateway().rule(&vendor, substituting()).pinned(pin).listen().await;
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "blocked", "expired-pin");
}

#[tokio::test]
async fn of_two_reviewed_bodies_the_one_served_last_goes_out() {
    let (one, two) = ("let one = 1;", "let two = 2;");
    let vendor = vendor_of(one).await;
    let releases = |url: &str| {
        let pin = |release, script| Pin::new(url).digest(sha256(script)).key("release", release);
        [pin("1.0", one), pin("2.0", two)]
    };
    let builder = gateway().rule(&vendor, substituting());
    let gateway =
        releases(&vendor.url("/app.js")).into_iter().fold(builder, GatewayBuilder::pinned).listen().await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, one);
    vendor.script("/app.js", two);
    verified(&client(&gateway).get(vendor.url("/app.js")).await, two);
    vendor.script("/app.js", TAMPERED);

    substituted(&client(&gateway).get(vendor.url("/app.js")).await, two, "digest-mismatch");
}

#[tokio::test]
async fn files_of_two_releases_never_meet() {
    let (main_1, chunk_1) = ("let main = 1;", "let chunk = 1;");
    let (main_2, chunk_2) = ("let main = 2;", "let chunk = 2;");
    let vendor = vendor().script("/main.js", main_1).script("/chunk.js", chunk_1).listen().await;
    let pin = |path: &str, release: &str, script: &str| {
        Pin::new(vendor.url(path)).digest(sha256(script)).key("release", release)
    };
    let pins = [
        pin("/main.js", "1.0", main_1),
        pin("/chunk.js", "1.0", chunk_1),
        pin("/main.js", "2.0", main_2),
        pin("/chunk.js", "2.0", chunk_2),
    ];
    let builder = gateway().rule(&vendor, Rule::default());
    let gateway = pins.into_iter().fold(builder, GatewayBuilder::pinned).listen().await;
    let page = async || {
        let mut scripts = Vec::new();
        for path in ["/main.js", "/chunk.js"] {
            let reply = client(&gateway).get(vendor.url(path)).await;
            assert_eq!(reply.verdict().token(), "verified");
            scripts.push(String::from_utf8(reply.body().clone()).unwrap());
        }
        scripts
    };
    assert_eq!(page().await, [main_1, chunk_1]);

    // The vendor is halfway through, and somebody sees it whom the shelf has nothing for.
    vendor.script("/main.js", main_2);
    let elsewhere = client(&gateway).header("origin", "https://elsewhere.test");
    verified(&elsewhere.get(vendor.url("/main.js")).await, main_2);
    assert_eq!(page().await, [main_1, chunk_1]);

    vendor.script("/chunk.js", chunk_2);
    let elsewhere = client(&gateway).header("origin", "https://elsewhere.test");
    verified(&elsewhere.get(vendor.url("/chunk.js")).await, chunk_2);
    assert_eq!(page().await, [main_2, chunk_2], "all of them are there: they change over together");
}

#[tokio::test]
async fn a_vendor_that_trickles_does_not_break_the_page() {
    let vendor = vendor_of(REVIEWED).await;
    let builder = gateway().rule(&vendor, substituting()).set_in("limits", "patience", "1s");
    let gateway = builder.pin(vendor.url("/app.js"), sha256(REVIEWED)).listen().await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);

    let gate = Gate::closed();
    vendor.serve("/app.js", Answer::script("let").then(&gate, "never"));
    substituted(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED, "held");
}

#[tokio::test]
async fn files_of_a_release_that_are_asked_for_as_browsers_do_are_kept_together() {
    let vendor = vendor().listen().await;
    for (path, text) in [("/main.js", REVIEWED), ("/chunk.css", "a {}")] {
        vendor.serve(path, Answer::script(text).header("vary", "Accept, Sec-Fetch-Dest"));
    }
    let pin = |path: &str, text: &str| Pin::new(vendor.url(path)).digest(sha256(text)).key("release", "1");
    let builder = gateway().rule(&vendor, Rule::default().set("substitute", true));
    let gateway = builder.pinned(pin("/main.js", REVIEWED)).pinned(pin("/chunk.css", "a {}")).listen().await;
    let ask = async |path: &str, accept: &str, destination: &str| {
        let client = client(&gateway).header("accept", accept).header("sec-fetch-dest", destination);
        client.get(vendor.url(path)).await
    };

    for _ in 0..3 {
        verified(&ask("/main.js", "*/*", "script").await, REVIEWED);
        verified(&ask("/chunk.css", "text/css,*/*;q=0.1", "style").await, "a {}");
    }
    assert_eq!((vendor.seen("/main.js").len(), vendor.seen("/chunk.css").len()), (1, 1));
}

/// An approval, by a person or by a cooldown, is of one file, and of no release.
#[tokio::test]
async fn a_file_that_was_approved_does_not_meet_the_old_files_of_a_release() {
    let page = Release::of(substituting()).await;
    assert_eq!(page.scripts().await, [MAIN_1, CHUNK_1]);
    page.vendor.script("/main.js", MAIN_2);
    page.vendor.script("/chunk.js", CHUNK_2);

    page.approve("/main.js").await;
    for _ in 0..2 {
        assert_eq!(page.scripts().await, [MAIN_1, CHUNK_1], "nobody has approved of the other");
    }
    page.approve("/chunk.js").await;
    // The vendor serves both, which is seen once each was asked for.
    page.scripts().await;
    for _ in 0..2 {
        assert_eq!(page.scripts().await, [MAIN_2, CHUNK_2]);
    }
}

#[tokio::test]
async fn a_file_that_was_approved_meets_a_file_that_the_vendor_has_not_changed() {
    let page = Release::of(substituting()).await;
    assert_eq!(page.scripts().await, [MAIN_1, CHUNK_1]);
    page.vendor.script("/main.js", MAIN_2);

    page.approve("/main.js").await;

    page.scripts().await;
    for _ in 0..2 {
        assert_eq!(page.scripts().await, [MAIN_2, CHUNK_1]);
    }
    // It goes on to the next: what nobody has reviewed is made good by what goes together.
    page.vendor.script("/main.js", TAMPERED);
    page.vendor.script("/chunk.js", TAMPERED);
    assert_eq!(page.scripts().await, [MAIN_2, CHUNK_1]);
}

#[tokio::test]
async fn what_rechecks_find_approved_does_not_meet_the_old_files_of_a_release_on_the_shelf() {
    let page = Release::of(Rule::default().set("recheck", "1s")).await;
    assert_eq!(page.scripts().await, [MAIN_1, CHUNK_1]);
    page.vendor.script("/main.js", MAIN_2);
    page.vendor.script("/chunk.js", CHUNK_2);
    page.approve_as_rechecked(MAIN_2).await;
    for _ in 0..2 {
        page.is_rechecked().await;
        assert_eq!(page.scripts().await, [MAIN_1, CHUNK_1]);
    }
    page.approve_as_rechecked(CHUNK_2).await;
    while page.scripts().await != [MAIN_2, CHUNK_2] {
        page.is_rechecked().await;
    }
}

#[tokio::test]
async fn a_release_that_was_left_behind_stays_behind_over_a_restart() {
    let page = Release::of(Rule::default().set("recheck", "1s")).await;
    assert_eq!(page.scripts().await, [MAIN_1, CHUNK_1]);
    page.vendor.script("/main.js", MAIN_2);
    page.approve_as_rechecked(MAIN_2).await;
    page.vendor.script("/chunk.js", CHUNK_2);
    page.approve_as_rechecked(CHUNK_2).await;
    while page.scripts().await != [MAIN_2, CHUNK_2] {
        page.is_rechecked().await;
    }

    // Nothing more can be seen there.
    for path in ["/main.js", "/chunk.js"] {
        page.vendor.serve(path, Answer::script("down").status(500));
    }
    page.gateway.terminate().await;
    page.gateway.start_again().await;
    assert_eq!(page.scripts().await, [MAIN_2, CHUNK_2]);
}

#[tokio::test]
async fn the_list_of_pins_says_what_a_release_waits_for() {
    let page = Release::of(Rule::default().set("recheck", "1s")).await;
    page.scripts().await;
    let rows = async || {
        let listed = page.gateway.command(&["pin", "list", "--json"]).await.success().json();
        let rows = listed.as_array().unwrap().clone();
        rows.into_iter().partition::<Vec<_>, _>(|row| row["basis"] == "file")
    };
    // What was served is on the shelf's disk a moment later.
    while rows().await.0.iter().any(|pin| !pin["waits_for"].is_null()) {}
    let waits = async || {
        let (pins, approvals) = rows().await;
        assert!(pins.iter().all(|pin| pin["waits_for"].is_null()), "all of it is there: {pins:?}");
        approvals.into_iter().find(|row| !row["waits_for"].is_null()).map(|row| row["waits_for"].clone())
    };
    assert_eq!(waits().await, None);
    page.vendor.script("/main.js", MAIN_2);
    page.approve_as_rechecked(MAIN_2).await;
    page.vendor.script("/chunk.js", CHUNK_2);

    let awaited = serde_json::json!({ "release": "1.0", "urls": [page.vendor.url("/chunk.js")] });
    while waits().await.as_ref() != Some(&awaited) {
        page.is_rechecked().await;
    }
    let listed = page.gateway.command(&["pin", "list"]).await.success().text();
    let said = format!("release 1.0 waits for {}", page.vendor.url("/chunk.js"));
    assert!(listed.contains(&said), "{listed}");

    page.approve_as_rechecked(CHUNK_2).await;
    while waits().await.is_some() {
        page.is_rechecked().await;
    }
    assert_eq!(page.scripts().await, [MAIN_2, CHUNK_2]);
}

#[tokio::test]
async fn a_file_that_is_gone_holds_no_release_back_for_ever_and_goes_on_from_the_shelf() {
    let page = Release::of(Rule::default().set("recheck", "1s")).await;
    assert_eq!(page.scripts().await, [MAIN_1, CHUNK_1]);
    page.vendor.serve("/chunk.js", Answer::script("gone").status(404));
    page.vendor.asked("/chunk.js", page.vendor.seen("/chunk.js").len() + 1).await;
    page.vendor.script("/main.js", MAIN_2);
    page.approve_as_rechecked(MAIN_2).await;
    assert_eq!(page.scripts().await, [MAIN_1, CHUNK_1], "it may come back, as another");

    while page.scripts().await != [MAIN_2, CHUNK_1] {
        page.vendor.asked("/main.js", page.vendor.seen("/main.js").len() + 1).await;
    }
    // Once it holds nothing back, neither a change of it nor a restart takes the page back.
    page.vendor.script("/chunk.js", TAMPERED);
    page.vendor.asked("/chunk.js", page.vendor.seen("/chunk.js").len() + 2).await;
    assert_eq!(page.scripts().await, [MAIN_2, CHUNK_1]);
    for path in ["/main.js", "/chunk.js"] {
        page.vendor.serve(path, Answer::script("down").status(500));
    }
    page.gateway.terminate().await;
    page.gateway.start_again().await;
    assert_eq!(page.scripts().await, [MAIN_2, CHUNK_1]);
}

const MAIN_1: &str = "let main = 1;";
const CHUNK_1: &str = "let chunk = 1;";
const MAIN_2: &str = "let main = 2;";
const CHUNK_2: &str = "let chunk = 2;";

/// A page with two files whose pins name one release.
struct Release {
    vendor: Vendor,
    gateway: Gateway,
}

impl Release {
    async fn of(rule: Rule) -> Self {
        let vendor = vendor().script("/main.js", MAIN_1).script("/chunk.js", CHUNK_1).listen().await;
        let pin = |path: &str, script: &str| {
            Pin::new(vendor.url(path)).digest(sha256(script)).key("release", "1.0")
        };
        let builder = gateway().rule(&vendor, rule);
        let builder = builder.pinned(pin("/main.js", MAIN_1)).pinned(pin("/chunk.js", CHUNK_1));
        let gateway = builder.listen().await;
        Self { vendor, gateway }
    }

    async fn scripts(&self) -> Vec<String> {
        let mut scripts = Vec::new();
        for path in ["/main.js", "/chunk.js"] {
            let reply = client(&self.gateway).get(self.vendor.url(path)).await;
            assert_eq!(reply.status(), 200, "{reply:?}");
            scripts.push(String::from_utf8(reply.body().clone()).unwrap());
        }
        scripts
    }

    /// Somebody asks for it, gets a substitute, and approves of what was refused.
    async fn approve(&self, path: &str) {
        let reply = client(&self.gateway).get(self.vendor.url(path)).await;
        self.approve_incident(reply.verdict().incident().unwrap()).await;
    }

    async fn approve_as_rechecked(&self, script: &str) {
        loop {
            let items = self.gateway.command(&["quarantine", "list", "--json"]).await.success().json();
            let mut items = items.as_array().unwrap().iter();
            if let Some(item) = items.find(|item| item["digest"] == sha256(script)) {
                return self.approve_incident(item["incident"].as_str().unwrap()).await;
            }
            self.is_rechecked().await;
        }
    }

    async fn approve_incident(&self, incident: &str) {
        let said = self.gateway.command(&["quarantine", "approve", incident, "--reason", "SEC-1"]).await;
        assert!(said.stderr.contains("the pins there are of release 1.0"), "{}", said.stderr);
        assert_eq!(said.code, Some(0));
    }

    /// Each was looked at, and what came of it before is known.
    async fn is_rechecked(&self) {
        for path in ["/main.js", "/chunk.js"] {
            self.vendor.asked(path, self.vendor.seen(path).len() + 2).await;
        }
    }
}
