//! `pinfold demo --incident`: documented incidents, replayed by the binary alone.

use std::process::Output;

use pinfold_integration_tests::pinfold;
use serde_json::Value;
use tokio::process::Command;

async fn demo(args: &[&str]) -> Output {
    Command::new(pinfold()).arg("demo").args(args).kill_on_drop(true).output().await.unwrap()
}

const DOCUMENTATION: &str = include_str!("../../../docs/incidents.md");
const README: &str = include_str!("../../../README.md");

/// The lines of the table in a page, titles first.
fn table(page: &str) -> Vec<&str> {
    let from_titles = page.lines().skip_while(|line| !line.starts_with("| Incident |"));
    from_titles.take_while(|line| line.starts_with("| ")).collect()
}

#[tokio::test]
async fn every_documented_incident_replays_as_expected_and_as_the_documentation_has_it() {
    let output = demo(&["--incident", "all", "--markdown"]).await;

    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.lines().collect::<Vec<_>>(), table(DOCUMENTATION));
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "one came out otherwise: {told}");
}

#[test]
fn the_readme_has_rows_of_the_documented_table() {
    let (readme, documented) = (table(README), table(DOCUMENTATION));
    assert_eq!(readme[..2], documented[..2]);
    assert_eq!(readme.len(), 8);
    for row in &readme[2..] {
        assert!(documented.contains(row), "{row}");
    }
}

#[tokio::test]
async fn one_incident_is_told_for_programs_under_each_regime() {
    let output = demo(&["--incident", "ccleaner-2017", "--json"]).await;

    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told[0]["differences"], serde_json::json!([]));
    let regimes = &told[0]["played"][0]["regimes"];
    let received =
        ["direct", "pins", "substitution", "cooldown"].map(|regime| regimes[regime]["received"].as_u64());
    assert_eq!(received, [Some(4), Some(0), Some(0), Some(4)]);
    assert_eq!(regimes["direct"]["received_from_hour"], 0);
    assert!(regimes["cooldown"]["received_from_hour"].as_u64() >= Some(7 * 24), "{regimes}");
    assert_eq!(regimes["pins"]["refused_at_fixed_url"], serde_json::json!(["digest-mismatch"]));
    assert_eq!(regimes["substitution"]["got_reviewed_in_place_of_a_refusal"], 4);
    assert!(regimes["cooldown"]["next_version_after_hours"].as_u64() >= Some(7 * 24), "{regimes}");
}

#[tokio::test]
async fn one_incident_is_told_for_people_once_where_it_came_out_alike() {
    let output = demo(&["--incident", "comm100-2022"]).await;

    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    let played: Vec<_> = told.lines().filter(|line| line.starts_with("played for ")).collect();
    assert_eq!(played, ["played for 48 hours, and for 72 hours"], "{told}");
    for line in [
        "  no proxy               4 of 4 computers received the changed bytes, from hour 0",
        "  pins only              nobody received the changed bytes",
        "  pins and substitution  nobody received the changed bytes",
        "  cooldown of 7 days     nobody received the changed bytes",
        "what was seen agrees",
    ] {
        assert!(told.lines().any(|one| one == line), "{told}");
    }
}

#[tokio::test]
async fn an_incident_that_is_not_documented_is_answered_with_those_that_are() {
    let output = demo(&["--incident", "comm100"]).await;

    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no documented incident has the id 'comm100'"), "{said}");
    assert!(said.contains("hint: 'all', or one of: comm100-2022, solarwinds-2020,"), "{said}");
}
