//! Ways to get a script past the pins, each known from somewhere, each a test named after it.

use pinfold_integration_tests::{Answer, Coding, Rule, client, gateway, sha256, vendor};

use crate::{REVIEWED, TAMPERED, gateway_pinning, pinning, refused, vendor_of, verified};

#[tokio::test]
async fn a_script_typed_as_text_at_a_script_url() {
    for media_type in ["text/plain", "application/octet-stream", "image/png", "application/json", "x/y"] {
        let vendor = vendor().serve("/other.js", Answer::typed(media_type, TAMPERED)).listen().await;
        let gateway = gateway_pinning(&vendor).await;
        refused(&client(&gateway).get(vendor.url("/other.js")).await, 403, "blocked", "unpinned");
    }
}

#[tokio::test]
async fn a_script_without_a_type_at_a_script_url() {
    let vendor = vendor().serve("/other.js", Answer::untyped(TAMPERED)).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    refused(&client(&gateway).get(vendor.url("/other.js")).await, 403, "blocked", "unpinned");
}

#[tokio::test]
async fn a_script_at_a_url_without_extension() {
    for media_type in
        ["text/javascript", "application/javascript", "application/ecmascript", "TEXT/JavaScript;x=y"]
    {
        let vendor = vendor().serve("/livechat", Answer::typed(media_type, TAMPERED)).listen().await;
        let gateway = gateway_pinning(&vendor).await;
        refused(&client(&gateway).get(vendor.url("/livechat")).await, 403, "blocked", "unpinned");
    }
}

#[tokio::test]
async fn text_that_a_browser_asks_for_as_a_script() {
    let vendor = vendor().serve("/livechat", Answer::typed("text/plain", TAMPERED)).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    for destination in ["script", "worker", "sharedworker", "serviceworker", "audioworklet", "paintworklet"] {
        let browser = client(&gateway).header("sec-fetch-dest", destination);
        refused(&browser.get(vendor.url("/livechat")).await, 403, "blocked", "unpinned");
    }
    let installing = client(&gateway).header("service-worker", "script");
    refused(&installing.get(vendor.url("/livechat")).await, 403, "blocked", "unpinned");
}

#[tokio::test]
async fn executables_dressed_as_something_else() {
    let magics: [&[u8]; 5] = [
        b"\0asm\x01\0\0\0",
        b"MZ\x90\0\x03\0\0\0",
        b"\x7fELF\x02\x01\x01\0",
        b"xar!\0\x1c\0\x01",
        b"#!/bin/sh\n",
    ];
    for magic in magics {
        let disguised = [magic, &[0; 600]].concat();
        let vendor = vendor().serve("/logo.png", Answer::typed("image/png", disguised)).listen().await;
        let gateway = gateway_pinning(&vendor).await;
        refused(&client(&gateway).get(vendor.url("/logo.png")).await, 403, "blocked", "unpinned");
    }
}

#[tokio::test]
async fn an_installer_named_by_content_disposition() {
    let answer = Answer::typed("application/octet-stream", vec![7; 600]);
    let answer = answer.header("content-disposition", "attachment; filename=\"Agent-Setup.msi\"");
    let vendor = vendor().serve("/download", answer).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    refused(&client(&gateway).get(vendor.url("/download")).await, 403, "blocked", "unpinned");
}

#[tokio::test]
async fn what_is_not_guarded_passes_with_nosniff() {
    let vendor =
        vendor().serve("/data.json", Answer::typed("application/json", "{\"a\":1}").header("x-build", "42"));
    let vendor =
        vendor.serve("/logo.png", Answer::typed("image/png", &b"\x89PNG\r\n\x1a\n0000"[..])).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    for path in ["/data.json", "/logo.png"] {
        let reply = client(&gateway).get(vendor.url(path)).await;
        assert_eq!((reply.status().as_u16(), reply.header("x-content-type-options")), (200, Some("nosniff")));
        assert_eq!(reply.header("pinfold-verdict"), None);
    }
}

#[tokio::test]
async fn every_spelling_of_a_pinned_url_is_that_url() {
    let vendor = vendor_of(TAMPERED).await;
    let spellings = ["/%61pp.js", "/x/../app.js", "/./app.js", "/app.js?", "/app.js?x=1"];
    for path in spellings {
        vendor.script(path, TAMPERED);
    }
    let gateway = gateway_pinning(&vendor).await;

    for path in spellings {
        let reply = client(&gateway).get(vendor.url(path)).await;
        assert_eq!(reply.verdict().reason(), Some("digest-mismatch"), "{path}");
    }
}

#[tokio::test]
async fn another_path_is_another_url_and_guarded_all_the_same() {
    let vendor = vendor_of(REVIEWED).await;
    for path in ["/%2Fapp.js", "//app.js", "/APP.js", "/app.js/"] {
        vendor.script(path, REVIEWED);
    }
    let gateway = gateway_pinning(&vendor).await;

    for path in ["/%2Fapp.js", "//app.js", "/APP.js", "/app.js/"] {
        let reply = client(&gateway).get(vendor.url(path)).await;
        assert_eq!((reply.status().as_u16(), reply.verdict().reason()), (403, Some("unpinned")), "{path}");
    }
}

#[tokio::test]
async fn bytes_after_the_end_of_gzip() {
    let trailing = [Coding::Gzip.encode(REVIEWED.as_bytes()), b"trailing".to_vec()].concat();
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/app.js", Answer::script(trailing).header("content-encoding", "gzip"));
    let gateway = gateway_pinning(&vendor).await;

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 502, "blocked", "bad-encoding");
}

#[tokio::test]
async fn a_second_gzip_member_counts() {
    let both = [Coding::Gzip.encode(REVIEWED.as_bytes()), Coding::Gzip.encode(b"evil()")].concat();
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/app.js", Answer::script(both).header("content-encoding", "gzip"));
    let gateway = gateway_pinning(&vendor).await;

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");
}

#[tokio::test]
async fn coded_bytes_that_are_nearly_those_of_before() {
    let vendor = vendor_of(REVIEWED).await;
    let coded = Coding::Gzip.encode(REVIEWED.as_bytes());
    let sends = |bytes: &[u8]| {
        vendor.serve("/app.js", Answer::script(bytes.to_vec()).header("content-encoding", "gzip"));
    };
    let gateway = gateway()
        .rule(&vendor, Rule::default().set("recheck", "always"))
        .pin(vendor.url("/app.js"), sha256(REVIEWED))
        .listen()
        .await;
    for _ in 0..3 {
        sends(&coded);
        verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
        // Of the same length, and with another checksum.
        let mut other = coded.clone();
        *other.last_mut().unwrap() ^= 1;
        sends(&other);
        refused(&client(&gateway).get(vendor.url("/app.js")).await, 502, "blocked", "bad-encoding");
    }
}

#[tokio::test]
async fn bytes_that_are_nearly_those_of_before() {
    // One in memory while it is held, one on disk.
    for reviewed in [REVIEWED.to_owned(), REVIEWED.repeat((5 << 18) / REVIEWED.len())] {
        // As many bytes are announced, whatever comes.
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nContent-Length: {}\r\n\r\n",
            reviewed.len()
        );
        let answer = |body: &[u8]| Answer::raw([head.as_bytes(), body].concat());
        let vendor = vendor().serve("/app.js", answer(reviewed.as_bytes())).listen().await;
        let gateway = gateway()
            .rule(&vendor, Rule::default().set("recheck", "always"))
            .pin(vendor.url("/app.js"), sha256(&reviewed))
            .listen()
            .await;
        for round in 0..3 {
            vendor.serve("/app.js", answer(reviewed.as_bytes()));
            verified(&client(&gateway).get(vendor.url("/app.js")).await, &reviewed);
            for at in [0, reviewed.len() / 2, reviewed.len() - 1] {
                let mut other = reviewed.clone().into_bytes();
                other[at] ^= 1;
                vendor.serve("/app.js", answer(&other));
                let reply = client(&gateway).get(vendor.url("/app.js")).await;
                refused(&reply, 403, "quarantined", "digest-mismatch");
            }
            vendor.serve("/app.js", answer(&reviewed.as_bytes()[..reviewed.len() - 1 - round]));
            refused(&client(&gateway).get(vendor.url("/app.js")).await, 502, "blocked", "truncated");
        }
    }
}

#[tokio::test]
async fn a_body_cut_short_inside_its_coding() {
    for coding in [Coding::Gzip, Coding::Deflate, Coding::Br, Coding::Zstd] {
        let mut coded = coding.encode(&REVIEWED.repeat(50).into_bytes());
        coded.truncate(coded.len() - 5);
        let vendor = vendor_of(REVIEWED).await;
        vendor.serve("/app.js", Answer::script(coded).header("content-encoding", coding.token()));
        let gateway = gateway_pinning(&vendor).await;
        let reply = client(&gateway).get(vendor.url("/app.js")).await;
        assert_eq!(reply.status(), 502, "{coding:?}: {reply:?}");
    }
}

#[tokio::test]
async fn codings_that_are_unknown_or_too_many() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;

    for codings in ["compress", "gzip, gzip, gzip", "exotic"] {
        vendor.serve("/app.js", Answer::script(REVIEWED).header("content-encoding", codings));
        refused(&client(&gateway).get(vendor.url("/app.js")).await, 502, "blocked", "bad-encoding");
    }
    let twice = Coding::Gzip.encode(&Coding::Br.encode(REVIEWED.as_bytes()));
    vendor.serve("/app.js", Answer::script(twice).header("content-encoding", "br, gzip"));
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
}

#[tokio::test]
async fn a_small_body_that_unpacks_to_a_large_one() {
    let bomb = Coding::Br.encode(&vec![b' '; 50 << 20]);
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/app.js", Answer::script(bomb).header("content-encoding", "br"));
    let gateway = gateway_pinning(&vendor).await;

    let reply = client(&gateway).accepting("br").get(vendor.url("/app.js")).await;

    refused(&reply, 502, "blocked", "body-too-large");
}

#[tokio::test]
async fn a_part_of_a_pinned_script() {
    let vendor = vendor_of(REVIEWED).await;
    let part = Answer::script(&REVIEWED[10..20]).status(206).header("content-range", "bytes 10-19/70");
    vendor.serve("/app.js", part);
    let gateway = gateway_pinning(&vendor).await;

    let reply = client(&gateway).header("range", "bytes=10-19").get(vendor.url("/app.js")).await;

    assert!(!reply.status().is_success(), "{reply:?}");
    assert_eq!(vendor.seen("/app.js")[0].header("range"), None);
}

#[tokio::test]
async fn a_client_that_knows_the_vendors_etag() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;

    let eager = client(&gateway).header("if-none-match", "\"theirs\"");
    let reply =
        eager.header("if-modified-since", "Wed, 21 Oct 2015 07:28:00 GMT").get(vendor.url("/app.js")).await;

    verified(&reply, REVIEWED);
    let seen = &vendor.seen("/app.js")[0];
    assert_eq!((seen.header("if-none-match"), seen.header("if-modified-since")), (None, None));
}

#[tokio::test]
async fn a_304_for_what_may_be_a_script_under_another_name() {
    let vendor = vendor_of(REVIEWED).await;
    let confirmed = Answer::untyped("").status(304).header("cache-control", "max-age=31536000, immutable");
    vendor.serve("/loader", confirmed);
    let gateway = gateway_pinning(&vendor).await;

    let reply = client(&gateway).header("if-none-match", "\"theirs\"").get(vendor.url("/loader")).await;

    refused(&reply, 502, "blocked", "upstream-status");
    assert_eq!(vendor.seen("/loader")[0].header("if-none-match"), None);
}

#[tokio::test]
async fn a_304_for_a_script_that_a_page_asks_for_as_an_image() {
    let vendor = vendor_of(REVIEWED).await;
    let confirmed = Answer::untyped("").status(304).header("cache-control", "max-age=31536000, immutable");
    vendor.serve("/loader", confirmed);
    let gateway = gateway_pinning(&vendor).await;

    let shown = client(&gateway).header("sec-fetch-dest", "image").header("if-none-match", "\"theirs\"");
    let reply = shown.get(vendor.url("/loader")).await;

    assert_eq!((reply.status().as_u16(), reply.header("cache-control")), (304, Some("no-cache")));
    assert_eq!(vendor.seen("/loader")[0].header("if-none-match"), Some("\"theirs\""));
}

#[tokio::test]
async fn a_304_whose_connection_names_the_field_that_has_it_asked_for_again() {
    let confirmed = Answer::untyped("").status(304).header("connection", "Cache-Control");
    let vendor = vendor().http1_only().serve("/loader", confirmed).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    let shown = client(&gateway).header("sec-fetch-dest", "image").header("if-none-match", "\"theirs\"");
    let reply = shown.get(vendor.url("/loader")).await;

    assert_eq!((reply.status().as_u16(), reply.header("cache-control")), (304, Some("no-cache")));
}

#[tokio::test]
async fn what_connection_names_is_gone_before_an_answer_is_judged() {
    // To whoever left them in, this is a picture, and not a part of one.
    let named = Answer::typed("image/png", vec![0xab; 600]).status(206);
    let named = named.header("content-range", "bytes 600-1199/1200");
    let vendor = vendor().http1_only().serve("/part", named.clone());
    let vendor = vendor.serve("/named", named.header("connection", "Content-Type")).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    assert_eq!(client(&gateway).get(vendor.url("/part")).await.status(), 206);
    refused(&client(&gateway).get(vendor.url("/named")).await, 502, "blocked", "partial-content");
}

#[tokio::test]
async fn a_wildcard_pin_does_not_let_files_swap() {
    let vendor = vendor_of(REVIEWED).await;
    let (one, two) = ("let one = 1;", "let two = 2;");
    vendor.script("/lib/one.js", one);
    vendor.script("/lib/two.js", two);
    let pattern =
        pinfold_integration_tests::Pin::new(vendor.url("/lib/*.js")).digest(sha256(one)).digest(sha256(two));
    let gateway = gateway().vendor(&vendor).pinned(pattern).listen().await;

    verified(&client(&gateway).get(vendor.url("/lib/one.js")).await, one);
    verified(&client(&gateway).get(vendor.url("/lib/two.js")).await, two);
    vendor.script("/lib/one.js", two);
    let swapped = client(&gateway).get(vendor.url("/lib/one.js")).await;
    assert_eq!((swapped.status().as_u16(), swapped.verdict().reason()), (403, Some("digest-mismatch")));
}

#[tokio::test]
async fn a_guarded_style_where_the_rule_guards_styles() {
    let vendor = vendor().serve("/skin.css", Answer::typed("text/css", "body{}")).listen().await;
    let rule = Rule::default().set("guard", serde_json::json!(["script", "style"]));
    let gateway = pinning(&vendor).listen().await;
    let strict = pinfold_integration_tests::gateway().rule(&vendor, rule).listen().await;

    assert_eq!(client(&gateway).get(vendor.url("/skin.css")).await.status(), 200);
    refused(&client(&strict).get(vendor.url("/skin.css")).await, 403, "blocked", "unpinned");
}
