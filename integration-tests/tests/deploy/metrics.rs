//! The alert rules and the dashboard: by promtool, and in a Prometheus that scrapes a real gateway.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use pinfold_integration_tests::siem::Port;
use pinfold_integration_tests::{Gateway, Rule, Vendor, client, gateway, origin_root_pem, sha256, vendor};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::{REVIEWED, TAMPERED, folder, run};

const ALERTS: &str = "deploy/prometheus/alerts.yml";
const TESTS: &str = "deploy/prometheus/pinfold.rules.test.yml";

#[tokio::test]
async fn each_alert_comes_where_it_must_and_not_before() {
    let mut check = Command::new("promtool");
    check.args(["check", "rules", "--lint=all", "--lint-fatal"]).arg(folder(ALERTS));
    run(check).await;
    let mut test = Command::new("promtool");
    test.args(["test", "rules"]).arg(folder(TESTS));
    run(test).await;
}

#[test]
fn each_alert_has_a_section_that_says_what_to_do_and_a_test() {
    let read = |name: &str| fs::read_to_string(folder(name)).unwrap();
    let (alerts, tests, sections) = (read(ALERTS), read(TESTS), read("docs/alerts.md"));
    let names = |text: &str, before: &str| -> BTreeSet<String> {
        text.lines().filter_map(|line| line.trim().strip_prefix(before)).map(str::to_owned).collect()
    };
    let alerting = names(&alerts, "- alert: ");
    assert_eq!(names(&sections, "## "), alerting);
    // On a line of its own where it must come.
    assert_eq!(names(&tests, "- alertname: "), alerting);
    for alert in &alerting {
        let runbook = format!("runbook: docs/alerts.md#{}\n", alert.to_lowercase());
        assert!(alerts.contains(&runbook), "{runbook}");
        let ordinary = format!("{{ alertname: {alert}, eval_time: 2h, exp_alerts: [] }}");
        assert!(tests.contains(&ordinary), "{ordinary}");
    }
}

#[tokio::test]
async fn a_real_prometheus_finds_in_a_real_gateway_all_that_the_dashboard_and_the_alerts_ask_for() {
    let (vendors, gateway) = busy().await;
    let dir = tempfile::tempdir().unwrap();
    let (_prometheus, url) = prometheus(dir.path(), &gateway);
    let metrics = dir.path().join("metrics.txt");
    fs::write(&metrics, gateway.shows("/metrics").await.body).unwrap();

    let mut command = Command::new(folder("target/sigma/bin/python"));
    command.arg(folder("integration-tests/deploy/check_metrics.py")).arg(url).arg(metrics);
    command.args(["docs/reference.md", "deploy/grafana/pinfold.json", ALERTS].map(folder));
    let said = tokio::select! {
        said = run(command) => said,
        () = going_on(&gateway, &vendors[0]) => unreachable!(),
    };
    let firing: Value = serde_json::from_str(&said).unwrap();

    assert_eq!(firing, serde_json::json!(["PinfoldTamperedRefused", "PinfoldTamperedReleased"]));
}

/// A gateway that counts in everything that it can count in.
async fn busy() -> (Vec<Vendor>, Gateway) {
    let named = |name: &str| vendor().named(name).host(&format!("cdn.{name}.test"));
    let cdn = named("enforced").script("/app.js", REVIEWED).script("/bad.js", TAMPERED).listen().await;
    let watched = named("watched").script("/app.js", TAMPERED).listen().await;
    let gone = named("gone").unreachable().listen().await;
    let other = vendor().named("other").host("other.test").script("/own.js", TAMPERED).listen().await;
    let mut files = gateway()
        .set_in("console", "listen", "127.0.0.1:0")
        .set_in("canary", "every", "1s")
        .rule(&cdn, Rule::default())
        .rule(&watched, Rule::default().set("mode", "observe"))
        .vendor(&gone)
        .reach(&other);
    for url in [cdn.url("/app.js"), cdn.url("/bad.js"), watched.url("/app.js"), gone.url("/app.js")] {
        files = files.pin(url, sha256(REVIEWED));
    }
    let gateway = files.listen().await;
    for url in [cdn.url("/app.js"), cdn.url("/app.js"), cdn.url("/bad.js"), watched.url("/app.js")] {
        client(&gateway).get(url).await;
    }
    client(&gateway).get(gone.url("/app.js")).await;
    client(&gateway).trusting(origin_root_pem()).get(other.url("/own.js")).await;
    assert!(client(&gateway).connect("other.test:25").await.unwrap().is_err());
    gateway.counts("pinfold_canary_runs_total{result=\"passed\"}", 1).await;
    (vec![cdn, watched, gone, other], gateway)
}

/// Requests without end, so that there are rates.
async fn going_on(gateway: &Gateway, vendor: &Vendor) {
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    loop {
        ticks.tick().await;
        client(gateway).get(vendor.url("/app.js")).await;
    }
}

/// A Prometheus that scrapes the gateway each second under these rules, and where it answers.
fn prometheus(dir: &Path, gateway: &Gateway) -> (Child, String) {
    let (alerts, console) = (folder(ALERTS), gateway.console().unwrap());
    let configuration = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
         rule_files: ['{}']\n\
         scrape_configs: [{{ job_name: pinfold, static_configs: [{{ targets: ['{console}'] }}] }}]\n",
        alerts.display()
    );
    let file = dir.join("prometheus.yml");
    fs::write(&file, configuration).unwrap();
    let address = Port::reserve().address();
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--log.level=error")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("prometheus: {error}; ./test.sh installs it"));
    (child, format!("http://{address}"))
}
