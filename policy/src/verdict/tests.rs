use std::sync::Arc;

use crate::decisions::{Approval, Basis, Decisions, Rejection, Revocations};
use crate::digest::{BodyId, Digests};
use crate::held::{Held, Hold};
use crate::kind::{Kind, Kinds};
use crate::pin::{Pin, PinUrl, Place};
use crate::pins::PinIndex;
use crate::policy::{Policy, Rulebook};
use crate::reason::{Keep, Reason};
use crate::url::ArtifactUrl;
use crate::vendor::{
    Mode, OnMismatch, OnPathChange, OtherScripts, OtherTls, Rules, Unpinned, Vendor, Vendors,
};

use super::*;

const URL: &str = "https://cdn.vendor.test/app.js";
const NOW: &str = "2026-11-23T12:00:00Z";

fn held(body: &[u8]) -> Held {
    let mut hold = Hold::new(1000, None);
    hold.push(body).unwrap();
    hold.finish(|_| None).unwrap()
}

fn id(body: &[u8]) -> BodyId {
    Digests::of(body).sha256
}

fn pin(url: &str, bodies: &[&[u8]]) -> Pin {
    Pin {
        digests: bodies.iter().enumerate().map(|(at, body)| Digests::of(body).all()[at % 3]).collect(),
        ..Pin::bare(PinUrl::parse(url).unwrap(), Place { file: "pins.toml".into(), line: 3 })
    }
}

struct World {
    rules: Rules,
    book: Rulebook,
    pins: Vec<Pin>,
    approvals: Vec<Approval>,
    rejections: Vec<Rejection>,
    bindings: Vec<(Box<str>, BodyId, Box<str>)>,
}

fn world(pins: Vec<Pin>) -> World {
    World {
        rules: Rules::default(),
        book: Rulebook::default(),
        pins,
        approvals: vec![],
        rejections: vec![],
        bindings: vec![],
    }
}

impl World {
    fn policy(self) -> Policy {
        let vendor = Vendor {
            name: "vendor".into(),
            hosts: vec!["cdn.vendor.test".parse().unwrap()],
            rules: self.rules,
        };
        let book =
            Rulebook { vendors: Vendors::new(vec![vendor]), pins: PinIndex::new(self.pins), ..self.book };
        let decisions =
            Decisions::new(1, self.approvals, self.rejections, Revocations::default(), self.bindings);
        Policy::new(Arc::new(book), Arc::new(decisions))
    }
}

#[test]
fn a_worker_goes_where_any_that_the_lists_name_is_revoked_in_whatever_notation_they_have_it() {
    let approval = |body: &[u8]| Approval {
        subject: URL.into(),
        digest: id(body),
        kind: Kind::Script,
        basis: Basis::Reviewed,
        expires: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        record: "7".into(),
    };
    let rules = Rules { revoke_worker: true, ..Rules::default() };
    let world = World { rules, approvals: vec![approval(b"c")], ..world(vec![pin(URL, &[b"a", b"b"])]) };
    let policy = world.policy();
    let url = ArtifactUrl::parse(URL).unwrap();
    let expected = policy.expect(&url);
    let revoked = |body: &[u8]| {
        let revocations: Revocations = Digests::of(body).all().into_iter().collect();
        expected.names_one_of(&revocations)
    };
    assert!(revoked(b"a") && revoked(b"b") && revoked(b"c") && !revoked(b"d"));

    // The vendor says what its name leads to and can use up its room here; what else the gateway cannot do is not its doing.
    for (reason, goes) in [
        (Reason::Revoked, [true, true]),
        (Reason::Redirect, [false, true]),
        (Reason::PrivateAddress, [false, true]),
        (Reason::Overloaded, [false, true]),
        (Reason::StoreUnavailable, [false, false]),
    ] {
        assert_eq!(
            [false, true].map(|may_be| may_unregister(&expected, reason, || may_be)),
            goes,
            "{reason}"
        );
    }
}

/// What the verdict is, in words: `verified pins.toml:3`, `bind`, or the reason's code.
fn judged(policy: &Policy, url: &str, body: &[u8]) -> String {
    let url = ArtifactUrl::parse(url).unwrap();
    let (now, digests) = (NOW.parse().unwrap(), Digests::of(body));
    let foreseen = foresee(&policy.expect(&url), Known::Whole(&digests), now, policy.revocations());
    let verdict = judge(&policy.expect(&url), Ok(held(body)), now, policy.revocations());
    match &verdict {
        Verdict::Allow(_) => assert_eq!(foreseen, Foreseen::Allow),
        Verdict::Bind(_, binding) => assert_eq!(foreseen, Foreseen::Bind(binding.clone())),
        Verdict::Withhold(reason, _) => assert_eq!(foreseen, Foreseen::Withhold(*reason)),
    }
    match verdict {
        Verdict::Allow(cleared) => {
            assert_eq!(cleared.kept().piece_at(0).unwrap(), body);
            let provisional = if cleared.is_provisional() { "; provisional" } else { "" };
            format!("verified {}{provisional}", cleared.rule())
        }
        Verdict::Bind(..) => "bind".into(),
        Verdict::Withhold(reason, kept) => {
            assert!(kept.is_some(), "a measured body must stay at hand for quarantine");
            reason.code().into()
        }
    }
}

#[test]
fn of_a_body_that_is_known_by_its_sha256_nothing_is_said_that_another_notation_could_change() {
    let by_sha256 = |body: &[u8], policy: &Policy| {
        let url = ArtifactUrl::parse(URL).unwrap();
        foresee(&policy.expect(&url), Known::Id(id(body)), NOW.parse().unwrap(), policy.revocations())
    };
    // The second digest of the pin is a SHA-384.
    let mixed = world(vec![pin(URL, &[b"one", b"two"])]).policy();
    assert_eq!(by_sha256(b"one", &mixed), Foreseen::Allow);
    assert_eq!(by_sha256(b"two", &mixed), Foreseen::Open);
    assert_eq!(by_sha256(b"tampered", &mixed), Foreseen::Open);
    let plain = world(vec![pin(URL, &[b"one"])]).policy();
    assert_eq!(by_sha256(b"tampered", &plain), Foreseen::Withhold(Reason::DigestMismatch));

    let mut decided = world(vec![pin(URL, &[b"one", b"two"])]);
    decided.rejections.push(rejection(URL, b"bad"));
    decided.approvals.push(approval(URL, b"good"));
    let decided = decided.policy();
    assert_eq!(by_sha256(b"bad", &decided), Foreseen::Withhold(Reason::Rejected));
    assert_eq!(by_sha256(b"good", &decided), Foreseen::Allow);
}

#[test]
fn a_pinned_body_passes_and_any_other_does_not() {
    let policy = world(vec![pin(URL, &[b"one", b"two", b"three"])]).policy();
    for body in [&b"one"[..], b"two", b"three"] {
        assert_eq!(judged(&policy, URL, body), "verified pins.toml:3");
    }
    assert_eq!(judged(&policy, URL, b"tampered"), "digest-mismatch");
    assert_eq!(judged(&policy, "https://cdn.vendor.test/other.js", b"one"), "unpinned");
    assert_eq!(judged(&policy, "https://elsewhere.test/app.js", b"one"), "unlisted-host");
}

#[test]
fn an_expired_pin_refuses_its_own_digest_and_never_makes_the_url_unpinned() {
    let mut expired = pin(URL, &[b"one"]);
    expired.expires = Some("2026-11-22".parse().unwrap());
    let policy = world(vec![expired.clone()]).policy();
    assert_eq!(judged(&policy, URL, b"one"), "expired-pin");
    assert_eq!(judged(&policy, URL, b"other"), "digest-mismatch");
    let renewed = world(vec![expired, pin(URL, &[b"one"])]).policy();
    assert_eq!(judged(&renewed, URL, b"one"), "verified pins.toml:3");
}

#[test]
fn a_revocation_in_any_notation_beats_every_pin_and_approval() {
    for notation in 0..3 {
        let mut world = world(vec![pin(URL, &[b"one"])]);
        world.book.revocations = [Digests::of(b"one").all()[notation]].into_iter().collect();
        world.approvals.push(approval(URL, b"one"));
        assert_eq!(judged(&world.policy(), URL, b"one"), "revoked");
    }
}

#[test]
fn revocations_of_files_and_of_people_hold_side_by_side() {
    let revoked = |bodies: &[&[u8]]| bodies.iter().map(|body| id(body).into()).collect::<Revocations>();
    let files = Arc::new(Rulebook { revocations: revoked(&[b"one", b"two"]), ..Rulebook::default() });
    let decided = |people| Arc::new(Decisions::new(1, [], [], people, []));
    let policy = Policy::new(files, decided(revoked(&[b"two", b"three"])));
    for body in [&b"one"[..], b"two", b"three"] {
        assert!(policy.revocations().include(&Digests::of(body)));
    }
    assert!(!policy.revocations().include(&Digests::of(b"four")));
    assert_eq!(policy.revocations().len(), 3);
    let undone = policy.with(decided(Revocations::default()));
    assert!(undone.revocations().include(&Digests::of(b"two")));
    assert!(!undone.revocations().include(&Digests::of(b"three")));
}

fn approval(subject: &str, body: &[u8]) -> Approval {
    Approval {
        subject: subject.into(),
        digest: id(body),
        kind: Kind::Script,
        basis: Basis::Reviewed,
        expires: None,
        record: "01X".into(),
    }
}

fn by(basis: Basis, approval: Approval) -> Approval {
    Approval { basis, ..approval }
}

fn rejection(subject: &str, body: &[u8]) -> Rejection {
    Rejection { subject: subject.into(), digest: id(body), expires: None }
}

fn past() -> Option<Timestamp> {
    Some(NOW.parse().unwrap())
}

fn future() -> Option<Timestamp> {
    Some("2026-11-23T12:00:00.000001Z".parse().unwrap())
}

#[test]
fn an_approval_adds_to_the_pins_and_a_rejection_takes_from_them() {
    let mut world = world(vec![pin(URL, &[b"one", b"two"])]);
    world.approvals.push(approval(URL, b"new"));
    world.rejections.push(rejection(URL, b"two"));
    let policy = world.policy();
    assert_eq!(judged(&policy, URL, b"new"), "verified approval 01X");
    assert_eq!(judged(&policy, &format!("{URL}?cache=1"), b"new"), "verified approval 01X");
    assert_eq!(judged(&policy, URL, b"one"), "verified pins.toml:3");
    assert_eq!(judged(&policy, URL, b"two"), "rejected");
    assert_eq!(judged(&policy, "https://cdn.vendor.test/b.js", b"new"), "unpinned");
}

#[test]
fn a_url_with_a_rejection_is_never_unpinned_again() {
    let mut world = world(vec![]);
    world.rejections.push(rejection(URL, b"bad"));
    assert_eq!(judged(&world.policy(), URL, b"other"), "digest-mismatch");
}

#[test]
fn an_approval_that_has_expired_refuses_like_a_pin_and_never_makes_the_url_unpinned() {
    let until = |expires| {
        let mut world = world(vec![]);
        world.approvals.push(Approval { expires, ..approval(URL, b"one") });
        world.policy()
    };
    assert_eq!(judged(&until(future()), URL, b"one"), "verified approval 01X");
    assert_eq!(judged(&until(past()), URL, b"one"), "expired-pin");
    assert_eq!(judged(&until(past()), URL, b"other"), "digest-mismatch");

    let mut pinned = world(vec![pin(URL, &[b"one"])]);
    pinned.approvals.push(Approval { expires: past(), ..approval(URL, b"one") });
    assert_eq!(judged(&pinned.policy(), URL, b"one"), "verified pins.toml:3");
}

#[test]
fn a_rejection_that_has_expired_leaves_the_url_known() {
    let mut world = world(vec![]);
    world.rejections.push(Rejection { expires: past(), ..rejection(URL, b"old") });
    world.rejections.push(Rejection { expires: future(), ..rejection(URL, b"new") });
    let policy = world.policy();
    assert_eq!(judged(&policy, URL, b"old"), "digest-mismatch");
    assert_eq!(judged(&policy, URL, b"new"), "rejected");
}

#[test]
fn what_no_person_confirmed_is_provisional_and_says_by_which_rule() {
    for (basis, said) in [
        (Basis::Learned, "verified learned 01X; provisional"),
        (Basis::Cooldown, "verified cooldown 01X; provisional"),
        (Basis::Reviewed, "verified approval 01X"),
    ] {
        let mut world = world(vec![]);
        world.approvals.push(by(basis, approval(URL, b"one")));
        let policy = world.policy();
        assert_eq!(judged(&policy, URL, b"one"), said);
        assert_eq!(judged(&policy, URL, b"changed"), "digest-mismatch");
    }
}

#[test]
fn what_a_person_or_a_file_confirms_is_not_provisional() {
    for first in [Basis::Learned, Basis::Cooldown] {
        let mut confirmed = world(vec![]);
        confirmed.approvals.push(by(first, approval(URL, b"one")));
        confirmed.approvals.push(approval(URL, b"one"));
        confirmed.approvals.push(by(first, approval(URL, b"one")));
        assert_eq!(judged(&confirmed.policy(), URL, b"one"), "verified approval 01X");

        let mut pinned = world(vec![pin(URL, &[b"one"])]);
        pinned.approvals.push(by(first, approval(URL, b"one")));
        assert_eq!(judged(&pinned.policy(), URL, b"one"), "verified pins.toml:3");
    }
}

#[test]
fn what_was_learned_does_not_outlive_a_file_that_says_otherwise() {
    let mut other = world(vec![pin(URL, &[b"reviewed"])]);
    other.approvals.push(by(Basis::Learned, approval(URL, b"learned")));
    other.approvals.push(by(Basis::Cooldown, approval(URL, b"cooled")));
    let other = other.policy();
    assert_eq!(judged(&other, URL, b"learned"), "digest-mismatch");
    assert_eq!(judged(&other, URL, b"cooled"), "verified cooldown 01X; provisional");

    let mut expired = pin(URL, &[b"learned"]);
    expired.expires = Some("2026-11-22".parse().unwrap());
    let mut expired = world(vec![expired]);
    expired.approvals.push(by(Basis::Learned, approval(URL, b"learned")));
    assert_eq!(judged(&expired.policy(), URL, b"learned"), "expired-pin");
}

#[test]
fn a_wildcard_cannot_swap_two_pinned_files() {
    let star = "https://cdn.vendor.test/lib/*";
    let (a, b) = ("https://cdn.vendor.test/lib/a.js", "https://cdn.vendor.test/lib/b.js");
    let unbound = world(vec![pin(star, &[b"A", b"B"])]).policy();
    assert_eq!(judged(&unbound, a, b"A"), "bind");

    let mut bound = world(vec![pin(star, &[b"A", b"B"])]);
    bound.bindings.push((star.into(), id(b"A"), a.into()));
    bound.bindings.push((star.into(), id(b"B"), b.into()));
    let bound = bound.policy();
    assert_eq!(judged(&bound, a, b"A"), "verified pins.toml:3");
    assert_eq!(judged(&bound, &format!("{a}?v=1"), b"A"), "verified pins.toml:3");
    assert_eq!(judged(&bound, b, b"A"), "digest-mismatch");
    assert_eq!(judged(&bound, a, b"B"), "digest-mismatch");
}

#[test]
fn a_pinned_url_is_guarded_whatever_its_kind_and_its_host() {
    let mut world = world(vec![pin("https://elsewhere.test/x", &[b"one"])]);
    world.book.other_tls = OtherTls::Intercept;
    let policy = world.policy();
    let pinned = ArtifactUrl::parse("https://elsewhere.test/x").unwrap();
    let other = ArtifactUrl::parse("https://elsewhere.test/y").unwrap();
    assert!(policy.expect(&pinned).guards(Kinds::NONE));
    assert!(!policy.expect(&other).guards(Kinds::GUARDED_BY_DEFAULT));
}

#[test]
fn each_unmeasurable_body_is_withheld_for_its_reason() {
    let policy = world(vec![pin(URL, &[b"one"])]).policy();
    let url = ArtifactUrl::parse(URL).unwrap();
    for (cause, reason) in [
        (Unmeasurable::TooLarge, Reason::BodyTooLarge),
        (Unmeasurable::BadEncoding, Reason::BadEncoding),
        (Unmeasurable::Truncated, Reason::Truncated),
        (Unmeasurable::Partial, Reason::PartialContent),
    ] {
        let verdict = judge(&policy.expect(&url), Err(cause), NOW.parse().unwrap(), policy.revocations());
        assert!(matches!(verdict, Verdict::Withhold(got, None) if got == reason), "{cause:?}");
    }
}

#[test]
fn observe_mode_lets_pass_what_the_table_says_and_nothing_else() {
    let mut observing = world(vec![]);
    observing.rules.mode = Mode::Observe;
    observing.book.other_scripts = OtherScripts::Block;
    let policy = observing.policy();
    let url = ArtifactUrl::parse(URL).unwrap();
    for reason in Reason::ALL {
        let passes = consequence(&policy.expect(&url), *reason) == Consequence::ObserveUnverified;
        assert_eq!(passes, reason.yields_to_observe_mode(), "{reason}");
    }
}

#[test]
fn what_was_learned_alone_is_not_kept_from_changing_in_observe_mode() {
    let shelves = |mode, pins, approvals: &[Basis]| {
        let mut world = world(pins);
        world.rules.mode = mode;
        let approvals = approvals.iter().zip([b"one", b"two"]);
        world.approvals.extend(approvals.map(|(basis, body)| by(*basis, approval(URL, body))));
        world.policy().expect(&ArtifactUrl::parse(URL).unwrap()).may_be_shelved()
    };
    let pinned = || vec![pin(URL, &[b"other"])];
    for (mode, learned) in [(Mode::Enforce, true), (Mode::Observe, false)] {
        assert!(!shelves(mode, vec![], &[]));
        assert_eq!(shelves(mode, vec![], &[Basis::Learned]), learned);
        assert!(shelves(mode, vec![], &[Basis::Reviewed]) && shelves(mode, vec![], &[Basis::Cooldown]));
        assert!(shelves(mode, vec![], &[Basis::Learned, Basis::Reviewed]));
        assert!(shelves(mode, pinned(), &[Basis::Learned]));
    }
}

#[test]
fn only_an_unpinned_url_is_learned_and_what_cannot_be_learned_passes_in_observe_mode_alone() {
    for (mode, otherwise) in
        [(Mode::Enforce, Consequence::Block), (Mode::Observe, Consequence::ObserveUnverified)]
    {
        let mut learning = world(vec![]);
        learning.rules.mode = mode;
        learning.rules.unpinned = Unpinned::Learn;
        let policy = learning.policy();
        let url = ArtifactUrl::parse(URL).unwrap();
        let expected = policy.expect(&url);
        let learns = |reason: &&Reason| consequence(&expected, **reason) == Consequence::Learn;
        assert_eq!(Reason::ALL.iter().filter(learns).collect::<Vec<_>>(), [&Reason::Unpinned]);
        assert_eq!(unless_learned(&expected), otherwise);
    }
}

#[test]
fn when_enforcing_only_a_rule_that_says_so_keeps_or_releases() {
    for (unpinned, on_mismatch, scripts, expected) in [
        (Unpinned::Block, OnMismatch::Block, OtherScripts::Block, [Consequence::Block; 3]),
        (
            Unpinned::Quarantine,
            OnMismatch::Quarantine,
            OtherScripts::Quarantine,
            [Consequence::Quarantine; 3],
        ),
        (
            Unpinned::Allow,
            OnMismatch::Quarantine,
            OtherScripts::Observe,
            [Consequence::ObserveUnverified, Consequence::Quarantine, Consequence::ObserveUnverified],
        ),
    ] {
        let mut world = world(vec![]);
        world.rules.unpinned = unpinned;
        world.rules.on_mismatch = on_mismatch;
        world.book.other_scripts = scripts;
        let policy = world.policy();
        let url = ArtifactUrl::parse(URL).unwrap();
        let by_rule = [Reason::Unpinned, Reason::DigestMismatch, Reason::UnlistedHost];
        assert_eq!(by_rule.map(|reason| consequence(&policy.expect(&url), reason)), expected);
        for reason in Reason::ALL.iter().filter(|reason| reason.keep() != Keep::ByRule) {
            let fixed = if reason.keep() == Keep::Yes { Consequence::Quarantine } else { Consequence::Block };
            assert_eq!(consequence(&policy.expect(&url), *reason), fixed, "{reason}");
        }
    }
}

#[test]
fn a_changed_path_withholds_a_matching_body_where_the_rule_says_so() {
    for (on_path_change, mode, arrival, expected) in [
        (OnPathChange::Report, Mode::Enforce, Arrival::Changed, None),
        (OnPathChange::Quarantine, Mode::Enforce, Arrival::AsKnown, None),
        (OnPathChange::Quarantine, Mode::Enforce, Arrival::Changed, Some(Consequence::Quarantine)),
        (OnPathChange::Quarantine, Mode::Observe, Arrival::Changed, Some(Consequence::ObserveUnverified)),
    ] {
        let rules = Rules { on_path_change, mode, ..Rules::default() };
        let policy = World { rules, ..world(vec![pin(URL, &[b"one"])]) }.policy();
        let url = ArtifactUrl::parse(URL).unwrap();
        let expectation = policy.expect(&url);
        let verdict = judge(&expectation, Ok(held(b"one")), NOW.parse().unwrap(), policy.revocations());
        let Verdict::Allow(cleared) = verdict else { panic!("it is pinned") };
        let follows = match judge_arrival(&expectation, cleared, arrival) {
            Ok(cleared) => {
                assert_eq!(cleared.kept().piece_at(0).unwrap(), b"one".as_slice());
                None
            }
            Err(held) => {
                assert_eq!(held.id(), id(b"one"));
                Some(consequence(&expectation, Reason::PathChanged))
            }
        };
        assert_eq!(follows, expected);
    }
}
