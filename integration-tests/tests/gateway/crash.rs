//! Killed at any moment, pinfold keeps what it has acknowledged.

use std::collections::HashSet;

use http::Method;
use pinfold_integration_tests::{Answer, client, eventually, gateway, sha256, vendor};
use tokio::sync::mpsc;

use crate::{REVIEWED, refused};

const REQUESTS: usize = 100;
const ACKNOWLEDGED_BEFORE_THE_KILL: usize = 30;

#[tokio::test]
async fn kill_9_amid_a_hundred_refusals_loses_none_that_was_acknowledged() {
    let vendor = vendor().listen().await;
    let mut builder = gateway().vendor(&vendor);
    for n in 0..REQUESTS {
        vendor.serve(&path(n), Answer::script(tampered(n)));
        builder = builder.pin(vendor.url(&path(n)), sha256(REVIEWED));
    }
    let gateway = builder.listen().await;

    let (acknowledge, mut acknowledgements) = mpsc::unbounded_channel();
    for n in 0..REQUESTS {
        let (client, url, acknowledge) = (client(&gateway), vendor.url(&path(n)), acknowledge.clone());
        tokio::spawn(async move {
            // The kill breaks the rest off: those were never acknowledged, and owe nobody a row.
            if let Ok(reply) = client.try_ask(Method::GET, url).await {
                acknowledge.send((n, refused(&reply, 403, "quarantined", "digest-mismatch"))).unwrap();
            }
        });
    }
    drop(acknowledge);
    let mut acknowledged = Vec::new();
    while acknowledged.len() < ACKNOWLEDGED_BEFORE_THE_KILL {
        acknowledged.push(eventually("a refusal", acknowledgements.recv()).await.unwrap());
    }
    gateway.kill().await;
    while let Some(late) = eventually("the last refusal", acknowledgements.recv()).await {
        acknowledged.push(late);
    }
    let told = gateway.rest_of_events().await;
    gateway.start_again().await;

    let list = gateway.command(&["quarantine", "list"]).await.success().text();
    for (n, incident) in &acknowledged {
        assert!(list.contains(incident), "{incident} has no row: {list}");
        let body = gateway.command(&["quarantine", "export", incident]).await.success().stdout;
        assert_eq!(String::from_utf8(body).unwrap(), tampered(*n));
    }
    let mut untold: HashSet<_> = acknowledged.iter().map(|(_, incident)| incident.as_str()).collect();
    for event in told {
        untold.remove(event.incident().unwrap_or_default());
    }
    while !untold.is_empty() {
        untold.remove(gateway.next_event().await.incident().unwrap_or_default());
    }
}

fn path(n: usize) -> String {
    format!("/{n}.js")
}

fn tampered(n: usize) -> String {
    format!("let tampered = {n};")
}
