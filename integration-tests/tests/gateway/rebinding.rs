//! Names whose addresses are not what they were, or not all that they seem.

use std::io::ErrorKind;

use pinfold_integration_tests::{Gateway, Resolver, client, gateway, resolver, sha256, vendor};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::{refused, verified};

const NAME: &str = "rebind.test";

/// An origin at `127.0.0.1`, which stands for the internet, and a gateway that may reach that address and none beside.
async fn origin_and_gateway(resolver: &Resolver) -> (TcpListener, Gateway) {
    let origin = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = origin.local_addr().unwrap().port();
    let gateway = gateway().resolver(resolver).set_in("egress", "connect_ports", json!([port]));
    let gateway = gateway.set_in("egress", "allow_private", json!(["127.0.0.1/32"])).listen().await;
    (origin, gateway)
}

#[tokio::test]
async fn a_name_that_turns_private_is_refused_at_its_next_connection() {
    let resolver = resolver().await;
    let (origin, gateway) = origin_and_gateway(&resolver).await;
    let target = format!("{NAME}:{}", origin.local_addr().unwrap().port());

    resolver.answer(NAME, &["127.0.0.1"]);
    assert!(client(&gateway).connect(&target).await.unwrap().is_ok());
    for private in ["127.0.0.2", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "::ffff:127.0.0.2"] {
        resolver.answer(NAME, &[private]);
        let refusal = client(&gateway).connect(&target).await.unwrap().expect_err(private);
        refused(&refusal, 403, "blocked", "private-address");
    }
    resolver.answer(NAME, &["127.0.0.1"]);
    assert!(client(&gateway).connect(&target).await.unwrap().is_ok());
}

#[tokio::test]
async fn of_public_and_private_answers_the_private_ones_are_never_dialled() {
    let resolver = resolver().await;
    let (origin, gateway) = origin_and_gateway(&resolver).await;
    let port = origin.local_addr().unwrap().port();
    let private = std::net::TcpListener::bind(("127.0.0.2", port)).unwrap();
    private.set_nonblocking(true).unwrap();

    for addresses in [["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"]] {
        resolver.answer(NAME, &addresses);
        assert!(client(&gateway).connect(&format!("{NAME}:{port}")).await.unwrap().is_ok());
    }
    // Not even where what is public does not answer.
    drop(origin);
    let refusal = client(&gateway).connect(&format!("{NAME}:{port}")).await.unwrap().unwrap_err();
    refused(&refusal, 502, "blocked", "upstream-unreachable");

    assert_eq!(private.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn names_that_nobody_answers_for_hold_up_no_body() {
    let script = "/**/".repeat(64 * 1024);
    let (resolver, vendor) = (resolver().await, vendor().script("/app.js", script.clone()).listen().await);
    let gateway = gateway().vendor(&vendor).resolver(&resolver).pin(vendor.url("/app.js"), sha256(&script));
    // On disk, and so with the help of other threads.
    let gateway = gateway.set_in("limits", "memory_body", "4KiB").listen().await;
    let client = client(&gateway);
    let mut lookups = JoinSet::new();
    for n in 0..1000 {
        let (client, name) = (client.clone(), format!("n{n}.{}:443", Resolver::SILENT));
        lookups.spawn(async move { client.connect(&name).await.map(drop) });
    }
    resolver.asked_in_vain(200).await;
    tokio::select! {
        reply = client.get(vendor.url("/app.js")) => verified(&reply, &script),
        ended = lookups.join_next() => panic!("a lookup was given up first: {ended:?}"),
    }
}
