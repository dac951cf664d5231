//! Killed at any moment, pinfold keeps what it has acknowledged.

use std::collections::HashSet;

use http::Method;
use pinfold_integration_tests::{Answer, Gateway, Rule, Vendor, client, eventually, gateway, sha256, vendor};
use tokio::sync::mpsc;

use crate::{REVIEWED, refused, verified};

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

const KILLS: usize = 50;
/// Scripts of one round that are pinned, and as many that are not.
const EACH: usize = 3;

#[tokio::test]
async fn fifty_kills_amid_releases_refusals_decisions_and_reloads_lose_nothing_that_was_acknowledged() {
    let vendor = vendor().listen().await;
    let rule = Rule::default().set("unpinned", "quarantine");
    let mut gateway = gateway().rule(&vendor, rule).listen().await;
    let mut acknowledged = Acknowledged::default();
    let mut told = Vec::new();
    for round in 0..KILLS {
        for (url, script) in scripts(&vendor, round) {
            vendor.script(url.parse::<http::Uri>().unwrap().path(), script);
        }
        gateway.rewrite(|files| {
            let pinned = scripts(&vendor, round).step_by(2);
            pinned.fold(files, |files, (url, script)| files.pin(url, sha256(script)))
        });
        acknowledged.work_until_killed(&gateway, &vendor, round).await;
        told.extend(gateway.rest_of_events().await);
        gateway.start_again().await;
        acknowledged.are_there(&gateway).await;
        // The files count whole, whenever the kill came.
        for (url, script) in scripts(&vendor, round).step_by(2) {
            verified(&client(&gateway).get(&url).await, &script);
        }
    }
    gateway.terminate().await;
    told.extend(gateway.rest_of_events().await);

    drop(vendor);
    gateway.start_again().await;
    for (url, script) in &acknowledged.released {
        verified(&client(&gateway).get(url).await, script);
    }
    gateway.command(&["audit", "verify"]).await.success();
    let incidents: HashSet<_> = told.iter().filter_map(|event| event.incident()).collect();
    let urls: HashSet<_> = told.iter().filter_map(|event| event.url()).collect();
    assert!(acknowledged.refused.iter().all(|incident| incidents.contains(incident.as_str())));
    assert!(acknowledged.released.iter().all(|(url, _)| urls.contains(url.as_str())));
    assert!(acknowledged.approved > 0 && acknowledged.released.len() > KILLS, "{acknowledged:?}");
}

/// URLs of one round and what they serve: the first is pinned, the second not, and so on.
fn scripts(vendor: &Vendor, round: usize) -> impl Iterator<Item = (String, String)> + '_ {
    (0..2 * EACH)
        .map(move |n| (vendor.url(&format!("/{round}/{n}.js")), format!("let round = [{round}, {n}];")))
}

/// What clients and a reviewer were told.
#[derive(Debug, Default)]
struct Acknowledged {
    released: Vec<(String, String)>,
    refused: Vec<String>,
    approved: usize,
    /// What nobody has decided about, and what it is.
    waiting: Vec<(String, (String, String))>,
}

impl Acknowledged {
    /// Clients ask, a reviewer approves and the files change, until some have an answer.
    async fn work_until_killed(&mut self, gateway: &Gateway, vendor: &Vendor, round: usize) {
        gateway.hang_up().await;
        let (acknowledge, mut acknowledgements) = mpsc::unbounded_channel();
        for (url, script) in scripts(vendor, round) {
            let (client, acknowledge) = (client(gateway), acknowledge.clone());
            tokio::spawn(async move {
                if let Ok(reply) = client.try_ask(Method::GET, &url).await {
                    acknowledge.send((reply, (url, script))).unwrap();
                }
            });
        }
        drop(acknowledge);
        let mut replies = Vec::new();
        let kill = async {
            // Any number of them, in no order.
            for _ in 0..round * 31 % (2 * EACH + 1) {
                replies.push(eventually("an answer", acknowledgements.recv()).await.unwrap());
            }
            gateway.kill().await;
        };
        match self.waiting.pop() {
            Some((incident, what)) => {
                let approve = ["quarantine", "approve", &incident, "--reason", "read it"];
                let (approved, ()) = tokio::join!(gateway.command(&approve), kill);
                // One that was not acknowledged may have come into force all the same.
                if approved.code == Some(0) {
                    self.approved += 1;
                    self.released.push(what);
                }
            }
            None => kill.await,
        }
        while let Some(late) = eventually("the last answer", acknowledgements.recv()).await {
            replies.push(late);
        }
        for (reply, (url, script)) in replies {
            if reply.status() == 200 {
                verified(&reply, &script);
                self.released.push((url, script));
            } else {
                let incident = refused(&reply, 403, "quarantined", "unpinned");
                self.refused.push(incident.clone());
                self.waiting.push((incident, (url, script)));
            }
        }
    }

    /// All that was acknowledged is there, byte for byte.
    async fn are_there(&self, gateway: &Gateway) {
        let list = gateway.command(&["quarantine", "list", "--json"]).await.success().json();
        let kept = list.as_array().unwrap().iter().filter(|item| item["body_kept"] == true);
        let kept: HashSet<_> = kept.filter_map(|item| item["incident"].as_str()).collect();
        assert!(self.refused.iter().all(|incident| kept.contains(incident.as_str())), "{list}");
        for (url, script) in self.released.iter().rev().take(2 * EACH) {
            verified(&client(gateway).get(url).await, script);
        }
    }
}
