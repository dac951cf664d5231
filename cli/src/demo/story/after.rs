//! After the attack: the question that nobody could answer in 2022, and the way back.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use pinfold_policy::digest::Digests;
use pinfold_store::item::{InForce, Opinion};
use pinfold_store::{ExchangeRow, Filter, Store};

use super::{
    COMPUTERS, RECEPTION, Release, SALES_LAPTOP, SUPPORT_DESK, SUPPORT_PAGE, Story, file_name, shown,
};
use crate::demo::Doing as _;
use crate::demo::artifacts::{self, CHAT};
use crate::demo::client::Reply;
use crate::failure::Failure;

/// The gateway notices a decision within a tenth of a second.
const IN_FORCE: Duration = Duration::from_secs(5);

impl Story<'_, '_> {
    pub(super) async fn answer_who(&mut self, reviewed: &Release, changed: &Release) -> Result<(), Failure> {
        self.begin(
            "Who asked for it, and who received it?",
            "In 2022 nobody could say. The gateway writes down every file that it judges: who asked, when, for \
             which page, and how the bytes came. Here is what it has on the fingerprints of the bad files.",
        )?;
        let desk = self.stage.review_desk().await?;
        let bad = rows(&desk, &[&changed.chat, &changed.agent, &artifacts::second_stage()]).await?;
        let good = rows(&desk, &[&reviewed.chat, &reviewed.agent]).await?;
        desk.close().await?;

        let known: BTreeSet<_> =
            bad.iter().map(|row| (row.exchange.asker.address.ip(), &*row.exchange.url)).collect();
        let asked = self.asked.iter().map(|(computer, url)| (IpAddr::from(computer.address), *url)).collect();
        let told =
            format!("asked for: {} times, each with computer, time (UTC), page and path", self.asked.len());
        let whole = bad.iter().all(|row| row.exchange.asker.page.is_some() && row.exchange.path.is_some());
        self.teller.check(known == asked && whole, &told, format!("{bad:?}"))?;
        for row in &bad {
            self.show(row)?;
        }
        let received: Vec<_> = bad.iter().filter(|row| row.exchange.outcome.is_release()).collect();
        self.teller.check(
            received.is_empty(),
            "received through the gateway by: nobody",
            format!("{received:?}"),
        )?;
        let holders: BTreeSet<_> = good
            .iter()
            .filter(|row| row.exchange.outcome.is_release())
            .map(|row| row.exchange.asker.address.ip())
            .collect();
        let all = COMPUTERS.iter().map(|computer| IpAddr::from(computer.address)).collect();
        let told = "the reviewed files were received by all three computers, and by no other";
        self.teller.check(holders == all, told, format!("{holders:?}"))?;
        self.teller.paragraph(&format!(
            "What the laptop fetched at home did not pass the gateway, so it is not in the records. But its \
             request for the second stage is. The computer to look at first: {}.",
            shown(SALES_LAPTOP)
        ))
    }

    /// One row of the ledger.
    fn show(&mut self, row: &ExchangeRow) -> Result<(), Failure> {
        let exchange = &row.exchange;
        let address = exchange.asker.address.ip();
        let name =
            COMPUTERS.iter().find(|computer| computer.address == address).map_or("?", |known| known.name);
        self.teller.evidence(&format!(
            "{address} {name:<12} {:<22} {} {}",
            file_name(&exchange.url),
            exchange.at.strftime("%H:%M:%S"),
            exchange.outcome
        ))?;
        let page = exchange.asker.page.as_deref().unwrap_or("no page");
        self.teller.evidence(&format!("  for {page}"))?;
        if let Some(path) = &exchange.path {
            let certificate = path.fingerprint.as_deref().and_then(|hex| hex.get(..16)).unwrap_or("none");
            let version = path.tls_version.as_deref().unwrap_or("clear text");
            let line = format!("  from {} over {version}, certificate {certificate}…", path.address);
            self.teller.evidence(&line)?;
        }
        Ok(())
    }

    pub(super) async fn go_back_to_normal(&mut self, reviewed: &Release) -> Result<(), Failure> {
        self.begin(
            "Back to normal",
            "The vendor repairs its files: the pinned ones pass again, with nothing to do. Then the vendor \
             publishes a real update. Nobody has reviewed it, so it waits in quarantine, until a reviewer \
             approves it.",
        )?;
        self.publish(reviewed);
        let reply = self.chat(RECEPTION).await?;
        let told = format!("{}: the repaired script passes, verified", shown(RECEPTION));
        self.teller.check(reply.is_verified(&reviewed.chat), &told, reply.seen())?;

        let update = artifacts::chat_script("10.4.3");
        self.publish(&Release { chat: update.clone(), agent: reviewed.agent.clone() });
        let reply = self.chat(SUPPORT_DESK).await?;
        let ok = reply.is_refused("quarantined", "digest-mismatch", &[]);
        let told = format!("{}: the update waits for a review", shown(SUPPORT_DESK));
        self.teller.check(ok, &told, reply.seen())?;

        let in_force = self.approve(&reply).await?;
        self.teller.check(
            in_force,
            "a reviewer approves it, and the running gateway says so",
            "it does not",
        )?;
        for computer in COMPUTERS {
            let reply = self.chat(computer).await?;
            let told = format!("{}: the update passes, verified", shown(computer));
            self.teller.check(reply.is_verified(&update), &told, reply.seen())?;
        }
        Ok(())
    }

    async fn chat(&self, by: crate::demo::client::Computer) -> Result<Reply, Failure> {
        self.stage.through_the_gateway()?.get(by, CHAT, SUPPORT_PAGE).await
    }

    /// Approves what a refusal was about. `true` once the gateway judges by it.
    async fn approve(&self, refusal: &Reply) -> Result<bool, Failure> {
        let Some(incident) = refusal.incident() else { return Ok(false) };
        let desk = self.stage.review_desk().await?;
        let opinion = Opinion {
            who: "demo reviewer",
            reason: "release 10.4.3, reviewed for the demo",
            at: Timestamp::now(),
            expires: None,
        };
        let decided = desk.approve(incident, opinion, 1).await.doing("approve the update")?;
        let in_force = desk.in_force(decided.version, IN_FORCE).await?;
        desk.close().await?;
        Ok(in_force == InForce::Yes)
    }
}

/// What the ledger has on these bytes, the oldest first.
async fn rows(desk: &Store, bodies: &[&[u8]]) -> Result<Vec<ExchangeRow>, Failure> {
    let mut rows = Vec::new();
    for body in bodies {
        let filter = Filter { digest: Some(Digests::of(body).sha256), ..Filter::default() };
        rows.extend(desk.exchanges(&filter).await?);
    }
    rows.sort_by_key(|row| row.exchange.at);
    Ok(rows)
}
