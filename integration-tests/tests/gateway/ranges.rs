//! Rule 9: parts of verified bodies.

use http::Method;
use pinfold_integration_tests::{Answer, Pin, RealClient, Rule, client, gateway, sha256, vendor};

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
    // Two parts with a head each are longer than this whole.
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

/// A script that is long enough for several parts.
fn long() -> String {
    (0..100).map(|line| format!("globalThis.line{line} = 'reviewed';\n")).collect()
}

/// `Content-Range`, `Content-Type` and bytes of each part of a `multipart/byteranges`.
fn parts(media_type: &str, body: &[u8]) -> Vec<(String, String, Vec<u8>)> {
    let line = media_type.strip_prefix("multipart/byteranges; boundary=").expect(media_type);
    let text = String::from_utf8(body.to_vec()).unwrap();
    let all = text.strip_suffix(&format!("\r\n--{line}--\r\n")).expect("the last boundary");
    let boundary = format!("\r\n--{line}\r\n");
    let mut parts = all.split(&boundary);
    assert_eq!(parts.next(), Some(""), "nothing stands before the first part");
    let read = |part: &str| {
        let (head, body) = part.split_once("\r\n\r\n").unwrap();
        let (range, media_type) = head.split_once("\r\n").unwrap();
        let value = |line: &str, name: &str| line.strip_prefix(name).expect(head).to_owned();
        (value(range, "Content-Range: "), value(media_type, "Content-Type: "), body.as_bytes().to_vec())
    };
    parts.map(read).collect()
}

/// What [`parts`] are of these ranges of a script.
fn of(script: &str, ranges: &[(usize, usize)]) -> Vec<(String, String, Vec<u8>)> {
    let part = |(first, last): &(usize, usize)| {
        let range = format!("bytes {first}-{last}/{}", script.len());
        let media_type = "text/javascript; charset=utf-8".to_owned();
        (range, media_type, script.as_bytes()[*first..=*last].to_vec())
    };
    ranges.iter().map(part).collect()
}

#[tokio::test]
async fn curl_gets_the_several_parts_that_it_asks_for() {
    let script = long();
    let vendor = vendor().script("/app.js", script.clone()).listen().await;
    let asking = gateway().vendor(&vendor).pin(vendor.url("/app.js"), sha256(&script)).listen().await;
    let builder = gateway().rule(&vendor, Rule::default());
    let shelving = builder.pin(vendor.url("/app.js"), sha256(&script)).listen().await;
    let expected = of(&script, &[(0, 3), (10, 13), (script.len() - 5, script.len() - 1)]);

    for gateway in [&asking, &shelving] {
        for curl in [RealClient::Curl, RealClient::CurlHttp2] {
            let fetched = curl.get_ranges("0-3,10-13,-5", gateway, vendor.url("/app.js")).await;
            assert_eq!((fetched.status, fetched.verdict().token()), (206, "verified"));
            assert_eq!(parts(fetched.header("content-type").unwrap(), &fetched.body), expected);
            assert_eq!(fetched.header("content-length"), Some(fetched.body.len().to_string().as_str()));
            assert_eq!(fetched.header("content-range"), None, "each part has its own");
            assert_eq!(fetched.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(fetched.header("etag"), Some(format!("\"{}\"", sha256(&script)).as_str()));
            let one = curl.get_ranges("5000-,0-3", gateway, vendor.url("/app.js")).await;
            assert_eq!((one.status, one.body.as_slice()), (206, &script.as_bytes()[..4]));
            assert_eq!(one.header("content-range"), Some(format!("bytes 0-3/{}", script.len()).as_str()));
            let none = curl.get_ranges("5000-,6000-", gateway, vendor.url("/app.js")).await;
            assert_eq!((none.status, none.body.len()), (416, 0));
        }
    }
    assert_eq!(vendor.seen("/app.js").len(), 6 + 1, "the shelf asks once");
    assert!(vendor.seen("/app.js").iter().all(|seen| seen.header("range").is_none()));
}

#[tokio::test]
async fn several_parts_are_of_the_body_that_the_client_has_begun() {
    let script = long();
    let vendor = vendor().script("/app.js", script.clone()).listen().await;
    let gateway = gateway().vendor(&vendor).pin(vendor.url("/app.js"), sha256(&script)).listen().await;
    let several = || client(&gateway).accepting("gzip").header("range", "bytes=20-29, 0-9");

    let same = several().header("if-range", &format!("\"{}\"", sha256(&script)));
    let same = same.get(vendor.url("/app.js")).await;
    let expected = of(&script, &[(20, 29), (0, 9)]);
    assert_eq!(parts(same.header("content-type").unwrap(), same.coded()), expected);
    for tag in [format!("\"{}-gzip\"", sha256(&script)), format!("W/\"{}\"", sha256(&script))] {
        verified(&several().header("if-range", &tag).get(vendor.url("/app.js")).await, &script);
    }
    let head = several().ask(Method::HEAD, vendor.url("/app.js")).await;
    assert_eq!((head.status().as_u16(), head.header("content-range")), (200, None));
    assert!(head.header("content-type").unwrap().starts_with("text/javascript"));
}

#[tokio::test]
async fn a_range_of_death_costs_no_more_than_the_body() {
    let script = long();
    let vendor = vendor().script("/app.js", script.clone()).listen().await;
    let gateway = gateway().vendor(&vendor).pin(vendor.url("/app.js"), sha256(&script)).listen().await;
    let get = async |ranges: String| {
        client(&gateway).header("range", &format!("bytes={ranges}")).get(vendor.url("/app.js")).await
    };

    let death: String = (1..1300).map(|last| format!(",5-{last}")).collect();
    verified(&get(format!("0-{death}")).await, &script);
    let every_second: Vec<_> = (0..16).map(|at| format!("{}-{}", at * 200, at * 200 + 180)).collect();
    verified(&get(every_second.join(",")).await, &script);
    let overlapping = get("10-19,0-14,15-29".to_owned()).await;
    assert_eq!(overlapping.header("content-range"), Some(format!("bytes 0-29/{}", script.len()).as_str()));
    assert_eq!(overlapping.coded().as_ref(), &script.as_bytes()[..30]);
}

#[tokio::test]
async fn several_parts_of_an_installer_that_lies_on_disk() {
    let installer = format!("MZ{}", "installer ".repeat(400_000));
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/Agent.exe", Answer::typed("application/octet-stream", installer.clone()));
    let pin = Pin::new(vendor.url("/Agent.exe")).digest(sha256(&installer)).kind("installer");
    let gateway = pinning(&vendor).pinned(pin).listen().await;

    let reply = client(&gateway)
        .header("range", "bytes=3000000-3999999,2-500001")
        .get(vendor.url("/Agent.exe"))
        .await;

    let got: Vec<_> = parts(reply.header("content-type").unwrap(), reply.coded())
        .into_iter()
        .map(|(_, media_type, bytes)| (media_type, bytes))
        .collect();
    let part = |range: std::ops::Range<usize>| {
        ("application/octet-stream".to_owned(), installer.as_bytes()[range].to_vec())
    };
    assert!(got == [part(3_000_000..4_000_000), part(2..500_002)]);
}
