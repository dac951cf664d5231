//! Outputs that are not files: each gets every event, whatever becomes of the receiver, of the others, or of the gateway.

use std::collections::HashSet;
use std::process::Stdio;

use pinfold_integration_tests::siem::{Port, Posted, Shown, https, syslog, syslog_datagrams};
use pinfold_integration_tests::{
    Event, Gateway, GatewayBuilder, Identity, Vendor, client, client_identity, eventually, gateway,
    origin_root_pem, pinfold, server_identity, sha256,
};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::health::shown;
use crate::{REVIEWED, TAMPERED, refused, vendor_of};

mod refusing;
mod relayed;

const CA: (&str, &str) = ("ca", "origin-root.pem");
const TOKEN: &str = "d41d8cd9-8f00-4204-a980-0998ecf8427e";

/// A gateway that refuses what this vendor serves.
fn refusing(vendor: &Vendor) -> GatewayBuilder {
    gateway().vendor(vendor).pin(vendor.url("/app.js"), sha256(REVIEWED))
}

async fn refuse(gateway: &Gateway, vendor: &Vendor, times: usize) {
    for number in 0..times {
        let reply = client(gateway).get(vendor.url(&format!("/app.js?n={number}"))).await;
        refused(&reply, 403, "quarantined", "digest-mismatch");
    }
}

/// The record in a message of RFC 5424.
fn record(message: &str) -> &str {
    let mut parts = message.splitn(8, ' ');
    let (head, host) = (parts.next().unwrap(), parts.nth(1).unwrap());
    assert!(head.starts_with('<') && head.ends_with(">1") && !host.is_empty(), "{message}");
    assert_eq!(parts.next(), Some("pinfold"), "{message}");
    parts.nth(3).unwrap()
}

/// The ids of ECS events, in order.
fn ids<'r>(records: impl IntoIterator<Item = &'r str>) -> Vec<String> {
    records.into_iter().map(|line| Event::parse(line).text("event.id").unwrap().to_owned()).collect()
}

/// The ids of the events that the file output has got: what the ledger has.
async fn told(gateway: &Gateway) -> Vec<String> {
    gateway.terminate().await;
    let events = gateway.every_event().await;
    events.iter().map(|event| event.text("event.id").unwrap().to_owned()).collect()
}

fn lines(posted: &[Posted]) -> Vec<String> {
    posted.iter().flat_map(|posted| posted.body.lines().map(str::to_owned)).collect()
}

#[tokio::test]
async fn each_output_gets_every_event_in_its_format_and_in_order() {
    let vendor = vendor_of(TAMPERED).await;
    let (tcp, tls) =
        (syslog(Port::reserve(), Shown::Nothing), syslog(Port::reserve(), Shown::As(Identity::Valid)));
    let udp = syslog_datagrams().await;
    let web = https(Port::reserve(), Shown::As(Identity::Valid), |_, _| Some((200, String::new())));
    let gateway = refusing(&vendor)
        .siem(&format!("syslog+tcp://127.0.0.1:{}", tcp.port()), &[("format", "ocsf")])
        .siem(&format!("syslog+udp://127.0.0.1:{}", udp.port()), &[("format", "cef")])
        .siem(&format!("syslog+tls://localhost:{}", tls.port()), &[CA])
        .siem(&format!("https://localhost:{}/in?x=1", web.port()), &[CA, ("token_file", "web.token")])
        .secret("web.token", TOKEN)
        .listen()
        .await;
    refuse(&gateway, &vendor, 3).await;
    let told = told(&gateway).await;
    let count = told.len();
    assert!(count >= 4, "three refusals and a new item: {told:?}");

    assert_eq!(ids(tls.came(count).await.iter().map(|message| record(message))), told);
    let posted = web.came_until("all lines", |posted| lines(posted).len() >= count).await;
    assert_eq!(ids(lines(&posted).iter().map(String::as_str)), told);
    assert_eq!(posted[0].path, "/in?x=1");
    assert_eq!(posted[0].headers["authorization"], format!("Bearer {TOKEN}").as_str());
    assert_eq!(posted[0].headers["content-type"], "application/x-ndjson");
    let ocsf: Vec<Value> =
        tcp.came(count).await.iter().map(|message| serde_json::from_str(record(message)).unwrap()).collect();
    assert_eq!(ocsf.iter().map(|event| event["metadata"]["uid"].as_str().unwrap()).collect::<Vec<_>>(), told);
    let cef = udp.came(count).await;
    for (message, id) in cef.iter().zip(&told) {
        let line = record(message);
        assert!(line.starts_with("CEF:0|pinfold|pinfold|") && line.contains(&format!(" externalId={id} ")));
    }
}

#[tokio::test]
async fn a_siem_that_was_down_for_the_whole_test_has_afterwards_what_the_ledger_has() {
    let vendor = vendor_of(TAMPERED).await;
    let (port, other) = (Port::reserve(), Port::reserve());
    let gateway = refusing(&vendor)
        .siem(&format!("syslog+tls://localhost:{}", port.number()), &[CA])
        .siem(&format!("https://localhost:{}/", other.number()), &[CA])
        .listen()
        .await;
    refuse(&gateway, &vendor, 20).await;
    gateway.says("its events wait in the store").await;
    gateway.kill().await;
    gateway.start_again().await;
    refuse(&gateway, &vendor, 5).await;

    let syslog = syslog(port, Shown::As(Identity::Valid));
    let web = https(other, Shown::As(Identity::Valid), |_, _| Some((204, String::new())));
    syslog.came(1).await;
    web.came(1).await;
    gateway.terminate().await;
    let is_end = |line: &str| line.contains("gateway-stopped");
    let messages =
        syslog.came_until("the end", |came| came.iter().any(|message| is_end(record(message)))).await;
    let posted = web.came_until("the end", |posted| lines(posted).iter().any(|line| is_end(line))).await;
    let by_syslog = ids(messages.iter().map(|message| record(message)));
    assert!(
        by_syslog.len() >= 32,
        "refusals, their item, starts and a stop, root, issuer, leaf: {messages:?}"
    );
    assert_eq!(by_syslog.iter().collect::<HashSet<_>>().len(), by_syslog.len(), "nothing twice");
    assert_eq!(ids(lines(&posted).iter().map(String::as_str)), by_syslog);
}

#[tokio::test]
async fn for_how_long_an_output_has_failed_is_a_metric_however_little_waits_for_it() {
    let vendor = vendor_of(TAMPERED).await;
    let (tcp, web) = (Port::reserve(), Port::reserve());
    let gateway = shown(refusing(&vendor))
        .siem(&format!("syslog+tcp://127.0.0.1:{}", tcp.number()), &[])
        .siem(&format!("https://localhost:{}/", web.number()), &[CA])
        .listen()
        .await;
    let sample = |output: usize| format!("pinfold_siem_failing_seconds{{output=\"{output}\"}}");
    for output in [2, 3] {
        gateway.counts(&sample(output), 1).await;
    }
    assert_eq!(gateway.shows("/metrics").await.sample(&sample(1)), Some(0), "the file");

    let (tcp, web) = (
        syslog(tcp, Shown::Nothing),
        https(web, Shown::As(Identity::Valid), |_, _| Some((200, String::new()))),
    );
    tcp.came(1).await;
    web.came(1).await;
    gateway.terminate().await;
    let said = gateway.complaints().await;
    assert_eq!(said.matches("works again").count(), 2, "{said}");
}

#[tokio::test]
async fn an_output_at_its_cap_is_told_how_many_events_it_never_gets_and_the_others_have_them_all() {
    let vendor = vendor_of(TAMPERED).await;
    let port = Port::reserve();
    let gateway = refusing(&vendor)
        .siem(&format!("syslog+tcp://127.0.0.1:{}", port.number()), &[("max_backlog", "64KiB")])
        .listen()
        .await;
    refuse(&gateway, &vendor, 40).await;
    gateway.says("were passed over").await;

    let receiver = syslog(port, Shown::Nothing);
    let overflow = |messages: &[String]| messages.iter().any(|message| message.contains("feed-overflow"));
    let messages = receiver.came_until("what is left", overflow).await;
    gateway.terminate().await;
    // A later overflow may take the word of an earlier one from this output, and from no other.
    let told = gateway.every_event().await;
    let passed = told.iter().filter(|event| event.text("event.code") == Some("PF-3004"));
    let counted = passed.map(|event| {
        let message = event.text("message").unwrap();
        message.split(' ').find_map(|word| word.parse::<usize>().ok()).unwrap()
    });
    let got: HashSet<_> = ids(receiver.now().iter().map(|message| record(message))).into_iter().collect();
    assert_eq!(
        got.len() + counted.sum::<usize>(),
        told.len(),
        "nothing is lost that was not counted: {messages:?}"
    );
}

#[tokio::test]
async fn what_a_siem_did_not_answer_before_a_kill_comes_again_under_the_same_id() {
    let vendor = vendor_of(TAMPERED).await;
    let port = Port::reserve();
    let address = format!("https://localhost:{}/", port.number());
    // It takes the first batches and says nothing.
    let web = https(port, Shown::As(Identity::Valid), |before, _| (before > 2).then(|| (200, String::new())));
    let gateway = refusing(&vendor).siem(&address, &[CA]).listen().await;
    refuse(&gateway, &vendor, 4).await;
    let first = web.came(1).await;
    gateway.kill().await;
    gateway.start_again().await;
    refuse(&gateway, &vendor, 1).await;

    let posted = web.came_until("all lines", |posted| distinct(posted).len() >= 6).await;
    let taken = lines(&posted[3..]);
    let ids = ids(taken.iter().map(String::as_str));
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "what was taken came once");
    assert!(ids.len() >= 6);
    assert_eq!(first[0].body.lines().next(), taken.first().map(String::as_str), "the same line each time");
}

fn distinct(posted: &[Posted]) -> HashSet<String> {
    ids(lines(posted.get(3..).unwrap_or_default()).iter().map(String::as_str)).into_iter().collect()
}

/// A collector's answer to a batch, or to the question which batches are indexed.
fn collector(
    is_indexed: impl Fn(usize, u64) -> bool + Send + Sync,
) -> impl Fn(usize, &Posted) -> Option<(u16, String)> {
    move |before, posted| {
        assert_eq!(posted.headers["authorization"], format!("Splunk {TOKEN}").as_str());
        let channel = posted.headers["x-splunk-request-channel"].to_str().unwrap();
        assert_eq!(channel.len(), 36);
        if posted.path == "/services/collector/event" {
            return Some((200, json!({ "text": "Success", "code": 0, "ackId": before }).to_string()));
        }
        assert_eq!(posted.path, "/services/collector/ack");
        let asked: Value = serde_json::from_str(&posted.body).unwrap();
        let number = asked["acks"][0].as_u64().unwrap();
        let answer = json!({ "acks": { number.to_string(): is_indexed(before, number) } });
        Some((200, answer.to_string()))
    }
}

/// The events of a collector's batches.
fn collected(posted: &[Posted]) -> Vec<Value> {
    let batches = posted.iter().filter(|posted| posted.path.ends_with("/event"));
    batches
        .flat_map(|batch| serde_json::Deserializer::from_str(&batch.body).into_iter().map(Result::unwrap))
        .collect()
}

fn splunk(vendor: &Vendor, port: u16) -> GatewayBuilder {
    refusing(vendor)
        .siem(&format!("splunk+https://localhost:{port}"), &[CA, ("token_file", "hec.token")])
        .secret("hec.token", TOKEN)
}

#[tokio::test]
async fn a_collector_that_rejects_loses_and_delays_has_everything_in_the_end() {
    let vendor = vendor_of(TAMPERED).await;
    let acknowledges = collector(|before, number| before > number as usize + 3);
    let hec = https(Port::reserve(), Shown::As(Identity::Valid), move |before, posted| match before {
        0 => Some((503, json!({ "text": "Server is busy", "code": 9 }).to_string())),
        1 => None,
        2 => Some((200, "<html>a proxy in between</html>".to_owned())),
        _ => acknowledges(before, posted),
    });
    let gateway = splunk(&vendor, hec.port()).listen().await;
    refuse(&gateway, &vendor, 3).await;
    gateway.says("works again").await;
    let said = gateway.complaints().await;
    assert!(said.contains("503 Service Unavailable") && said.contains("Server is busy"), "{said}");
    assert!(!said.contains(TOKEN), "{said}");
    let told = told(&gateway).await;

    let taken = hec.now().split_off(3);
    let events = collected(&taken);
    let ids: Vec<_> = events.iter().map(|event| event["event"]["event"]["id"].as_str().unwrap()).collect();
    assert_eq!(ids, told);
    let (first, said) = (&events[0], events[0]["event"]["@timestamp"].as_str().unwrap());
    assert_eq!((&first["source"], &first["sourcetype"]), (&json!("pinfold"), &json!("pinfold:ecs")));
    let time = format!("{:.6}", first["time"].as_f64().unwrap());
    assert!(said.ends_with(&format!("{}Z", time.split_once('.').unwrap().1)), "{time} {said}");
    assert!(
        taken.iter().filter(|posted| posted.path.ends_with("/ack")).count() >= 3,
        "it was asked until it knew"
    );
}

#[tokio::test]
async fn a_receiver_that_repeats_its_token_gets_it_into_no_log() {
    use base64::Engine as _;
    let vendor = vendor_of(TAMPERED).await;
    for status in [401, 400, 413] {
        let hec = https(Port::reserve(), Shown::As(Identity::Valid), move |before, posted| {
            let field = posted.headers["authorization"].to_str().unwrap();
            let basic = base64::engine::general_purpose::STANDARD.encode(format!("x:{TOKEN}"));
            let told = format!("not with authorization={field}, and not with Basic {basic}");
            Some(if before < 3 { (status, told) } else { (200, json!({ "code": 0 }).to_string()) })
        });
        let gateway = splunk(&vendor, hec.port()).listen().await;
        refuse(&gateway, &vendor, 1).await;
        gateway.says("works again").await;
        let said = gateway.complaints().await;
        assert!(said.contains("not with authorization=Splunk ****"), "{said}");
        let told = told(&gateway).await.join(" ") + gateway.complaints().await.as_str();
        let parts = |text: &str| [text[..12].to_owned(), text[text.len() / 2..][..12].to_owned()];
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("x:{TOKEN}"));
        for part in parts(TOKEN).into_iter().chain([basic[8..20].to_owned(), basic[30..42].to_owned()]) {
            assert!(!told.contains(&part), "{part} in {told}");
        }
    }
}

#[tokio::test]
async fn what_a_collector_takes_and_never_acknowledges_is_not_delivered() {
    let vendor = vendor_of(TAMPERED).await;
    let port = Port::reserve();
    let number = port.number();
    let hec = https(port, Shown::As(Identity::Valid), collector(|_, _| false));
    let gateway = splunk(&vendor, number).listen().await;
    refuse(&gateway, &vendor, 2).await;
    hec.came_until("a question", |posted| posted.iter().any(|posted| posted.path.ends_with("/ack"))).await;
    gateway.kill().await;
    let unacknowledged = collected(&hec.now());
    hec.gone().await;

    let hec = https(Port::again(number), Shown::As(Identity::Valid), collector(|_, _| true));
    gateway.start_again().await;
    refuse(&gateway, &vendor, 1).await;
    gateway.terminate().await;
    let events = collected(&hec.now());
    assert_eq!(events[..unacknowledged.len()], unacknowledged, "the same again, under the same ids");
    let ids: HashSet<_> =
        events.iter().map(|event| event["event"]["event"]["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), events.len(), "nothing twice");
    assert!(ids.len() >= 10, "refusals, their item, starts and a stop, root, issuer, leaf: {events:?}");
}

#[tokio::test]
async fn a_siem_whose_certificate_has_expired_gets_nothing_and_the_others_all() {
    let vendor = vendor_of(TAMPERED).await;
    let port = Port::reserve();
    let to = format!("syslog+tls://localhost:{}", port.number());
    let expired = syslog(port, Shown::As(Identity::Expired));
    let sound = syslog(Port::reserve(), Shown::As(Identity::Valid));
    let gateway = refusing(&vendor)
        .siem(&to, &[CA])
        .siem(&format!("syslog+tls://localhost:{}", sound.port()), &[CA])
        .listen()
        .await;
    refuse(&gateway, &vendor, 3).await;

    sound.came(4).await;
    gateway.says("certificate expired").await;
    assert!(expired.now().is_empty());
    let said = gateway.complaints().await;
    assert!(said.contains(&to) && said.contains("its events wait in the store"), "{said}");
}

#[tokio::test]
async fn a_receiver_that_wants_a_certificate_gets_the_configured_one() {
    let vendor = vendor_of(TAMPERED).await;
    let receiver = syslog(Port::reserve(), Shown::AndAsks);
    let (chain, key) = client_identity();
    let gateway = refusing(&vendor)
        .siem(
            &format!("syslog+tls://localhost:{}", receiver.port()),
            &[CA, ("client_cert", "client.pem"), ("client_key", "client.key")],
        )
        .secret("client.pem", &chain)
        .secret("client.key", &key)
        .listen()
        .await;
    refuse(&gateway, &vendor, 1).await;
    assert!(receiver.came(2).await.len() >= 2);
}

#[tokio::test]
async fn a_secret_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    let dir = tempfile::tempdir().unwrap();
    let vendor = vendor_of(REVIEWED).await;
    splunk(&vendor, 8088).write(dir.path());
    let token = dir.path().join("hec.token");
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    for command in ["check", "run"] {
        let mut pinfold = Command::new(pinfold());
        let output = pinfold.current_dir(dir.path()).arg(command).kill_on_drop(true).output().await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("hec.token: others may read this secret: mode is 0644"), "{said}");
        assert!(said.contains("chmod 600") && !said.contains(TOKEN), "{said}");
    }
}

/// rsyslog, as it runs on the machines of this world.
struct Rsyslog {
    #[expect(dead_code, reason = "its files go with it")]
    dir: tempfile::TempDir,
    child: tokio::process::Child,
}

impl Rsyslog {
    fn start(port: u16) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (chain, key) = server_identity("localhost");
        let path = |name: &str| dir.path().join(name).display().to_string();
        for (name, contents) in [("ca.pem", &origin_root_pem()), ("cert.pem", &chain), ("key.pem", &key)] {
            std::fs::write(dir.path().join(name), contents).unwrap();
        }
        let configuration = format!(
            r#"global(workDirectory="{}" maxMessageSize="64k" defaultNetstreamDriver="gtls"
                defaultNetstreamDriverCAFile="{}" defaultNetstreamDriverCertFile="{}" defaultNetstreamDriverKeyFile="{}")
               module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
               template(name="message" type="string" string="%syslogseverity-text% %hostname% %app-name% %msgid% %msg%\n")
               input(type="imtcp" address="127.0.0.1" port="{port}")
               action(type="omfile" file="/dev/stdout" template="message")"#,
            dir.path().display(),
            path("ca.pem"),
            path("cert.pem"),
            path("key.pem"),
        );
        std::fs::write(dir.path().join("rsyslog.conf"), configuration).unwrap();
        let child = Command::new("rsyslogd")
            .args(["-n", "-iNONE", "-f", &path("rsyslog.conf")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("rsyslogd is installed");
        Self { dir, child }
    }

    /// What it writes, as soon as it is so much.
    async fn written(&mut self, count: usize) -> Vec<String> {
        let mut lines = BufReader::new(self.child.stdout.take().unwrap()).lines();
        let mut written = Vec::new();
        while written.len() < count {
            written.push(eventually("rsyslog to write", lines.next_line()).await.unwrap().unwrap());
        }
        written
    }
}

#[tokio::test]
async fn rsyslog_takes_every_event_over_tls() {
    let vendor = vendor_of(TAMPERED).await;
    let port = Port::reserve();
    let number = port.number();
    let gateway = refusing(&vendor).siem(&format!("syslog+tls://localhost:{number}"), &[CA]).listen().await;
    refuse(&gateway, &vendor, 10).await;
    gateway.says("its events wait in the store").await;
    drop(port);
    let mut rsyslog = Rsyslog::start(number);
    gateway.says("works again").await;
    let told = told(&gateway).await;

    let written = rsyslog.written(told.len()).await;
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let records = written.iter().map(|line| {
        let (head, record) = line.split_once(" {").unwrap();
        let [severity, hostname, app, code] =
            head.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>()[..]
        else {
            panic!("{line}")
        };
        // What was refused is an error; that the gateway runs is none.
        let wanted = match code {
            "PF-1002" | "PF-4006" => "err",
            "PF-5001" => "warning",
            "PF-5002" => "notice",
            _ => "info",
        };
        assert_eq!(severity, wanted, "{line}");
        assert_eq!((hostname, app), (&*host, "pinfold"), "{line}");
        format!("{{{record}")
    });
    let records: Vec<_> = records.collect();
    assert_eq!(ids(records.iter().map(String::as_str)), told);
}
