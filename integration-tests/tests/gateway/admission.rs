//! Rule 1: who may use the proxy.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use pinfold_integration_tests::{
    Gateway, GatewayBuilder, RealClient, Reply, Via, client, eventually, gateway, vendor,
};
use pinfold_policy::user::PasswordHash;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{REVIEWED, TAMPERED, fetched_verified, gateway_pinning, pinning, refused, vendor_of, verified};

/// Of `open sesame`, at the least costs that argon2id has.
pub(crate) const CHEAP: &str =
    "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$xaW9jW1nqBjBzztRIhRyK5oGq6/azN5UkLyxA9sPeBo";

pub(crate) const PASSWORD: &str = "open sesame";

/// With two users of that password: ada may use the proxy, and eve may not.
pub(crate) fn asking_for_passwords(gateway: GatewayBuilder) -> GatewayBuilder {
    gateway.users(&[("ada", CHEAP, "proxy"), ("eve", CHEAP, "viewer")])
}

#[tokio::test]
async fn a_client_that_is_not_listed_is_refused() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).set_in("clients", "allow", json!(["127.0.0.2/32"])).listen().await;

    let refusal = client(&gateway).connect("cdn.vendor.test:443").await.unwrap().unwrap_err();
    refused(&refusal, 403, "blocked", "client-not-allowed");
    refused(
        &client(&gateway).get("http://cdn.vendor.test/app.js").await,
        403,
        "blocked",
        "client-not-allowed",
    );
    assert!(vendor.seen("/app.js").is_empty());
    verified(&client(&gateway).from([127, 0, 0, 2]).get(vendor.url("/app.js")).await, REVIEWED);
}

#[tokio::test]
async fn other_schemes_in_absolute_form_are_malformed() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).listen().await;

    for url in ["ftp://cdn.vendor.test/app.js", "https://cdn.vendor.test/app.js"] {
        let reply = client(&gateway).absolute(url).await;
        refused(&reply, 400, "blocked", "malformed-request");
    }
}

#[tokio::test]
async fn a_request_that_is_not_admitted_leaves_an_event() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    let mut session = client(&gateway).open(&vendor.url("/").parse().unwrap()).await.unwrap().unwrap();

    let astray = session.ask(Method::GET, "https://other.test/app.js".parse().unwrap()).await.unwrap();
    told(&gateway, &astray, 421, "host-mismatch").await;
    let traced = session.ask(Method::TRACE, vendor.url("/app.js").parse().unwrap()).await.unwrap();
    told(&gateway, &traced, 405, "method-not-allowed").await;
    let elsewhere = client(&gateway).get("http://example.test:8080/app.js").await;
    told(&gateway, &elsewhere, 403, "port-not-allowed").await;
}

/// Checks that the next event is about this refusal.
async fn told(gateway: &Gateway, reply: &Reply, status: u16, reason: &str) {
    let incident = refused(reply, status, "blocked", reason);
    let event = gateway.next_event().await;
    assert_eq!(
        (event.text("event.action"), event.reason(), event.incident()),
        (Some("tunnel-refused"), Some(reason), Some(incident.as_str()))
    );
    // It was no CONNECT.
    assert_eq!(event.text("http.request.method"), None);
    assert!(event.text("message").unwrap().starts_with("Refused a tunnel or a request to "), "{event:?}");
}

#[tokio::test]
async fn without_a_right_credential_nothing_is_carried() {
    let other = vendor().host("other.test").clear_text().script("/app.js", REVIEWED).listen().await;
    let vendor = vendor_of(REVIEWED).await;
    let gateway = asking_for_passwords(pinning(&vendor).reach(&other)).listen().await;
    let basic = |text: &[u8]| format!("Basic {}", STANDARD.encode(text));
    let nobody = || client(&gateway);
    for (what, nobody) in [
        ("none", nobody()),
        ("a wrong password", nobody().user("ada", "open barley")),
        ("an unknown user", nobody().user("mallory", PASSWORD)),
        ("a user without the role", nobody().user("eve", PASSWORD)),
        ("two fields", nobody().user("ada", PASSWORD).user("ada", PASSWORD)),
        ("broken base64", nobody().authorization("Basic YWRhOm9wZW4gc2VzYW1l*")),
        ("no colon", nobody().authorization(basic(b"ada"))),
        ("not UTF-8", nobody().authorization(basic(b"ada:\xff"))),
        ("not ASCII", nobody().authorization(b"Basic \xff".as_slice())),
        ("another scheme", nobody().authorization(format!("Bearer {}", STANDARD.encode("ada:open sesame")))),
    ] {
        for refusal in [
            nobody.connect("cdn.vendor.test:443").await.unwrap().unwrap_err(),
            nobody.get(other.url("/app.js")).await,
        ] {
            refused(&refusal, 407, "blocked", "credentials-required");
            let challenge = refusal.header("proxy-authenticate");
            assert_eq!(challenge, Some("Basic realm=\"pinfold\", charset=\"UTF-8\""), "{what}");
        }
    }
    assert!(vendor.seen("/app.js").is_empty() && other.seen("/app.js").is_empty());
    let ada = client(&gateway).user("ada", PASSWORD);
    verified(&ada.get(vendor.url("/app.js")).await, REVIEWED);
    assert_eq!(ada.get(other.url("/app.js")).await.status(), 200);
}

#[tokio::test]
async fn the_address_is_checked_before_credentials_and_credentials_before_everything() {
    let vendor = vendor_of(REVIEWED).await;
    let allowed = pinning(&vendor).set_in("clients", "allow", json!(["127.0.0.2/32"]));
    let gateway = asking_for_passwords(allowed).listen().await;
    let from = |last: u8| client(&gateway).from([127, 0, 0, last]);

    let right = from(1).user("ada", PASSWORD).connect("cdn.vendor.test:443").await.unwrap().unwrap_err();
    refused(&right, 403, "blocked", "client-not-allowed");
    for url in ["ftp://cdn.vendor.test/", "http://cdn.vendor.test:81/", "http://127.0.0.1/"] {
        refused(&from(2).absolute(url).await, 407, "blocked", "credentials-required");
    }
    for authority in ["cdn.vendor.test:25", "127.0.0.1:443", "[::1]:443"] {
        let refusal = from(2).connect(authority).await.unwrap().unwrap_err();
        refused(&refusal, 407, "blocked", "credentials-required");
        let refusal = from(2).user("ada", PASSWORD).connect(authority).await.unwrap().unwrap_err();
        assert_eq!(refusal.status(), 403);
    }
    verified(&from(2).user("ada", PASSWORD).get(vendor.url("/app.js")).await, REVIEWED);
}

#[tokio::test]
async fn each_request_of_a_connection_is_asked_for_its_own_credential() {
    let other = vendor().host("other.test").clear_text().script("/app.js", REVIEWED).listen().await;
    let gateway = asking_for_passwords(gateway().reach(&other)).listen().await;
    let mut stream = TcpStream::connect(gateway.proxy()).await.unwrap();
    let credential = format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode("ada:open sesame"));
    for (credential, status) in [(credential.as_str(), 200), ("", 407), (&credential, 200)] {
        let request = format!("HEAD {} HTTP/1.1\r\nHost: other.test\r\n{credential}\r\n", other.url("/none"));
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(eventually("a head", stream.read_u8()).await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let is_407 = head.starts_with("HTTP/1.1 407 ");
        assert_eq!(is_407, status == 407, "{head}");
    }
}

#[tokio::test]
async fn a_credential_reaches_no_vendor_no_event_and_no_log_and_the_user_is_named() {
    let other = vendor().host("other.test").clear_text().script("/app.js", REVIEWED).listen().await;
    let vendor = vendor_of(TAMPERED).await;
    let gateway = asking_for_passwords(pinning(&vendor).reach(&other)).listen().await;
    let ada = client(&gateway).user("ada", PASSWORD);
    let secret = STANDARD.encode("ada:open sesame");

    // Inside the tunnel it is stripped too, and changes nothing about whose tunnel it is.
    let inside = ada.clone().header("proxy-authorization", &format!("Basic {secret}"));
    let refusal = inside.get(vendor.url("/app.js")).await;
    let incident = refused(&refusal, 403, "quarantined", "digest-mismatch");
    assert_eq!(inside.http2().get(vendor.url("/app.js")).await.status(), 403);
    assert_eq!(ada.get(other.url("/app.js")).await.status(), 200);
    client(&gateway).user("ada", "open barley").get(other.url("/app.js")).await;

    for seen in vendor.seen("/app.js").iter().chain(&other.seen("/app.js")) {
        assert_eq!(seen.header("proxy-authorization"), None);
    }
    let event = gateway.event_of(&vendor.url("/app.js")).await;
    assert_eq!(event.text("user.name"), Some("ada"));
    assert_eq!(gateway.event_of(&vendor.url("/app.js")).await.text("user.name"), Some("ada"));
    let shown = gateway.command(&["quarantine", "show", &incident, "--json"]).await.success().text();
    assert!(shown.contains("\"user\": \"ada\""), "{shown}");
    let refusal = gateway.next_event().await;
    assert_eq!((refusal.reason(), refusal.text("user.name")), (Some("credentials-required"), None));
    for told in [event.value().to_string(), refusal.value().to_string(), shown, gateway.complaints().await] {
        for hidden in [secret.as_str(), "sesame", "barley", "roxy-auth"] {
            assert!(!told.contains(hidden), "{hidden}: {told}");
        }
    }
}

#[tokio::test]
async fn a_tunnel_that_is_not_opened_by_pinfold_has_its_user_too() {
    let other = vendor().host("other.test").listen().await;
    let gateway = asking_for_passwords(gateway().reach(&other)).listen().await;
    let tunnel = client(&gateway).user("ada", PASSWORD).connect("other.test:443").await.unwrap().unwrap();
    drop(tunnel);
    gateway.terminate().await;
    let events = gateway.rest_of_events().await;
    assert!(events.iter().all(|event| event.text("user.name") == Some("ada")), "{events:?}");
}

#[tokio::test]
async fn curl_and_node_get_through_with_a_credential() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = asking_for_passwords(pinning(&vendor)).listen().await;
    for real in [RealClient::Curl, RealClient::CurlHttp2, RealClient::Node] {
        let via = Via::from(&gateway).user("ada", PASSWORD);
        fetched_verified(&real.get(via, vendor.url("/app.js")).await, REVIEWED);
    }
}

#[tokio::test]
async fn a_flood_of_wrong_passwords_keeps_out_nobody_who_is_known() {
    // At the costs of 'pinfold user add', so that the flood has something to wait for.
    let hash = PasswordHash::of(PASSWORD, &[7; 16]).unwrap().to_text();
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).users(&[("ada", &hash, "proxy")]).listen().await;
    let ada = client(&gateway).user("ada", PASSWORD);
    verified(&ada.get(vendor.url("/app.js")).await, REVIEWED);

    let flood: Vec<_> = (0..100)
        .map(|at| {
            let wrong = client(&gateway).user("ada", &format!("wrong {at}"));
            tokio::spawn(async move { wrong.connect("cdn.vendor.test:443").await.unwrap().unwrap_err() })
        })
        .collect();
    verified(&ada.get(vendor.url("/app.js")).await, REVIEWED);
    for refusal in flood {
        let refusal = eventually("the answer to a wrong password", refusal).await.unwrap();
        match refusal.status().as_u16() {
            407 => drop(refused(&refusal, 407, "blocked", "credentials-required")),
            _ => drop(refused(&refusal, 503, "blocked", "overloaded")),
        }
    }
    verified(&ada.get(vendor.url("/app.js")).await, REVIEWED);
}

#[tokio::test]
async fn an_ipv4_client_of_an_ipv6_listener_is_who_its_ipv4_address_says() {
    for (allow, status) in [("127.0.0.1/32", "200"), ("127.0.0.2/32", "403"), ("::1/128", "403")] {
        let other = vendor().host("other.test").clear_text().script("/app.js", REVIEWED).listen().await;
        let gateway = gateway()
            .reach(&other)
            .set("listen", json!(["[::]:0"]))
            .set_in("clients", "allow", json!([allow]))
            .listen()
            .await;
        // It arrives as ::ffff:127.0.0.1 (RFC 4291 §2.5.5.2).
        let mut stream = TcpStream::connect(("127.0.0.1", gateway.proxy().port())).await.unwrap();
        let url = other.url("/app.js");
        let request = format!("GET {url} HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        eventually("an answer", stream.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{allow}: {answer}");
    }
}
