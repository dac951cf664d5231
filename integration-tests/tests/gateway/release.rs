//! Rule 9: what a released response says about itself, and what of the vendor's head it keeps.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Version};
use pinfold_integration_tests::{Answer, Pin, client, gateway, sha256, sha384, sha512, vendor};
use sha2::{Digest as _, Sha256};

use crate::{REVIEWED, gateway_pinning, vendor_of, verified};

#[tokio::test]
async fn a_release_carries_pinfolds_own_head() {
    let vendor = vendor_of(REVIEWED).await;
    let theirs = Answer::typed("application/x-javascript", REVIEWED)
        .header("set-cookie", "tracked=yes")
        .header("age", "12345")
        .header("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT")
        .header("etag", "\"theirs\"")
        .header("cache-control", "public, max-age=31536000, immutable, stale-while-revalidate=60")
        .header("alt-svc", "h3=\":443\"")
        .header("x-vendor-build", "42")
        .header("access-control-allow-origin", "*")
        .header("timing-allow-origin", "*");
    vendor.serve("/app.js", theirs);
    let gateway = gateway_pinning(&vendor).await;

    let reply = client(&gateway).accepting("gzip").get(vendor.url("/app.js")).await;

    verified(&reply, REVIEWED);
    for gone in ["set-cookie", "age", "last-modified", "alt-svc", "x-vendor-build"] {
        assert_eq!(reply.header(gone), None, "{gone}");
    }
    assert_eq!(reply.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    assert_eq!(reply.header("timing-allow-origin"), Some("*"));
    assert!(reply.header("vary").unwrap().to_ascii_lowercase().contains("accept-encoding"));
    assert!(reply.header("date").is_some());
    let etag = reply.header("etag").unwrap();
    assert!(
        etag.contains(sha256(REVIEWED).trim_start_matches("sha256-")) || etag.contains(&sha256(REVIEWED)),
        "{etag}"
    );
}

#[tokio::test]
async fn of_a_hostile_head_exactly_the_listed_fields_pass() {
    let listed = [
        ("access-control-allow-origin", "https://shop.test"),
        ("access-control-expose-headers", "x-build"),
        ("cross-origin-embedder-policy", "require-corp"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("timing-allow-origin", "*"),
        ("sourcemap", "/app.js.map"),
        ("service-worker-allowed", "/"),
        ("content-disposition", "inline"),
        ("content-language", "uk"),
    ];
    let hostile = [
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("set-cookie2", "c=3"),
        ("x-sourcemap", "https://evil.test/map"),
        ("link", "</evil.js>; rel=preload; as=script"),
        ("refresh", "0;url=https://evil.test/"),
        ("location", "https://evil.test/"),
        ("content-location", "/other.js"),
        ("content-security-policy", "script-src *"),
        ("clear-site-data", "\"*\""),
        ("strict-transport-security", "max-age=0"),
        ("public-key-pins", "max-age=1"),
        ("nel", "{}"),
        ("report-to", "{}"),
        ("reporting-endpoints", "a=\"https://evil.test/\""),
        ("speculation-rules", "\"/rules.json\""),
        ("use-as-dictionary", "match=\"/*\""),
        ("origin-trial", "token"),
        ("alt-svc", "h3=\":443\""),
        ("accept-ch", "dpr"),
        ("critical-ch", "dpr"),
        ("server-timing", "a"),
        ("age", "12345"),
        ("expires", "Wed, 21 Oct 2099 07:28:00 GMT"),
        ("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT"),
        ("pragma", "no-cache"),
        ("etag", "\"theirs\""),
        ("digest", "sha-256=x"),
        ("content-md5", "x"),
        ("content-digest", "sha-256=:x:"),
        ("repr-digest", "sha-256=:x:"),
        ("accept-ranges", "none"),
        ("www-authenticate", "Basic"),
        ("proxy-authenticate", "Basic"),
        ("proxy-status", "vendor"),
        ("pinfold-verdict", "verified"),
        ("x-content-type-options", "sniff"),
        ("x-frame-options", "DENY"),
        ("cross-origin-policy-x", "1"),
        ("x-access-control-allow-origin", "*"),
        ("server", "vendor"),
        ("via", "1.1 vendor"),
        ("warning", "110 - x"),
        ("x-vendor-build", "42"),
    ];
    let vendor = vendor_of(REVIEWED).await;
    let theirs = listed
        .iter()
        .chain(&hostile)
        .fold(Answer::script(REVIEWED), |answer, (name, value)| answer.header(name, value));
    vendor.serve("/app.js", theirs);
    let gateway = gateway_pinning(&vendor).await;

    for client in [client(&gateway), client(&gateway).http2()] {
        let reply = client.accepting("br").get(vendor.url("/app.js")).await;

        verified(&reply, REVIEWED);
        for (name, value) in listed {
            assert_eq!(reply.header(name), Some(value), "{name}");
        }
        let ours = [
            "cache-control",
            "content-encoding",
            "content-length",
            "content-type",
            "date",
            "etag",
            "pinfold-verdict",
            "repr-digest",
            "vary",
            "x-content-type-options",
        ];
        // Not yet in the contract's words of a release, and not the vendor's either.
        let names =
            reply.headers().keys().map(http::HeaderName::as_str).filter(|name| *name != "accept-ranges");
        let expected = listed.iter().map(|(name, _)| *name).chain(ours);
        assert_eq!(names.collect::<BTreeSet<_>>(), expected.collect(), "{:?}", reply.headers());
        for name in ours {
            assert!(reply.header(name).is_some(), "{name}");
        }
        assert_ne!(reply.header("etag"), Some("\"theirs\""));
    }
}

#[tokio::test]
async fn what_a_vendor_varies_by_and_the_coding_stand_in_one_field() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;

    for (theirs, expected) in [
        (&[][..], "Accept-Encoding"),
        (&["Origin"], "Origin, Accept-Encoding"),
        (&["Origin", "accept-encoding, Referer"], "Origin, Referer, Accept-Encoding"),
        (&["*"], "*, Accept-Encoding"),
    ] {
        let answer =
            theirs.iter().fold(Answer::script(REVIEWED), |answer, value| answer.header("vary", value));
        vendor.serve("/app.js", answer);
        let reply = client(&gateway).get(vendor.url("/app.js")).await;
        assert_eq!(reply.header("vary"), Some(expected), "{theirs:?}");
    }
}

#[tokio::test]
async fn a_charset_in_which_the_reviewed_bytes_say_something_else() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;

    for (theirs, ours) in [
        ("text/javascript; charset=windows-1252", "text/javascript; charset=windows-1252"),
        ("text/javascript; charset=\"UTF-8\"", "text/javascript; charset=utf-8"),
        ("text/javascript; charset=utf-16le", "text/javascript; charset=utf-8"),
        ("text/javascript; charset=utf-7", "text/javascript; charset=utf-8"),
        ("text/javascript; charset=iso-2022-jp", "text/javascript; charset=utf-8"),
        ("text/html; charset=hz-gb-2312", "text/javascript; charset=utf-8"),
        ("text/javascript; charset=utf-8, text/html", "text/javascript; charset=utf-8"),
        ("text/javascript; charset=\"a;b\"; charset=utf-16", "text/javascript; charset=utf-8"),
    ] {
        vendor.serve("/app.js", Answer::typed(theirs, REVIEWED));
        let reply = client(&gateway).get(vendor.url("/app.js")).await;
        assert_eq!(reply.header("content-type"), Some(ours), "{theirs}");
    }
}

#[tokio::test]
async fn a_directive_that_narrows_beside_letters_that_are_no_ascii_counts() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/app.js", Answer::script(REVIEWED).header("cache-control", "no-store, x=\"\u{e9}\""));
    let gateway = gateway_pinning(&vendor).await;

    let reply = client(&gateway).get(vendor.url("/app.js")).await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn of_several_cache_directives_each_counts() {
    let vendor = vendor_of(REVIEWED).await;
    let several =
        Answer::script(REVIEWED).header("cache-control", "max-age=60").header("cache-control", "no-store");
    vendor.serve("/app.js", several);
    let gateway = gateway_pinning(&vendor).await;

    let reply = client(&gateway).get(vendor.url("/app.js")).await;

    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn the_representation_digest_is_of_the_bytes_as_encoded() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;

    for coding in ["identity", "gzip", "br"] {
        let reply = client(&gateway).accepting(coding).get(vendor.url("/app.js")).await;
        let expected = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(reply.coded())));
        assert_eq!(reply.header("repr-digest"), Some(expected.as_str()), "{coding}");
    }
}

#[tokio::test]
async fn browsers_may_keep_a_release_ten_minutes_at_most() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/app.js", Answer::script(REVIEWED).header("cache-control", "max-age=31536000, immutable"));
    let gateway = gateway_pinning(&vendor).await;

    let reply = client(&gateway).get(vendor.url("/app.js")).await;

    let cache = reply.header("cache-control").unwrap();
    let age = cache.split(", ").find_map(|word| word.strip_prefix("max-age=")).unwrap();
    assert!(age.parse::<u64>().unwrap() <= 600, "{cache}");
    assert!(!cache.contains("immutable") && !cache.contains("stale"), "{cache}");
}

#[tokio::test]
async fn any_of_several_digests_of_any_algorithm_may_be_served() {
    let scripts = ["let one = 1;", "let two = 2;", "let three = 3;"];
    let vendor = vendor_of("").await;
    let digests = [sha256(scripts[0]), sha384(scripts[1]), sha512(scripts[2])];
    let pin = digests.into_iter().fold(Pin::new(vendor.url("/app.js")), Pin::digest);
    let gateway = gateway().vendor(&vendor).pinned(pin).listen().await;

    for script in scripts {
        vendor.script("/app.js", script);
        verified(&client(&gateway).get(vendor.url("/app.js")).await, script);
    }
}

#[tokio::test]
async fn a_head_request_is_answered_like_its_get() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;

    let got = client(&gateway).get(vendor.url("/app.js")).await;
    let head = client(&gateway).ask(Method::HEAD, vendor.url("/app.js")).await;

    assert_eq!((head.status().as_u16(), head.verdict().token()), (200, "verified"));
    assert!(head.coded().is_empty());
    for name in ["content-type", "etag", "content-length"] {
        assert_eq!(head.header(name), got.header(name), "{name}");
    }
}

#[tokio::test]
async fn a_browser_that_has_it_already_gets_304() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    let first = client(&gateway).get(vendor.url("/app.js")).await;
    let etag = first.header("etag").unwrap();

    let again = client(&gateway).header("if-none-match", etag).get(vendor.url("/app.js")).await;
    let other =
        client(&gateway).header("if-none-match", "\"something else\"").get(vendor.url("/app.js")).await;

    assert_eq!((again.status().as_u16(), again.coded().len()), (304, 0));
    verified(&other, REVIEWED);
}

#[tokio::test]
async fn a_304_never_stands_for_what_would_be_refused_now() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    let first = client(&gateway).get(vendor.url("/app.js")).await;
    vendor.script("/app.js", "let other = 1;");

    let again = client(&gateway)
        .header("if-none-match", first.header("etag").unwrap())
        .get(vendor.url("/app.js"))
        .await;

    assert_eq!(again.status(), 403);
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let vendor = vendor().script("/a.js", "let a = 1;").script("/b.js", "let b = 1;").listen().await;
    let builder = gateway().vendor(&vendor).pin(vendor.url("/a.js"), sha256("let a = 1;"));
    let gateway = builder.pin(vendor.url("/b.js"), sha256("let b = 1;")).listen().await;

    for client in [client(&gateway), client(&gateway).http2()] {
        let mut session = client.open(&vendor.url("/").parse().unwrap()).await.unwrap().unwrap();
        for _ in 0..3 {
            let a = session.ask(Method::GET, vendor.url("/a.js").parse().unwrap()).await.unwrap();
            let b = session.ask(Method::GET, vendor.url("/b.js").parse().unwrap()).await.unwrap();
            assert_eq!((a.body().as_slice(), b.body().as_slice()), (&b"let a = 1;"[..], &b"let b = 1;"[..]));
        }
    }
}

#[tokio::test]
async fn a_pin_without_a_query_matches_any_query() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;

    verified(&client(&gateway).get(vendor.url("/app.js?siteId=7&v=2")).await, REVIEWED);

    let seen = &vendor.seen("/app.js")[0];
    assert_eq!(seen.uri.query(), Some("siteId=7&v=2"));
    assert!(matches!(seen.version, Version::HTTP_11 | Version::HTTP_2));
}
