//! What would be another verdict, and what the answer rests on. Every form of it has its words from here.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use pinfold_policy::digest::BodyId;
use pinfold_policy::reason::Reason;
use pinfold_policy::url::ArtifactUrl;
use pinfold_policy::verdict::Outcome;
use pinfold_store::{Carried, Client, Traffic, Tunnelled};

use super::judge::{Judge, Now, Passing, Untold};
use crate::failure::Failure;
use crate::printable::printable;
use crate::words::{counted, second};

/// Names that a sentence lists; all of them are in the rows.
const NAMED: usize = 10;

/// What was asked.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) files: String,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) now: Timestamp,
}

/// Exchanges of one body at one URL that fared alike, and would.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) url: Box<str>,
    pub(super) body: Option<BodyId>,
    pub(super) then: (Outcome, Option<Reason>),
    pub(super) now: Now,
    pub(super) count: u64,
    /// How often for each client.
    pub(super) clients: BTreeMap<u32, u64>,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

/// What becomes of an exchange, set against what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// It was released, and would be refused.
    Refused,
    /// It was refused, and would pass.
    Passes,
    /// It was verified, and would pass without that.
    Unverified,
    /// It cannot be told.
    Untold,
    /// It stays as it was.
    None,
}

/// The answer.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) question: Question,
    pub(super) refused: Vec<Judged>,
    pub(super) passes: Vec<Judged>,
    pub(super) unverified: Vec<Judged>,
    pub(super) untold: Vec<Judged>,
    /// Tunnels to hosts that the files look into.
    pub(super) tunnels: Vec<Tunnelled>,
    /// Exchanges that were judged.
    pub(super) judged: u64,
    /// Exchanges that fare as they did: released, refused.
    pub(super) same: (u64, u64),
    pub(super) unmatched_revocations: u64,
    pub(super) traffic: Traffic,
}

type Alike = (Box<str>, Option<BodyId>, (Outcome, Option<Reason>), Now);

impl Report {
    /// Nothing is judged yet.
    pub(super) fn new(question: Question, traffic: Traffic) -> Self {
        Self {
            question,
            refused: Vec::new(),
            passes: Vec::new(),
            unverified: Vec::new(),
            untold: Vec::new(),
            tunnels: Vec::new(),
            judged: 0,
            same: (0, 0),
            unmatched_revocations: 0,
            traffic,
        }
    }

    /// Judges all that passed. What is as it was is only counted.
    pub(super) async fn judge(&mut self, judge: &mut Judge<'_>) -> Result<(), Failure> {
        let mut changed: HashMap<Alike, Judged> = HashMap::new();
        for carried in std::mem::take(&mut self.traffic.exchanges) {
            let now = judge.judge(&carried).await?;
            self.judged += carried.count;
            match change(carried.outcome, now) {
                Change::None if carried.outcome.is_release() => self.same.0 += carried.count,
                Change::None => self.same.1 += carried.count,
                Change::Refused | Change::Passes | Change::Unverified | Change::Untold => {
                    add(&mut changed, carried, now);
                }
            }
        }
        for judged in changed.into_values() {
            match change(judged.then.0, judged.now) {
                Change::Refused => self.refused.push(judged),
                Change::Passes => self.passes.push(judged),
                Change::Unverified => self.unverified.push(judged),
                Change::Untold => self.untold.push(judged),
                Change::None => {}
            }
        }
        for list in [&mut self.refused, &mut self.passes, &mut self.unverified, &mut self.untold] {
            list.sort_by(|a, b| (a.first, &a.url, a.body, a.now).cmp(&(b.first, &b.url, b.body, b.now)));
        }
        self.tunnels = std::mem::take(&mut self.traffic.tunnels);
        self.tunnels.retain(|tunnelled| judge.policy().intercepts(&tunnelled.authority.host));
        self.traffic.visited.retain(|authority| {
            let url = ArtifactUrl::parse(&format!("http://{authority}/"));
            url.is_ok_and(|url| judge.policy().judges_scripts_at(&url))
        });
        self.unmatched_revocations = judge.unmatched_revocations;
        Ok(())
    }

    /// Whether anything that was released would be refused.
    pub(super) fn refuses(&self) -> bool {
        !self.refused.is_empty()
    }

    /// A client as people name it.
    pub(super) fn client(&self, number: u32) -> Option<&Client> {
        self.traffic.clients.get(usize::try_from(number).ok()?)
    }

    /// Some of the clients, by name.
    pub(super) fn named(&self, clients: impl Iterator<Item = u32>) -> String {
        let mut all: Vec<_> = clients.filter_map(|number| self.client(number)).collect();
        all.sort();
        let one = |(address, user): &&Client| match user {
            Some(user) => format!("{address} as {}", printable(user)),
            None => address.to_string(),
        };
        let named: Vec<_> = all.iter().take(NAMED).map(one).collect();
        format!("{}{}", named.join(", "), more(all.len()))
    }

    /// What would be, one sentence for each change.
    pub(super) fn statement(&self) -> Vec<String> {
        if self.judged == 0 {
            return vec![
                "no guarded exchange is recorded in this window: what the files would refuse is not known."
                    .to_owned(),
            ];
        }
        let mut said = vec![format!(
            "{} judged by {} as of {}.",
            counted(self.judged, "exchange"),
            self.question.files,
            second(self.question.now)
        )];
        said.push(match self.refused.is_empty() {
            true => "nothing that was released would be refused.".to_owned(),
            false => self.sentence("released, and would be refused", &self.refused),
        });
        if !self.passes.is_empty() {
            said.push(self.sentence("refused, and would pass", &self.passes));
        }
        if !self.unverified.is_empty() {
            said.push(self.sentence("verified, and would pass without that", &self.unverified));
        }
        let (released, refused) = self.same;
        said.push(format!("as they were: {released} released, {refused} refused."));
        said
    }

    fn sentence(&self, what: &str, of: &[Judged]) -> String {
        let times: u64 = of.iter().map(|judged| judged.count).sum();
        let urls: BTreeSet<_> = of.iter().map(|judged| &judged.url).collect();
        let clients: BTreeSet<_> = of.iter().flat_map(|judged| judged.clients.keys().copied()).collect();
        format!(
            "{what}: {} of {} by {} ({}).",
            counted(times, "exchange"),
            counted(urls.len(), "URL"),
            counted(clients.len(), "client"),
            self.named(clients.into_iter()),
        )
    }

    /// What the answer rests on, and what it leaves open.
    pub(super) fn coverage(&self) -> Vec<String> {
        let mut said = self.reach();
        for (why, text) in [
            (Untold::NotMeasured, "cannot be told: {}, of which the bodies were not measured"),
            (
                Untold::OtherNotation,
                "cannot be told: {}, of which only the SHA-256 is on record, and a pin there is in another notation",
            ),
        ] {
            let of = self.untold.iter().filter(|judged| judged.now == Now::Untold(why));
            let times: u64 = of.map(|judged| judged.count).sum();
            if times > 0 {
                said.push(text.replace("{}", &counted(times, "exchange")));
            }
        }
        if !self.tunnels.is_empty() {
            said.push(self.tunnelled());
        }
        if !self.traffic.visited.is_empty() {
            said.push(self.visited());
        }
        if self.unmatched_revocations > 0 {
            said.push(format!(
                "{} in another notation than SHA-256, of bodies that the store does not know: not seen here",
                counted(self.unmatched_revocations, "revocation")
            ));
        }
        if self.traffic.left_out > 0 {
            said.push(format!(
                "not judged: {}, as there were too many kinds of them: take a shorter window",
                counted(self.traffic.left_out, "exchange")
            ));
        }
        said.push(
            "not in the ledger: what was not guarded then, and what went past this gateway. Not replayed: [clients], [egress] \
             and [limits], and what a shelf or a recheck would have made of it"
                .to_owned(),
        );
        said
    }

    fn reach(&self) -> Vec<String> {
        let Some(first) = self.traffic.recorded_since else {
            return vec!["the ledger has no entry yet".to_owned()];
        };
        let last = self.traffic.recorded_until.map(second).unwrap_or_default();
        let mut said =
            vec![format!("the ledger goes back to {}; its last entry is of {last}", second(first))];
        if !self.traffic.missing_months.is_empty() {
            said.push(format!("there is no ledger of {}", self.traffic.missing_months.join(", ")));
        }
        for gap in &self.traffic.gaps {
            said.push(format!(
                "gap from {} to {}: {} (all refused) and {} are not recorded",
                second(gap.since),
                second(gap.until),
                counted(gap.exchanges, "exchange"),
                counted(gap.tunnels, "tunnel"),
            ));
        }
        said
    }

    fn visited(&self) -> String {
        let hosts = &self.traffic.visited;
        let named: Vec<_> = hosts.iter().take(NAMED).map(ToString::to_string).collect();
        format!(
            "cannot be told: what came, while nobody looked at it, from {} that these files judge: {}{}",
            counted(hosts.len(), "host"),
            named.join(", "),
            more(hosts.len()),
        )
    }

    fn tunnelled(&self) -> String {
        let times: u64 = self.tunnels.iter().map(|tunnelled| tunnelled.count).sum();
        let named: Vec<_> =
            self.tunnels.iter().take(NAMED).map(|tunnelled| tunnelled.authority.to_string()).collect();
        format!(
            "cannot be told: what went through {} to hosts that these files look into: {}{}",
            counted(times, "tunnel"),
            named.join(", "),
            more(self.tunnels.len()),
        )
    }
}

fn change(then: Outcome, now: Now) -> Change {
    match now {
        Now::Untold(_) => Change::Untold,
        Now::AsThen => Change::None,
        Now::Refused { .. } if then.is_release() => Change::Refused,
        Now::Refused { .. } => Change::None,
        Now::Passes(_) if !then.is_release() => Change::Passes,
        Now::Passes(Passing::Verified) => Change::None,
        Now::Passes(Passing::Observed(_) | Passing::Learned | Passing::Unguarded | Passing::Tunnelled) => {
            match then {
                Outcome::Verified | Outcome::Substituted => Change::Unverified,
                Outcome::Observed | Outcome::Blocked | Outcome::Quarantined => Change::None,
            }
        }
    }
}

fn add(changed: &mut HashMap<Alike, Judged>, carried: Carried, now: Now) {
    let Carried { url, body, outcome, reason, count, clients, first, last, kinds: _ } = carried;
    let then = (outcome, reason);
    match changed.entry((url.clone(), body, then, now)) {
        Entry::Vacant(entry) => {
            entry.insert(Judged { url, body, then, now, count, clients, first, last });
        }
        Entry::Occupied(mut entry) => {
            let judged = entry.get_mut();
            judged.count += count;
            judged.first = judged.first.min(first);
            judged.last = judged.last.max(last);
            for (client, times) in clients {
                *judged.clients.entry(client).or_default() += times;
            }
        }
    }
}

fn more(all: usize) -> String {
    match all.saturating_sub(NAMED) {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    }
}
