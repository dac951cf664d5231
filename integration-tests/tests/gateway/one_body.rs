//! Rules 7 and 8: one body. What was hashed is what is sent, whatever the vendor says of its bytes.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use pinfold_integration_tests::{
    Answer, Coding, Gateway, Reply, Vendor, client, eventually, sha256_hex, vendor,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{REVIEWED, gateway_pinning, refused, vendor_of, verified};

const CODED: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Br, Coding::Zstd];

/// A vendor and a gateway that pins its `/app.js`.
async fn pinned() -> (Vendor, Gateway) {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    (vendor, gateway)
}

/// What comes of these bytes as `/app.js` in these codings.
async fn coded(pinned: &(Vendor, Gateway), wire: impl Into<Vec<u8>>, codings: &str) -> Reply {
    let (vendor, gateway) = pinned;
    vendor.serve("/app.js", Answer::script(wire.into()).header("content-encoding", codings));
    client(gateway).accepting("gzip, deflate, br, zstd").get(vendor.url("/app.js")).await
}

#[tokio::test]
async fn a_body_that_is_in_another_coding_than_it_says() {
    let pinned = pinned().await;

    for said in CODED {
        for used in Coding::ALL.into_iter().filter(|used| *used != said) {
            let reply = coded(&pinned, used.encode(REVIEWED.as_bytes()), said.token()).await;
            refused(&reply, 502, "blocked", "bad-encoding");
        }
    }
}

#[tokio::test]
async fn a_coded_body_that_says_nothing_of_it_is_hashed_as_it_is() {
    let pinned = pinned().await;
    let wire = Coding::Gzip.encode(REVIEWED.as_bytes());

    let reply = coded(&pinned, wire.clone(), "identity").await;

    refused(&reply, 403, "quarantined", "digest-mismatch");
    let event = pinned.1.next_event().await;
    assert_eq!(event.text("file.hash.sha256"), Some(sha256_hex(wire).as_str()));
}

#[tokio::test]
async fn codings_named_in_another_order_than_they_were_applied() {
    let pinned = pinned().await;
    let gzip_then_br = Coding::Br.encode(&Coding::Gzip.encode(REVIEWED.as_bytes()));

    refused(&coded(&pinned, gzip_then_br.clone(), "br, gzip").await, 502, "blocked", "bad-encoding");
    verified(&coded(&pinned, gzip_then_br, "gzip, br").await, REVIEWED);
}

#[tokio::test]
async fn a_coding_named_in_every_way_that_means_the_same() {
    let pinned = pinned().await;
    let wire = Coding::Gzip.encode(REVIEWED.as_bytes());

    for said in ["gzip", "x-gzip", "GZIP", " gzip ", "identity, gzip", "gzip,", ", gzip"] {
        verified(&coded(&pinned, wire.clone(), said).await, REVIEWED);
    }
}

#[tokio::test]
async fn codings_that_pinfold_does_not_undo() {
    let pinned = pinned().await;

    for said in
        ["compress", "dcb", "dcz", "bzip2", "aes128gcm", "gzip;q=1", "\"gzip\"", "gzip br", "utf-8", "none"]
    {
        refused(&coded(&pinned, REVIEWED, said).await, 502, "blocked", "bad-encoding");
    }
    for said in ["gzip, br, zstd", "gzip, gzip, gzip"] {
        refused(&coded(&pinned, REVIEWED, said).await, 502, "blocked", "bad-encoding");
    }
}

#[tokio::test]
async fn bytes_after_the_end_of_every_coding() {
    let pinned = pinned().await;

    for coding in CODED {
        for trailing in [&b"\n"[..], b"\0", b"alert(1)"] {
            let wire = [&coding.encode(REVIEWED.as_bytes()), trailing].concat();
            let reply = coded(&pinned, wire, coding.token()).await;
            assert_eq!(reply.verdict().reason(), Some("bad-encoding"), "{coding:?} {trailing:?}");
        }
    }
}

#[tokio::test]
async fn a_second_frame_of_zstd_counts() {
    let pinned = pinned().await;
    let (first, second) = REVIEWED.split_at(20);
    let both = [Coding::Zstd.encode(first.as_bytes()), Coding::Zstd.encode(second.as_bytes())].concat();
    let more = [Coding::Zstd.encode(REVIEWED.as_bytes()), Coding::Zstd.encode(b"evil()")].concat();

    verified(&coded(&pinned, both, "zstd").await, REVIEWED);
    refused(&coded(&pinned, more, "zstd").await, 403, "quarantined", "digest-mismatch");
}

#[tokio::test]
async fn two_gzip_members_that_are_the_body_together() {
    let pinned = pinned().await;
    let (first, second) = REVIEWED.split_at(20);
    let both = [Coding::Gzip.encode(first.as_bytes()), Coding::Gzip.encode(second.as_bytes())].concat();

    verified(&coded(&pinned, both, "gzip").await, REVIEWED);
}

#[tokio::test]
async fn deflate_with_and_without_its_wrapper_is_the_same_body() {
    let pinned = pinned().await;
    let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
    raw.write_all(REVIEWED.as_bytes()).unwrap();

    verified(&coded(&pinned, raw.finish().unwrap(), "deflate").await, REVIEWED);
    verified(&coded(&pinned, Coding::Deflate.encode(REVIEWED.as_bytes()), "deflate").await, REVIEWED);
}

#[tokio::test]
async fn a_window_of_zstd_that_browsers_do_not_take() {
    let pinned = pinned().await;
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(24).unwrap();
    encoder.write_all(REVIEWED.as_bytes()).unwrap();
    // What follows is not known to the encoder yet, so that it announces its whole window.
    encoder.flush().unwrap();

    refused(&coded(&pinned, encoder.finish().unwrap(), "zstd").await, 502, "blocked", "bad-encoding");
}

#[tokio::test]
async fn a_small_body_that_unpacks_to_a_large_one_in_every_coding() {
    let pinned = pinned().await;
    let plain = vec![b' '; 8 << 20];

    for coding in CODED {
        let reply = coded(&pinned, packed(coding, &plain), coding.token()).await;
        refused(&reply, 502, "blocked", "body-too-large");
    }
    let twice = Coding::Br.encode(&packed(Coding::Gzip, &plain));
    refused(&coded(&pinned, twice, "gzip, br").await, 502, "blocked", "body-too-large");
}

/// As small as a coding makes it.
fn packed(coding: Coding, plain: &[u8]) -> Vec<u8> {
    match coding {
        Coding::Gzip => {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
            gzip.write_all(plain).unwrap();
            gzip.finish().unwrap()
        }
        Coding::Deflate => {
            let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
            zlib.write_all(plain).unwrap();
            zlib.finish().unwrap()
        }
        Coding::Identity | Coding::Br | Coding::Zstd => coding.encode(plain),
    }
}

#[tokio::test]
async fn bytes_beyond_the_announced_length_reach_nobody() {
    let message = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nContent-Length: {}\r\n\r\n{REVIEWED}evil();\r\n\
         HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nContent-Length: 7\r\n\r\nevil();",
        REVIEWED.len()
    );
    let vendor = vendor().serve("/app.js", Answer::raw(message)).listen().await;
    let gateway = gateway_pinning(&vendor).await;
    let mut session = client(&gateway).open(&vendor.url("/").parse().unwrap()).await.unwrap().unwrap();

    for _ in 0..2 {
        verified(
            &session.ask(http::Method::GET, vendor.url("/app.js").parse().unwrap()).await.unwrap(),
            REVIEWED,
        );
    }
    assert_eq!(vendor.seen("/app.js").len(), 2);
}

#[tokio::test]
async fn a_part_that_nobody_asked_for() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    let whole = format!("bytes 0-{}/{}", REVIEWED.len() - 1, REVIEWED.len());

    for range in [whole.as_str(), "bytes 0-9/70", "bytes 10-19/70", "nonsense"] {
        vendor.serve("/app.js", Answer::script(REVIEWED).status(206).header("content-range", range));
        refused(&client(&gateway).get(vendor.url("/app.js")).await, 502, "blocked", "partial-content");
    }
}

/// What comes of a part of something that is not guarded.
async fn part(gateway: &Gateway, vendor: &Vendor, media_type: &str, ranges: &[&str]) -> Reply {
    let part = Answer::typed(media_type, "0123456789").status(206);
    vendor.serve("/part", ranges.iter().fold(part, |part, range| part.header("content-range", range)));
    client(gateway).header("range", "bytes=10-19").get(vendor.url("/part")).await
}

#[tokio::test]
async fn a_part_from_the_middle_that_may_be_anything() {
    let (vendor, gateway) = pinned().await;

    for media_type in ["application/octet-stream", "text/plain", "x-download/x", "text/html", "text/css", ""]
    {
        let reply = part(&gateway, &vendor, media_type, &["bytes 10-19/70"]).await;
        refused(&reply, 502, "blocked", "partial-content");
    }
}

#[tokio::test]
async fn a_part_whose_place_can_be_read_in_two_ways() {
    let (vendor, gateway) = pinned().await;

    for ranges in
        [&[][..], &["bytes 0-9/70", "bytes 10-19/70"], &["bytes 10-19"], &["bytes 0-"], &["bytes 9-0/70"]]
    {
        let reply = part(&gateway, &vendor, "video/mp4", ranges).await;
        refused(&reply, 502, "blocked", "partial-content");
    }
}

#[tokio::test]
async fn a_part_of_a_film_passes() {
    let (vendor, gateway) = pinned().await;

    let film = part(&gateway, &vendor, "video/mp4", &["bytes 10-19/70"]).await;
    let start = part(&gateway, &vendor, "application/octet-stream", &["bytes 0-9/70"]).await;

    assert_eq!((film.status().as_u16(), film.header("content-range")), (206, Some("bytes 10-19/70")));
    assert_eq!((start.status().as_u16(), start.coded().as_ref()), (206, &b"0123456789"[..]));
    assert_eq!(vendor.seen("/part")[0].header("range"), Some("bytes=10-19"));
}

#[tokio::test]
async fn early_hints_do_not_reach_the_client() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </evil.js>; rel=preload; as=script\r\n\r\n";
    let length = REVIEWED.len();
    let message = format!(
        "{hints}{hints}HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nContent-Length: {length}\r\n\r\n{REVIEWED}"
    );
    let vendor = vendor().serve("/app.js", Answer::raw(message)).listen().await;
    let gateway = gateway_pinning(&vendor).await;
    let tunnel = client(&gateway).connect("cdn.vendor.test:443").await.unwrap().unwrap();
    let mut tls = client(&gateway).greet("cdn.vendor.test", tunnel).await.unwrap();

    tls.write_all(b"GET /app.js HTTP/1.1\r\nHost: cdn.vendor.test\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    eventually("the end of the answer", tls.read_to_string(&mut answer)).await.unwrap();

    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(!answer.contains("evil.js") && answer.ends_with(REVIEWED), "{answer}");
}
