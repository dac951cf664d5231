//! The field extractions for Splunk.

use tokio::process::Command;

use crate::{folder, run};

#[tokio::test]
async fn the_extractions_read_from_cef_what_the_event_says() {
    let mut command = Command::new(folder("target/sigma/bin/python"));
    command.arg(folder("integration-tests/deploy/check_splunk.py"));
    command.args(["deploy/splunk/transforms.conf", "docs/events.md"].map(folder));
    run(command).await;
}
