//! Tells once a minute of what comes in bursts: wrong credentials, and certificates that the issuing CA has signed. At the end of
//! the gateway the rest is told; a kill costs what was counted in the last minute. What a full disk keeps from being told is told
//! when there is room, and meanwhile the rest is counted on.
//!
//! Each refusal for a wrong credential is an event of its own as well. This says in one line who was tried from where.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use pinfold_policy::host::Host;
use pinfold_store::Store;
use pinfold_store::entry::{Notice, What};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::gateway::Shared;
use crate::tally::{Count, Counts, Tally};

/// How often it is told.
const EVERY: Duration = Duration::from_secs(60);
/// Clients and users that are told of one by one in a minute; the others of that minute are one event.
const LOGINS: usize = 64;
/// Hosts that are told of one by one in a day, and so in a minute. Under a vendor's pattern a client can ask for names without end.
const HOSTS: usize = 1024;
const DAY: i64 = 24 * 60 * 60;
/// Notices that wait for the disk at one time: exchanges have the rest of the room.
const AT_ONE_TIME: usize = 32;

/// Who tried to be whom. A name that is no user's is not kept: it may be a password in the wrong field.
type Login = (IpAddr, Option<Arc<str>>);
/// For which host, and by which issuing CA: a reload may have made another one since.
type Signature = (Host, Arc<str>);

/// What is counted and not told yet.
pub(crate) struct News {
    pub(crate) failed_logins: Tally<Login>,
    pub(crate) signed: Tally<Signature>,
}

impl News {
    pub(crate) fn new() -> Self {
        Self { failed_logins: Tally::new(LOGINS), signed: Tally::new(HOSTS) }
    }
}

/// How many hosts may still be told of one by one today.
struct Allowance {
    day: i64,
    left: usize,
}

impl Allowance {
    fn new() -> Self {
        Self { day: 0, left: HOSTS }
    }

    /// Whether one more may be, on that day.
    fn take(&mut self, at: Timestamp) -> bool {
        let day = at.as_second().div_euclid(DAY);
        if day > self.day {
            *self = Self { day, left: HOSTS };
        }
        let is_left = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_left
    }
}

/// Tells until `stop`, and then what is left.
pub(crate) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let mut minutes = interval_at(Instant::now() + EVERY, EVERY);
    minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut allowance, mut untold) = (Allowance::new(), Vec::new());
    loop {
        let is_over = tokio::select! {
            _ = minutes.tick() => false,
            () = stop.cancelled() => true,
        };
        shared.tell_news(&mut untold, &mut allowance).await;
        if is_over {
            return;
        }
    }
}

impl Shared {
    /// Tells of what is `untold` from the last time, or else of what was counted since.
    async fn tell_news(&self, untold: &mut Vec<Notice>, allowance: &mut Allowance) {
        if untold.is_empty() {
            let version = self.policy.newest().version();
            untold.extend(logins(self.news.failed_logins.take(), version));
            untold.extend(signed(self.news.signed.take(), allowance, version));
        }
        tell(untold, &self.store).await;
    }
}

/// Tells of what can be told of now.
async fn tell(untold: &mut Vec<Notice>, store: &Store) {
    let telling = std::mem::take(untold).into_iter().map(async |notice| {
        let told = store.notice(notice.clone()).await;
        told.err().map(|error| (notice, error))
    });
    let mut telling = stream::iter(telling).buffer_unordered(AT_ONE_TIME);
    let mut trouble = None;
    while let Some(ended) = telling.next().await {
        if let Some((notice, error)) = ended {
            untold.push(notice);
            trouble = Some(error);
        }
    }
    if let Some(error) = trouble {
        tracing::error!(%error, "cannot record {} of the minute's notices yet", untold.len());
    }
}

fn logins(counts: Counts<Login>, policy_version: u64) -> impl Iterator<Item = Notice> {
    let Counts { by, others } = counts;
    let each = by.into_iter().map(move |((client, user), count)| Notice {
        who: user,
        subject: Some(client.to_string().into()),
        ..notice(What::LoginFailed, count, count.to_string(), policy_version)
    });
    let others = others.map(|count| {
        let text =
            format!("{count}, of other clients and users than the {LOGINS} that are told of in this minute");
        notice(What::LoginFailed, count, text, policy_version)
    });
    each.chain(others)
}

fn signed(
    counts: Counts<Signature>,
    allowance: &mut Allowance,
    policy_version: u64,
) -> impl Iterator<Item = Notice> {
    let Counts { by, mut others } = counts;
    let mut told = Vec::new();
    for ((host, issuer), count) in by {
        if allowance.take(count.last) {
            let text = format!("{count}; by the issuing CA {issuer}");
            told.push(notice(What::LeafSigned, count, text, policy_version).about(host.to_string()));
        } else {
            others = Some(others.map_or(count, |others| others.and(count)));
        }
    }
    told.extend(others.map(|count| {
        let text = format!("{count}, for other hosts than the {HOSTS} that are told of one by one in a day");
        notice(What::LeafSigned, count, text, policy_version)
    }));
    told.into_iter()
}

fn notice(what: What, count: Count, text: String, policy_version: u64) -> Notice {
    Notice::of_gateway(what, count.last, text, policy_version)
}

#[cfg(test)]
mod tests {
    use pinfold_store::StoreOptions;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn signature(host: &str) -> Signature {
        (host.parse().unwrap(), "ab12".into())
    }

    fn sum(notices: &[Notice]) -> u64 {
        let times = |notice: &Notice| match notice.text.split(' ').next() {
            Some("once,") => 1,
            Some(times) => times.parse().unwrap(),
            None => 0,
        };
        notices.iter().map(times).sum()
    }

    #[test]
    fn a_name_is_told_of_with_the_issuer_that_signed_for_it() {
        let news = News::new();
        news.signed.count(signature("cdn.vendor.test"), at(0));
        let told: Vec<_> = signed(news.signed.take(), &mut Allowance::new(), 7).collect();
        let [notice] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((notice.what, notice.subject.as_deref()), (What::LeafSigned, Some("cdn.vendor.test")));
        assert_eq!(&*notice.text, "once, at 1970-01-01T00:00:00Z; by the issuing CA ab12");
    }

    #[tokio::test]
    async fn what_cannot_be_recorded_is_told_of_when_it_can() {
        let dir = tempfile::tempdir().unwrap();
        let options = StoreOptions {
            quarantine_max: 1,
            quarantine_per_url: 1,
            every_repeat_in_feed: false,
            counted_feed: false,
        };
        let store = Store::open_gateway(dir.path(), options).await.unwrap();
        let (ledger, away) = (dir.path().join("ledger"), dir.path().join("away"));
        std::fs::rename(&ledger, &away).unwrap();
        std::fs::write(&ledger, "no folder").unwrap();
        let count = Count::once(at(0));
        let mut untold: Vec<_> =
            ["a", "b"].map(|host| notice(What::LeafSigned, count, host.into(), 1)).into();

        tell(&mut untold, &store).await;
        assert_eq!(untold.len(), 2);
        std::fs::remove_file(&ledger).unwrap();
        std::fs::rename(&away, &ledger).unwrap();
        tell(&mut untold, &store).await;

        assert_eq!((untold.len(), store.notices(10).await.unwrap().len()), (0, 2));
        store.close().await.unwrap();
    }

    #[test]
    fn names_without_end_are_told_of_in_a_bounded_number_of_events_a_day_and_all_are_counted() {
        let (news, mut allowance) = (News::new(), Allowance::new());
        let mut told = Vec::new();
        for minute in 0..10 {
            for name in 0..HOSTS * 2 {
                news.signed.count(signature(&format!("a{minute}-{name}.vendor.test")), at(minute * 60));
            }
            told.extend(signed(news.signed.take(), &mut allowance, 7));
        }
        assert_eq!(told.iter().filter(|notice| notice.subject.is_some()).count(), HOSTS);
        assert_eq!(told.len(), HOSTS + 10);
        assert_eq!(sum(&told), 10 * 2 * HOSTS as u64);

        news.signed.count(signature("a.vendor.test"), at(DAY));
        let next_day: Vec<_> = signed(news.signed.take(), &mut allowance, 7).collect();
        assert_eq!(next_day.first().and_then(|notice| notice.subject.as_deref()), Some("a.vendor.test"));
    }

    #[test]
    fn tries_from_addresses_without_end_are_told_of_in_a_bounded_number_of_events() {
        let news = News::new();
        for try_ in 0..10_000_u32 {
            news.failed_logins.count((IpAddr::from(try_.to_be_bytes()), Some("ada".into())), at(0));
        }
        let told: Vec<_> = logins(news.failed_logins.take(), 7).collect();
        assert_eq!((told.len(), sum(&told)), (LOGINS + 1, 10_000));
    }
}
