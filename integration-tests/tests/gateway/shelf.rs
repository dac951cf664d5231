//! Rule 4: a pinned URL with a verified body is answered without the vendor.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Method, Version};
use pinfold_integration_tests::{Answer, Coding, Gate, Pin, Rule, client, sha256};
use tokio::task::JoinHandle;

use super::*;

/// A gateway that pins `/app.js` and keeps a shelf.
fn shelving(vendor: &Vendor) -> GatewayBuilder {
    gateway().rule(vendor, Rule::default()).pin(vendor.url("/app.js"), sha256(REVIEWED))
}

#[tokio::test]
async fn a_verified_body_is_served_without_the_vendor() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = shelving(&vendor).listen().await;

    for _ in 0..3 {
        verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
        verified(&client(&gateway).http2().get(vendor.url("/app.js")).await, REVIEWED);
    }

    assert_eq!(vendor.seen("/app.js").len(), 1);
    gateway.terminate().await;
    let counted: u64 = gateway.rest_of_events().await.iter().map(|event| event.count().unwrap()).sum();
    assert_eq!(counted, 6, "each of them is recorded");
}

#[tokio::test]
async fn the_page_goes_on_when_the_vendor_changes_or_vanishes() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = shelving(&vendor).listen().await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);

    vendor.script("/app.js", TAMPERED);
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    let url = vendor.url("/app.js");
    drop(vendor);
    verified(&client(&gateway).get(url).await, REVIEWED);
}

#[tokio::test]
async fn the_shelf_outlives_the_gateway() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = shelving(&vendor).listen().await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    gateway.terminate().await;
    vendor.script("/app.js", TAMPERED);

    gateway.start_again().await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    assert_eq!(vendor.seen("/app.js").len(), 1);
}

#[tokio::test]
async fn what_a_vendor_says_of_caching_outlives_the_gateway_with_letters_that_are_no_ascii_in_it() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/app.js", Answer::script(REVIEWED).header("cache-control", "no-store, x=\"\u{e9}\""));
    let gateway = shelving(&vendor).listen().await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    gateway.terminate().await;

    gateway.start_again().await;
    let from_shelf = client(&gateway).get(vendor.url("/app.js")).await;
    assert_eq!(from_shelf.header("cache-control"), Some("no-store"));
    assert_eq!(vendor.seen("/app.js").len(), 1);
}

/// So many clients that ask for the same.
fn at_once(clients: usize, gateway: &Gateway, vendor: &Vendor) -> Vec<JoinHandle<Reply>> {
    let ask = |_| {
        let (client, url) = (client(gateway), vendor.url("/app.js"));
        tokio::spawn(async move { client.get(url).await })
    };
    (0..clients).map(ask).collect()
}

#[tokio::test]
async fn a_thousand_clients_cause_one_fetch() {
    let gate = Gate::closed();
    let vendor = vendor().serve("/app.js", Answer::script(REVIEWED).behind(&gate)).listen().await;
    let gateway = shelving(&vendor).listen().await;

    let asking = at_once(1000, &gateway, &vendor);
    vendor.asked("/app.js", 1).await;
    gate.open();

    for reply in asking {
        verified(&reply.await.unwrap(), REVIEWED);
    }
    assert_eq!(vendor.seen("/app.js").len(), 1);
}

/// A vendor that hangs up, or resets streams, so many times, and serves then.
async fn refusing(refusal: Answer, times: usize, gate: &Gate) -> Vendor {
    let vendor = vendor().serve("/", refusal.clone()).listen().await;
    let (refusal, left) = (refusal.behind(gate), AtomicUsize::new(times));
    vendor.serve_by("/app.js", move |_| {
        match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => refusal.clone(),
            Err(_) => Answer::script(REVIEWED),
        }
    });
    vendor
}

#[tokio::test]
async fn where_a_vendor_refuses_whoever_asks_for_all_one_of_those_who_wait_asks_again() {
    for (refusal, protocol) in
        [(Answer::refused_stream(), Version::HTTP_2), (Answer::raw(""), Version::HTTP_11)]
    {
        let gate = Gate::closed();
        // The first one's request is sent twice.
        let vendor = refusing(refusal, 2, &gate).await;
        let gateway = shelving(&vendor).listen().await;
        let asking = at_once(50, &gateway, &vendor);
        vendor.asked("/app.js", 1).await;
        gate.open();

        let mut refusals = 0;
        for reply in asking {
            let reply = reply.await.unwrap();
            match reply.status().as_u16() {
                200 => verified(&reply, REVIEWED),
                _ => {
                    refused(&reply, 502, "blocked", "upstream-unreachable");
                    refusals += 1;
                }
            }
        }
        assert_eq!((refusals, vendor.seen("/app.js").len()), (1, 3), "{protocol:?}");
        assert_eq!(vendor.seen("/app.js")[0].version, protocol);
    }
}

#[tokio::test]
async fn those_who_wait_for_a_fetch_that_fails_ask_for_themselves() {
    let gate = Gate::closed();
    let vendor = vendor().serve("/app.js", Answer::script(TAMPERED).behind(&gate)).listen().await;
    let gateway = shelving(&vendor).listen().await;

    let asking: Vec<_> = (0..5)
        .map(|_| {
            let (client, url) = (client(&gateway), vendor.url("/app.js"));
            tokio::spawn(async move { client.get(url).await })
        })
        .collect();
    vendor.asked("/app.js", 1).await;
    gate.open();

    for reply in asking {
        refused(&reply.await.unwrap(), 403, "quarantined", "digest-mismatch");
    }
}

#[tokio::test]
async fn a_script_that_trickles_to_one_client_keeps_no_other_waiting_for_long() {
    let gate = Gate::closed();
    let vendor = vendor().listen().await;
    let trickles = Answer::script("let").then(&gate, "never");
    vendor.serve_by("/app.js", move |request| match request.header("user-agent") {
        Some("bot") => trickles.clone(),
        Some(_) | None => Answer::script(REVIEWED),
    });
    let gateway = shelving(&vendor).set_in("limits", "patience", "1s").listen().await;
    let url = vendor.url("/app.js");

    let bot = client(&gateway).header("user-agent", "bot").get(&url).await;
    refused(&bot, 503, "blocked", "held");
    verified(&client(&gateway).header("user-agent", "browser").get(&url).await, REVIEWED);
}

#[tokio::test]
async fn whoever_waits_for_anothers_fetch_is_told_to_come_back() {
    let gate = Gate::closed();
    let vendor = vendor().serve("/app.js", Answer::script(REVIEWED).behind(&gate)).listen().await;
    let gateway = shelving(&vendor).set_in("limits", "patience", "1s").listen().await;

    let first = {
        let (client, url) = (client(&gateway), vendor.url("/app.js"));
        tokio::spawn(async move { client.get(url).await })
    };
    vendor.asked("/app.js", 1).await;
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 503, "blocked", "held");
    gate.open();

    verified(&first.await.unwrap(), REVIEWED);
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    assert_eq!(vendor.seen("/app.js").len(), 1);
}

#[tokio::test]
async fn a_get_with_content_that_never_ends_holds_nobody_up() {
    let gate = Gate::closed();
    let vendor = vendor().clear_text().listen().await;
    let kept_waiting = Answer::script(REVIEWED).behind(&gate);
    vendor.serve_by("/app.js", move |request| match request.header("content-length") {
        Some(_) => kept_waiting.clone(),
        None => Answer::script(REVIEWED),
    });
    let gateway = shelving(&vendor).set_in("limits", "patience", "1s").listen().await;
    let url = vendor.url("/app.js");
    let mut endless = TcpStream::connect(gateway.proxy()).await.unwrap();
    let head = format!("GET {url} HTTP/1.1\r\nHost: {}\r\nContent-Length: 2\r\n\r\nx", vendor.host());
    endless.write_all(head.as_bytes()).await.unwrap();
    vendor.asked("/app.js", 1).await;

    verified(&client(&gateway).get(&url).await, REVIEWED);
    drop(endless);
}

#[tokio::test]
async fn an_answer_to_a_get_with_content_is_nobody_elses() {
    let vendor = vendor().clear_text().listen().await;
    vendor.script("/app.js", REVIEWED);
    let gateway = shelving(&vendor).listen().await;
    let url = vendor.url("/app.js");

    let request = format!(
        "GET {url} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
        vendor.host()
    );
    assert!(say(&gateway, request).await.ends_with(REVIEWED));

    for _ in 0..2 {
        verified(&client(&gateway).get(&url).await, REVIEWED);
    }
    assert_eq!(vendor.seen("/app.js").len(), 2);
}

#[tokio::test]
async fn each_coding_is_of_the_same_body() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = shelving(&vendor).listen().await;

    for _ in 0..2 {
        for coding in [None, Some(Coding::Gzip), Some(Coding::Br), Some(Coding::Zstd)] {
            let client = client(&gateway);
            let client = match coding {
                Some(coding) => client.accepting(coding.token()),
                None => client,
            };
            let reply = client.get(vendor.url("/app.js")).await;
            verified(&reply, REVIEWED);
            assert_eq!(reply.header("content-encoding"), coding.map(Coding::token));
            assert_eq!(reply.header("vary"), Some("Accept-Encoding"));
        }
    }
    assert_eq!(vendor.seen("/app.js").len(), 1);
}

#[tokio::test]
async fn head_conditions_and_ranges_are_answered_from_the_shelf() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = shelving(&vendor).listen().await;
    let got = client(&gateway).get(vendor.url("/app.js")).await;
    let etag = got.header("etag").unwrap();

    let head = client(&gateway).ask(Method::HEAD, vendor.url("/app.js")).await;
    assert_eq!((head.status().as_u16(), head.header("etag")), (200, Some(etag)));
    let known = client(&gateway).header("if-none-match", etag).get(vendor.url("/app.js")).await;
    assert_eq!((known.status().as_u16(), known.coded().len()), (304, 0));
    let part = client(&gateway).header("range", "bytes=0-9").get(vendor.url("/app.js")).await;
    assert_eq!((part.status().as_u16(), part.body().as_slice()), (206, &REVIEWED.as_bytes()[..10]));
    let other = client(&gateway).header("range", "bytes=0-9").header("if-range", "\"x\"");
    verified(&other.get(vendor.url("/app.js")).await, REVIEWED);
    assert_eq!(vendor.seen("/app.js").len(), 1);
}

#[tokio::test]
async fn a_plain_load_does_not_break_a_later_crossorigin_one() {
    let vendor = vendor().listen().await;
    vendor.serve_by("/app.js", |request| {
        let answer = Answer::script(REVIEWED).header("vary", "Origin");
        match request.header("origin") {
            Some(origin) => answer.header("access-control-allow-origin", origin),
            None => answer,
        }
    });
    let gateway = shelving(&vendor).listen().await;
    let allowed = async |origin: Option<&'static str>| {
        let client = client(&gateway);
        let client = match origin {
            Some(origin) => client.header("origin", origin),
            None => client,
        };
        let reply = client.get(vendor.url("/app.js")).await;
        verified(&reply, REVIEWED);
        reply.header("access-control-allow-origin").map(str::to_owned)
    };

    // From the vendor, from the shelf, and with the fields that were made then.
    for _ in 0..3 {
        assert_eq!(allowed(None).await, None);
        assert_eq!(allowed(Some("https://one.test")).await.as_deref(), Some("https://one.test"));
        assert_eq!(allowed(Some("https://two.test")).await.as_deref(), Some("https://two.test"));
    }
    assert_eq!(vendor.seen("/app.js").len(), 3);
}

#[tokio::test]
async fn no_client_gets_the_fields_of_what_another_asked_for() {
    let vendor = vendor().listen().await;
    // Long enough that it is worth a coding, and to be asked for in parts.
    let script = REVIEWED.repeat(20);
    vendor.script("/app.js", script.clone());
    let pin = Pin::new(vendor.url("/app.js")).digest(sha256(&script));
    let gateway = gateway().rule(&vendor, Rule::default()).pinned(pin).listen().await;
    let tag = format!("\"{}\"", sha256(&script));
    let asks: [(Method, &[(&'static str, &str)]); 7] = [
        (Method::GET, &[]),
        (Method::GET, &[("accept-encoding", "gzip")]),
        (Method::GET, &[("range", "bytes=10-19")]),
        (Method::GET, &[("range", "bytes=0-9,90-99")]),
        (Method::GET, &[("range", "bytes=999999-")]),
        (Method::GET, &[("if-none-match", &tag)]),
        (Method::HEAD, &[]),
    ];
    let answered = async |at: usize| {
        let (method, fields) = &asks[at];
        let client = fields.iter().fold(client(&gateway), |client, (name, value)| client.header(name, value));
        let reply = client.ask(method.clone(), vendor.url("/app.js")).await;
        let mut headers = reply.headers().clone();
        headers.remove("date");
        // The boundary between parts is drawn by lot.
        let is_in_parts =
            headers.get("content-type").is_some_and(|value| value.as_bytes().starts_with(b"multipart/"));
        if is_in_parts {
            headers.remove("content-type");
        }
        (reply.status(), headers, is_in_parts)
    };
    let mut expected = Vec::new();
    for at in 0..asks.len() {
        expected.push(answered(at).await);
    }

    let statuses: Vec<_> = expected.iter().map(|(status, ..)| status.as_u16()).collect();
    assert_eq!(statuses, [200, 200, 206, 206, 416, 304, 200]);
    for first in 0..asks.len() {
        for next in 0..asks.len() {
            assert_eq!(answered(first).await, expected[first]);
            assert_eq!(answered(next).await, expected[next], "{:?} after {:?}", asks[next], asks[first]);
        }
    }
    assert_eq!(vendor.seen("/app.js").len(), 1);
}

#[tokio::test]
async fn no_client_gets_anothers_variant() {
    let (old, new) = ("let browser = 'old';", "let browser = 'new';");
    let vendor = vendor().listen().await;
    vendor.serve_by("/app.js", move |request| {
        let script = if request.header("user-agent") == Some("old") { old } else { new };
        Answer::script(script).header("vary", "Accept-Encoding, User-Agent")
    });
    let pin = Pin::new(vendor.url("/app.js")).digest(sha256(old)).digest(sha256(new));
    let gateway = gateway().rule(&vendor, Rule::default()).pinned(pin).listen().await;

    for _ in 0..3 {
        for (agent, script) in [("old", old), ("new", new)] {
            verified(&client(&gateway).header("user-agent", agent).get(vendor.url("/app.js")).await, script);
        }
    }
    assert_eq!(vendor.seen("/app.js").len(), 2);
}

#[tokio::test]
async fn no_origin_gets_anothers_variant() {
    let (mine, yours) = ("let site = 'mine';", "let site = 'yours';");
    let vendor = vendor().listen().await;
    vendor.serve_by("/app.js", move |request| {
        let script = if request.header("origin") == Some("https://mine.test") { mine } else { yours };
        Answer::script(script).header("vary", "Origin").header("access-control-allow-origin", "*")
    });
    let pin = Pin::new(vendor.url("/app.js")).digest(sha256(mine)).digest(sha256(yours));
    let rule = Rule::default().set("substitute", true);
    let gateway = gateway().rule(&vendor, rule).pinned(pin).listen().await;
    let url = vendor.url("/app.js");

    for _ in 0..3 {
        for (origin, script) in [("https://mine.test", mine), ("https://yours.test", yours)] {
            verified(&client(&gateway).header("origin", origin).get(&url).await, script);
        }
    }
    assert_eq!(vendor.seen("/app.js").len(), 2);
    drop(vendor);
    let other = client(&gateway).header("origin", "https://other.test").get(&url).await;
    refused(&other, 502, "blocked", "upstream-unreachable");
}

#[tokio::test]
async fn queries_and_origins_that_a_page_makes_up_push_nothing_off_the_shelf() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = shelving(&vendor).listen().await;
    let url = vendor.url("/app.js");
    verified(&client(&gateway).get(&url).await, REVIEWED);

    for number in 0..80 {
        let origin = format!("https://{number}.made-up.test");
        verified(&client(&gateway).header("origin", &origin).get(&url).await, REVIEWED);
        verified(&client(&gateway).get(format!("{url}?{number}")).await, REVIEWED);
    }
    drop(vendor);
    verified(&client(&gateway).get(&url).await, REVIEWED);
}

#[tokio::test]
async fn what_depends_on_a_field_that_no_recheck_sends_is_for_who_sent_it() {
    let vendor =
        vendor().serve("/app.js", Answer::script(REVIEWED).header("vary", "X-Edition")).listen().await;
    let gateway = shelving(&vendor).listen().await;
    let url = vendor.url("/app.js");

    for _ in 0..2 {
        verified(&client(&gateway).get(&url).await, REVIEWED);
        verified(&client(&gateway).header("x-edition", "de").get(&url).await, REVIEWED);
    }
    assert_eq!(vendor.seen("/app.js").len(), 3);
}

#[tokio::test]
async fn what_the_vendor_says_is_for_one_client_from_now_on_leaves_the_shelf() {
    for vary in ["*", "Cookie", "Authorization"] {
        let vendor = vendor_of(REVIEWED).await;
        let rule = Rule::default().set("recheck", "1s");
        let gateway =
            gateway().rule(&vendor, rule).pin(vendor.url("/app.js"), sha256(REVIEWED)).listen().await;
        verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);

        vendor.serve("/app.js", Answer::script(REVIEWED).header("vary", vary));
        // Rechecks do not send this.
        let ask = || client(&gateway).header("x-asked-by", "a client");
        let asked = || {
            let seen = vendor.seen("/app.js");
            seen.iter().filter(|seen| seen.header("x-asked-by").is_some()).count()
        };
        let until_the_vendor_is_asked = async {
            while asked() == 0 {
                verified(&ask().get(vendor.url("/app.js")).await, REVIEWED);
            }
        };
        eventually("a recheck that hears of it", until_the_vendor_is_asked).await;
        for times in 2..=4 {
            verified(&ask().get(vendor.url("/app.js")).await, REVIEWED);
            assert_eq!(asked(), times);
        }
    }
}

#[tokio::test]
async fn two_reviewed_bodies_in_turns_send_every_request_to_the_vendor() {
    let (one, two) = ("let one = 1;", "let two = 2;");
    let vendor = vendor_of(one).await;
    let pin = Pin::new(vendor.url("/app.js")).digest(sha256(one)).digest(sha256(two));
    let gateway = gateway().rule(&vendor, Rule::default().set("recheck", "1s")).pinned(pin).listen().await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, one);
    let until_served = async |script: &str| {
        while client(&gateway).get(vendor.url("/app.js")).await.body() != script.as_bytes() {}
    };

    vendor.script("/app.js", two);
    eventually("the new body on the shelf", until_served(two)).await;
    vendor.script("/app.js", one);
    eventually("the earlier one again", until_served(one)).await;

    for script in [two, one, two] {
        vendor.script("/app.js", script);
        verified(&client(&gateway).get(vendor.url("/app.js")).await, script);
    }
}

#[tokio::test]
async fn what_credentials_fetched_is_nobody_elses() {
    let (one, two) = ("let one = 1;", "let two = 2;");
    let vendor = vendor_of(one).await;
    let pin = Pin::new(vendor.url("/app.js")).digest(sha256(one)).digest(sha256(two));
    let gateway = gateway().rule(&vendor, Rule::default()).pinned(pin).listen().await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, one);
    vendor.script("/app.js", two);

    let signed_in = client(&gateway).header("authorization", "Basic eDp5");
    verified(&signed_in.get(vendor.url("/app.js")).await, two);
    verified(&client(&gateway).get(vendor.url("/app.js")).await, one);
    assert_eq!(vendor.seen("/app.js").len(), 2);
}

#[tokio::test]
async fn what_varies_by_everything_or_by_a_cookie_is_for_one_client() {
    for vary in ["*", "Cookie", "accept, cookie"] {
        let vendor = vendor().serve("/app.js", Answer::script(REVIEWED).header("vary", vary)).listen().await;
        let gateway = shelving(&vendor).listen().await;
        for asked in 1..=2 {
            verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
            assert_eq!(vendor.seen("/app.js").len(), asked, "{vary}");
        }
    }
}

#[tokio::test]
async fn a_body_that_changed_on_disk_is_fetched_again_and_never_served() {
    let vendor = vendor_of(REVIEWED).await;
    for damage in [Some(&b"not a body"[..]), None] {
        let gateway = shelving(&vendor).listen().await;
        let before = vendor.seen("/app.js").len();
        verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
        gateway.terminate().await;
        let files = bodies_of(&gateway);
        assert_eq!(files.len(), 1);
        match damage {
            Some(bytes) => std::fs::write(&files[0], bytes).unwrap(),
            None => std::fs::remove_file(&files[0]).unwrap(),
        }

        gateway.start_again().await;
        verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
        assert_eq!(vendor.seen("/app.js").len(), before + 2);
        gateway.terminate().await;

        gateway.start_again().await;
        verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
        assert_eq!(vendor.seen("/app.js").len(), before + 2, "it was written again");
    }
}

#[tokio::test]
async fn a_revoked_body_leaves_the_shelf_at_the_next_request() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.script("/other.js", REVIEWED);
    let rule = Rule::default().set("unpinned", "quarantine");
    let gateway = gateway().rule(&vendor, rule).pin(vendor.url("/app.js"), sha256(REVIEWED)).listen().await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    let refusal = client(&gateway).get(vendor.url("/other.js")).await;
    let incident = refusal.verdict().incident().unwrap().to_owned();

    let command = ["quarantine", "reject", &incident, "--everywhere", "--reason", "it is bad"];
    gateway.command(&command).await.success();

    let known = client(&gateway).header("if-none-match", &format!("\"{}\"", sha256(REVIEWED)));
    refused(&known.get(vendor.url("/app.js")).await, 403, "blocked", "revoked");
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "blocked", "revoked");
}

#[tokio::test]
async fn an_installer_too_large_for_memory_is_served_from_the_shelf() {
    let body = "MZ installer ".repeat(400_000);
    let vendor =
        vendor().serve("/setup.exe", Answer::typed("application/octet-stream", body.clone())).listen().await;
    let pin = Pin::new(vendor.url("/setup.exe")).digest(sha256(&body)).kind("installer");
    let builder = gateway().rule(&vendor, Rule::default()).pinned(pin);
    let gateway = builder.set_in("cache", "memory", "1MiB").listen().await;

    for _ in 0..2 {
        verified(&client(&gateway).get(vendor.url("/setup.exe")).await, &body);
        let part = client(&gateway).header("range", "bytes=-10").get(vendor.url("/setup.exe")).await;
        assert_eq!((part.status().as_u16(), part.body().len()), (206, 10));
        gateway.terminate().await;
        gateway.start_again().await;
    }
    assert_eq!(vendor.seen("/setup.exe").len(), 1);
}

/// The files below `bodies/sha256`.
pub(crate) fn bodies_of(gateway: &Gateway) -> Vec<std::path::PathBuf> {
    let shards = gateway.dir().join("pinfold-data/bodies/sha256").read_dir().unwrap();
    shards
        .flat_map(|shard| shard.unwrap().path().read_dir().unwrap())
        .map(|file| file.unwrap().path())
        .collect()
}
