//! What people are told to type is there to be typed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use pinfold_integration_tests::pinfold;
use tokio::process::Command;

use crate::{folder, run};

/// All text below a folder.
fn text(path: &Path) -> String {
    if path.is_file() {
        return fs::read_to_string(path).unwrap();
    }
    fs::read_dir(path).unwrap().map(|entry| text(&entry.unwrap().path()) + "\n").collect()
}

/// Commands of pinfold that stand in quotes of some sort.
fn commands(text: &str) -> BTreeSet<String> {
    let quoted = ['`', '\''].into_iter().flat_map(|quote| text.split(quote));
    quoted.filter_map(|part| part.strip_prefix("pinfold ")).map(|rest| rest.replace('\n', " ")).collect()
}

#[tokio::test]
async fn every_command_that_the_papers_of_a_watcher_name_exists_with_its_options() {
    let commands = commands(&(text(&folder("deploy")) + text(&folder("docs/alerts.md")).as_str()));
    assert!(commands.len() > 8, "{commands:?}");
    for command in commands {
        let words: Vec<_> = command.split_whitespace().collect();
        let is_name = |word: &&&str| word.chars().all(|letter| letter.is_ascii_lowercase());
        let mut help = Command::new(pinfold());
        help.args(words.iter().take_while(is_name)).arg("--help");
        let help = run(help).await;
        for option in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(&format!("{option} ")), "pinfold {command}\n{help}");
        }
    }
}
