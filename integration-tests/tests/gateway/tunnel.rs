//! Rule 3: what is tunnelled, what is intercepted, and what is neither.

use http::{Method, Request};
use http_body_util::Full;
use pinfold_integration_tests::{Answer, Coding, client, origin_root_pem, sha256_hex, vendor};

use crate::{REVIEWED, TAMPERED, gateway_pinning, pinning, refused, vendor_of, verified};

#[tokio::test]
async fn a_host_that_no_vendor_claims_is_tunnelled_untouched() {
    let vendor = vendor_of(REVIEWED).await;
    let other = pinfold_integration_tests::vendor().host("other.test").listen().await;
    let script = "let theirs = 1;".repeat(10_000);
    other.serve("/lib.js", Answer::script(script.clone()).encoded(Coding::Gzip).header("x-build", "42"));
    let gateway = pinning(&vendor).reach(&other).listen().await;

    for client in [client(&gateway), client(&gateway).http2()] {
        // Only the origin's own certificate convinces this client: nobody has opened its tunnel.
        let reply = client.trusting(origin_root_pem()).accepting("gzip").get(other.url("/lib.js")).await;
        assert_eq!(reply.coded().as_ref(), Coding::Gzip.encode(script.as_bytes()));
        assert_eq!((reply.header("x-build"), reply.header("pinfold-verdict")), (Some("42"), None));
    }
    let event = gateway.next_event().await;
    assert_eq!(event.text("destination.domain"), Some("other.test"));
    assert_eq!(event.text("source.ip"), Some("127.0.0.1"));
}

#[tokio::test]
async fn a_vendor_host_is_intercepted_however_it_is_spelled() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = gateway_pinning(&vendor).await;

    for host in ["cdn.vendor.test", "CDN.Vendor.TEST", "cdn.vendor.test."] {
        let reply = client(&gateway).get(format!("https://{host}/app.js")).await;
        refused(&reply, 403, "quarantined", "digest-mismatch");
    }
    assert!(
        client(&gateway)
            .trusting(origin_root_pem())
            .try_ask(Method::GET, vendor.url("/app.js"))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_tunnel_elsewhere_whose_sni_names_a_vendor_is_refused() {
    let vendor = vendor_of(TAMPERED).await;
    let front =
        pinfold_integration_tests::vendor().host("front.test").script("/app.js", TAMPERED).listen().await;
    let gateway = pinning(&vendor).reach(&front).listen().await;

    for root in [origin_root_pem(), std::fs::read_to_string(gateway.ca()).unwrap()] {
        let client = client(&gateway).trusting(root);
        let tunnel = client.connect("front.test:443").await.unwrap().unwrap();
        assert!(client.greet(vendor.host(), tunnel).await.is_err());
    }
    assert!(front.seen("/app.js").is_empty());
}

#[tokio::test]
async fn inside_a_vendors_tunnel_another_sni_is_refused() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;

    let client = client(&gateway);
    let tunnel = client.connect("cdn.vendor.test:443").await.unwrap().unwrap();
    let error = client.greet("other.test", tunnel).await.unwrap_err();

    assert!(error.to_string().contains("UnrecognisedName"), "{error}");
}

#[tokio::test]
async fn inside_a_vendors_tunnel_another_host_is_misdirected() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;

    for client in [client(&gateway), client(&gateway).http2()] {
        let mut session = client.open(&vendor.url("/").parse().unwrap()).await.unwrap().unwrap();
        let reply = session.ask(Method::GET, "https://other.test/app.js".parse().unwrap()).await.unwrap();
        refused(&reply, 421, "blocked", "host-mismatch");
    }
    assert!(vendor.seen("/app.js").is_empty());
}

#[tokio::test]
async fn inside_a_vendors_tunnel_trace_is_refused() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;

    let reply = client(&gateway).ask(Method::TRACE, vendor.url("/app.js")).await;

    refused(&reply, 405, "blocked", "method-not-allowed");
    assert!(vendor.seen("/app.js").is_empty());
}

#[tokio::test]
async fn a_vendors_connect_is_answered_without_dialling() {
    let vendor = vendor().unreachable().listen().await;
    let gateway = gateway_pinning(&vendor).await;

    assert!(client(&gateway).connect("cdn.vendor.test:443").await.unwrap().is_ok());
}

#[tokio::test]
async fn a_post_passes_with_its_body_and_is_judged_by_its_answer() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/api/send", Answer::typed("application/json", "{\"sent\":true}"));
    let gateway = gateway_pinning(&vendor).await;

    let mut session = client(&gateway).open(&vendor.url("/").parse().unwrap()).await.unwrap().unwrap();
    let post = |path: &str| {
        (Request::post("/").body(Full::from("hello")).unwrap(), vendor.url(path).parse().unwrap())
    };
    let (request, url) = post("/api/send");
    let sent = session.send(request, url).await.unwrap();
    assert_eq!((sent.status().as_u16(), sent.body().as_slice()), (200, &b"{\"sent\":true}"[..]));
    assert_eq!(sent.header("x-content-type-options"), Some("nosniff"));
    let (request, url) = post("/app.js");
    verified(&session.send(request, url).await.unwrap(), REVIEWED);
}

#[tokio::test]
async fn clear_text_http_of_a_vendor_is_judged_too() {
    let vendor = pinfold_integration_tests::vendor().clear_text().script("/app.js", TAMPERED).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");
    assert_eq!(gateway.next_event().await.digest(), Some(sha256_hex(TAMPERED).as_str()));
    vendor.script("/app.js", REVIEWED);
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
}
