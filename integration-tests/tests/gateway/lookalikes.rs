//! Hosts that imitate a vendor's or a pinned one: told once, and nothing else changes.

use pinfold_integration_tests::{Event, Gateway, Vendor, client, gateway, origin_root_pem, sha256, vendor};

use crate::{REVIEWED, TAMPERED};

/// The vendor of the incident that the demo replays.
async fn chat() -> Vendor {
    vendor().named("comm100").host("vue.comm100.io").script("/app.js", REVIEWED).listen().await
}

#[track_caller]
fn tells(event: &Event, host: &str, evidence: &[&str]) {
    assert_eq!((event.text("event.code"), event.text("Pinfold.subject")), (Some("PF-3103"), Some(host)));
    let message = event.text("message").unwrap();
    for part in evidence {
        assert!(message.contains(part), "{part}: {message}");
    }
}

/// The end of all events, so that what is missing is missing.
async fn told(gateway: &Gateway) -> Vec<Event> {
    assert!(gateway.terminate().await.success());
    let mut events = gateway.rest_of_events().await;
    events.retain(|event| event.text("event.action") == Some("lookalike-host"));
    events
}

#[tokio::test]
async fn a_tunnel_to_a_published_lookalike_is_told_and_flows() {
    let chat = chat().await;
    let second_stage = vendor().host("cornm100.io").script("/stage2.js", TAMPERED).listen().await;
    let gateway = gateway().vendor(&chat).reach(&second_stage).listen().await;

    for _ in 0..3 {
        let reply = client(&gateway).trusting(origin_root_pem()).get(second_stage.url("/stage2.js")).await;
        assert_eq!((reply.status().as_u16(), reply.coded().as_ref()), (200, TAMPERED.as_bytes()));
    }

    let told = told(&gateway).await;
    assert_eq!(told.len(), 1, "{told:?}");
    let evidence =
        ["imitates comm100.io", "letters that look alike", "client 127.0.0.1", "a tunnel to cornm100.io:443"];
    tells(&told[0], "cornm100.io", &evidence);
}

#[tokio::test]
async fn a_script_from_a_lookalike_is_told_with_its_url_and_judged_as_before() {
    let chat = chat().await;
    let other = vendor().host("cdn.c0mm100.io").clear_text().script("/a.js", TAMPERED).listen().await;
    let gateway = gateway().vendor(&chat).reach(&other).listen().await;

    for _ in 0..2 {
        let reply = client(&gateway).get(format!("{}?token=secret", other.url("/a.js"))).await;
        assert_eq!((reply.status().as_u16(), reply.coded().as_ref()), (200, TAMPERED.as_bytes()));
    }

    let told = told(&gateway).await;
    assert_eq!(told.len(), 1, "{told:?}");
    tells(
        &told[0],
        "cdn.c0mm100.io",
        &["imitates comm100.io", "digits for letters", "http://cdn.c0mm100.io/a.js"],
    );
    assert!(!told[0].value().to_string().contains("secret"));
}

#[tokio::test]
async fn a_decrypted_lookalike_is_told_once_and_refused_as_the_rule_says() {
    let chat = chat().await;
    let other = vendor().host("js.comm100-cdn.net").script("/a.js", TAMPERED).listen().await;
    let gateway = gateway().vendor(&chat).reach(&other).set_in("other_hosts", "tls", "intercept");
    let gateway =
        gateway.set_in("other_hosts", "scripts", "block").set_in("certs", "name_constraints", false);
    let gateway = gateway.listen().await;

    crate::refused(&client(&gateway).get(other.url("/a.js")).await, 403, "blocked", "unlisted-host");

    let told = told(&gateway).await;
    assert_eq!(told.len(), 1, "{told:?}");
    tells(&told[0], "js.comm100-cdn.net", &["imitates comm100.io", "its label in another domain", "/a.js"]);
}

#[tokio::test]
async fn a_tunnel_to_an_address_whose_sni_imitates_a_vendor_is_told() {
    let chat = chat().await;
    let other = vendor().host("comm10.io").script("/a.js", TAMPERED).listen().await;
    let gateway = gateway().vendor(&chat).set_in("egress", "allow_private", vec!["127.0.0.0/8"]);
    let port = other.address().port();
    let gateway = gateway.set_in("egress", "connect_ports", vec![443, port]).listen().await;

    let client = client(&gateway).trusting(origin_root_pem());
    let tunnel = client.connect(&other.address().to_string()).await.unwrap().unwrap();
    client.greet(other.host(), tunnel).await.unwrap();

    tells(
        &gateway.event_called("lookalike-host").await,
        "comm10.io",
        &["one letter away", "a tunnel to 127.0.0.1:"],
    );
}

#[tokio::test]
async fn one_that_cannot_be_reached_is_told_all_the_same() {
    let gateway = gateway().vendor(&chat().await).listen().await;

    client(&gateway).connect("comm100.test:25").await.unwrap().unwrap_err();

    tells(&gateway.event_called("lookalike-host").await, "comm100.test", &["its label in another domain"]);
}

#[tokio::test]
async fn pinned_hosts_are_protected_too_and_what_is_expected_is_not_told() {
    let chat = chat().await;
    let pinned = vendor().host("cdn.pinned-one.test").clear_text().script("/a.js", REVIEWED).listen().await;
    let other = vendor().host("unlike.test").clear_text().script("/a.js", REVIEWED).listen().await;
    let gateway = gateway().vendor(&chat).reach(&pinned).reach(&other);
    let gateway = gateway.pin(pinned.url("/a.js"), sha256(REVIEWED)).listen().await;

    for url in [chat.url("/app.js"), pinned.url("/a.js"), other.url("/a.js")] {
        client(&gateway).get(url).await;
    }
    client(&gateway).connect("cdn.pinned-0ne.test:443").await.unwrap().unwrap_err();

    let told = told(&gateway).await;
    assert_eq!(told.len(), 1, "{told:?}");
    tells(&told[0], "cdn.pinned-0ne.test", &["imitates pinned-one.test"]);
}

#[tokio::test]
async fn other_files_say_anew_what_is_imitated() {
    let chat = chat().await;
    let other = vendor().host("cornm100.io").clear_text().script("/a.js", TAMPERED).listen().await;
    let mut gateway = gateway().reach(&other).listen().await;
    client(&gateway).get(other.url("/a.js")).await;

    gateway.rewrite(|files| files.vendor(&chat));
    gateway.event_called("policy-reloaded").await;
    client(&gateway).get(other.url("/a.js")).await;

    tells(&gateway.event_called("lookalike-host").await, "cornm100.io", &["imitates comm100.io"]);
    assert_eq!(told(&gateway).await.len(), 0);
}
