//! Rule 9: parts of verified bodies.

use http::Method;
use pinfold_integration_tests::{Answer, client, sha256};

use crate::{REVIEWED, TAMPERED, gateway_pinning, pinning, refused, vendor_of, verified};

#[tokio::test]
async fn a_part_of_a_verified_body_is_of_what_was_verified() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    let (whole, len) = (REVIEWED.as_bytes(), REVIEWED.len());

    for (range, from, to) in [("bytes=10-19", 10, 20), ("bytes=70-", 70, len), ("bytes=-5", len - 5, len)] {
        // A part is one of the body without a coding, whatever codings the client takes.
        let reply =
            client(&gateway).accepting("gzip").header("range", range).get(vendor.url("/app.js")).await;
        assert_eq!((reply.status().as_u16(), reply.verdict().token()), (206, "verified"), "{range}");
        assert_eq!(reply.coded().as_ref(), &whole[from..to], "{range}");
        let said = format!("bytes {from}-{}/{len}", to - 1);
        assert_eq!(reply.header("content-range"), Some(said.as_str()));
        assert_eq!(reply.headers().get("content-encoding"), None);
        assert_eq!(reply.header("etag"), Some(format!("\"{}\"", sha256(REVIEWED)).as_str()));
    }
    assert!(vendor.seen("/app.js").iter().all(|seen| seen.header("range").is_none()));
}

#[tokio::test]
async fn a_part_that_is_not_there_or_of_another_body() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;

    let beyond = client(&gateway).header("range", "bytes=4096-").get(vendor.url("/app.js")).await;
    assert_eq!((beyond.status().as_u16(), beyond.coded().len()), (416, 0));
    assert_eq!(beyond.header("content-range"), Some(format!("bytes */{}", REVIEWED.len()).as_str()));
    let part = client(&gateway).header("range", "bytes=0-4");
    let another = part.header("if-range", "\"another\"").get(vendor.url("/app.js")).await;
    verified(&another, REVIEWED);
    let part = client(&gateway).header("range", "bytes=0-4");
    let same = part.header("if-range", &format!("\"{}\"", sha256(REVIEWED))).get(vendor.url("/app.js")).await;
    assert_eq!((same.status().as_u16(), same.coded().as_ref()), (206, &REVIEWED.as_bytes()[..5]));
    let several = client(&gateway).header("range", "bytes=0-4,9-12").get(vendor.url("/app.js")).await;
    verified(&several, REVIEWED);
    let head = client(&gateway).header("range", "bytes=0-4").ask(Method::HEAD, vendor.url("/app.js")).await;
    assert_eq!(head.status(), 200);
}

#[tokio::test]
async fn no_part_of_what_is_not_verified() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = gateway_pinning(&vendor).await;

    let reply = client(&gateway).header("range", "bytes=0-4").get(vendor.url("/app.js")).await;

    refused(&reply, 403, "quarantined", "digest-mismatch");
}

#[tokio::test]
async fn a_download_that_was_cut_is_taken_up_where_it_ended() {
    let installer = "MZ".repeat(2 << 20);
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/Agent.exe", Answer::typed("application/octet-stream", installer.clone()));
    let gateway = pinning(&vendor).pin(vendor.url("/Agent.exe"), sha256(&installer)).listen().await;

    let rest = client(&gateway).header("range", "bytes=4000001-").get(vendor.url("/Agent.exe")).await;

    assert_eq!((rest.status().as_u16(), rest.header("accept-ranges")), (206, Some("bytes")));
    assert!(rest.coded().as_ref() == &installer.as_bytes()[4_000_001..]);
}
