//! HTTP/2 clients that send what no library would: each ends for itself, and nobody else notices.

use pinfold_integration_tests::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Fate, Frame, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS,
    Wire, block, get,
};
use pinfold_integration_tests::{Answer, Gate, Gateway, Vendor, client, vendor};

use crate::{REVIEWED, gateway_pinning, pinning, vendor_of, verified};

/// A vendor's host, as it is named in these requests.
const HOST: &str = "cdn.vendor.test";

/// What is put in front of the fields of a request that is otherwise fine.
const SOUND: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "https"), (":authority", HOST), (":path", "/odd")];

async fn gateway_and_vendor() -> (Gateway, Vendor) {
    let vendor = vendor_of(REVIEWED).await;
    (gateway_pinning(&vendor).await, vendor)
}

/// Whoever behaves gets what is pinned, whatever others do.
async fn others_are_served(gateway: &Gateway, vendor: &Vendor) {
    verified(&client(gateway).http2().get(vendor.url("/app.js")).await, REVIEWED);
}

async fn fate_of(gateway: &Gateway, fields: &[(&str, &str)], flags: u8, data: &str) -> Fate {
    let mut wire = Wire::open(&client(gateway), HOST).await;
    wire.open_stream(1, flags, &block(fields)).await.unwrap();
    if flags & END_STREAM == 0 {
        wire.send(&Frame::new(DATA, END_STREAM, 1, data.as_bytes())).await.unwrap();
    }
    wire.fate(1).await
}

#[tokio::test]
async fn pseudo_fields_that_are_not_as_they_must_be() {
    let (gateway, vendor) = gateway_and_vendor().await;
    let [method, scheme, authority, path] = SOUND;
    let odd: [&[(&str, &str)]; 16] = [
        &[method, method, scheme, authority, path],
        &[method, scheme, authority, path, (":path", "/app.js")],
        &[method, scheme, authority, (":authority", "other.test"), path],
        &[method, scheme, scheme, authority, path],
        &[method, scheme, authority, ("accept", "*/*"), path],
        &[method, scheme, authority, path, (":status", "200")],
        &[method, scheme, authority, path, (":proto", "x")],
        &[method, scheme, authority, path, (":protocol", "websocket")],
        &[scheme, authority, path],
        &[method, authority, path],
        &[method, scheme, authority],
        &[method, scheme, authority, (":path", "")],
        &[method, scheme, authority, (":path", "/odd HTTP/1.1\r\nX: y")],
        &[method, scheme, authority, (":path", "/o dd")],
        &[(":method", "GET /app.js HTTP/1.1"), scheme, authority, path],
        &[(":method", "CONNECT"), scheme, authority, path],
    ];
    for fields in odd {
        let fate = fate_of(&gateway, fields, END_STREAM, "").await;
        assert!(matches!(fate, Fate::Reset | Fate::Ended), "{fields:?}: {fate:?}");
    }
    assert!(vendor.seen("/odd").is_empty());
    others_are_served(&gateway, &vendor).await;
}

#[tokio::test]
async fn requests_that_are_refused_with_a_reason() {
    let (gateway, vendor) = gateway_and_vendor().await;
    let [method, scheme, authority, path] = SOUND;
    let large = "a".repeat(65 << 10);
    let odd: [(&[(&str, &str)], &str); 7] = [
        (&[method, scheme, path], "malformed-request"),
        (&[method, scheme, (":authority", ""), path], "malformed-request"),
        (&[method, scheme, authority, path, ("x", &large)], "headers-too-large"),
        (&[method, scheme, authority, path, ("host", "other.test")], "host-mismatch"),
        (&[method, scheme, (":authority", "other.test"), path], "host-mismatch"),
        (&[method, (":scheme", "http"), authority, path], "host-mismatch"),
        (&[(":method", "CONNECT"), (":authority", "cdn.vendor.test:443")], "method-not-allowed"),
    ];
    for (fields, reason) in odd {
        match fate_of(&gateway, fields, END_STREAM, "").await {
            Fate::Answered(body) => assert!(body.contains(&format!("\"{reason}\"")), "{fields:?}: {body}"),
            // An empty authority is none that h2 takes.
            fate => assert!(fields[2].1.is_empty() && fate != Fate::Ended, "{fields:?}: {fate:?}"),
        }
    }
    assert!(vendor.seen("/odd").is_empty());
    others_are_served(&gateway, &vendor).await;
}

#[tokio::test]
async fn fields_that_would_be_read_as_others_after_a_downgrade() {
    let (gateway, vendor) = gateway_and_vendor().await;
    for (name, value) in [
        ("transfer-encoding", "chunked"),
        ("connection", "x-hop"),
        ("upgrade", "h2c"),
        ("keep-alive", "1"),
        ("proxy-connection", "keep-alive"),
        ("te", "gzip"),
        ("X-Upper", "a"),
        ("x y", "a"),
        ("x:y", "a"),
        ("", "a"),
        ("x", "a\r\nTransfer-Encoding: chunked"),
        ("x", "a\nb"),
        ("x", "a\0b"),
        ("x\r\nHost: other.test\r\ny", "a"),
        ("content-length", "5"),
        ("content-length", "0, 5"),
        ("content-length", "+0"),
    ] {
        let fields = [&SOUND[..], &[(name, value)]].concat();
        let fate = fate_of(&gateway, &fields, END_STREAM, "").await;
        assert!(matches!(fate, Fate::Reset | Fate::Ended), "{name:?}: {value:?}: {fate:?}");
    }
    assert!(vendor.seen("/odd").is_empty());
    others_are_served(&gateway, &vendor).await;
}

#[tokio::test]
async fn content_that_is_not_as_long_as_it_says() {
    let (gateway, vendor) = gateway_and_vendor().await;
    let [_, scheme, authority, path] = SOUND;
    for (length, data) in [("3", "hello"), ("9", "hello"), ("0", "hello")] {
        let fields = [(":method", "POST"), scheme, authority, path, ("content-length", length)];
        let fate = fate_of(&gateway, &fields, 0, data).await;
        assert!(matches!(fate, Fate::Reset | Fate::Ended), "{length}: {fate:?}");
    }
    others_are_served(&gateway, &vendor).await;
}

#[tokio::test]
async fn streams_that_are_reset_as_fast_as_they_are_opened() {
    let (gateway, vendor) = gateway_and_vendor().await;
    let mut wire = Wire::open(&client(&gateway), HOST).await;
    let mut flood = Vec::new();
    for stream in (1..20_000).step_by(2) {
        flood.extend(get(stream, HOST, "/odd").bytes());
        flood.extend(Frame::new(RST_STREAM, 0, stream, [0, 0, 0, 8]).bytes());
    }
    // The gateway may have ended the connection before it has heard all.
    drop(wire.send_bytes(&flood).await);

    assert_eq!(wire.fate(1).await, Fate::Ended);
    assert!(vendor.seen("/odd").len() < 500, "{} requests", vendor.seen("/odd").len());
    others_are_served(&gateway, &vendor).await;
}

#[tokio::test]
async fn a_field_block_that_goes_on_without_end() {
    let (gateway, vendor) = gateway_and_vendor().await;
    for piece in [block(&[("x", &"a".repeat(8000))]), Vec::new()] {
        let mut wire = Wire::open(&client(&gateway), HOST).await;
        wire.send(&Frame::new(HEADERS, END_STREAM, 1, block(&SOUND))).await.unwrap();
        let mut sent = 0;
        while wire.send(&Frame::new(CONTINUATION, 0, 1, piece.clone())).await.is_ok() {
            sent += 1;
            assert!(sent < 100_000, "nobody minds");
        }
    }
    assert!(vendor.seen("/odd").is_empty());
    others_are_served(&gateway, &vendor).await;
}

#[tokio::test]
async fn pings_and_settings_from_a_client_that_reads_nothing() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).set_in("limits", "idle_timeout", "1s").listen().await;
    for frame in [Frame::new(PING, 0, 0, [7; 8]), Frame::new(SETTINGS, 0, 0, [0, 4, 0, 0, 0xff, 0xff])] {
        let mut wire = Wire::open(&client(&gateway), HOST).await;
        let flood = frame.bytes().repeat(1000);
        while wire.send_bytes(&flood).await.is_ok() {}
    }
    others_are_served(&gateway, &vendor).await;
}

#[tokio::test]
async fn a_connection_without_streams_ends_although_it_answers_pings() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).set_in("limits", "idle_timeout", "1s").listen().await;
    let mut wire = Wire::open(&client(&gateway), HOST).await;
    wire.send(&get(1, HOST, "/app.js")).await.unwrap();
    assert_eq!(wire.fate(1).await, Fate::Answered(REVIEWED.to_owned()));

    let mut kinds = Vec::new();
    while let Some(frame) = wire.next().await {
        kinds.push(frame.kind);
    }
    assert!(kinds.contains(&GOAWAY), "it ended without a goodbye: {kinds:?}");
}

/// A request that says this and goes on.
async fn begin(wire: &mut Wire, stream: u32, path: &str, content: &str) {
    let fields = [(":method", "POST"), (":scheme", "https"), (":authority", HOST), (":path", path)];
    wire.send(&Frame::new(HEADERS, END_HEADERS, stream, block(&fields))).await.unwrap();
    wire.send(&Frame::new(DATA, 0, stream, content)).await.unwrap();
}

#[tokio::test]
async fn an_upload_that_stops_coming_ends_and_a_stream_that_is_listened_to_goes_on() {
    // Nobody else ends the upload.
    let (never, later) = (Gate::closed(), Gate::closed());
    let calls = Answer::typed("application/grpc", "first").then(&later, "second");
    let vendor = vendor().serve("/app.js", Answer::script(REVIEWED).behind(&never)).serve("/calls", calls);
    let vendor = vendor.listen().await;
    let gateway = pinning(&vendor).set_in("limits", "idle_timeout", "1s").listen().await;
    let mut wire = Wire::open(&client(&gateway), HOST).await;

    begin(&mut wire, 1, "/calls", "I listen").await;
    while wire.next().await.unwrap().kind != DATA {}
    begin(&mut wire, 3, "/app.js", "let").await;
    let Fate::Answered(problem) = wire.fate(3).await else { panic!("it ended without a word") };
    assert!(problem.contains("request-timeout"), "{problem}");
    later.open();
    assert_eq!(wire.fate(1).await, Fate::Answered("second".to_owned()));
}

#[tokio::test]
async fn a_stream_that_is_not_taken_is_let_go_although_its_connection_is_alive() {
    let film = Answer::typed("video/mp4", vec![7; 1 << 20]);
    let vendor = vendor().serve("/film", film).script("/app.js", REVIEWED).listen().await;
    let gateway = pinning(&vendor).set_in("limits", "idle_timeout", "1s").listen().await;
    let mut wire = Wire::open(&client(&gateway), HOST).await;
    wire.send(&get(1, HOST, "/film")).await.unwrap();
    let mut taken = 0;
    while let Some(frame) = wire.next().await {
        taken += if frame.kind == DATA { frame.payload.len() } else { 0 };
    }
    assert_eq!(taken, 65_535, "all that its window let in, and then the connection had nothing to go on for");
    others_are_served(&gateway, &vendor).await;
}
