//! Section 3: each host, target and path has one spelling, and what the vendor is asked is what was judged.

use http::Method;
use pinfold_integration_tests::{Gateway, Vendor, client, gateway, sha256, vendor};

use crate::{REVIEWED, TAMPERED, say};

/// A vendor in clear text, so that any bytes can ask for its script, pinned as a proxy and as a tunnel reach it.
async fn vendor_and_gateway(host: &str) -> (Vendor, Gateway) {
    let vendor = vendor().host(host).clear_text().script("/app.js", TAMPERED).listen().await;
    let builder = gateway().vendor(&vendor).pin(vendor.url("/app.js"), sha256(REVIEWED));
    let gateway = builder.pin(format!("http://{host}:443/app.js"), sha256(REVIEWED)).listen().await;
    (vendor, gateway)
}

/// What comes back when this host is asked for the script in absolute form.
async fn absolute(gateway: &Gateway, authority: &str, host: &str) -> String {
    let head = format!("GET http://{authority}/app.js HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    say(gateway, head).await
}

/// What comes back when a tunnel to this target is asked for the script, the tunnel's own answer first.
async fn tunnelled(gateway: &Gateway, target: &str, host: &str) -> String {
    let connect = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    say(gateway, format!("{connect}GET /app.js HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await
}

#[track_caller]
fn judged(answer: &str, asked: &str) {
    assert!(answer.contains("reason=digest-mismatch"), "{asked:?}: {answer}");
}

#[track_caller]
fn refused_at_once(answer: &str, asked: &str) {
    assert!(answer.starts_with("HTTP/1.1 4") && !answer.contains("digest-mismatch"), "{asked:?}: {answer}");
}

#[tokio::test]
async fn every_spelling_of_a_vendors_host_is_the_vendor() {
    const HOST: &str = "cdn.vendor.test";
    let (_vendor, gateway) = vendor_and_gateway(HOST).await;

    for host in ["cdn.vendor.test", "CDN.Vendor.TEST", "cdn.vendor.test.", "cDN.vendor.test."] {
        for port in ["", ":80", ":080", ":00080", ":"] {
            let spelling = format!("{host}{port}");
            judged(&absolute(&gateway, &spelling, &spelling).await, &spelling);
            judged(&absolute(&gateway, HOST, &spelling).await, &spelling);
        }
        for port in [":443", ":0443", ":00000443"] {
            let spelling = format!("{host}{port}");
            judged(&tunnelled(&gateway, &spelling, &spelling).await, &spelling);
            judged(&tunnelled(&gateway, "cdn.vendor.test:443", &spelling).await, &spelling);
        }
    }
    // In a request's target no host is percent-encoded; `Host` is not parsed before pinfold does.
    for spelling in
        ["cDN%2Evendor.test", "%63dn.vendor.test%2E", "cdn%E3%80%82vendor.test", "cdn.ven%C2%ADdor.test"]
    {
        judged(&absolute(&gateway, HOST, spelling).await, spelling);
        refused_at_once(&absolute(&gateway, spelling, HOST).await, spelling);
    }
}

#[tokio::test]
async fn every_notation_of_a_vendors_address_is_the_vendor() {
    const HOST: &str = "192.0.2.10";
    let (_vendor, gateway) = vendor_and_gateway(HOST).await;

    for host in [
        "192.0.2.10",
        "192.0.2.10.",
        "192.0.522",
        "0xc0.0.2.0xa",
        "0300.0.02.012",
        "3221225994",
        "0xC000020A",
        "[::ffff:192.0.2.10]",
        "[::FFFF:c000:20a]",
        "[0:0:0:0:0:ffff:c000:020a]",
    ] {
        judged(&absolute(&gateway, host, host).await, host);
        let target = format!("{host}:443");
        judged(&tunnelled(&gateway, &target, &target).await, host);
    }
}

#[tokio::test]
async fn what_only_some_parsers_would_call_the_vendor_is_refused() {
    const HOST: &str = "cdn.vendor.test";
    let (vendor, gateway) = vendor_and_gateway(HOST).await;

    for host in [
        "cdn.vendor.test..",
        "cdn..vendor.test",
        "user@cdn.vendor.test",
        "user:password@cdn.vendor.test",
        "cdn.vendor.test@other.test",
        "cdn%00.vendor.test",
        "cdn\u{3002}vendor.test",
        "\u{ff43}\u{ff44}\u{ff4e}.vendor.test",
        "cdn.ven\u{ad}dor.test",
        "cdn.vendor.test\\",
        "\\cdn.vendor.test",
        "[cdn.vendor.test]",
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "[::1",
        "cdn.vendor.test,other.test",
        "cdn.vendor.test other.test",
        "",
    ] {
        refused_at_once(&absolute(&gateway, host, host).await, host);
        // A host that nobody serves is refused just as well, and later.
        let answer = absolute(&gateway, HOST, host).await;
        assert!(
            answer.starts_with("HTTP/1.1 4") && !answer.contains("digest-mismatch"),
            "{host:?}: {answer}"
        );
        let target = format!("{host}:443");
        refused_at_once(&tunnelled(&gateway, &target, &target).await, &target);
        let answer = tunnelled(&gateway, "cdn.vendor.test:443", &target).await;
        assert!(!answer.contains("digest-mismatch"), "{target:?}: {answer}");
    }
    for target in
        ["cdn.vendor.test", "cdn.vendor.test:", "cdn.vendor.test:+443", "cdn.vendor.test:443/", "/", "*"]
    {
        refused_at_once(&tunnelled(&gateway, target, HOST).await, target);
    }
    assert!(vendor.seen("/app.js").is_empty());
}

#[tokio::test]
async fn what_the_vendor_is_asked_is_what_was_judged() {
    let (vendor, gateway) = vendor_and_gateway("cdn.vendor.test").await;
    let spellings = [
        ("/app.js", "/app.js"),
        ("/x/../app.js", "/app.js"),
        ("/../../app.js", "/app.js"),
        ("/./app.js", "/app.js"),
        ("/%2e/app.js", "/app.js"),
        ("/x/%2e%2E/app.js", "/app.js"),
        ("/x/.%2e/y/%2E./app.js", "/app.js"),
        ("/x\\..\\app.js", "/app.js"),
        ("/x/..\\app.js?", "/app.js"),
        ("\\app.js", ""),
        ("/%61pp.js", "/%61pp.js"),
        ("/app%2Ejs", "/app%2Ejs"),
    ];
    for (spelling, sent) in spellings {
        if !sent.is_empty() {
            vendor.script(sent, TAMPERED);
        }
        let head = format!(
            "GET http://cdn.vendor.test{spelling} HTTP/1.1\r\nHost: cdn.vendor.test\r\nConnection: close\r\n\r\n"
        );
        let before = vendor.seen(sent).len();
        let answer = say(&gateway, head).await;
        if sent.is_empty() {
            refused_at_once(&answer, spelling);
        } else {
            judged(&answer, spelling);
            assert_eq!(vendor.seen(sent).len(), before + 1, "{spelling}");
        }
    }
}

#[tokio::test]
async fn what_a_vendor_may_tell_apart_is_another_url_and_is_sent_as_it_stands() {
    let (vendor, gateway) = vendor_and_gateway("cdn.vendor.test").await;

    for path in [
        "/%2Fapp.js",
        "//app.js",
        "/x//../app.js",
        "/%5Capp.js",
        "/x/..%2Fapp.js",
        "/x/%2E%2E%5Capp.js",
        "/%252e%252e/app.js",
        "/app.js%00",
        "/app.js/",
        "/App.js",
        "/app.js;v=1",
        "/%E2%80%AEapp.js",
    ] {
        let sent = path.replace("/x//../", "/x/");
        vendor.script(&sent, TAMPERED);
        let reply = client(&gateway).ask(Method::GET, vendor.url(path)).await;
        assert_eq!(reply.verdict().reason(), Some("unpinned"), "{path}");
        assert_eq!(vendor.seen(&sent).len(), 1, "{path}");
    }
    assert!(vendor.seen("/app.js").is_empty());
}
