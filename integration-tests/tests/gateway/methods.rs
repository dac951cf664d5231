//! Rule 13: whatever the method, the answer is judged.

use http::Method;
use pinfold_integration_tests::{Answer, client, vendor};

use crate::{REVIEWED, TAMPERED, gateway_pinning, refused, vendor_of, verified};

const BODIED: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "QUERY", "X-UNHEARD-OF"];

fn method(name: &str) -> Method {
    Method::from_bytes(name.as_bytes()).unwrap()
}

#[tokio::test]
async fn the_answer_to_any_method_is_judged_like_that_to_a_get() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.script("/other", TAMPERED);
    let gateway = gateway_pinning(&vendor).await;

    for client in [client(&gateway), client(&gateway).http2()] {
        for name in BODIED {
            verified(&client.ask(method(name), vendor.url("/app.js")).await, REVIEWED);
            refused(&client.ask(method(name), vendor.url("/other")).await, 403, "blocked", "unpinned");
        }
    }
    vendor.script("/app.js", TAMPERED);
    for name in BODIED {
        let reply = client(&gateway).ask(method(name), vendor.url("/app.js")).await;
        refused(&reply, 403, "quarantined", "digest-mismatch");
    }
}

#[tokio::test]
async fn the_answer_to_options_passes_without_its_body() {
    let vendor = vendor_of(REVIEWED).await;
    let preflight = Answer::script(TAMPERED).header("access-control-allow-methods", "GET, PUT");
    vendor.serve("/app.js", preflight.header("access-control-allow-origin", "*"));
    let gateway = gateway_pinning(&vendor).await;

    for client in [client(&gateway), client(&gateway).http2()] {
        let reply = client.ask(Method::OPTIONS, vendor.url("/app.js")).await;
        assert_eq!((reply.status().as_u16(), reply.coded().len()), (200, 0), "{reply:?}");
        assert_eq!(reply.header("access-control-allow-methods"), Some("GET, PUT"));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    }
}

#[tokio::test]
async fn a_head_is_refused_like_its_get_wherever_it_is_guarded() {
    let vendor = vendor_of(TAMPERED).await;
    vendor.script("/livechat", TAMPERED);
    vendor.script("/other.js", TAMPERED);
    vendor.serve("/missing.js", Answer::script(TAMPERED).status(404));
    let gateway = gateway_pinning(&vendor).await;

    for path in ["/app.js", "/livechat", "/other.js", "/missing.js"] {
        let got = client(&gateway).get(vendor.url(path)).await;
        let head = client(&gateway).ask(Method::HEAD, vendor.url(path)).await;
        assert_eq!((head.status(), head.coded().len()), (got.status(), 0), "{path}");
        assert_eq!(head.verdict().reason(), got.verdict().reason(), "{path}");
        assert_eq!(head.header("content-type"), got.header("content-type"), "{path}");
    }
}

#[tokio::test]
async fn a_head_of_what_is_not_guarded_is_the_vendors() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/data.json", Answer::typed("application/json", "{\"a\":1}").header("x-build", "42"));
    let gateway = gateway_pinning(&vendor).await;

    let head = client(&gateway).ask(Method::HEAD, vendor.url("/data.json")).await;

    assert_eq!((head.status().as_u16(), head.header("x-build"), head.coded().len()), (200, Some("42"), 0));
    assert_eq!(vendor.seen("/data.json")[0].method, Method::HEAD);
}

#[tokio::test]
async fn a_change_stays_as_conditional_as_its_client_made_it() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    let client = client(&gateway).header("if-match", "\"1\"").header("if-none-match", "*");
    let client = client.header("range", "bytes=0-3");

    let reply = client.ask(Method::PUT, vendor.url("/app.js")).await;

    verified(&reply, REVIEWED);
    let seen = vendor.seen("/app.js");
    let fields = ["if-match", "if-none-match", "range"].map(|name| seen[0].header(name));
    assert_eq!(fields, [Some("\"1\""), Some("*"), None]);
}

#[tokio::test]
async fn content_of_no_length_is_said_to_have_none_where_content_is_expected() {
    for vendor in [vendor().http1_only(), vendor().http2_only()] {
        let vendor = vendor.script("/app.js", REVIEWED).listen().await;
        let gateway = gateway_pinning(&vendor).await;
        for (name, length) in [("POST", Some("0")), ("PUT", Some("0")), ("PATCH", Some("0")), ("GET", None)] {
            verified(&client(&gateway).ask(method(name), vendor.url("/app.js")).await, REVIEWED);
            let seen = vendor.seen("/app.js").pop().unwrap();
            assert_eq!(seen.header("content-length"), length, "{name}");
        }
    }
}
