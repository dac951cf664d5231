use super::*;

const HOUR: i64 = 3600;
const NEW: BodyId = BodyId([1; 32]);
const OTHER: BodyId = BodyId([2; 32]);

fn hours(hours: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + hours * HOUR).unwrap()
}

fn rules() -> Rules {
    Rules {
        recheck: Recheck::Every(Duration::from_secs(3600)),
        cooldown: Some(Duration::from_secs(7 * 24 * 3600)),
        ..Rules::default()
    }
}

fn again(run: Run, at: i64) -> Run {
    run.again(hours(at), patience(rules().recheck).unwrap())
}

/// Seen at these hours.
fn seen(at: impl IntoIterator<Item = i64>) -> Run {
    let mut at = at.into_iter();
    let first = Run::begin(NEW, hours(at.next().unwrap()));
    at.fold(first, again)
}

fn watched(run: Run) -> Watched {
    Watched { known: Some(hours(-1000)), run: Some(run) }
}

fn judged(variants: &[Watched], now: i64) -> Result<Ripe, Unripe> {
    let rules = rules();
    let (reason, now) = (Reason::DigestMismatch, hours(now));
    ripe(&Facts { reason, digest: NEW, rules: &rules, has_reviewed_pin: true, variants, now })
}

#[test]
fn what_was_served_unchanged_for_the_whole_time_is_approved_and_the_record_says_what_was_seen() {
    let run = seen(0..=168);
    assert_eq!(judged(&[watched(run)], 167), Err(Unripe::Interrupted), "the clock is behind");
    let ripe = judged(&[watched(run)], 168).unwrap();
    assert_eq!(
        ripe.to_string(),
        "served unchanged since 2027-01-15T08:00:00Z: 169 sightings, none more than 3601 s apart"
    );
    let both = judged(&[watched(run), watched(run)], 168).unwrap();
    assert!(both.to_string().ends_with(", and the same in all 2 variants"), "{both}");
}

#[test]
fn an_hour_less_is_too_young() {
    assert_eq!(judged(&[watched(seen(0..=167))], 167), Err(Unripe::Young));
}

#[test]
fn it_takes_24_sightings() {
    let short = Rules { cooldown: Some(Duration::from_secs(22 * 3600)), ..rules() };
    let judged = |run: Run, now| {
        ripe(&Facts {
            reason: Reason::DigestMismatch,
            digest: NEW,
            rules: &short,
            has_reviewed_pin: true,
            variants: &[watched(run)],
            now: hours(now),
        })
    };
    assert_eq!(judged(seen(0..=22), 22), Err(Unripe::Seldom));
    assert_eq!(judged(seen(0..=23), 23).map(|ripe| ripe.sightings), Ok(24));
}

#[test]
fn a_gap_of_four_rechecks_counts_and_a_longer_one_begins_anew() {
    let run = seen((0..=100).chain(104..=168));
    assert_eq!(judged(&[watched(run)], 168).map(|ripe| ripe.longest_gap.as_hours()), Ok(4));
    let run = seen((0..=100).chain(105..=168));
    assert_eq!((run.since, run.steady, run.sightings), (hours(0), hours(105), 64));
    assert_eq!(judged(&[watched(run)], 168), Err(Unripe::Young));
    let run = (169..=273).fold(run, again);
    assert!(judged(&[watched(run)], 273).is_ok());
}

#[test]
fn rechecks_that_stopped_approve_nothing_however_long_ago_the_content_came() {
    let run = seen(0..=167);
    assert_eq!(judged(&[watched(run)], 171).map(|ripe| ripe.sightings), Ok(168));
    assert_eq!(judged(&[watched(run)], 172), Err(Unripe::Interrupted));
}

#[test]
fn a_clock_that_is_set_back_or_far_ahead_begins_anew() {
    let run = seen((0..=167).chain([166]));
    assert_eq!((run.steady, run.sightings), (hours(166), 1));
    let run = seen((0..=10).chain([-500]));
    assert_eq!((run.since, run.steady), (hours(-500), hours(-500)));
    let run = seen([0, 1, 2, 10_000]);
    assert_eq!((run.steady, run.sightings), (hours(10_000), 1));
    assert_eq!(judged(&[watched(run)], 10_000), Err(Unripe::Young));
}

#[test]
fn every_variant_in_use_must_have_it() {
    let run = seen(0..=168);
    let other = Run { digest: OTHER, ..run };
    assert_eq!(judged(&[watched(run), watched(other)], 168), Err(Unripe::Differs));
    let unseen = Watched { known: None, run: None };
    assert_eq!(judged(&[watched(run), unseen], 168), Err(Unripe::Differs));
    assert_eq!(judged(&[], 168), Err(Unripe::Young));
}

#[test]
fn a_variant_that_came_into_use_lately_counts_unless_it_was_something_else_before() {
    let (run, late) = (seen(0..=168), seen(160..=168));
    let always = Watched { known: Some(hours(160)), run: Some(late) };
    assert!(judged(&[watched(run), always], 168).is_ok());
    assert_eq!(judged(&[watched(run), watched(late)], 168), Err(Unripe::Young));
    assert_eq!(judged(&[always], 168), Err(Unripe::Young));
}

#[test]
fn what_others_have_decided_is_not_for_the_rule() {
    let (rules, run) = (rules(), seen(0..=168));
    for reason in [Reason::Rejected, Reason::Revoked, Reason::ExpiredPin, Reason::Unpinned] {
        let (variants, now) = (&[watched(run)][..], hours(168));
        let facts = Facts { reason, digest: NEW, rules: &rules, has_reviewed_pin: true, variants, now };
        assert_eq!(ripe(&facts), Err(Unripe::Settled), "{reason}");
    }
}

#[test]
fn it_is_off_without_a_cooldown_without_rechecks_and_without_a_reviewed_pin() {
    let run = seen(0..=168);
    let judged = |rules: Rules, has_reviewed_pin| {
        ripe(&Facts {
            reason: Reason::DigestMismatch,
            digest: NEW,
            rules: &rules,
            has_reviewed_pin,
            variants: &[watched(run)],
            now: hours(168),
        })
    };
    assert!(judged(rules(), true).is_ok());
    assert_eq!(judged(Rules { cooldown: None, ..rules() }, true), Err(Unripe::Off));
    assert_eq!(judged(Rules { recheck: Recheck::Always, ..rules() }, true), Err(Unripe::Off));
    assert_eq!(judged(rules(), false), Err(Unripe::NoPin));
}
