//! A whole gateway with a clock that is moved, and a vendor that can change, flap and die.

mod stage;

use pinfold_policy::digest::BodyId;
use pinfold_policy::path::LEARNING_FETCHES;
use pinfold_policy::vendor::Recheck;
use pinfold_store::entry::What;
use pinfold_store::item::{ItemState, Opinion};

use super::*;
use stage::{DAY, HOUR, stage};

const REVIEWED: &str = "console.log('reviewed')";
const TAMPERED: &str = "console.log('tampered')";
const NEXT: &str = "console.log('next')";

#[tokio::test]
async fn what_changed_is_in_quarantine_and_told_once_before_any_client_asks() {
    let mut stage = stage().pin(REVIEWED).start().await;
    assert_eq!(stage.client_gets("/app.js").await, (200, REVIEWED.into()));
    stage.recheck().await;
    assert!(stage.items().await.is_empty());

    stage.vendor.serves(TAMPERED);
    for _ in 0..3 {
        stage.recheck().await;
    }

    let items = stage.items().await;
    assert_eq!(items.len(), 1);
    assert_eq!((items[0].asked, items[0].clients, items[0].body_kept), (0, 0, true));
    let told = stage.told().await;
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].what, told[0].incident), (What::Drift, Some(items[0].incident)));
    assert_eq!(told[0].subject.as_deref(), Some("http://vendor.test/app.js"));
    assert_eq!(stage.client_gets("/app.js").await, (200, REVIEWED.into()));
}

#[tokio::test]
async fn a_recheck_looks_like_the_client_and_says_nothing_of_who_it_was() {
    let mut stage = stage().pin(REVIEWED).start().await;
    let fields = "user-agent: Browser/1\r\naccept: */*\r\naccept-language: de\r\norigin: http://intranet.test\r\n\
                  cookie: id=1\r\nauthorization: Basic eDp5\r\nreferer: http://intranet.test/secret\r\n";
    stage.client_gets_with("/app.js?siteId=7", fields).await;
    stage.recheck().await;

    let asked = stage.vendor.asked();
    let [of_client, of_recheck] = &asked[..] else { panic!("{asked:?}") };
    assert!(of_client.contains("cookie: id=1"), "{of_client}");
    assert!(of_recheck.starts_with("GET /app.js?siteId=7 "), "{of_recheck}");
    for kept in
        ["user-agent: Browser/1", "accept: */*", "accept-language: de", "origin: http://intranet.test"]
    {
        assert!(of_recheck.contains(kept), "{of_recheck}");
    }
    for gone in ["cookie", "authorization", "referer"] {
        assert!(!of_recheck.contains(gone), "{of_recheck}");
    }
}

#[tokio::test]
async fn a_nonce_in_each_answer_for_a_day_fills_nothing_and_floods_nobody() {
    let mut stage = stage().pin(REVIEWED).every(HOUR / 4).start().await;
    stage.client_gets("/app.js").await;
    stage.vendor.serves("nonce {}");
    for _ in 0..80 {
        stage.recheck().await;
    }

    let items = stage.items().await;
    assert_eq!(items.len(), stage::PER_URL);
    assert!(items.iter().all(|item| item.body_kept));
    let told: Vec<_> = stage.told().await.iter().map(|notice| notice.what).collect();
    let drifts = told.iter().filter(|what| **what == What::Drift).count();
    assert_eq!((drifts, told.len()), (stage::PER_URL, stage::PER_URL + 1));
    assert_eq!(stage.standing().await.volatile, Some(80 - stage::PER_URL as u64));

    stage.vendor.serves(REVIEWED);
    assert_eq!(stage.client_gets("/app.js").await.0, 200);
}

#[tokio::test]
async fn a_vendor_that_flaps_between_two_bodies_is_told_once() {
    let mut stage = stage().pin(REVIEWED).start().await;
    stage.client_gets("/app.js").await;
    for body in [TAMPERED, REVIEWED].repeat(10) {
        stage.vendor.serves(body);
        stage.recheck().await;
    }
    assert_eq!(stage.told().await.len(), 1);
    assert_eq!(stage.items().await.len(), 1);
    assert_eq!(stage.standing().await.run.unwrap().sightings, 1);
}

#[tokio::test]
async fn a_vendor_that_is_down_is_no_sighting_and_goes_on_where_it_was_when_it_is_back() {
    let mut stage = stage().pin(REVIEWED).start().await;
    stage.client_gets("/app.js").await;
    stage.recheck().await;
    stage.vendor.hangs_up(true);
    stage.recheck().await;
    let down = stage.standing().await;
    assert_eq!(down.run.unwrap().sightings, 1);
    assert_eq!(down.failing.map(|(_, reason)| reason.code()), Some("upstream-unreachable"));
    assert!(stage.told().await.is_empty());

    stage.vendor.hangs_up(false);
    // It is asked less often now.
    stage.recheck_after(2 * HOUR).await;
    let back = stage.standing().await;
    assert_eq!((back.run.unwrap().sightings, back.failing), (2, None));
}

#[tokio::test]
async fn an_error_page_is_no_drift() {
    let mut stage = stage().pin(REVIEWED).start().await;
    stage.client_gets("/app.js").await;
    stage.vendor.answers(404);
    stage.recheck().await;
    let there = stage.standing().await;
    assert_eq!(there.failing.map(|(_, reason)| reason.code()), Some("upstream-status"));
    assert!(there.run.is_none() && stage.told().await.is_empty());
}

#[tokio::test]
async fn with_always_nothing_is_asked_in_the_background() {
    let mut stage = stage().pin(REVIEWED).rules(|rules| rules.recheck = Recheck::Always).start().await;
    stage.client_gets("/app.js").await;
    stage.until_noted(1).await;
    for _ in 0..10 {
        stage.move_by(DAY / 2);
        stage.client_gets("/other.js").await;
    }
    assert_eq!(stage.vendor.asked().iter().filter(|head| head.contains("/app.js")).count(), 1);
}

#[tokio::test]
async fn each_variant_that_vary_names_is_looked_at_and_codings_make_none() {
    let mut stage = stage().pin(REVIEWED).start().await;
    stage.vendor.varies("Accept-Encoding, User-Agent");
    for fields in [
        "user-agent: A\r\naccept-encoding: gzip\r\n",
        "user-agent: A\r\naccept-encoding: br\r\naccept-language: fr\r\n",
        "user-agent: B\r\n",
        "user-agent: B\r\norigin: http://intranet.test\r\n",
    ] {
        stage.client_gets_with("/app.js", fields).await;
    }
    stage.until_noted(3).await;
    stage.recheck().await;
    assert_eq!(stage.store().standing(None).await.unwrap().len(), 3);
}

#[tokio::test]
async fn each_query_that_clients_ask_with_is_looked_at() {
    let mut stage = stage().pin(REVIEWED).start().await;
    for path in ["/app.js", "/app.js?site=7", "/app.js?cb=evil"] {
        stage.client_gets(path).await;
    }
    stage.until_noted(3).await;
    stage.recheck().await;
    for path in ["/app.js ", "/app.js?site=7 ", "/app.js?cb=evil "] {
        let line = format!("GET {path}");
        assert_eq!(stage.vendor.asked().iter().filter(|head| head.starts_with(&line)).count(), 2, "{path}");
    }
}

/// The vendor has changed the script, the rule has approved that, and clients get it: what the vendor served last.
async fn cooled_down() -> stage::Stage {
    let mut stage = stage().pin(REVIEWED).rules(|rules| rules.cooldown = Some(2 * DAY)).start().await;
    stage.client_gets("/app.js").await;
    stage.vendor.serves(TAMPERED);
    // The 41st sighting is enough. It is in force a moment after it is on record, and on the shelf a recheck later.
    for _ in 0..60 {
        stage.recheck().await;
        if stage.client_gets("/app.js").await == (200, TAMPERED.into()) {
            return stage;
        }
    }
    panic!("{:?}", stage.items().await);
}

#[tokio::test]
async fn cooldown_approves_what_was_served_unchanged_and_says_why_and_one_rejection_ends_it_for_good() {
    let mut stage = cooled_down().await;
    let item = stage.items().await.remove(0);
    let decided = item.decided.unwrap();
    assert_eq!(&*decided.who, "pinfold");
    // Every 72 minutes, and the first one counts.
    assert!(decided.reason.contains("41 sightings, none more than 4321 s apart"), "{}", decided.reason);

    let now = stage.now();
    let not_ours = Opinion { who: "ann@desk", reason: "not ours", at: now, expires: None };
    stage.store().reject(item.incident, not_ours).await.unwrap();
    for _ in 0..50 {
        stage.recheck().await;
    }
    assert_eq!(stage.items().await[0].state, ItemState::Rejected);
    assert_eq!(stage.client_gets("/app.js").await, (200, REVIEWED.into()));
}

/// By the shelf's rule: of what is allowed, what the vendor served last. To go back to what was reviewed would take every page
/// of a vendor that brings out clean versions back to an old one, each time.
#[tokio::test]
async fn what_a_cooldown_approved_goes_out_after_the_vendor_has_left_it_until_one_rejection() {
    let mut stage = cooled_down().await;
    stage.vendor.serves(NEXT);
    stage.recheck().await;
    assert_eq!(stage.client_gets("/app.js").await, (200, TAMPERED.into()));
    let drifts = stage.told().await.into_iter().filter(|told| told.what == What::Drift).count();
    assert_eq!(drifts, 2, "reviewers are told that the vendor has left it");

    let items = stage.items().await;
    let tampered = items.iter().find(|item| item.state == ItemState::Approved).unwrap();
    let not_ours = Opinion { who: "ann@desk", reason: "not ours", at: stage.now(), expires: None };
    stage.store().reject(tampered.incident, not_ours).await.unwrap();
    assert_eq!(stage.client_gets("/app.js").await, (200, REVIEWED.into()));
}

#[tokio::test]
async fn cooldown_begins_anew_where_the_content_differed_once() {
    let mut stage = stage().pin(REVIEWED).rules(|rules| rules.cooldown = Some(2 * DAY)).start().await;
    stage.client_gets("/app.js").await;
    for number in 0..90 {
        stage.vendor.serves(if number % 30 == 29 { REVIEWED } else { TAMPERED });
        stage.recheck().await;
    }
    assert_eq!(stage.items().await[0].state, ItemState::Waiting);
}

#[tokio::test]
async fn cooldown_approves_nothing_where_the_last_pin_has_expired() {
    let expiring = stage().pin(REVIEWED).expires().rules(|rules| rules.cooldown = Some(2 * DAY));
    let mut stage = expiring.start().await;
    stage.client_gets("/app.js").await;
    stage.vendor.serves(TAMPERED);
    for _ in 0..60 {
        stage.recheck().await;
    }
    assert_eq!(stage.items().await[0].state, ItemState::Waiting);
}

#[tokio::test]
async fn a_restart_keeps_what_was_seen_and_the_time_in_between_is_a_gap() {
    let mut stage = stage().pin(REVIEWED).start().await;
    stage.client_gets("/app.js").await;
    stage.vendor.serves(TAMPERED);
    stage.recheck().await;
    stage.recheck().await;
    let mut stage = stage.restart().await;
    stage.client_gets("/app.js").await;
    stage.until_noted_now().await;
    stage.recheck_after(2 * HOUR).await;

    let run = stage.standing().await.run.unwrap();
    assert_eq!((run.sightings, run.longest_gap.as_mins()), (3, 144));
    assert_eq!(stage.told().await.len(), 1);
}

#[tokio::test]
async fn a_clock_that_is_set_back_begins_anew_and_stops_no_rechecks() {
    let mut stage = stage().pin(REVIEWED).start().await;
    stage.client_gets("/app.js").await;
    stage.recheck().await;
    stage.recheck().await;
    let before = stage.now();
    stage.move_back_by(30 * DAY);
    stage.recheck().await;

    let run = stage.standing().await.run.unwrap();
    assert_eq!(run.sightings, 1);
    assert!(run.since < before);
}

#[tokio::test]
async fn what_the_vendor_served_last_goes_out_also_after_a_clock_was_set_back() {
    let mut stage = stage().pin(REVIEWED).start().await;
    stage.client_gets("/app.js").await;
    stage.vendor.serves(TAMPERED);
    stage.recheck().await;
    let (incident, now) = (stage.items().await[0].incident, stage.now());
    let opinion = Opinion { who: "ann@desk", reason: "read it", at: now, expires: None };
    stage.store().approve(incident, opinion, 1).await.unwrap();
    stage.recheck().await;
    assert_eq!(stage.client_gets("/app.js").await, (200, TAMPERED.into()));

    // Rechecks that are just taking a note look at the clock after it: too late, where it goes on meanwhile.
    stage.until_noted_now().await;
    stage.move_back_by(2 * HOUR);
    stage.vendor.serves(REVIEWED);
    stage.recheck().await;
    assert_eq!(stage.client_gets("/app.js").await, (200, REVIEWED.into()));
    let stage = stage.restart().await;
    assert_eq!(stage.client_gets("/app.js").await, (200, REVIEWED.into()));
}

#[tokio::test]
async fn rechecks_teach_how_a_host_is_reached_and_tell_when_that_changes() {
    let mut stage = stage().pin(REVIEWED).start().await;
    stage.client_gets("/app.js").await;
    for _ in 1..LEARNING_FETCHES {
        stage.recheck().await;
    }
    let mut stage = stage.restart_with_vendor_at("127.1.0.1:0").await;
    // From the shelf. What is noted was taken by rechecks that have begun: they plan by the time at which they begin.
    stage.client_gets("/app.js").await;
    stage.until_noted_now().await;
    stage.recheck().await;
    stage.until_told(What::PathChanged).await;

    let told = stage.told().await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].what, told[0].subject.as_deref()), (What::PathChanged, Some("vendor.test")));
    assert!(told[0].text.contains("range 127.1.0.0/16"), "{}", told[0].text);
    assert!(told[0].text.contains("seen by a recheck"), "{}", told[0].text);
    // Nothing else follows: the bytes are the reviewed ones.
    assert!(!stage.standing().await.is_drift && stage.items().await.is_empty());
    stage.recheck().await;
    assert_eq!(stage.told().await.len(), 1);
}

#[tokio::test]
async fn cooldown_approves_nothing_that_was_rejected_while_its_digest_was_revoked() {
    let mut stage = stage().pin(REVIEWED).rules(|rules| rules.cooldown = Some(2 * DAY)).start().await;
    stage.client_gets("/app.js").await;
    stage.vendor.serves(TAMPERED);
    stage.recheck().await;
    let item = stage.items().await.remove(0);
    let now = stage.now();
    let says = |reason| Opinion { who: "ann@desk", reason, at: now, expires: None };
    stage.store().revoke(item.digest.into(), says("bad")).await.unwrap();
    stage.store().reject(item.incident, says("not ours")).await.unwrap();
    stage.store().reinstate(item.digest.into(), says("another one")).await.unwrap();

    for _ in 0..60 {
        stage.recheck().await;
    }
    assert_eq!(stage.items().await[0].state, ItemState::Rejected);
    assert_eq!(stage.client_gets("/app.js").await, (200, REVIEWED.into()));
}

#[tokio::test]
async fn cooldown_waits_where_something_in_use_cannot_be_looked_at() {
    for left_out in [format!("/app.js?v={}", "x".repeat(8300)), "/app.js?token=1".to_owned()] {
        let mut stage = stage().pin(REVIEWED).rules(|rules| rules.cooldown = Some(2 * DAY)).start().await;
        assert_eq!(stage.client_gets(&left_out).await.0, 200);
        stage.client_gets("/app.js?x=1").await;
        stage.vendor.serves(TAMPERED);
        for _ in 0..60 {
            stage.client_gets(&left_out).await;
            stage.recheck().await;
        }
        assert_eq!(stage.store().standing(None).await.unwrap().len(), 1);
        assert_eq!(stage.items().await[0].state, ItemState::Waiting);
    }
}

#[tokio::test]
async fn what_is_in_use_and_could_not_be_recorded_is_recorded_when_it_is_asked_for_next() {
    let stage = stage().pin(REVIEWED).start().await;
    let (register, away) = (stage.data_dir().join("pinfold.db"), stage.data_dir().join("away.db"));
    std::fs::rename(&register, &away).unwrap();
    assert_eq!(stage.client_gets("/app.js").await.0, 200);
    // It comes behind the note, and fails with it.
    assert!(stage.store().number_other_files(1).await.is_err());
    std::fs::rename(&away, &register).unwrap();

    stage.until_asking_is_noted("/app.js").await;
}

#[tokio::test]
async fn cooldown_approves_nothing_that_nobody_can_look_at() {
    let mut stage = stage().pin(REVIEWED).rules(|rules| rules.cooldown = Some(2 * DAY)).start().await;
    stage.client_gets("/app.js").await;
    stage.vendor.serves("nonce {}");
    for n in 0..stage::PER_URL {
        assert_eq!(stage.client_gets(&format!("/app.js?n={n}")).await.0, 403);
    }
    assert_eq!(stage.items().await.len(), stage::PER_URL);
    stage.vendor.serves(TAMPERED);
    for _ in 0..60 {
        stage.recheck().await;
    }
    let id = BodyId::of(&[TAMPERED.into()]);
    let items = stage.items().await;
    let item = items.iter().find(|item| item.digest == id).unwrap();
    assert_eq!((item.body_kept, item.state), (false, ItemState::Waiting));
}
