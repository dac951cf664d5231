//! Sequences of what reviewers, files and the clock do, against a model that is nothing but lists: nothing is ever
//! released that the model does not allow, a revoked digest never, and a revocation never allows anything.

#![no_main]

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use pinfold_policy::decisions::{Approval, Basis, Decisions, Rejection, Revocations};
use pinfold_policy::digest::{Digest, Digests};
use pinfold_policy::held::{Held, Hold};
use pinfold_policy::kind::Kind;
use pinfold_policy::pin::{Pin, PinUrl, Place};
use pinfold_policy::pins::PinIndex;
use pinfold_policy::policy::{Policy, Rulebook};
use pinfold_policy::reason::Reason;
use pinfold_policy::url::ArtifactUrl;
use pinfold_policy::vendor::{Mode, OnMismatch, OtherScripts, OtherTls, Rules, Unpinned, Vendor, Vendors};
use pinfold_policy::verdict::{Consequence, Verdict, consequence, judge};

const FIRST_DAY: Date = date(2026, 11, 27);

const BODIES: [&[u8]; 4] = [b"", b"one", b"two", b"three"];

const URLS: [&str; 6] = [
    "https://v.test/a.js",
    "https://v.test/a.js?v=1",
    "https://v.test/a.js?v=2",
    "https://v.test/lib/x.js",
    "https://v.test/lib/y.js",
    "https://other.test/a.js",
];

/// What a pin may say, whether exactly, and which of [`URLS`] it is about.
const PINS: [(&str, bool, &[usize]); 6] = [
    ("https://v.test/a.js", true, &[0, 1, 2]),
    ("https://v.test/a.js?v=1", true, &[1]),
    ("https://v.test/lib/x.js", true, &[3]),
    ("https://other.test/a.js", true, &[5]),
    ("https://v.test/lib/*.js", false, &[3, 4]),
    ("https://v.test/**", false, &[0, 1, 2, 3, 4]),
];

/// The pin above that has a query, and the one URL that it is about.
const WITH_QUERY: (usize, usize) = (1, 1);

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    Pin { pin: u8, body: u8, notation: u8, days: Option<u8> },
    Approve { url: u8, body: u8 },
    Reject { url: u8, body: u8 },
    Revoke { body: u8, notation: u8, in_file: bool },
    Settings { observe: bool, unpinned: u8, on_mismatch: bool, other_scripts: u8 },
    NextDay,
    Fetch { url: u8, body: u8, extra: u8 },
}

fuzz_target!(|steps: Vec<Step>| {
    let mut model = Model::default();
    for step in steps.into_iter().take(64) {
        model.take(step);
    }
});

/// A pin, by its place in [`PINS`]; a body, by its place in [`BODIES`]; the last day.
type ModelPin = (usize, usize, u8, Option<Date>);

/// Everything that was said, in lists.
#[derive(Default)]
struct Model {
    day: i32,
    pins: Vec<ModelPin>,
    approvals: Vec<(String, usize)>,
    rejections: Vec<(String, usize)>,
    revoked: Vec<(usize, u8, bool)>,
    /// Where a pattern's body was first seen.
    bindings: HashMap<(usize, usize), String>,
    rules: Rules,
    other_scripts: OtherScripts,
}

/// What the model says of one body at one URL.
#[derive(Debug, PartialEq)]
enum Said {
    Allow,
    Bind(Vec<usize>),
    Withhold(Reason),
}

impl Model {
    fn take(&mut self, step: Step) {
        let (pin, url, body) = (
            |at: u8| usize::from(at) % PINS.len(),
            |at: u8| usize::from(at) % URLS.len(),
            |at: u8| usize::from(at) % BODIES.len(),
        );
        match step {
            Step::Pin { pin: at, body: of, notation, days } => {
                let last = days.map(|days| self.today().saturating_add(i32::from(days % 4).days()));
                self.pins.push((pin(at), body(of), notation, last));
            }
            Step::Approve { url: at, body: of } => self.approvals.push((self.subject(url(at)), body(of))),
            Step::Reject { url: at, body: of } => self.rejections.push((self.subject(url(at)), body(of))),
            Step::Revoke { body: of, notation, in_file } => self.revoked.push((body(of), notation, in_file)),
            Step::Settings { observe, unpinned, on_mismatch, other_scripts } => {
                self.settings(observe, unpinned, on_mismatch, other_scripts);
            }
            Step::NextDay => self.day += 1,
            Step::Fetch { url: at, body: of, extra } => self.fetch(url(at), body(of), body(extra)),
        }
    }

    fn settings(&mut self, observe: bool, unpinned: u8, on_mismatch: bool, other_scripts: u8) {
        let mode = if observe { Mode::Observe } else { Mode::Enforce };
        let unpinned = [Unpinned::Block, Unpinned::Quarantine, Unpinned::Allow, Unpinned::Learn]
            [usize::from(unpinned % 4)];
        let on_mismatch = if on_mismatch { OnMismatch::Block } else { OnMismatch::Quarantine };
        self.rules = Rules { mode, unpinned, on_mismatch, ..Rules::default() };
        self.other_scripts =
            [OtherScripts::Allow, OtherScripts::Observe, OtherScripts::Block, OtherScripts::Quarantine]
                [usize::from(other_scripts % 4)];
    }

    fn today(&self) -> Date {
        FIRST_DAY.saturating_add(self.day.days())
    }

    /// What a decision about a URL is about: the URL without its query, unless a pin has exactly that query.
    fn subject(&self, url: usize) -> String {
        let has_own_pin = url == WITH_QUERY.1 && self.pins.iter().any(|(pin, ..)| *pin == WITH_QUERY.0);
        if has_own_pin { URLS[url].to_owned() } else { without_query(url) }
    }

    /// The pins that decide: those with the very query, or else the exact ones, or else patterns.
    fn deciding(&self, url: usize) -> Vec<ModelPin> {
        let about = |(pin, ..): &&ModelPin| PINS[*pin].2.contains(&url);
        let all: Vec<ModelPin> = self.pins.iter().filter(about).copied().collect();
        let choose = |chosen: &dyn Fn(usize) -> bool| {
            let pins: Vec<_> = all.iter().filter(|(pin, ..)| chosen(*pin)).copied().collect();
            (!pins.is_empty()).then_some(pins)
        };
        let with_query = choose(&|pin| pin == WITH_QUERY.0);
        with_query.or_else(|| choose(&|pin| PINS[pin].1)).unwrap_or(all)
    }

    fn says(&self, url: usize, body: usize) -> Said {
        // Decisions outlive the pin that they were made under, and one for any query is one for each: of rejections, since
        // what is approved is approved where it was read.
        let subjects = [self.subject(url), URLS[url].to_owned()];
        let for_any = [without_query(url)];
        let is_one_of = |subjects: &[String], list: &[(String, usize)]| {
            list.iter().any(|(subject, of)| subjects.contains(subject) && *of == body)
        };
        if self.revoked.iter().any(|(revoked, ..)| *revoked == body) {
            return Said::Withhold(Reason::Revoked);
        }
        if is_one_of(&subjects, &self.rejections) || is_one_of(&for_any, &self.rejections) {
            return Said::Withhold(Reason::Rejected);
        }
        let (deciding, today) = (self.deciding(url), self.today());
        let (active, expired): (Vec<ModelPin>, Vec<ModelPin>) = deciding
            .iter()
            .filter(|(_, pinned, ..)| *pinned == body)
            .partition(|(_, _, _, last)| last.is_none_or(|last| today <= last));
        let bound = |pin: usize| self.bindings.get(&(pin, body));
        let counts =
            |(pin, ..): &ModelPin| PINS[*pin].1 || bound(*pin).is_some_and(|key| *key == without_query(url));
        if is_one_of(&subjects, &self.approvals) || active.iter().any(counts) {
            return Said::Allow;
        }
        let unbound: Vec<_> = active
            .iter()
            .map(|(pin, ..)| *pin)
            .filter(|pin| bound(*pin).is_none() && !PINS[*pin].1)
            .collect();
        if !unbound.is_empty() {
            return Said::Bind(unbound);
        }
        let is_known = |list: &[(String, usize)]| list.iter().any(|(known, _)| subjects.contains(known));
        let known = !deciding.is_empty() || is_known(&self.approvals) || is_known(&self.rejections);
        Said::Withhold(match (expired.is_empty(), known, is_vendors(url)) {
            (false, ..) => Reason::ExpiredPin,
            (true, true, _) => Reason::DigestMismatch,
            (true, false, true) => Reason::Unpinned,
            (true, false, false) => Reason::UnlistedHost,
        })
    }

    /// One exchange: the policy says what the model says, and again with one revocation more.
    fn fetch(&mut self, url: usize, body: usize, extra: usize) {
        let said = self.says(url, body);
        self.obeys(url, body, &said);
        if let Said::Bind(patterns) = said {
            self.bindings.insert((patterns[0], body), without_query(url));
            assert_eq!(self.says(url, body), Said::Allow);
            self.obeys(url, body, &Said::Allow);
        }
        let said = if extra == body { Said::Withhold(Reason::Revoked) } else { self.says(url, body) };
        let policy = self.policy();
        let mut newest = Revocations::clone(policy.revocations());
        newest.extend([digest(extra, 2)]);
        agree(&policy, &newest, self.now(), (url, body), &said);
    }

    fn obeys(&self, url: usize, body: usize, said: &Said) {
        let policy = self.policy();
        assert_eq!(policy.expect(&parsed(url)).subject(), self.subject(url));
        agree(&policy, policy.revocations(), self.now(), (url, body), said);
        let Said::Withhold(reason) = said else { return };
        assert_eq!(consequence(&policy.expect(&parsed(url)), *reason), self.follows(*reason), "{reason:?}");
    }

    /// What observe mode and the vendor's rules may change, and nothing else.
    fn follows(&self, reason: Reason) -> Consequence {
        let observe = self.rules.mode == Mode::Observe;
        match reason {
            Reason::Unpinned if self.rules.unpinned == Unpinned::Learn => Consequence::Learn,
            Reason::Unpinned | Reason::DigestMismatch | Reason::ExpiredPin if observe => {
                Consequence::ObserveUnverified
            }
            Reason::Unpinned => match self.rules.unpinned {
                Unpinned::Block => Consequence::Block,
                Unpinned::Quarantine => Consequence::Quarantine,
                Unpinned::Learn => Consequence::Learn,
                Unpinned::Allow => Consequence::ObserveUnverified,
            },
            Reason::DigestMismatch if self.rules.on_mismatch == OnMismatch::Quarantine => {
                Consequence::Quarantine
            }
            Reason::UnlistedHost => match self.other_scripts {
                OtherScripts::Allow | OtherScripts::Observe => Consequence::ObserveUnverified,
                OtherScripts::Block => Consequence::Block,
                OtherScripts::Quarantine => Consequence::Quarantine,
            },
            _ => Consequence::Block,
        }
    }

    /// A moment within the day.
    fn now(&self) -> Timestamp {
        let hour = (self.day % 24) as i8;
        self.today().at(hour, 59, 59, 999).to_zoned(TimeZone::UTC).expect("a moment").timestamp()
    }

    fn policy(&self) -> Policy {
        let hosts = vec!["v.test".parse().expect("a host")];
        let vendors = Vendors::new(vec![Vendor { name: "v".into(), hosts, rules: self.rules }]);
        let revoked = |in_file| self.revoked.iter().filter(move |(.., file)| *file == in_file);
        let revocations =
            |in_file| revoked(in_file).map(|(body, notation, _)| digest(*body, *notation)).collect();
        let rulebook = Rulebook {
            vendors,
            other_tls: OtherTls::Intercept,
            other_scripts: self.other_scripts,
            other_rules: self.rules,
            pins: PinIndex::new(self.pins.iter().map(pin).collect()),
            revocations: revocations(true),
        };
        let id = |body: usize| Digests::of(BODIES[body]).sha256;
        let decisions = Decisions::new(
            1,
            self.approvals.iter().map(|(subject, body)| Approval {
                subject: subject.as_str().into(),
                digest: id(*body),
                kind: Kind::Style,
                basis: Basis::Reviewed,
                expires: None,
                record: "01KB".into(),
            }),
            self.rejections.iter().map(|(subject, body)| Rejection {
                subject: subject.as_str().into(),
                digest: id(*body),
                expires: None,
            }),
            revocations(false),
            self.bindings
                .iter()
                .map(|((pattern, body), key)| (PINS[*pattern].0.into(), id(*body), key.as_str().into())),
        );
        Policy::new(Arc::new(rulebook), Arc::new(decisions))
    }
}

/// The policy's verdict is the model's, and what is allowed is the body that was measured.
fn agree(policy: &Policy, newest: &Revocations, now: Timestamp, (url, body): (usize, usize), said: &Said) {
    let verdict = judge(&policy.expect(&parsed(url)), Ok(held(body)), now, newest);
    match (verdict, said) {
        (Verdict::Allow(cleared), Said::Allow) => {
            let pieces: Vec<_> = cleared.kept().pieces().map(|piece| piece.expect("memory")).collect();
            assert_eq!(pieces.concat(), BODIES[body]);
            assert_eq!(*cleared.digests(), Digests::of(BODIES[body]));
        }
        (Verdict::Bind(held, binding), Said::Bind(patterns)) => {
            assert!(patterns.iter().any(|pattern| *PINS[*pattern].0 == *binding.pattern), "{binding:?}");
            assert_eq!((binding.digest, &*binding.key), (held.id(), &*without_query(url)));
        }
        (Verdict::Withhold(reason, Some(held)), Said::Withhold(expected)) => {
            assert_eq!(reason, *expected);
            assert_eq!(held.id(), Digests::of(BODIES[body]).sha256);
        }
        (verdict, said) => panic!("{verdict:?}, and the model says {said:?}"),
    }
}

fn parsed(url: usize) -> ArtifactUrl {
    URLS[url].parse().expect("a URL")
}

fn without_query(url: usize) -> String {
    URLS[url].split('?').next().unwrap_or_default().to_owned()
}

fn is_vendors(url: usize) -> bool {
    URLS[url].starts_with("https://v.test/")
}

fn held(body: usize) -> Held {
    let mut hold = Hold::new(1024, None);
    BODIES[body].chunks(2).for_each(|piece| hold.push(piece).expect("within the limit"));
    hold.finish(|_| None).expect("memory")
}

fn digest(body: usize, notation: u8) -> Digest {
    let digests = Digests::of(BODIES[body]);
    match notation % 3 {
        0 => Digest::from(digests.sha256),
        1 => Digest::Sha384(digests.sha384),
        _ => Digest::Sha512(digests.sha512),
    }
}

fn pin((pin, body, notation, expires): &ModelPin) -> Pin {
    let bare =
        Pin::bare(PinUrl::parse(PINS[*pin].0).expect("a URL"), Place { file: "pins.toml".into(), line: 1 });
    Pin { digests: [digest(*body, *notation)].into(), expires: *expires, ..bare }
}
