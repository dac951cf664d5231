//! One client, stream or vendor does not keep the others waiting.

use pinfold_integration_tests::{Answer, Client, Gate, client, eventually, gateway, vendor};

use crate::{REVIEWED, gateway_pinning, pinning, sha256, verified};

#[tokio::test]
async fn clients_that_stop_reading_do_not_hold_up_a_pinned_script() {
    const CLIENTS: u64 = 4;
    // Larger than what a connection of HTTP/2 has in flight, so that it needs its share of it again and again.
    let script = "/**/".repeat(1 << 20);
    let film = Answer::typed("video/mp4", vec![7; 16 << 20]);
    let vendor = vendor().http2_only().serve("/film", film).script("/large.js", script.clone());
    let vendor = vendor.listen().await;
    let gateway = pinning(&vendor).pin(vendor.url("/large.js"), sha256(&script)).listen().await;

    let mut stalled = Vec::new();
    for _ in 0..CLIENTS {
        // It has a window of 2 MiB, and reads nothing.
        stalled.push(client(&gateway).http2().begin(vendor.url("/film")).await);
    }
    vendor.sent(CLIENTS * (5 << 19)).await;

    verified(&client(&gateway).get(vendor.url("/large.js")).await, &script);
}

#[tokio::test]
async fn streams_of_events_that_use_up_a_vendors_streams_do_not_hold_up_a_pinned_script() {
    const STREAMS: u32 = 4;
    let gate = Gate::closed();
    let hello = format!(":{}\n\n", " ".repeat(1000));
    let events = Answer::typed("text/event-stream", hello).then(&gate, "data: 1\n\n");
    let vendor = vendor().http2_only().max_streams(STREAMS).serve("/events", events);
    let vendor = vendor.script("/app.js", REVIEWED).listen().await;
    // None of them may fall to a clock and so make room.
    let gateway = pinning(&vendor).set_in("limits", "upstream_timeout", "10m").listen().await;

    let mut listening = Vec::new();
    for _ in 0..STREAMS {
        listening.push(client(&gateway).begin(vendor.url("/events")).await);
    }
    for _ in 0..2 {
        let (client, url) = (client(&gateway), vendor.url("/events"));
        tokio::spawn(async move { client.begin(url).await });
    }

    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
}

#[tokio::test]
async fn an_event_of_three_bytes_arrives_while_the_stream_stays_open() {
    let gate = Gate::closed();
    let events = Answer::typed("text/event-stream", ":\n\n").then(&gate, "data: 1\n\n");
    let vendor = vendor().serve("/events", events).script("/app.js", REVIEWED).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    for client in [client(&gateway), client(&gateway).http2()] {
        let mut listening = client.begin(vendor.url("/events")).await;
        assert_eq!((listening.status().as_u16(), listening.next().await), (200, Some(":\n\n".into())));
    }
    let mut listening = client(&gateway).begin(vendor.url("/events")).await;
    assert_eq!(listening.next().await, Some(":\n\n".into()));
    gate.open();
    assert_eq!(listening.next().await, Some("data: 1\n\n".into()));
    assert_eq!(listening.next().await, None);
}

#[tokio::test]
async fn a_long_poll_is_answered_when_there_is_something_to_say() {
    let gate = Gate::closed();
    let poll = Answer::typed("application/json", "{\"news\":1}").behind(&gate);
    let vendor = vendor().serve("/poll", poll).script("/app.js", REVIEWED).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    let polling = tokio::spawn({
        let (client, url) = (client(&gateway), vendor.url("/poll"));
        async move { client.get(url).await }
    });
    vendor.asked("/poll", 1).await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    gate.open();

    assert_eq!(polling.await.unwrap().body(), b"{\"news\":1}");
}

#[tokio::test]
async fn a_tunnel_keeps_its_place_among_the_connections_until_it_closes() {
    let other = vendor().host("other.test").listen().await;
    let gateway = gateway().reach(&other).set_in("limits", "max_connections", 2).listen().await;
    let open = async |client: &Client| client.connect("other.test:443").await.unwrap().unwrap();

    let client = client(&gateway);
    let (first, _second) = (open(&client).await, open(&client).await);
    let third = client.connect("other.test:443").await.unwrap().err().unwrap();
    crate::refused(&third, 503, "blocked", "overloaded");

    drop(first);
    assert_eq!(gateway.next_event().await.text("event.action"), Some("tunnel-closed"));
    let free = async {
        while !matches!(client.connect("other.test:443").await, Ok(Ok(_))) {
            tokio::task::yield_now().await;
        }
    };
    eventually("a free place", free).await;
}

#[tokio::test]
async fn the_head_of_a_stream_that_is_silent_at_first_does_not_wait_for_it() {
    for media_type in ["text/event-stream", "application/grpc", "video/mp4"] {
        let gate = Gate::closed();
        let silent = Answer::typed(media_type, "").then(&gate, "data: 1\n\n");
        let vendor = vendor().serve("/events", silent).script("/app.js", REVIEWED).listen().await;
        let gateway = gateway_pinning(&vendor).await;

        for client in [client(&gateway), client(&gateway).http2()] {
            let listening = client.begin(vendor.url("/events")).await;
            assert_eq!(listening.status(), 200);
        }
        let mut listening = client(&gateway).begin(vendor.url("/events")).await;
        gate.open();
        assert_eq!(listening.next().await, Some("data: 1\n\n".into()));
        assert_eq!(listening.next().await, None);
    }
}

#[tokio::test]
async fn a_program_that_hides_behind_a_silence_reaches_nobody() {
    let gate = Gate::closed();
    let hidden = Answer::typed("text/event-stream", "").then(&gate, "MZ this is a program");
    let vendor = vendor().serve("/events", hidden).script("/app.js", REVIEWED).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    let mut listening = client(&gateway).begin(vendor.url("/events")).await;
    assert_eq!(listening.status(), 200);
    gate.open();
    assert!(listening.try_next().await.unwrap().is_err());

    let event = gateway.event_of(&vendor.url("/events")).await;
    assert_eq!((event.verdict(), event.reason()), (Some("blocked"), Some("unpinned")));
    // By now it is known, and waited for.
    crate::refused(&client(&gateway).get(vendor.url("/events")).await, 403, "blocked", "unpinned");
}
