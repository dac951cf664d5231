//! What was found, and the statement that can be handed on: who may have it, who was refused, what holds for everybody
//! else, and what that claim rests on. Every form of the answer has its words from here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::Timestamp;
use pinfold_policy::digest::Digest;
use pinfold_policy::verdict::Outcome;
use pinfold_store::{Coverage, Deliveries, Exposure, Sighted, Sought, Talked, Visited};

use crate::words::{counted, second, unwritten};

/// Names that a sentence lists; the rest of them is in the rows.
const NAMED: usize = 50;
/// Tunnelled hosts that a sentence lists: on a busy gateway they are thousands.
const HOSTS: usize = 10;

/// Makes text from outside safe where it will stand.
pub(crate) type Shown<'s> = &'s dyn Fn(&str) -> String;

/// An answer.
#[derive(Debug)]
pub(crate) struct Report {
    pub(super) sought: Sought,
    /// The digest as it was named.
    pub(super) digest: Option<Digest>,
    pub(crate) received: Vec<Sighted>,
    pub(crate) refused: Vec<Sighted>,
    /// Released to a HEAD, or to whoever wanted a part beyond the end: no byte went out.
    pub(super) described: Vec<Sighted>,
    pub(super) talked: Vec<Talked>,
    pub(super) visited: Vec<Visited>,
    pub(super) coverage: Coverage,
    pub(super) made: Timestamp,
}

impl Report {
    pub(crate) fn new(sought: Sought, digest: Option<Digest>, exposure: Exposure, made: Timestamp) -> Self {
        let Exposure { sighted, talked, visited, coverage } = exposure;
        let (refused, released): (Vec<_>, Vec<_>) = sighted.into_iter().partition(Sighted::was_refused);
        let (received, described) = released.into_iter().partition(Sighted::may_have_received);
        Self { sought, digest, received, refused, described, talked, visited, coverage, made }
    }

    /// Whether somebody may have received it, or talked to the host.
    pub(crate) fn is_exposure(&self) -> bool {
        !self.received.is_empty() || self.is_unseen()
    }

    /// Whether something of what was sought came, or may have, and nobody looked at it.
    fn is_unseen(&self) -> bool {
        self.talked.iter().any(Talked::opened) || !self.visited.is_empty()
    }

    /// Until when in the window nobody wrote down what is asked: then nothing that was not found is good news.
    pub(super) fn unwritten_until(&self) -> Option<Timestamp> {
        self.coverage.unwritten_until.filter(|_| self.sought.asks_of_unseen())
    }

    /// What was sought, in words and values.
    pub(crate) fn question(&self) -> Vec<(&'static str, String)> {
        let Sought { body, url, masked_url, host, client, user, vendor, outcome, since, until, ends: _ } =
            &self.sought;
        // Whoever is handed the report is not shown the value either.
        let url = masked_url.as_ref().or(url.as_ref());
        let digest = self.digest.map(|digest| digest.to_string());
        let known_as = body.map(|body| body.to_hex());
        [
            ("digest", digest),
            ("SHA-256", known_as),
            ("URL", url.map(ToString::to_string)),
            ("host", host.as_ref().map(ToString::to_string)),
            ("client", client.map(|client| client.to_string())),
            ("user", user.as_deref().map(str::to_owned)),
            ("vendor", vendor.as_deref().map(str::to_owned)),
            ("verdict", outcome.map(|outcome| outcome.as_str().to_owned())),
            ("since", since.map(second)),
            ("until", until.map(second)),
        ]
        .into_iter()
        .filter_map(|(what, value)| Some((what, value?)))
        .collect()
    }

    /// One sentence for each of those who have it, those who were refused, and everybody else. Nothing about what was not
    /// searched: who looks for refusals only has not found that nobody received it.
    pub(crate) fn statement(&self, shown: Shown<'_>) -> Vec<String> {
        let only = match self.sought.outcome {
            Some(Outcome::Verified | Outcome::Observed) => Some(true),
            Some(Outcome::Blocked | Outcome::Quarantined) => Some(false),
            // Whoever got other bytes in place of some was refused those.
            Some(Outcome::Substituted) | None => None,
        };
        let mut sentences = Vec::new();
        if only.is_none_or(|release| release) {
            sentences.push(self.received_by(shown));
        }
        if only.is_none_or(|release| !release) {
            sentences.push(self.refused_to(shown));
        }
        if !self.described.is_empty() {
            let clients = clients(&self.described).len();
            sentences.push(format!(
                "asked about, with no byte sent (HEAD, or a part beyond the end), by {}.",
                counted(clients, "client")
            ));
        }
        if !self.talked.is_empty() {
            sentences.push(self.talked_by(shown));
        }
        if !self.visited.is_empty() {
            sentences.push(self.visited_by(shown));
        }
        sentences.extend(self.unwritten_until().map(|until| format!("{}.", unwritten(until))));
        sentences.push(self.narrowed().unwrap_or_else(|| self.everybody_else()));
        sentences
    }

    /// Where only some people or some verdicts were searched, there is no claim about the others.
    fn narrowed(&self) -> Option<String> {
        let Sought { client, user, vendor, outcome, .. } = &self.sought;
        let to = [
            ("one client", client.is_some()),
            ("one user", user.is_some()),
            ("one vendor", vendor.is_some()),
            ("one verdict", outcome.is_some()),
        ];
        let to: Vec<_> = to.into_iter().filter(|(_, is)| *is).map(|(what, _)| what).collect();
        (!to.is_empty()).then(|| {
            format!("for everybody else: nothing is said, as the search was for {} only.", to.join(" and "))
        })
    }

    fn received_by(&self, shown: Shown<'_>) -> String {
        let who = clients(&self.received);
        // Whoever talked to the host unseen may have received it as well.
        let is_unseen = self.is_unseen() || self.unwritten_until().is_some();
        let of = if is_unseen { "of what was judged: " } else { "" };
        if who.is_empty() {
            return format!("{of}may have been received by 0 clients.");
        }
        let Deliveries { whole, begun, confirmed, .. } = got(&self.received);
        format!(
            "{of}may have been received by {} ({}): {whole} delivered whole, {begun} begun, {confirmed} confirmed by a 304.",
            counted(who.len(), "client"),
            list(&who, shown),
        )
    }

    fn refused_to(&self, shown: Shown<'_>) -> String {
        let who = clients(&self.refused);
        let times: u64 = self.refused.iter().map(|sighted| sighted.count).sum();
        if who.is_empty() {
            return "refused to 0 clients.".to_owned();
        }
        format!(
            "refused to {} ({}), {}.",
            counted(who.len(), "client"),
            list(&who, shown),
            counted(times, "time")
        )
    }

    fn talked_by(&self, shown: Shown<'_>) -> String {
        let mut who = Clients::new();
        for talked in self.talked.iter().filter(|talked| talked.opened()) {
            who.entry(talked.client).or_default().extend(talked.user.as_deref());
        }
        if who.is_empty() {
            return "tunnels were refused, and none opened.".to_owned();
        }
        format!(
            "{} ({}) had a tunnel: what went through it was not seen.",
            counted(who.len(), "client"),
            list(&who, shown)
        )
    }

    fn visited_by(&self, shown: Shown<'_>) -> String {
        let mut who = Clients::new();
        for visited in self.visited.iter().filter(|visited| visited.authority.is_some()) {
            if let Some(client) = visited.client {
                who.entry(client).or_default().extend(visited.user.as_deref());
            }
        }
        let untold = self.visited.iter().filter(|visited| visited.authority.is_none());
        let untold: u64 = untold.map(|visited| visited.count).sum();
        let mut said = Vec::new();
        if !who.is_empty() {
            said.push(format!(
                "{} ({}) got answers from a host that no vendor claimed: nobody looked at what came.",
                counted(who.len(), "client"),
                list(&who, shown)
            ));
        }
        if untold > 0 {
            said.push(format!(
                "{} to hosts that no vendor claimed are not told apart: they may have gone there.",
                counted(untold, "request"),
            ));
        }
        said.join(" ")
    }

    /// What the ledger knows of the window, if it knows anything.
    fn known(&self) -> Option<(Timestamp, Timestamp)> {
        let from = self.sought.since.max(self.coverage.recorded_since)?;
        let to = self.sought.until.map_or(self.made, |until| until.min(self.made));
        (from <= to && self.coverage.has_months).then_some((from, to))
    }

    /// Whether the ledger knows nothing of the window: then nothing that was not found is good news.
    pub(super) fn is_in_the_dark(&self) -> bool {
        self.known().is_none()
    }

    /// The claim goes as far as the ledger does, and no further.
    fn everybody_else(&self) -> String {
        let Some((from, to)) = self.known() else {
            return "for everybody else: nothing is known, as the ledger has no entry from this window."
                .to_owned();
        };
        if self.unwritten_until().is_some() {
            return "for everybody else: nothing is known, as that was not written down.".to_owned();
        }
        let (from, to) = (second(from), second(to));
        if self.visited.iter().any(|visited| visited.client.is_none()) {
            return "for everybody else: nothing is known, as not all clients are told apart.".to_owned();
        }
        if !self.visited.is_empty() {
            return format!(
                "for everybody else: no request to there went through this gateway from {from} to {to}, within the coverage \
                 stated below."
            );
        }
        format!(
            "for everybody else: not delivered through this gateway from {from} to {to}{}, within the coverage stated below.",
            self.unless()
        )
    }

    /// What the claim itself has to say of what nobody looked at.
    fn unless(&self) -> String {
        let Sought { body, url, host, .. } = &self.sought;
        let Coverage { unmeasured, tunnelled, visited, untold, unwritten_until, .. } = &self.coverage;
        let mut among = Vec::new();
        if *unmeasured > 0 && body.is_some() {
            among.push(format!("was among {} without a digest", counted(*unmeasured, "exchange")));
        }
        let is_anywhere = url.is_none() && host.is_none();
        let is_unseen =
            !tunnelled.is_empty() || !visited.is_empty() || *untold > 0 || unwritten_until.is_some();
        if is_anywhere && is_unseen {
            among.push("came from a host that nobody looked into".to_owned());
        }
        if among.is_empty() { String::new() } else { format!(", unless it {}", among.join(" or ")) }
    }

    /// What the claim rests on, and what weakens it.
    pub(crate) fn coverage(&self, shown: Shown<'_>) -> Vec<String> {
        let mut said = self.reach();
        let coverage = &self.coverage;
        for gap in &coverage.gaps {
            said.push(format!(
                "gap from {} to {}: {} (all refused) and {} are not recorded",
                second(gap.since),
                second(gap.until),
                counted(gap.exchanges, "exchange"),
                counted(gap.tunnels, "tunnel"),
            ));
        }
        for down in &coverage.downtimes {
            let (since, until) = (second(down.since), second(down.until));
            said.push(match down.in_order {
                true => format!(
                    "the gateway was stopped from {since} to {until}: nothing went through it, and what went past it is not \
                     known"
                ),
                false => format!(
                    "the gateway was killed at some time after {since}, and did not run again before {until}: what went past \
                     it is not known, and what it counted in its last second may be missing"
                ),
            });
        }
        match coverage.unmeasured {
            0 if self.is_in_the_dark() => {}
            0 => said.push(
                "every guarded body that was released in the window had its digest recorded".to_owned(),
            ),
            some => said.push(format!(
                "{} passed without a digest, as vendors in observe mode may: they may have carried any bytes",
                counted(some, "exchange")
            )),
        }
        said.extend(self.sought.masked_url.as_ref().map(|url| {
            format!(
                "values that '[ledger] redact' masks are not in the ledger: URLs that are told apart by nothing else are \
                 one here, {}",
                shown(&url.to_text())
            )
        }));
        if !self.is_in_the_dark() {
            said.push(self.tunnelled(shown));
            said.extend(self.visited(shown));
        }
        said.extend(self.addresses(shown));
        said.push(
            "not in the ledger: what went past this gateway; what is not guarded; and what caches of \
             browsers gave out without asking"
                .to_owned(),
        );
        said
    }

    fn reach(&self) -> Vec<String> {
        let Coverage { recorded_since: Some(first), recorded_until, missing_months, .. } = &self.coverage
        else {
            return Vec::new();
        };
        let last = recorded_until.map(second).unwrap_or_default();
        let mut said =
            vec![format!("the ledger goes back to {}; its last entry is of {last}", second(*first))];
        if let Some(since) = self.sought.since.filter(|since| since < first) {
            let until = self.sought.until.map_or(*first, |until| until.min(*first));
            said.push(format!("nothing is known from {} to {}", second(since), second(until)));
        }
        if !missing_months.is_empty() {
            said.push(format!("there is no ledger of {}", missing_months.join(", ")));
        }
        said
    }

    fn tunnelled(&self, shown: Shown<'_>) -> String {
        let hosts = &self.coverage.tunnelled;
        if hosts.is_empty() {
            return "no host was tunnelled to in the window".to_owned();
        }
        format!(
            "{} tunnelled to in the window, and nobody saw what came from there: {}",
            hosts_were(hosts),
            some_of(hosts, shown),
        )
    }

    /// Hosts that no vendor claimed, in clear text or decrypted.
    fn visited(&self, shown: Shown<'_>) -> Vec<String> {
        let Coverage { visited, untold, unwritten_until, .. } = &self.coverage;
        let mut said: Vec<_> = unwritten_until.map(unwritten).into_iter().collect();
        match visited.is_empty() {
            true if *untold > 0 || unwritten_until.is_some() => {}
            true => said.push("no host that no vendor claimed answered in the window, but in tunnels".to_owned()),
            false => said.push(format!(
                "{} claimed by no vendor in the window, and nobody looked at what came from there, in clear text or decrypted: \
                 {}",
                hosts_were(visited),
                some_of(visited, shown),
            )),
        }
        if *untold > 0 {
            said.push(format!(
                "{} to hosts that no vendor claimed are not told apart, as there were too many hosts: any of them may be \
                 among these",
                counted(*untold, "request"),
            ));
        }
        said
    }

    /// An address may be of several people.
    fn addresses(&self, shown: Shown<'_>) -> Vec<String> {
        let everyone = clients(self.received.iter().chain(&self.refused));
        let shared = everyone.iter().filter(|(_, users)| users.len() > 1);
        let mut said: Vec<_> = shared
            .map(|(client, users)| {
                let users: Vec<_> = users.iter().map(|user| shown(user)).collect();
                format!("{client} is shared by {}", users.join(", "))
            })
            .collect();
        let unnamed = everyone.values().filter(|users| users.is_empty()).count();
        if unnamed > 0 {
            said.push(format!(
                "{} without a user's name: an address may stand for several people",
                counted(unnamed, "client")
            ));
        }
        said
    }
}

/// Users at each address.
type Clients<'r> = BTreeMap<IpAddr, BTreeSet<&'r str>>;

fn clients<'r>(of: impl IntoIterator<Item = &'r Sighted>) -> Clients<'r> {
    let mut all = Clients::new();
    for sighted in of {
        all.entry(sighted.client).or_default().extend(sighted.user.as_deref());
    }
    all
}

fn list(clients: &Clients<'_>, shown: Shown<'_>) -> String {
    let one = |(client, users): (&IpAddr, &BTreeSet<&str>)| {
        let users: Vec<_> = users.iter().map(|user| shown(user)).collect();
        if users.is_empty() { client.to_string() } else { format!("{client} as {}", users.join(" and ")) }
    };
    let named: Vec<_> = clients.iter().take(NAMED).map(one).collect();
    format!("{}{}", named.join(", "), more(clients.len(), NAMED))
}

fn hosts_were(hosts: &[Box<str>]) -> String {
    if hosts.len() == 1 { "1 host was".to_owned() } else { format!("{} hosts were", hosts.len()) }
}

fn some_of(hosts: &[Box<str>], shown: Shown<'_>) -> String {
    let named: Vec<_> = hosts.iter().take(HOSTS).map(|host| shown(host)).collect();
    format!("{}{}", named.join(", "), more(hosts.len(), HOSTS))
}

fn more(all: usize, named: usize) -> String {
    match all.saturating_sub(named) {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    }
}

fn got(of: &[Sighted]) -> Deliveries {
    of.iter().fold(Deliveries::default(), |sum, sighted| sum.and(sighted.got))
}

/// `2 whole, 1 begun`.
pub(super) fn got_text(got: Deliveries) -> String {
    let Deliveries { whole, begun, confirmed, described } = got;
    let parts = [
        (whole, "whole"),
        (begun, "begun"),
        (confirmed, "confirmed by a 304"),
        (described, "asked about only"),
    ];
    let parts: Vec<_> = parts
        .into_iter()
        .filter(|(times, _)| *times > 0)
        .map(|(times, how)| format!("{times} {how}"))
        .collect();
    parts.join(", ")
}

/// `observed (unpinned): 2 whole`.
pub(super) fn verdict_text(sighted: &Sighted) -> String {
    let got = got_text(sighted.got);
    let reason = sighted.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let parted = if got.is_empty() { "" } else { ": " };
    format!("{}{reason}{parted}{got}", sighted.outcome.as_str())
}

#[cfg(test)]
mod tests {
    use pinfold_policy::digest::BodyId;
    use pinfold_policy::host::Authority;
    use pinfold_store::Downtime;
    use pinfold_store::entry::Gap;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn sighted(client: &str, user: Option<&str>, outcome: Outcome, got: Deliveries) -> Sighted {
        Sighted {
            client: client.parse().unwrap(),
            user: user.map(Into::into),
            page: None,
            url: "https://v.test/a.js".into(),
            vendor: None,
            body: Some(BodyId([7; 32])),
            outcome,
            reason: None,
            path: None,
            count: 1,
            got,
            first: at("2026-11-20T00:00:00Z"),
            last: at("2026-11-20T00:00:00Z"),
        }
    }

    fn report(sought: Sought, sighted: Vec<Sighted>, coverage: Coverage) -> Report {
        let since = Some(at("2026-11-01T00:00:00Z"));
        let coverage = Coverage { recorded_since: since, has_months: true, ..coverage };
        let exposure = Exposure { sighted, talked: Vec::new(), visited: Vec::new(), coverage };
        Report::new(sought, None, exposure, at("2026-11-27T00:00:00Z"))
    }

    fn said(report: &Report) -> (String, String) {
        let plain = |text: &str| text.to_owned();
        (report.statement(&plain).join("\n"), report.coverage(&plain).join("\n"))
    }

    fn of_a_body() -> Sought {
        Sought { body: Some(BodyId([7; 32])), ..Sought::default() }
    }

    #[test]
    fn users_of_one_address_are_one_client_and_the_address_is_said_to_be_shared() {
        let whole = Deliveries { whole: 1, ..Deliveries::default() };
        let rows = ["ada", "eve"].map(|user| sighted("10.0.0.1", Some(user), Outcome::Verified, whole));

        let (statement, coverage) = said(&report(of_a_body(), rows.to_vec(), Coverage::default()));

        assert!(
            statement.contains("received by 1 client (10.0.0.1 as ada and eve): 2 delivered whole"),
            "{statement}"
        );
        assert!(coverage.contains("10.0.0.1 is shared by ada, eve"), "{coverage}");
    }

    #[test]
    fn a_search_that_was_narrowed_claims_nothing_about_others() {
        let client = Sought { client: "10.0.0.1".parse().ok(), ..of_a_body() };
        let refusals = Sought { outcome: Some(Outcome::Blocked), ..of_a_body() };
        for sought in [client, refusals.clone()] {
            let (statement, _) = said(&report(sought, Vec::new(), Coverage::default()));
            assert!(
                statement.contains("nothing is said") && !statement.contains("not delivered"),
                "{statement}"
            );
        }
        let (statement, _) = said(&report(refusals, Vec::new(), Coverage::default()));
        assert!(!statement.contains("received by 0"), "{statement}");
    }

    #[test]
    fn what_passed_unmeasured_stands_in_the_claim_itself() {
        let holes = Coverage { unmeasured: 3, ..Coverage::default() };
        let (statement, coverage) = said(&report(of_a_body(), Vec::new(), holes));
        assert!(statement.contains("unless it was among 3 exchanges without a digest"), "{statement}");
        assert!(coverage.contains("they may have carried any bytes"), "{coverage}");
    }

    fn visited(client: Option<&str>, place: Option<&str>) -> Visited {
        Visited {
            client: client.map(|client| client.parse().unwrap()),
            user: None,
            authority: place.map(|place| Authority::parse(place, None).unwrap()),
            count: 5,
            first: at("2026-11-20T00:00:00Z"),
            last: at("2026-11-20T00:00:00Z"),
        }
    }

    #[test]
    fn of_a_host_that_nobody_looked_into_nothing_is_said_in_anyones_favour() {
        let of_host = || Sought { host: "clear.test".parse().ok(), ..Sought::default() };
        let (here, elsewhere) =
            (visited(Some("10.0.0.1"), Some("clear.test:80")), visited(Some("10.0.0.2"), None));
        let nobody = visited(None, None);
        for (rows, sentences) in [
            (
                vec![here.clone(), elsewhere.clone()],
                [
                    "1 client (10.0.0.1) got answers from a host that no vendor claimed: nobody looked at what came. \
                     5 requests to hosts that no vendor claimed are not told apart",
                    "for everybody else: no request to there went through",
                ],
            ),
            (
                vec![elsewhere],
                [
                    "5 requests to hosts that no vendor claimed are not told apart",
                    "no request to there went through",
                ],
            ),
            (
                vec![here, nobody],
                ["1 client (10.0.0.1)", "nothing is known, as not all clients are told apart"],
            ),
        ] {
            let mut report = report(of_host(), Vec::new(), Coverage::default());
            report.visited = rows;
            let (statement, _) = said(&report);
            for sentence in sentences {
                assert!(statement.contains(sentence), "no {sentence}: {statement}");
            }
            assert!(statement.contains("of what was judged: may have been received by 0"), "{statement}");
            assert!(!statement.contains("not delivered") && report.is_exposure(), "{statement}");
        }
    }

    #[test]
    fn of_a_time_in_which_visits_were_not_written_down_nothing_is_said_in_anyones_favour() {
        let hole = || Coverage { unwritten_until: Some(at("2026-11-20T00:00:00Z")), ..Coverage::default() };
        let unwritten =
            "before 2026-11-20 00:00:00 UTC nobody wrote down who talked to hosts that no vendor claims";
        let of_host = Sought { host: "clear.test".parse().ok(), ..Sought::default() };
        let of_client = Sought { client: "10.0.0.1".parse().ok(), ..Sought::default() };
        for sought in [of_host, of_client] {
            let report = report(sought, Vec::new(), hole());
            let (statement, coverage) = said(&report);
            assert!(statement.contains("of what was judged: may have been received by 0"), "{statement}");
            assert!(statement.contains(unwritten) && !statement.contains("not delivered"), "{statement}");
            assert!(coverage.contains(unwritten) && !coverage.contains("no host that no"), "{coverage}");
            assert!(report.unwritten_until().is_some());
        }

        let of_digest = report(of_a_body(), Vec::new(), hole());
        let (statement, coverage) = said(&of_digest);
        assert!(statement.contains("unless it came from a host that nobody looked into"), "{statement}");
        assert!(coverage.contains(unwritten), "{coverage}");
        assert_eq!(of_digest.unwritten_until(), None);
    }

    #[test]
    fn hosts_that_nobody_looked_into_stand_in_the_claim_about_a_digest() {
        for holes in [
            Coverage { visited: vec!["clear.test:80".into()], ..Coverage::default() },
            Coverage { tunnelled: vec!["clear.test:443".into()], ..Coverage::default() },
            Coverage { untold: 7, ..Coverage::default() },
        ] {
            let (statement, coverage) = said(&report(of_a_body(), Vec::new(), holes));
            assert!(statement.contains("unless it came from a host that nobody looked into"), "{statement}");
            assert!(
                coverage.contains("clear.test") || coverage.contains("7 requests to hosts"),
                "{coverage}"
            );
        }
    }

    #[test]
    fn times_in_which_no_gateway_ran_are_stated() {
        let down = |in_order| Downtime {
            since: at("2026-11-05T00:00:00Z"),
            until: at("2026-11-06T00:00:00Z"),
            in_order,
        };
        let holes = Coverage { downtimes: vec![down(true), down(false)], ..Coverage::default() };
        let (_, coverage) = said(&report(of_a_body(), Vec::new(), holes));
        for hole in [
            "the gateway was stopped from 2026-11-05 00:00:00 UTC to",
            "was killed at some time after 2026-11-05 00:00:00 UTC, and did not run again before 2026-11-06",
        ] {
            assert!(coverage.contains(hole), "no {hole}: {coverage}");
        }
    }

    #[test]
    fn gaps_missing_months_and_what_lies_before_the_ledger_are_stated() {
        let gap = Gap {
            id: uuid::Uuid::nil(),
            since: at("2026-11-05T00:00:00Z"),
            until: at("2026-11-06T00:00:00Z"),
            exchanges: 4,
            tunnels: 1,
        };
        let holes =
            Coverage { gaps: vec![gap], missing_months: vec!["2026-12".to_owned()], ..Coverage::default() };
        let sought = Sought { since: Some(at("2026-10-01T00:00:00Z")), ..of_a_body() };
        let (statement, coverage) = said(&report(sought, Vec::new(), holes));
        assert!(statement.contains("from 2026-11-01 00:00:00 UTC to 2026-11-27 00:00:00 UTC"), "{statement}");
        for hole in [
            "4 exchanges (all refused) and 1 tunnel are not recorded",
            "nothing is known from 2026-10-01 00:00:00 UTC to 2026-11-01 00:00:00 UTC",
            "there is no ledger of 2026-12",
        ] {
            assert!(coverage.contains(hole), "no {hole}: {coverage}");
        }
    }
}
