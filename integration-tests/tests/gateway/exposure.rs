//! Who may have received something: asked from a terminal, beside a gateway that runs and after it has stopped.

use http::Method;
use pinfold_integration_tests::{
    Answer, Event, Gateway, Pin, Rule, client, gateway, origin_root_pem, sha256, sha256_hex, sha384, vendor,
};
use serde_json::Value;
use tokio::process::Command;

use crate::{REVIEWED, TAMPERED, gateway_pinning, pinning, refused, vendor_of, verified};

/// What the command says as JSON, and its exit code.
async fn exposure(gateway: &Gateway, args: &[&str]) -> (Value, Option<i32>) {
    let args: Vec<_> = ["--json", "exposure"].iter().chain(args).copied().collect();
    let output = gateway.command(&args).await;
    (output.json(), output.code)
}

fn column<'v>(rows: &'v Value, of: &str, name: &str) -> Vec<&'v Value> {
    rows[of].as_array().unwrap().iter().map(|row| &row[name]).collect()
}

fn statement(value: &Value) -> String {
    value["statement"].to_string()
}

#[tokio::test]
async fn who_has_it_who_was_refused_and_how_often_over_a_restart() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    let (url, page) = (vendor.url("/app.js"), "https://shop.test/checkout");
    let first = client(&gateway).from([127, 0, 0, 2]).header("referer", page);
    let second = client(&gateway).from([127, 0, 0, 3]);
    let etag = first.get(&url).await.header("etag").unwrap().to_owned();
    verified(&first.get(&url).await, REVIEWED);
    let again = client(&gateway).from([127, 0, 0, 3]).header("if-none-match", &etag);
    verified(&second.get(&url).await, REVIEWED);
    assert_eq!(again.get(&url).await.status(), 304);
    gateway.terminate().await;
    gateway.start_again().await;
    let first = client(&gateway).from([127, 0, 0, 2]).header("referer", page);
    verified(&first.get(&url).await, REVIEWED);
    client(&gateway).from([127, 0, 0, 5]).ask(Method::HEAD, &url).await;

    // A first receipt is to be found while the gateway runs.
    let (running, code) = exposure(&gateway, &["--digest", &sha256(REVIEWED)]).await;
    assert_eq!(code, Some(1));
    assert!(statement(&running).contains("received by 2 clients (127.0.0.2, 127.0.0.3)"), "{running:#}");
    gateway.terminate().await;
    let (found, code) = exposure(&gateway, &["--digest", &sha256_hex(REVIEWED), "--since", "1h"]).await;

    assert_eq!(code, Some(1));
    assert_eq!(column(&found, "received", "client"), ["127.0.0.2", "127.0.0.3"]);
    let received = &found["received"];
    assert_eq!((&received[0]["count"], &received[0]["whole"]), (&3.into(), &3.into()), "{found:#}");
    assert_eq!((&received[1]["whole"], &received[1]["confirmed"]), (&1.into(), &1.into()), "{found:#}");
    assert_eq!(received[0]["page"], page);
    assert_eq!(received[0]["verdict"], "verified");
    assert!(statement(&found).contains("4 delivered whole, 0 begun, 1 confirmed by a 304"), "{found:#}");
    assert!(statement(&found).contains("refused to 0 clients"), "{found:#}");
    assert!(!column(&found, "received", "client").contains(&&"127.0.0.5".into()));
}

#[tokio::test]
async fn a_refused_digest_is_found_by_any_of_its_names() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = gateway_pinning(&vendor).await;
    let url = vendor.url("/app.js");
    for last in [2, 3] {
        let reply = client(&gateway).from([127, 0, 0, last]).get(&url).await;
        refused(&reply, 403, "quarantined", "digest-mismatch");
    }
    let sri = sha384(TAMPERED);
    let digest: pinfold_policy::digest::Digest = sri.parse().unwrap();
    let hex: String = digest.bytes().iter().map(|byte| format!("{byte:02x}")).collect();

    for digest in
        [sri, hex, sha256(TAMPERED), sha256_hex(TAMPERED), format!("sha256:{}", sha256_hex(TAMPERED))]
    {
        let (found, code) = exposure(&gateway, &["--digest", &digest]).await;
        assert_eq!(code, Some(0), "nobody has it: {found:#}");
        assert_eq!(column(&found, "refused", "client"), ["127.0.0.2", "127.0.0.3"]);
        assert_eq!(found["refused"][0]["reason"], "digest-mismatch");
        assert_eq!(found["refused"][0]["path"]["tls_version"], "TLSv1.3");
        assert_eq!(found["refused"][0]["path"]["address"], vendor.address().to_string());
        assert!(statement(&found).contains("received by 0 clients"), "{found:#}");
        assert!(statement(&found).contains("refused to 2 clients (127.0.0.2, 127.0.0.3)"), "{found:#}");
    }
}

#[tokio::test]
async fn who_got_the_reviewed_bytes_in_its_place_was_refused_it() {
    let vendor = vendor_of(REVIEWED).await;
    let rule = Rule::default().set("recheck", "always").set("substitute", true);
    let gateway = gateway().rule(&vendor, rule).pin(vendor.url("/app.js"), sha256(REVIEWED)).listen().await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    vendor.script("/app.js", TAMPERED);
    let reply = client(&gateway).from([127, 0, 0, 2]).get(vendor.url("/app.js")).await;
    assert_eq!((reply.verdict().token(), reply.body()), ("substituted", REVIEWED.as_bytes().to_vec()));
    gateway.terminate().await;

    let (found, code) = exposure(&gateway, &["--digest", &sha256(TAMPERED)]).await;
    assert_eq!(
        (code, column(&found, "refused", "client")),
        (Some(0), vec![&"127.0.0.2".into()]),
        "{found:#}"
    );
    let (found, _) = exposure(&gateway, &["--digest", &sha256(REVIEWED)]).await;
    assert_eq!(column(&found, "received", "client"), ["127.0.0.1", "127.0.0.2"]);
}

#[tokio::test]
async fn a_client_that_hangs_up_may_have_received_it() {
    let script = format!("/* {} */", "long ".repeat(3_000_000));
    let vendor = vendor().script("/app.js", script.clone()).listen().await;
    let gateway = gateway().vendor(&vendor).pin(vendor.url("/app.js"), sha256(&script)).listen().await;

    drop(client(&gateway).narrow().begin(vendor.url("/app.js")).await);
    gateway.terminate().await;
    let (found, code) = exposure(&gateway, &["--url", &vendor.url("/*.js")]).await;

    assert_eq!(code, Some(1));
    let received = &found["received"][0];
    assert_eq!((&received["begun"], &received["whole"]), (&1.into(), &0.into()), "{found:#}");
}

#[tokio::test]
async fn a_part_beyond_the_end_is_no_receipt() {
    let vendor = vendor_of(REVIEWED).await;
    let counted = [("repeats", "counted")];
    let gateway = pinning(&vendor).siem("file:counted.ndjson", &counted).listen().await;
    let beyond = client(&gateway).header("range", "bytes=9999-");
    assert_eq!(beyond.get(vendor.url("/app.js")).await.status(), 416);
    gateway.terminate().await;

    let (found, code) = exposure(&gateway, &["--digest", &sha256(REVIEWED)]).await;

    assert_eq!(code, Some(0), "{found:#}");
    assert!(statement(&found).contains("received by 0 clients"), "{found:#}");
    let asked = &found["asked_only"][0];
    assert_eq!(
        (&asked["client"], &asked["whole"], &asked["head_only"]),
        (&"127.0.0.1".into(), &0.into(), &1.into())
    );
    let told = std::fs::read_to_string(gateway.dir().join("counted.ndjson")).unwrap();
    let mut events = told.lines().map(Event::parse);
    let event = events.find(|event| event.text("event.action") == Some("artifact-verified")).unwrap();
    assert_eq!(event.at("Pinfold.delivered_whole"), Some(&0.into()), "{event:?}");
}

#[tokio::test]
async fn a_tunnel_says_who_talked_to_a_host_and_weakens_the_claim_about_a_digest() {
    let vendor = vendor_of(REVIEWED).await;
    let other = pinfold_integration_tests::vendor().host("other.test").listen().await;
    other.serve("/x", Answer::script("theirs"));
    let gateway = pinning(&vendor).reach(&other).listen().await;
    let through = client(&gateway).from([127, 0, 0, 2]).trusting(origin_root_pem());
    assert_eq!(through.get(other.url("/x")).await.body(), b"theirs");
    gateway.terminate().await;

    let (found, code) = exposure(&gateway, &["--host", "other.test"]).await;
    assert_eq!(code, Some(1));
    assert_eq!(column(&found, "tunnels", "client"), ["127.0.0.2"]);
    assert!(found["tunnels"][0]["received"].as_u64().unwrap() > 0, "{found:#}");
    let (found, code) = exposure(&gateway, &["--digest", &sha256(REVIEWED)]).await;
    assert_eq!(code, Some(0));
    assert_eq!(found["coverage"]["tunnelled"][0], "other.test:443");
}

#[tokio::test]
async fn what_a_host_that_no_vendor_claims_sent_is_no_all_clear_in_clear_text_and_decrypted() {
    let vendor = vendor_of(REVIEWED).await;
    let clear = pinfold_integration_tests::vendor().host("clear.other.test").clear_text();
    let clear = clear.serve("/evil.js", Answer::script(TAMPERED)).listen().await;
    let coded = pinfold_integration_tests::vendor().host("coded.other.test");
    let coded = coded.serve("/evil.js", Answer::script(TAMPERED)).listen().await;
    let gateway = pinning(&vendor).reach(&clear).reach(&coded).set_in("other_hosts", "tls", "intercept");
    let gateway = gateway.set_in("certs", "name_constraints", false);
    let gateway = gateway.listen().await;
    let second = client(&gateway).from([127, 0, 0, 2]);
    for other in [&clear, &coded] {
        for _ in 0..2 {
            assert_eq!(second.get(other.url("/evil.js")).await.body(), TAMPERED.as_bytes());
        }
    }
    gateway.terminate().await;

    let hosts = ["clear.other.test", "coded.other.test"];
    for (host, url) in hosts.into_iter().zip([clear.url("/evil.js"), coded.url("/evil.js")]) {
        for question in [["--host", host], ["--url", &url]] {
            let (found, code) = exposure(&gateway, &question).await;
            assert_eq!(code, Some(1), "{found:#}");
            assert_eq!(column(&found, "other_hosts", "client"), ["127.0.0.2"]);
            assert_eq!(column(&found, "other_hosts", "count"), [2]);
            assert!(column(&found, "other_hosts", "authority")[0].as_str().unwrap().starts_with(host));
            let said = statement(&found);
            assert!(
                said.contains("1 client (127.0.0.2) got answers from a host that no vendor claimed"),
                "{said}"
            );
            assert!(said.contains("of what was judged: ") && !said.contains("not delivered"), "{said}");
        }
    }
    let (found, code) = exposure(&gateway, &["--digest", &sha256(TAMPERED)]).await;
    assert_eq!(code, Some(0));
    assert!(statement(&found).contains("unless it came from a host that nobody looked into"), "{found:#}");
    let stated = found["coverage"]["stated"].to_string();
    for host in hosts {
        assert!(stated.contains(host), "{stated}");
        assert!(found["coverage"]["other_hosts"].to_string().contains(host), "{found:#}");
    }
    for form in ["--csv", "--markdown"] {
        let output = gateway.command(&["exposure", "--client", "127.0.0.2", form]).await;
        let text = output.text();
        assert!(hosts.iter().all(|host| text.contains(host)), "{text}");
    }

    let revoke = ["--json", "pin", "revoke", &sha256(TAMPERED), "--reason", "INC-1"];
    let revoked = gateway.command(&revoke).await.json();
    assert_eq!(revoked["received"].as_array().unwrap().len(), 0);
    assert_eq!(revoked["not_looked_into"]["other_hosts"], 2);
    let output = gateway.command(revoke.get(1..).unwrap()).await;
    assert!(
        output.text().contains("the ledger knows 0 hosts by tunnels, and 2 hosts in clear text"),
        "{}",
        output.text()
    );
}

/// Makes a month of format 4, with a tunnel of 2024-05-10.
const MONTH: &str = "import sqlite3, sys
file = sqlite3.connect(sys.argv[1])
file.executescript('PRAGMA journal_mode = WAL;' + sys.argv[2])
file.executescript('''
    INSERT INTO word (id, text) VALUES (1, '10.0.0.1'), (2, 'bank.example:443');
    INSERT INTO tunnel (id, open, at, client, client_port, authority, status, policy_version)
        VALUES (x'018f5fa0c0007c319d553f2a6e80b1c5', 0, 1715299200000000, 1, 5, 2, 403, 1);''')";

#[tokio::test]
async fn time_before_anybody_wrote_down_who_talked_to_hosts_of_no_vendor_is_no_all_clear() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).set_in("ledger", "retention", "36500d").listen().await;
    gateway.terminate().await;
    let month = gateway.dir().join("pinfold-data/ledger/2024-05.db");
    let made = Command::new("python3")
        .args(["-c", MONTH])
        .arg(&month)
        .arg(include_str!("../../../store/src/tests/format-4/ledger.sql"))
        .status();
    assert!(made.await.unwrap().success());
    gateway.start_again().await;

    let unwritten = "nobody wrote down who talked to hosts that no vendor claims";
    let window = ["--since", "2024-05-01", "--until", "2024-05-31"];
    for subject in [["--host", "clear.test"], ["--url", "http://clear.test/a.js"], ["--client", "10.0.0.2"]] {
        let (found, code) = exposure(&gateway, &[&subject[..], &window[..]].concat()).await;
        assert_eq!(code, Some(3), "{found:#}");
        let said = statement(&found);
        assert!(said.contains("of what was judged: ") && said.contains(unwritten), "{said}");
        assert!(!said.contains("not delivered"), "{said}");
        let stated = found["coverage"]["stated"].to_string();
        assert!(stated.contains(unwritten) && !stated.contains("no host that no vendor"), "{stated}");
    }
    let (found, code) = exposure(&gateway, &["--digest", &sha256(TAMPERED)]).await;
    assert_eq!(code, Some(0));
    assert!(statement(&found).contains("unless it came from a host that nobody looked into"), "{found:#}");
    let upgraded = found["coverage"]["other_hosts_not_recorded_before"].as_str().unwrap();
    let (since, code) = exposure(&gateway, &["--host", "clear.test", "--since", upgraded]).await;
    assert_eq!(code, Some(0), "{since:#}");
    assert!(!since.to_string().contains(unwritten), "{since:#}");

    let revoke = ["--json", "pin", "revoke", &sha256(TAMPERED), "--reason", "INC-1"];
    let revoked = gateway.command(&revoke).await.json();
    assert_eq!(revoked["not_looked_into"]["other_hosts_not_recorded_before"], upgraded);
    let output = gateway.command(revoke.get(1..).unwrap()).await;
    assert!(output.text().contains(unwritten), "{}", output.text());
}

#[tokio::test]
async fn a_window_outside_the_ledger_is_no_all_clear() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);

    let window = ["--since", "2020-10-01", "--until", "2020-10-20"];
    let (found, code) = exposure(&gateway, &window).await;

    assert_eq!(code, Some(3), "{found:#}");
    assert!(statement(&found).contains("nothing is known"), "{found:#}");
    let stated = found["coverage"]["stated"].to_string();
    for favourable in ["had its digest recorded", "no host"] {
        assert!(!stated.contains(favourable), "{favourable}: {stated}");
    }
}

#[tokio::test]
async fn an_unknown_digest_is_answered_with_how_far_the_ledger_goes() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);

    let (found, code) =
        exposure(&gateway, &["--digest", &sha256("never seen"), "--since", "2020-01-01"]).await;
    assert_eq!(code, Some(0));
    assert!(statement(&found).contains("received by 0 clients"), "{found:#}");
    let stated = found["coverage"]["stated"].to_string();
    for said in
        ["the ledger goes back to", "nothing is known from 2020-01-01 00:00:00 UTC", "not in the ledger"]
    {
        assert!(stated.contains(said), "no {said}: {stated}");
    }
    let before = exposure(&gateway, &["--digest", &sha256("x"), "--until", "2020-01-01"]).await.0;
    assert!(statement(&before).contains("nothing is known"), "{before:#}");

    // Only its SHA-256 is in the ledger: silence about another would be taken for safety.
    let output = gateway.command(&["exposure", "--digest", &sha384("never seen")]).await;
    assert_eq!(output.code, Some(3));
    assert!(
        output.stderr.contains("cannot be told") && output.stderr.contains("sha256"),
        "{}",
        output.stderr
    );
}

#[tokio::test]
async fn before_there_is_a_ledger_the_command_does_not_say_that_nobody_has_it() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    // Its file is there by then, with nothing in it but the start.
    gateway.event_called("gateway-started").await;
    let output = gateway.command(&["exposure", "--since", "7d"]).await;
    assert_eq!((output.code, output.text().as_str()), (Some(3), ""));
    assert!(output.stderr.contains("no entry yet"), "{}", output.stderr);

    gateway.terminate().await;
    std::fs::remove_file(gateway.dir().join("pinfold-data/pinfold.db")).unwrap();
    for command in ["exposure", "replay"] {
        let output = gateway.command(&[command, "--since", "7d"]).await;
        assert_eq!((output.code, output.text().as_str()), (Some(3), ""), "{}", output.stderr);
        let said = &output.stderr;
        assert!(said.contains("there is a ledger") && said.contains("from a backup"), "{said}");
    }
    std::fs::remove_dir_all(gateway.dir().join("pinfold-data/ledger")).unwrap();
    let output = gateway.command(&["exposure", "--since", "7d"]).await;
    assert_eq!(output.code, Some(3), "{}", output.stderr);
    assert!(output.stderr.contains("no record to search"), "{}", output.stderr);
}

#[tokio::test]
async fn a_page_that_attacks_its_reader_is_harmless_in_every_form() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    let page = "=HYPERLINK(\"https://evil.test\")|`<img src=x>`";
    verified(&client(&gateway).header("referer", page).get(vendor.url("/app.js")).await, REVIEWED);
    let ask = async |form: &[&str]| {
        let args: Vec<_> = ["exposure", "--digest"]
            .into_iter()
            .chain([&*sha256(REVIEWED)])
            .chain(form.iter().copied())
            .map(str::to_owned)
            .collect();
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let output = gateway.command(&args).await;
        assert_eq!(output.code, Some(1), "{}", output.stderr);
        output.text()
    };

    let csv = ask(&["--csv"]).await;
    assert!(csv.contains(",\"'=HYPERLINK("), "{csv}");
    let markdown = ask(&["--markdown"]).await;
    assert!(
        markdown.contains("`=HYPERLINK(\"https://evil.test\")\\u{7c}\\u{60}<img src=x>\\u{60}`"),
        "{markdown}"
    );
    assert!(markdown.contains("may have been received by 1 client (127.0.0.1)"), "{markdown}");
    let table = ask(&[]).await;
    assert!(table.contains("may have been received by 1 client (127.0.0.1)"), "{table}");
    assert!(table.contains("coverage\n- the ledger goes back to"), "{table}");
}

#[tokio::test]
async fn an_empty_question_is_answered_with_how_to_ask() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway().pinned(Pin::new(vendor.url("/app.js")).digest(sha256(REVIEWED)));
    let gateway = gateway.vendor(&vendor).listen().await;

    let output = gateway.command(&["exposure"]).await;

    assert_eq!(output.code, Some(2));
    assert!(output.stderr.contains("hint: name a subject, a window or both"), "{}", output.stderr);
}

#[tokio::test]
async fn when_the_gateway_did_not_run_is_stated_after_a_kill_too() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    let down = async |gateway: &Gateway| {
        let (found, _) = exposure(gateway, &["--digest", &sha256(REVIEWED)]).await;
        let downtimes = found["coverage"]["downtimes"].as_array().unwrap().clone();
        let stated = found["coverage"]["stated"].to_string();
        (downtimes.iter().map(|down| down["in_order"].as_bool().unwrap()).collect::<Vec<_>>(), stated)
    };
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    assert_eq!(down(&gateway).await.0, [] as [bool; 0]);
    gateway.kill().await;
    // It is down, and nothing in the ledger says so.
    assert_eq!(down(&gateway).await.0, [false]);
    gateway.start_again().await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    assert_eq!(down(&gateway).await.0, [false]);
    gateway.terminate().await;
    // It is down now.
    assert_eq!(down(&gateway).await.0, [false, true]);
    gateway.start_again().await;
    let (found, stated) = down(&gateway).await;
    assert_eq!(found, [false, true]);
    assert!(
        stated.contains("was killed at some time after") && stated.contains("the gateway was stopped from"),
        "{stated}"
    );
}

#[tokio::test]
async fn an_old_month_is_dropped_at_the_start_once_its_events_are_out_and_the_coverage_says_so() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = gateway_pinning(&vendor).await;
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");
    gateway.terminate().await;
    let ledger = gateway.dir().join("pinfold-data/ledger");
    let month = ledger.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let month = month.into_iter().find(|path| path.extension().is_some_and(|end| end == "db")).unwrap();
    let old = ledger.join("2020-01.db");
    std::fs::copy(&month, &old).unwrap();
    // Its events go out in the first run, and it goes in that or in the next.
    let mut told = Vec::new();
    while old.exists() {
        gateway.start_again().await;
        gateway.terminate().await;
        told.extend(gateway.rest_of_events().await);
    }

    told.retain(|event| event.text("event.action") == Some("ledger-dropped"));
    let [dropped] = &told[..] else { panic!("{told:?}") };
    assert_eq!(dropped.text("event.code"), Some("PF-3005"));
    assert_eq!(dropped.text("Pinfold.subject"), Some("2020-01"));
    let (found, code) = exposure(&gateway, &["--digest", &sha256(TAMPERED), "--since", "2020-01-01"]).await;
    assert_eq!(code, Some(0));
    assert_eq!(column(&found, "refused", "count"), [&Value::from(1)]);
    let stated = found["coverage"]["stated"].to_string();
    assert!(stated.contains("nothing is known from 2020-01-01 00:00:00 UTC"), "{stated}");
}
