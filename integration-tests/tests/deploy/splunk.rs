//! The field extractions for Splunk.

use tokio::process::Command;

use crate::{folder, run};

#[tokio::test]
async fn what_is_extracted_and_calculated_is_what_the_event_says() {
    let mut command = Command::new(folder("target/sigma/bin/python"));
    command.arg(folder("integration-tests/deploy/check_splunk.py"));
    let configured = ["transforms", "props", "eventtypes", "tags"];
    command.args(configured.map(|name| folder(&format!("deploy/splunk/{name}.conf"))));
    command.arg(folder("docs/events.md"));
    run(command).await;
}
