//! Observe mode: passes what it would refuse, says so, and records it; revocations and rules 1 to 3 still refuse.

use http::Method;
use pinfold_integration_tests::{Answer, Coding, Rule, client, gateway, sha256};

use crate::{REVIEWED, TAMPERED, pinning, refused, vendor_of};

#[tokio::test]
async fn observe_for_the_file_passes_a_mismatch_and_records_it() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = pinning(&vendor).set("mode", "observe").listen().await;

    let reply = client(&gateway).get(vendor.url("/app.js")).await;

    assert_eq!(reply.status(), 200);
    assert_eq!((reply.verdict().token(), reply.verdict().reason()), ("observed", Some("digest-mismatch")));
    assert_eq!(reply.body(), TAMPERED.as_bytes());
    let event = gateway.next_event().await;
    assert_eq!((event.verdict(), event.reason()), (Some("observed"), Some("digest-mismatch")));
}

#[tokio::test]
async fn observe_for_one_vendor_leaves_the_others_enforced() {
    let vendor = vendor_of(TAMPERED).await;
    let second = pinfold_integration_tests::vendor().named("second").host("js.second.test");
    let second = second.script("/app.js", TAMPERED).listen().await;
    let gateway = gateway()
        .rule(&vendor, Rule::default().set("mode", "observe"))
        .vendor(&second)
        .pin(vendor.url("/app.js"), sha256(REVIEWED))
        .pin(second.url("/app.js"), sha256(REVIEWED))
        .listen()
        .await;

    assert_eq!(client(&gateway).get(vendor.url("/app.js")).await.verdict().token(), "observed");
    refused(&client(&gateway).get(second.url("/app.js")).await, 403, "quarantined", "digest-mismatch");
}

#[tokio::test]
async fn a_vendor_can_enforce_where_the_file_observes() {
    let vendor = vendor_of(TAMPERED).await;
    let rule = Rule::default().set("mode", "enforce");
    let builder = gateway().set("mode", "observe").rule(&vendor, rule);
    let gateway = builder.pin(vendor.url("/app.js"), sha256(REVIEWED)).listen().await;

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");
}

#[tokio::test]
async fn observed_releases_are_kept_by_browsers_ten_minutes_at_most() {
    let vendor = vendor_of(TAMPERED).await;
    let theirs = Answer::script(TAMPERED);
    vendor.serve(
        "/app.js",
        theirs.header("cache-control", "max-age=31536000, immutable").header("x-build", "42"),
    );
    let gateway = pinning(&vendor).set("mode", "observe").listen().await;

    let reply = client(&gateway).get(vendor.url("/app.js")).await;

    let cache = reply.header("cache-control").unwrap();
    assert!(!cache.contains("31536000") && !cache.contains("immutable"), "{cache}");
    assert_eq!(reply.header("x-build"), Some("42"));
}

#[tokio::test]
async fn a_coded_body_without_its_end_passes_as_it_came() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).set("mode", "observe").listen().await;
    for coding in [Coding::Gzip, Coding::Br, Coding::Zstd] {
        let mut coded = coding.encode(TAMPERED.as_bytes());
        coded.truncate(coded.len() - 2);
        let answer = Answer::script(coded.clone()).header("content-encoding", coding.token());
        vendor.serve("/app.js", answer);

        let mut client = client(&gateway).accepting(coding.token()).begin(vendor.url("/app.js")).await;

        assert_eq!((client.verdict().token(), client.verdict().reason()), ("observed", Some("truncated")));
        let mut body = Vec::new();
        while let Some(bytes) = client.next().await {
            body.extend_from_slice(&bytes);
        }
        assert_eq!(body, coded, "{coding:?}");
    }
}

#[tokio::test]
async fn what_is_encoded_anew_says_so_whatever_the_vendors_connection_names() {
    let named = Answer::script(TAMPERED).header("connection", "Content-Encoding, Vary");
    let vendor = pinfold_integration_tests::vendor().http1_only().serve("/app.js", named).listen().await;
    let gateway = pinning(&vendor).set("mode", "observe").listen().await;

    let reply = client(&gateway).accepting("gzip").get(vendor.url("/app.js")).await;

    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    assert_eq!(reply.header("vary"), Some("Accept-Encoding"));
    assert_eq!(reply.body(), TAMPERED.as_bytes());
}

#[tokio::test]
async fn an_observed_answer_to_head_has_no_body() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = pinning(&vendor).set("mode", "observe").listen().await;

    for client in [client(&gateway), client(&gateway).http2()] {
        let reply = client.ask(Method::HEAD, vendor.url("/app.js")).await;

        assert_eq!((reply.status().as_u16(), reply.verdict().token()), (200, "observed"));
        assert!(reply.coded().is_empty());
    }
}

#[tokio::test]
async fn what_was_revoked_does_not_pass_because_it_cannot_be_measured() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway().vendor(&vendor).set("mode", "observe").revoke(sha256(TAMPERED)).listen().await;
    let with_a_tail = [Coding::Gzip.encode(TAMPERED.as_bytes()), b"x".to_vec()].concat();
    let answers = [
        Answer::script(TAMPERED),
        Answer::script(with_a_tail).header("content-encoding", "gzip"),
        // A coding that browsers do not know is none to them.
        Answer::script(TAMPERED).header("content-encoding", "utf-8"),
        Answer::script(TAMPERED).status(404),
        Answer::script(TAMPERED).encoded(Coding::Br).status(203),
    ];

    for answer in answers {
        vendor.serve("/app.js", answer);
        let reply = client(&gateway).get(vendor.url("/app.js")).await;
        refused(&reply, 403, "blocked", "revoked");
    }
    vendor.serve("/app.js", Answer::script(REVIEWED).status(404));
    let other = client(&gateway).get(vendor.url("/app.js")).await;
    assert_eq!((other.status().as_u16(), other.verdict().token()), (404, "observed"));
    assert_eq!(other.body(), REVIEWED.as_bytes());
}

#[tokio::test]
async fn changed_content_that_cannot_be_measured_is_told_with_the_pin_that_it_passed_by() {
    use crate::health::shown;
    let vendor = vendor_of(TAMPERED).await;
    let junk = [Coding::Gzip.encode(TAMPERED.as_bytes()).as_slice(), b"8 bytes."].concat();
    let coded = || Answer::script(junk.clone()).header("content-encoding", "gzip");
    vendor.serve("/app.js", coded());
    vendor.serve("/other.js", coded());
    vendor.serve("/gone.js", Answer::script("").status(404));
    let files = shown(pinning(&vendor)).set("mode", "observe").pin(vendor.url("/gone.js"), sha256(REVIEWED));
    let gateway = files.listen().await;
    let mut told = Vec::new();
    for path in ["/app.js", "/other.js", "/gone.js"] {
        assert_eq!(client(&gateway).get(vendor.url(path)).await.verdict().token(), "observed");
        let event = gateway.next_event().await;
        let rule = |field: &str| event.text(field).map(str::to_owned);
        told.push((event.reason().unwrap().to_owned(), rule("rule.id"), rule("rule.ruleset")));
    }

    let pinned = Some("pins.toml:1".to_owned());
    let ruleset = Some("pins.toml".to_owned());
    // Of what has failed browsers run nothing.
    let expected =
        [("bad-encoding", pinned, ruleset), ("bad-encoding", None, None), ("upstream-status", None, None)];
    assert_eq!(told, expected.map(|(reason, pin, set)| (reason.to_owned(), pin, set)));
    let metrics = gateway.shows("/metrics").await;
    assert_eq!(metrics.sample("pinfold_pinned_unmeasured_exchanges_total"), Some(1), "{}", metrics.body);
}
