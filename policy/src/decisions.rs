//! What was decided while the gateway ran: approvals, rejections, revocations, and the bindings that patterns made.
//!
//! They lie over the pins of the files. A new decision makes a new, small snapshot; the index of pins stays.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::digest::{BodyId, Digest, Digests};
use crate::kind::Kind;

/// Who stands behind an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Basis {
    /// People who reviewed it.
    Reviewed,
    /// The rule `cooldown`: it was served unchanged for long enough, and nobody rejected it.
    Cooldown,
    /// Nobody: it was what the URL served first.
    Learned,
}

impl Basis {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Reviewed, Self::Cooldown, Self::Learned];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reviewed => "reviewed",
            Self::Cooldown => "cooldown",
            Self::Learned => "learned",
        }
    }

    /// What stands before the record where the ledger names an approval.
    fn rule_word(self) -> &'static str {
        match self {
            Self::Reviewed => "approval",
            Self::Cooldown => "cooldown",
            Self::Learned => "learned",
        }
    }

    /// The basis of the approval that the ledger names so, by [`Approval::rule`]; none for a pin of a file.
    #[must_use]
    pub fn of_rule(rule: &str) -> Option<Self> {
        let (word, record) = rule.split_once(' ')?;
        // A pin's place ends in its line.
        let is_record = record.bytes().all(|byte| byte.is_ascii_alphanumeric());
        Self::ALL.into_iter().find(|basis| is_record && basis.rule_word() == word)
    }

    /// Whether nobody has confirmed it yet: what it clears is released as provisional.
    #[must_use]
    pub fn is_provisional(self) -> bool {
        match self {
            Self::Reviewed => false,
            Self::Cooldown | Self::Learned => true,
        }
    }
}

/// A pin made at run time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The match key, without its query unless the deciding pin has one.
    pub subject: Box<str>,
    /// The body that may be served.
    pub digest: BodyId,
    /// What it may act as.
    pub kind: Kind,
    /// Who stands behind it.
    pub basis: Basis,
    /// From when on it does not count any more.
    pub expires: Option<Timestamp>,
    /// What was reviewed, as it is shown: the incident, or the number of the decision where there is none.
    pub record: Arc<str>,
}

impl Approval {
    /// How the ledger names it: `approval`, `cooldown` or `learned`, and the record.
    #[must_use]
    pub fn rule(&self) -> Arc<str> {
        format!("{} {}", self.basis.rule_word(), self.record).into()
    }

    /// Whether it counts at `now`.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        is_before(now, self.expires)
    }
}

/// A digest that is not released for one URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The match key, without its query unless the deciding pin has one.
    pub subject: Box<str>,
    /// The body.
    pub digest: BodyId,
    /// From when on it does not count any more. Its URL stays known.
    pub expires: Option<Timestamp>,
}

fn is_before(now: Timestamp, expires: Option<Timestamp>) -> bool {
    expires.is_none_or(|expires| now < expires)
}

/// Digests that are never released again, in any notation.
///
/// Those of the files can be many, and a decision of people must not copy them: sets are laid over each other, and all
/// are looked into.
#[derive(Clone, Debug, Default)]
pub struct Revocations {
    layers: Vec<Arc<HashSet<Digest>>>,
}

impl Revocations {
    /// These and `others`, of which none is copied.
    #[must_use]
    pub fn over(&self, others: &Self) -> Self {
        Self { layers: self.layers.iter().chain(&others.layers).cloned().collect() }
    }

    /// Whether one of the digests of a body is revoked.
    #[must_use]
    pub fn include(&self, digests: &Digests) -> bool {
        let mut filled = self.layers.iter().filter(|layer| !layer.is_empty());
        filled.any(|layer| digests.all().iter().any(|digest| layer.contains(digest)))
    }

    /// Whether this very digest is revoked. Another notation of the same body may be: see [`Revocations::include`].
    #[must_use]
    pub fn contain(&self, digest: &Digest) -> bool {
        self.layers.iter().any(|layer| layer.contains(digest))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Digest> + '_ {
        self.layers.iter().enumerate().flat_map(move |(at, layer)| {
            let is_above =
                move |digest: &Digest| self.layers.iter().take(at).any(|above| above.contains(digest));
            layer.iter().copied().filter(move |digest| !is_above(digest))
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layers.iter().all(|layer| layer.is_empty())
    }
}

/// The same digests, in however many sets.
impl PartialEq for Revocations {
    fn eq(&self, other: &Self) -> bool {
        let digests = |revocations: &Self| revocations.iter().collect::<HashSet<_>>();
        digests(self) == digests(other)
    }
}

impl Eq for Revocations {}

impl FromIterator<Digest> for Revocations {
    fn from_iter<I: IntoIterator<Item = Digest>>(digests: I) -> Self {
        Self { layers: vec![Arc::new(digests.into_iter().collect())] }
    }
}

impl Extend<Digest> for Revocations {
    fn extend<I: IntoIterator<Item = Digest>>(&mut self, digests: I) {
        match self.layers.first_mut() {
            Some(top) => Arc::make_mut(top).extend(digests),
            None => *self = digests.into_iter().collect(),
        }
    }
}

/// What is known of one subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Said {
    approvals: HashMap<BodyId, Approval>,
    rejections: HashMap<BodyId, Option<Timestamp>>,
}

impl Said {
    /// What people said of a body stands before what a rule said.
    fn approve(&mut self, approval: Approval) {
        let before = self.approvals.get(&approval.digest);
        if before.is_none_or(|before| before.basis.is_provisional()) {
            self.approvals.insert(approval.digest, approval);
        }
    }

    fn reject(&mut self, rejection: &Rejection) {
        self.rejections.insert(rejection.digest, rejection.expires);
    }
}

/// Subjects, and what patterns are bound to.
#[derive(Clone, Debug, Default)]
struct Layer {
    subjects: HashMap<Box<str>, Said>,
    bindings: HashMap<Box<str>, HashMap<BodyId, Box<str>>>,
    /// Entries of both.
    len: usize,
}

impl Layer {
    fn say(&mut self, subject: Box<str>, said: Said) {
        self.len += 1;
        self.subjects.insert(subject, said);
    }

    fn bind(&mut self, (pattern, digest, key): (Box<str>, BodyId, Box<str>)) {
        self.len += 1;
        self.bindings.entry(pattern).or_default().insert(digest, key);
    }

    fn merge(&mut self, newer: Self) {
        self.subjects.extend(newer.subjects);
        for (pattern, bound) in newer.bindings {
            self.bindings.entry(pattern).or_default().extend(bound);
        }
        self.len = self.subjects.len() + self.bindings.values().map(HashMap::len).sum::<usize>();
    }
}

/// The newest entries that are copied with each decision, before they are laid into the rest.
const MAX_RECENT: usize = 512;

/// All decisions, indexed for judging.
///
/// The few newest lie over the rest, so that one more costs the same on the first day and after a year.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    version: u64,
    revocations: Arc<Revocations>,
    settled: Arc<Layer>,
    recent: Layer,
}

/// What is new since a version: everything that holds now of the subjects that it names.
#[derive(Clone, Debug, Default)]
pub struct Amendment {
    /// The number of the last decision.
    pub version: u64,
    /// The subjects of which something else holds now.
    pub subjects: Vec<Box<str>>,
    /// All approvals of these subjects.
    pub approvals: Vec<Approval>,
    /// All rejections of these subjects.
    pub rejections: Vec<Rejection>,
    /// All revocations, if one was added or taken back.
    pub revocations: Option<Revocations>,
    /// New bindings: a pattern, the digest, and the URL without its query.
    pub bindings: Vec<(Box<str>, BodyId, Box<str>)>,
}

impl Decisions {
    /// Indexes decisions. `version` is the number of the last one and counts up with each.
    #[must_use]
    pub fn new(
        version: u64,
        approvals: impl IntoIterator<Item = Approval>,
        rejections: impl IntoIterator<Item = Rejection>,
        revocations: Revocations,
        bindings: impl IntoIterator<Item = (Box<str>, BodyId, Box<str>)>,
    ) -> Self {
        let mut settled = Layer::default();
        bindings.into_iter().for_each(|binding| settled.bind(binding));
        for (subject, said) in by_subject(approvals, rejections) {
            settled.say(subject, said);
        }
        let revocations = Arc::new(revocations);
        Self { version, revocations, settled: Arc::new(settled), recent: Layer::default() }
    }

    /// The same, and what is new since.
    #[must_use]
    pub fn amended(&self, amendment: Amendment) -> Self {
        let Amendment { version, subjects, approvals, rejections, revocations, bindings } = amendment;
        let mut amended = Self { version, ..self.clone() };
        if let Some(revocations) = revocations {
            amended.revocations = Arc::new(revocations);
        }
        let mut said = by_subject(approvals, rejections);
        for subject in subjects {
            let said = said.remove(&subject).unwrap_or_default();
            amended.recent.say(subject, said);
        }
        bindings.into_iter().for_each(|binding| amended.recent.bind(binding));
        if amended.recent.len > MAX_RECENT {
            Arc::make_mut(&mut amended.settled).merge(std::mem::take(&mut amended.recent));
        }
        amended
    }

    /// The number of the last decision.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Digests revoked at run time.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// Every approval, expired ones too, in no order.
    pub fn all_approvals(&self) -> impl Iterator<Item = &Approval> {
        let settled = &self.settled.subjects;
        let older = settled.iter().filter(|(subject, _)| !self.recent.subjects.contains_key(*subject));
        let all = older.chain(&self.recent.subjects);
        all.flat_map(|(_, said)| said.approvals.values())
    }

    fn said(&self, subject: &str) -> Option<&Said> {
        self.recent.subjects.get(subject).or_else(|| self.settled.subjects.get(subject))
    }

    pub(crate) fn approval(&self, subject: &str, digest: BodyId) -> Option<&Approval> {
        self.said(subject)?.approvals.get(&digest)
    }

    /// The bodies that were approved there, of approvals that have expired too.
    pub(crate) fn approved(&self, subject: &str) -> impl Iterator<Item = BodyId> {
        self.said(subject).into_iter().flat_map(|said| said.approvals.keys().copied())
    }

    /// Whether anything was decided there.
    pub(crate) fn knows(&self, subject: &str) -> bool {
        self.said(subject).is_some()
    }

    /// Whether an approval, active or expired, is about this subject.
    pub(crate) fn knows_approvals(&self, subject: &str) -> bool {
        self.said(subject).is_some_and(|said| !said.approvals.is_empty())
    }

    /// Whether something is approved there at `now` by people.
    pub(crate) fn has_reviewed_approval(&self, subject: &str, now: Timestamp) -> bool {
        let mut approvals = self.said(subject).into_iter().flat_map(|said| said.approvals.values());
        approvals.any(|approval| !approval.basis.is_provisional() && approval.is_active(now))
    }

    /// Whether approvals are about this subject that nobody has confirmed, and no others.
    pub(crate) fn knows_learned_alone(&self, subject: &str) -> bool {
        let is_learned = |approval: &Approval| approval.basis == Basis::Learned;
        self.knows_approvals(subject)
            && self.said(subject).is_some_and(|said| said.approvals.values().all(is_learned))
    }

    /// Whether a rejection, active or expired, is about this subject.
    pub(crate) fn knows_rejections(&self, subject: &str) -> bool {
        self.said(subject).is_some_and(|said| !said.rejections.is_empty())
    }

    pub(crate) fn rejects(&self, subject: &str, digest: BodyId, now: Timestamp) -> bool {
        let rejected = self.said(subject).and_then(|said| said.rejections.get(&digest));
        rejected.is_some_and(|expires| is_before(now, *expires))
    }

    pub(crate) fn bound_to(&self, pattern: &str, digest: BodyId) -> Option<&str> {
        let recent = self.recent.bindings.get(pattern).and_then(|bound| bound.get(&digest));
        let older = || self.settled.bindings.get(pattern).and_then(|bound| bound.get(&digest));
        recent.or_else(older).map(|key| &**key)
    }
}

/// The same decisions, in however many layers.
impl PartialEq for Decisions {
    fn eq(&self, other: &Self) -> bool {
        let whole = |decisions: &Self| {
            let mut whole = Layer::clone(&decisions.settled);
            whole.merge(decisions.recent.clone());
            whole.subjects.retain(|_, said| *said != Said::default());
            (whole.subjects, whole.bindings)
        };
        (self.version, &self.revocations) == (other.version, &other.revocations)
            && whole(self) == whole(other)
    }
}

impl Eq for Decisions {}

fn by_subject(
    approvals: impl IntoIterator<Item = Approval>,
    rejections: impl IntoIterator<Item = Rejection>,
) -> HashMap<Box<str>, Said> {
    let mut subjects: HashMap<Box<str>, Said> = HashMap::new();
    for approval in approvals {
        subjects.entry(approval.subject.clone()).or_default().approve(approval);
    }
    for rejection in rejections {
        subjects.entry(rejection.subject.clone()).or_default().reject(&rejection);
    }
    subjects
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(n: u8) -> BodyId {
        BodyId([n; 32])
    }

    fn approval(subject: u8, digest: u8) -> Approval {
        Approval {
            subject: format!("https://v.test/{subject}").into(),
            digest: id(digest),
            kind: Kind::Script,
            basis: Basis::ALL[usize::from(digest % 3)],
            expires: None,
            record: "1".into(),
        }
    }

    fn rejection(subject: u8, digest: u8) -> Rejection {
        Rejection { subject: format!("https://v.test/{subject}").into(), digest: id(digest), expires: None }
    }

    fn revocations(upto: u8) -> Revocations {
        (0..upto).map(|n| Digest::from(id(n))).collect()
    }

    #[test]
    fn the_ledgers_name_of_an_approval_tells_its_basis_and_no_file_is_taken_for_one() {
        for basis in Basis::ALL {
            let approval = Approval { basis, ..approval(1, 1) };
            assert_eq!(Basis::of_rule(&approval.rule()), Some(basis));
        }
        for file in ["pins.toml:14", "learned 1:14", "cooldown pins.toml:3", "learned", "learnt 1"] {
            assert_eq!(Basis::of_rule(file), None, "{file}");
        }
    }

    #[test]
    fn revocations_are_equal_in_however_many_sets_they_lie() {
        assert_eq!(Revocations::default(), revocations(0));
        assert_eq!(revocations(2).over(&revocations(3)), revocations(3));
        assert_ne!(revocations(2), revocations(3));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// Each step says anew what holds of one subject, or binds, or revokes.
        #[test]
        fn what_is_amended_step_by_step_is_what_is_indexed_at_once(
            steps in prop::collection::vec((0..40_u8, prop::collection::vec(0..4_u8, 0..3), 0..4_u8), 0..900),
        ) {
            let mut amended = Decisions::default();
            let mut subjects: HashMap<u8, &[u8]> = HashMap::new();
            let mut bindings = Vec::new();
            let mut revoked = 0;
            for (at, (subject, digests, what)) in steps.iter().enumerate() {
                let mut amendment = Amendment { version: at as u64 + 1, ..Amendment::default() };
                match what {
                    0 => {
                        let binding = (format!("https://v.test/{subject}/*").into(), id(*subject), "k".into());
                        bindings.push(binding.clone());
                        amendment.bindings.push(binding);
                    }
                    1 => {
                        revoked = *subject;
                        amendment.revocations = Some(revocations(revoked));
                    }
                    _ => {
                        subjects.insert(*subject, digests);
                        amendment.subjects.push(format!("https://v.test/{subject}").into());
                        amendment.approvals.extend(digests.iter().map(|digest| approval(*subject, *digest)));
                        amendment.rejections.extend(digests.iter().map(|digest| rejection(*subject, *digest + 4)));
                    }
                }
                amended = amended.amended(amendment);
            }
            let each = |subject: u8| subjects.get(&subject).into_iter().flat_map(|digests| digests.iter());
            let whole = Decisions::new(
                steps.len() as u64,
                (0..40).flat_map(|subject| each(subject).map(move |digest| approval(subject, *digest))),
                (0..40).flat_map(|subject| each(subject).map(move |digest| rejection(subject, *digest + 4))),
                revocations(revoked),
                bindings,
            );
            prop_assert_eq!(&amended, &whole);
            for subject in (0..40).map(|subject| format!("https://v.test/{subject}")) {
                prop_assert_eq!(amended.said(&subject).cloned().unwrap_or_default(), whole.said(&subject).cloned().unwrap_or_default());
            }
            prop_assert_eq!(amended.all_approvals().count(), whole.all_approvals().count());
        }
    }
}
