//! The Sigma rules: read by pySigma, converted for Splunk and Elasticsearch, and run over real events.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use pinfold_integration_tests::Event;
use serde_json::Value;
use tokio::process::Command;

use crate::{folder, run, story};

/// What each rule matches of all that is in `docs/events.md` and of a bad day.
const MATCHES: [(&str, &[&str]); 32] = [
    ("approval_in_haste.yml", &["PF-4001", "PF-4006"]),
    ("approvals_in_a_burst.yml", &["PF-4001"]),
    ("canary_failed.yml", &["PF-3201"]),
    ("cooldown_script_released.yml", &["PF-1004"]),
    ("credentials_refused_in_a_burst.yml", &["PF-2002 credentials-required"]),
    ("delivery_path_changed.yml", &["PF-3104"]),
    ("digest_new_in_quarantine.yml", &["PF-4006"]),
    ("event_refused.yml", &["PF-3008"]),
    ("feed_overflow.yml", &["PF-3004"]),
    ("gateway_evaded.yml", &["PF-2002 host-mismatch"]),
    ("gateway_stopped.yml", &["PF-3007"]),
    ("internal_hosts_probed.yml", &["PF-1001 private-address", "PF-2002 private-address"]),
    ("issuer_changed.yml", &["PF-5002"]),
    ("ledger_dropped.yml", &["PF-3005"]),
    ("lookalike_host.yml", &["PF-3103"]),
    ("passwords_sprayed.yml", &["PF-3301"]),
    ("ports_probed.yml", &["PF-2002 port-not-allowed"]),
    ("recording_gap.yml", &["PF-3001 store-unavailable"]),
    ("reload_failed.yml", &["PF-3003"]),
    ("restarts_in_a_burst.yml", &["PF-3006"]),
    ("revocation_undone.yml", &["PF-4005"]),
    ("revoked_script_requested.yml", &["PF-1001 revoked"]),
    ("revoked_worker_removed.yml", &["PF-1001 revoked"]),
    ("root_changed.yml", &["PF-5001"]),
    ("tampered_script_refused.yml", &["PF-1002 digest-mismatch", "PF-1005 digest-mismatch"]),
    ("tampered_script_released.yml", &["PF-1003 bad-encoding", "PF-1003 digest-mismatch"]),
    ("tampered_script_wanted_by_many.yml", &["PF-1002 digest-mismatch"]),
    ("unclean_stop.yml", &["PF-2003"]),
    ("unverified_script_released.yml", &["PF-1003 unpinned"]),
    ("url_volatile.yml", &["PF-3102"]),
    ("vendor_drift.yml", &["PF-3101"]),
    ("vendor_tls_broken.yml", &["PF-1001 upstream-tls"]),
];

#[tokio::test]
async fn every_sigma_rule_matches_what_it_is_for_and_nothing_of_an_ordinary_day() {
    let dir = tempfile::tempdir().unwrap();
    let (bad, ordinary) = tokio::join!(story::bad_day(), story::ordinary_day());
    let bad = written(dir.path(), "bad.ndjson", &bad);
    let ordinary = written(dir.path(), "ordinary.ndjson", &ordinary);
    let docs = folder("docs/events.md").display().to_string();
    let mut command = Command::new(folder("target/sigma/bin/python"));
    command.arg(folder("integration-tests/deploy/check_sigma.py")).arg(folder("deploy/sigma"));
    command.args([format!("docs={docs}"), format!("bad={bad}"), format!("ordinary={ordinary}")]);
    let rules: BTreeMap<String, Value> = serde_json::from_str(&run(command).await).unwrap();

    let names: Vec<_> = rules.keys().map(String::as_str).collect();
    assert_eq!(names, MATCHES.map(|(name, _)| name));
    for (name, expected) in MATCHES {
        let matched = |of: &str| {
            let matched = rules[name]["matches"][of].as_array().unwrap();
            matched.iter().filter_map(Value::as_str).collect::<BTreeSet<_>>()
        };
        let found: BTreeSet<_> = matched("docs").union(&matched("bad")).copied().collect();
        assert_eq!(found, expected.iter().copied().collect(), "{name}");
        assert!(
            matched("ordinary").is_empty(),
            "{name} matches of an ordinary day {:?}",
            matched("ordinary")
        );
    }
    the_readme_lists(&rules);
}

fn written(dir: &Path, name: &str, events: &[Event]) -> String {
    let path = dir.join(name);
    let lines: String = events.iter().map(|event| format!("{}\n", event.value())).collect();
    fs::write(&path, lines).unwrap();
    path.display().to_string()
}

/// Whoever reads the table knows what wakes them.
fn the_readme_lists(rules: &BTreeMap<String, Value>) {
    let readme = fs::read_to_string(folder("deploy/README.md")).unwrap();
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(".yml` | "));
    let told: BTreeMap<_, _> =
        rows.map(|(name, rest)| (format!("{name}.yml"), rest.split(' ').next().unwrap())).collect();
    let levels: BTreeMap<_, _> =
        rules.iter().map(|(name, rule)| (name.clone(), rule["level"].as_str().unwrap())).collect();
    assert_eq!(told, levels);
}
