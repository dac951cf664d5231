//! What is known of one item: the quarantine, the files, rechecks, and the last week of the ledger.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};
use pinfold_console::{Day, Evidence, Served, Triage};
use pinfold_policy::digest::BodyId;
use pinfold_policy::pin::PinUrl;
use pinfold_store::entry::DeliveryPath;
use pinfold_store::incident::Incident;
use pinfold_store::item::Item;
use pinfold_store::{Filter, Sighted, Sought};
use pinfold_triage::DifferenceAsked;

use super::Reviewing;
use crate::comparison::Released;
use crate::failure::Failure;
use crate::{evidence, vendor_now};

/// How far a page looks back.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Rows of the ledger that the hours of the last day are counted from. Each is a minute of one client at least.
const ROWS: u32 = 10_000;

impl Reviewing {
    /// All of it; none where there is no such item.
    pub(super) async fn evidence(
        &self,
        incident: Incident,
        asked: DifferenceAsked,
    ) -> Result<Option<Evidence>, Failure> {
        let gathered = self.blocking(move |this| async move { this.gather(incident).await }).await?;
        let Some(mut evidence) = gathered else { return Ok(None) };
        let rules = Arc::clone(&self.in_force.rules.borrow());
        let released = Released::beside(&self.store, &evidence.item).await?;
        evidence.triage = self.analyst.ask(&evidence.item, &released, &rules, asked).await;
        Ok(Some(evidence))
    }

    /// How many must agree, by the files or, where they have mistakes, by what is in force.
    fn approvers_said(&self) -> u32 {
        let said = self.configuration.load_without_pins().map(|loaded| loaded.config.approvers);
        said.unwrap_or_else(|_| self.in_force.approvers.load(Ordering::Relaxed))
    }

    /// With what else was kept there, and of the same body elsewhere.
    async fn gather(&self, incident: Incident) -> Result<Option<Evidence>, Failure> {
        let Some((item, asked_by)) = self.store.item(incident).await? else { return Ok(None) };
        let now = Timestamp::now();
        let items = self.store.items_of(&item.subject, &[item.digest]).await?;
        let standing = self.store.standing(Some(&item.subject)).await?;
        let sighted = self.sighted(&item, now).await?;
        let (pinned, approvers) = match self.configuration.load() {
            Ok(loaded) => (Some(evidence::pinned(&loaded.config, &item.url)), loaded.config.approvers),
            // A mistake in a list of pins must not keep anyone from deciding.
            Err(_) => (None, self.approvers_said()),
        };
        let conflicts = evidence::conflicts(&self.store, &items, &item);
        let evidence = Evidence {
            pinned,
            vendor_now: standing.iter().map(|there| vendor_now::in_full(there, item.digest)).collect(),
            marks: self.store.refused_marks(incident).await?,
            conflicts: conflicts.into_iter().map(|(_, text)| text).collect(),
            approvers,
            day: self.day(&item, &sighted, now).await?,
            got: got(&item, &sighted),
            path_then: path_then(&item, &sighted),
            history: history(&item, &items, &sighted),
            triage: Triage::Running(None),
            item,
            asked_by,
            now,
        };
        Ok(Some(evidence))
    }

    /// Everything that was asked for where a decision about the item holds.
    async fn sighted(&self, item: &Item, now: Timestamp) -> Result<Vec<Sighted>, Failure> {
        let Ok(url) = PinUrl::parse(&item.subject) else { return Ok(Vec::new()) };
        let sought = Sought { url: Some(url), since: Some(now - WEEK), ..Sought::default() };
        Ok(self.store.exposure(&sought).await?.sighted)
    }

    async fn day(&self, item: &Item, sighted: &[Sighted], now: Timestamp) -> Result<Day, Failure> {
        let recent = || sighted.iter().filter(|sighted| sighted.last >= now - DAY);
        let clients: HashSet<_> = recent().map(|sighted| (sighted.client, &sighted.user)).collect();
        let these = Filter { digest: Some(item.digest), limit: Some(ROWS), ..Filter::default() };
        let refused = Filter { incident: Some(item.incident), limit: Some(ROWS), ..Filter::default() };
        let mut rows = self.store.exchanges(&these).await?;
        // Where something else went out in place of these bytes, the ledger has the digest of that.
        let of_others = self.store.exchanges(&refused).await?.into_iter();
        rows.extend(of_others.filter(|row| row.exchange.body != Some(item.digest)));
        let mut hours = [0; 24];
        for row in rows {
            let ago = usize::try_from(now.duration_since(row.exchange.at).as_hours()).unwrap_or_default();
            let is_here = row.exchange.url.split_once('?').map_or(&*row.exchange.url, |(url, _)| url)
                == item.url.split_once('?').map_or(&*item.url, |(url, _)| url);
            if let Some(hour) = 23_usize.checked_sub(ago).and_then(|at| hours.get_mut(at)).filter(|_| is_here)
            {
                *hour += row.count;
            }
        }
        Ok(Day { clients: clients.len() as u64, hours })
    }
}

/// How many clients got these very bytes.
fn got(item: &Item, sighted: &[Sighted]) -> u64 {
    let got =
        sighted.iter().filter(|sighted| sighted.body == Some(item.digest) && sighted.outcome.is_release());
    got.map(|sighted| (sighted.client, &sighted.user)).collect::<HashSet<_>>().len() as u64
}

/// How another body came that was released here last: the item's own way says nothing about itself.
fn path_then(item: &Item, sighted: &[Sighted]) -> Option<(DeliveryPath, Timestamp)> {
    let released =
        sighted.iter().filter(|sighted| sighted.outcome.is_release() && sighted.body != Some(item.digest));
    let last = released.filter(|sighted| sighted.path.is_some()).max_by_key(|sighted| sighted.last)?;
    Some((last.path.clone()?, last.last))
}

/// Each body once, the newest first.
fn history(item: &Item, items: &[Item], sighted: &[Sighted]) -> Vec<Served> {
    let mut served: Vec<Served> = Vec::new();
    let incident_of = |digest: BodyId| {
        let same = items.iter().find(|other| other.subject == item.subject && other.digest == digest);
        same.map(|item| item.incident)
    };
    for sighted in sighted {
        let Some(digest) = sighted.body else { continue };
        match served.iter_mut().find(|served| served.digest == digest) {
            None => served.push(Served {
                digest,
                outcome: sighted.outcome,
                incident: incident_of(digest),
                first: sighted.first,
                last: sighted.last,
                count: sighted.count,
            }),
            Some(served) => {
                if sighted.last >= served.last {
                    served.outcome = sighted.outcome;
                }
                served.first = served.first.min(sighted.first);
                served.last = served.last.max(sighted.last);
                served.count += sighted.count;
            }
        }
    }
    served.sort_by_key(|served| std::cmp::Reverse(served.last));
    served
}
