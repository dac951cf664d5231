//! What bodies may take of memory, disk and time while they are held, and what follows beyond it.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use pinfold_integration_tests::{
    Answer, Coding, Gate, GatewayBuilder, Vendor, client, eventually, sha256, vendor,
};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use crate::{REVIEWED, pinning, refused, vendor_of, verified};

const MIB: usize = 1024 * 1024;

/// A mebibyte that no coding makes much smaller.
fn noise() -> Bytes {
    let mut state = 1u64;
    let byte = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..MIB).map(byte).collect()
}

/// The digest of `bytes` so many times over.
fn sha256_of_times(bytes: &[u8], times: u64) -> String {
    let mut digest = Sha256::new();
    (0..times).for_each(|_| digest.update(bytes));
    let body: [u8; 32] = digest.finalize().into();
    pinfold_integration_tests::sri("sha256", body)
}

/// A gateway in which what is held has next to no room: the largest artifact has all the disk.
fn cramped(vendor: &Vendor) -> GatewayBuilder {
    let gateway =
        pinning(vendor).set_in("limits", "max_body", "1MiB").set_in("limits", "max_installer", "1MiB");
    gateway.set_in("limits", "held_disk", "1MiB").set_in("limits", "memory_body", "4KiB")
}

fn script_of(len: usize) -> String {
    "/**/".repeat(len / 4)
}

#[tokio::test]
async fn an_installer_of_a_gibibyte_passes_in_constant_memory() {
    const TIMES: u64 = 1024;
    let piece = noise();
    let vendor = vendor_of(REVIEWED).await;
    for (path, times) in [("/Small.msi", 8), ("/Large.msi", TIMES)] {
        let installer = Answer::typed("application/octet-stream", piece.clone()).times(times);
        vendor.serve(path, installer);
    }
    let gateway = pinning(&vendor)
        .pin(vendor.url("/Small.msi"), sha256_of_times(&piece, 8))
        .pin(vendor.url("/Large.msi"), sha256_of_times(&piece, TIMES))
        // Slow machines hash slowly.
        .set_in("limits", "patience", "10m")
        .listen()
        .await;

    verified(&client(&gateway).get(vendor.url("/Small.msi")).await, piece.repeat(8));
    let before = gateway.peak_memory().await;
    let mut large = client(&gateway).begin(vendor.url("/Large.msi")).await;
    assert_eq!((large.status().as_u16(), large.verdict().token()), (200, "verified"));
    let (mut digest, mut len) = (Sha256::new(), 0);
    while let Some(bytes) = large.next().await {
        digest.update(&bytes);
        len += bytes.len() as u64;
    }
    assert_eq!(len, TIMES * MIB as u64);
    let body: [u8; 32] = digest.finalize().into();
    assert_eq!(pinfold_integration_tests::sri("sha256", body), sha256_of_times(&piece, TIMES));
    let grown = gateway.peak_memory().await - before;
    assert!(grown < 16 * MIB as u64, "{} MiB more", grown / MIB as u64);
}

#[tokio::test]
async fn a_script_of_64_mebibytes_takes_a_few_of_them() {
    let piece = noise();
    let vendor = vendor_of(REVIEWED).await;
    for (path, times) in [("/small.js", 2), ("/large.js", 64)] {
        vendor.serve(path, Answer::script(piece.clone()).times(times));
    }
    let gateway = pinning(&vendor)
        .pin(vendor.url("/small.js"), sha256_of_times(&piece, 2))
        .pin(vendor.url("/large.js"), sha256_of_times(&piece, 64))
        .listen()
        .await;

    verified(&client(&gateway).get(vendor.url("/small.js")).await, piece.repeat(2));
    let before = gateway.peak_memory().await;
    verified(&client(&gateway).get(vendor.url("/large.js")).await, piece.repeat(64));
    let grown = gateway.peak_memory().await - before;
    assert!(grown < 8 * MIB as u64, "{} MiB more", grown / MIB as u64);
}

#[tokio::test]
async fn a_script_on_disk_is_released_in_every_coding() {
    let script = (0..200_000).map(|line| format!("let v{line} = {};\n", line % 977)).collect::<String>();
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).pin(vendor.url("/large.js"), sha256(&script)).listen().await;

    for coding in [Coding::Identity, Coding::Gzip, Coding::Br, Coding::Zstd] {
        vendor.serve("/large.js", Answer::script(script.clone()).encoded(coding));
        for accepted in ["identity", "gzip", "deflate", "br", "zstd"] {
            let reply = client(&gateway).accepting(accepted).get(vendor.url("/large.js")).await;
            verified(&reply, &script);
            assert_eq!(reply.headers().get("content-encoding").is_some(), accepted != "identity");
        }
    }
    let unfinished = gateway.dir().join("pinfold-data/bodies/unfinished");
    assert_eq!(std::fs::read_dir(unfinished).unwrap().count(), 0, "what is held has no name");
}

#[tokio::test]
async fn a_large_script_that_differs_is_quarantined_whole() {
    let (script, other) = (script_of(3 * MIB), script_of(3 * MIB + 4));
    let vendor = vendor_of(REVIEWED).await;
    vendor.script("/large.js", other.clone());
    let gateway = pinning(&vendor).pin(vendor.url("/large.js"), sha256(&script)).listen().await;

    let reply = client(&gateway).get(vendor.url("/large.js")).await;

    let incident = refused(&reply, 403, "quarantined", "digest-mismatch");
    let exported = gateway.command(&["quarantine", "export", &incident]).await.success();
    assert!(exported.stdout == other.as_bytes(), "{}", exported.stderr);
}

#[tokio::test]
async fn an_installer_may_be_larger_than_a_script() {
    let body = script_of(2 * MIB);
    let vendor = vendor().script("/large.js", body.clone());
    let vendor = vendor.serve("/Agent.msi", Answer::typed("application/x-msi", body.clone())).listen().await;
    let gateway = pinning(&vendor)
        .pin(vendor.url("/large.js"), sha256(&body))
        .pin(vendor.url("/Agent.msi"), sha256(&body))
        .set_in("limits", "max_body", "1MiB")
        .listen()
        .await;

    refused(&client(&gateway).get(vendor.url("/large.js")).await, 502, "blocked", "body-too-large");
    verified(&client(&gateway).get(vendor.url("/Agent.msi")).await, &body);
}

#[tokio::test]
async fn what_observe_mode_cannot_measure_passes_as_it_came_from_disk_too() {
    let body = script_of(4 * MIB);
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/large.js", Answer::script(body.clone()).encoded(Coding::Zstd));
    let gateway = pinning(&vendor)
        .set("mode", "observe")
        .set_in("limits", "max_body", "3MiB")
        .set_in("limits", "memory_body", "16KiB")
        .listen()
        .await;

    let reply = client(&gateway).accepting("zstd").get(vendor.url("/large.js")).await;

    assert_eq!((reply.verdict().token(), reply.verdict().reason()), ("observed", Some("body-too-large")));
    assert!(reply.coded().as_ref() == Coding::Zstd.encode(body.as_bytes()), "not as it came");
}

#[tokio::test]
async fn a_client_whose_patience_ends_comes_back_for_the_same_hold() {
    let gate = Gate::closed();
    let (start, rest) = REVIEWED.split_at(20);
    let vendor = vendor().serve("/app.js", Answer::script(start).then(&gate, rest)).listen().await;
    let gateway = pinning(&vendor).set_in("limits", "patience", "1s").listen().await;

    let program = client(&gateway).get(vendor.url("/app.js")).await;
    refused(&program, 503, "blocked", "held");
    assert!(program.header("retry-after").unwrap().parse::<u32>().is_ok());
    // Somebody else has other rights with the vendor: what was fetched for one is not for the other.
    let other = client(&gateway).header("cookie", "session=another");
    let person = other.header("sec-fetch-mode", "navigate").get(vendor.url("/app.js")).await;
    assert_eq!((person.status().as_u16(), person.verdict().reason()), (503, Some("held")));
    assert_eq!(person.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(vendor.seen("/app.js").len(), 2);
    gate.open();

    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    assert_eq!(vendor.seen("/app.js").len(), 2, "the hold went on");
}

#[tokio::test]
async fn a_hold_that_takes_too_long_in_all_is_given_up() {
    let gate = Gate::closed();
    let (start, rest) = REVIEWED.split_at(20);
    let vendor = vendor().serve("/app.js", Answer::script(start).then(&gate, rest)).listen().await;
    let gateway = pinning(&vendor).set_in("limits", "max_hold", "1s").listen().await;

    let reply = client(&gateway).get(vendor.url("/app.js")).await;

    refused(&reply, 504, "blocked", "upstream-timeout");
}

#[tokio::test]
async fn beyond_the_disk_a_hold_waits_and_then_the_proxy_is_busy() {
    let (large, other) = (script_of(900 * 1024), script_of(800 * 1024));
    let vendor =
        vendor().script("/large.js", large.clone()).script("/other.js", other.clone()).listen().await;
    let gateway = cramped(&vendor)
        .pin(vendor.url("/large.js"), sha256(&large))
        .pin(vendor.url("/other.js"), sha256(&other))
        .set_in("limits", "idle_timeout", "10m")
        .set_in("limits", "upstream_timeout", "2s")
        .listen()
        .await;
    let slow = client(&gateway).http2().narrow().begin(vendor.url("/large.js")).await;
    assert_eq!(slow.verdict().token(), "verified");
    let another = client(&gateway).from([127, 0, 0, 2]);

    refused(&another.get(vendor.url("/other.js")).await, 503, "blocked", "overloaded");

    drop(slow);
    let free = async {
        while another.get(vendor.url("/other.js")).await.status() != 200 {
            tokio::task::yield_now().await;
        }
    };
    eventually("room on disk", free).await;
}

#[tokio::test]
async fn a_client_that_stops_reading_gives_its_room_to_others() {
    let (large, other) = (script_of(900 * 1024), script_of(800 * 1024));
    let vendor =
        vendor().script("/large.js", large.clone()).script("/other.js", other.clone()).listen().await;
    let gateway = cramped(&vendor)
        .pin(vendor.url("/large.js"), sha256(&large))
        .pin(vendor.url("/other.js"), sha256(&other))
        .set_in("limits", "idle_timeout", "1s")
        .listen()
        .await;
    // It has the head, and takes nothing of the body but what its window lets in.
    let mut stalled = client(&gateway).http2().narrow().begin(vendor.url("/large.js")).await;
    assert_eq!(stalled.verdict().token(), "verified");

    let reply = client(&gateway).from([127, 0, 0, 2]).get(vendor.url("/other.js")).await;

    verified(&reply, &other);
    let cut = eventually("the end of what stalled", async {
        while stalled.try_next().await.is_some_and(|frame| frame.is_ok()) {}
    });
    cut.await;
}

#[tokio::test]
async fn thousands_of_idle_clients_and_hundreds_of_bodies_fit_in_memory() {
    const IDLE: usize = 2000;
    const BODIES: usize = 200;
    let script = noise();
    let gate = Gate::closed();
    let (start, rest) = script.split_at(MIB - 1);
    let slow = Answer::script(start.to_vec()).then(&gate, rest.to_vec());
    let vendor = vendor().serve("/large.js", slow).script("/app.js", REVIEWED).listen().await;
    let gateway = pinning(&vendor)
        .pin(vendor.url("/large.js"), sha256(&script))
        .set_in("limits", "idle_timeout", "30m")
        .set_in("limits", "upstream_timeout", "30m")
        .set_in("limits", "patience", "30m")
        .listen()
        .await;

    let url: http::Uri = vendor.url("/app.js").parse().unwrap();
    let mut idle = Vec::new();
    while idle.len() < IDLE {
        let opening = (0..100).map(|_| {
            let (client, url) = (client(&gateway), url.clone());
            tokio::spawn(async move { client.open(&url).await.unwrap().unwrap() })
        });
        for opened in opening.collect::<Vec<_>>() {
            idle.push(opened.await.unwrap());
        }
    }
    let mut asking = Vec::new();
    for number in 0..BODIES {
        let client = client(&gateway).from([127, 0, 1, u8::try_from(number % 8).unwrap()]);
        let url = vendor.url("/large.js");
        asking.push(tokio::spawn(async move { client.ask(Method::GET, url).await }));
    }
    vendor.asked("/large.js", BODIES).await;
    vendor.sent((BODIES * (MIB - 1)) as u64).await;
    gate.open();
    for reply in asking {
        verified(&reply.await.unwrap(), &script);
    }
    let peak = gateway.peak_memory().await / MIB as u64;
    assert!(peak < 300, "{peak} MiB");
}

#[tokio::test]
async fn with_next_to_no_memory_bodies_wait_for_each_other_and_pass() {
    let script = (0..20_000).map(|line| format!("let v{line} = {};\n", line % 977)).collect::<String>();
    let vendor = vendor_of(REVIEWED).await;
    let codings = [Coding::Identity, Coding::Gzip, Coding::Br, Coding::Zstd];
    let mut gateway = pinning(&vendor).set_in("limits", "held_memory", "1MiB");
    for coding in codings {
        let path = format!("/{coding:?}.js");
        vendor.serve(&path, Answer::script(script.clone()).encoded(coding));
        gateway = gateway.pin(vendor.url(&path), sha256(&script));
    }
    let gateway = gateway.listen().await;

    let mut asking = Vec::new();
    for number in 0..24u8 {
        let client = client(&gateway).from([127, 0, 1, number]).accepting("gzip, br, zstd");
        let url = vendor.url(&format!("/{:?}.js", codings[usize::from(number) % codings.len()]));
        asking.push(tokio::spawn(async move { client.get(url).await }));
    }
    for reply in asking {
        verified(&reply.await.unwrap(), &script);
    }
}

#[tokio::test]
async fn observe_mode_passes_the_largest_installer_too() {
    let body = script_of(900 * 1024);
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/Agent.msi", Answer::typed("application/x-msi", body.clone()));
    let gateway = cramped(&vendor).set("mode", "observe").set_in("limits", "upstream_timeout", "1s");
    let gateway = gateway.listen().await;

    let reply = client(&gateway).get(vendor.url("/Agent.msi")).await;

    assert_eq!((reply.verdict().token(), reply.verdict().reason()), ("observed", Some("unpinned")));
    assert!(reply.body() == body.as_bytes());
}

#[tokio::test]
async fn what_goes_on_for_clients_that_have_left_counts_among_the_connections() {
    const CONNECTIONS: usize = 4;
    let gate = Gate::closed();
    let slow = Answer::script(REVIEWED).behind(&gate);
    let vendor = vendor().serve("/slow.js", slow).script("/app.js", REVIEWED).listen().await;
    let gateway = pinning(&vendor).set_in("limits", "max_connections", CONNECTIONS).listen().await;
    let url: http::Uri = vendor.url("/slow.js").parse().unwrap();

    for _ in 0..5 * CONNECTIONS {
        let Ok(Ok(mut session)) = client(&gateway).open(&url).await else { continue };
        let left = timeout(Duration::from_millis(100), session.ask(Method::GET, url.clone())).await;
        assert!(left.is_err(), "the vendor says nothing");
    }

    let asked = vendor.seen("/slow.js").len();
    assert!(asked <= CONNECTIONS, "{asked}");
    gate.open();
    let free = async {
        while !matches!(client(&gateway).open(&url).await, Ok(Ok(_))) {
            tokio::task::yield_now().await;
        }
    };
    eventually("a place", free).await;
}
