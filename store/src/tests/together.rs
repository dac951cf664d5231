//! What can wait and is written together leaves what it leaves when it comes one after the other.

use futures_util::future::{BoxFuture, join_all};
use pinfold_policy::digest::BodyId;
use pinfold_policy::path::{Arrival, LEARNING_FETCHES, Mark};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::shelf::{self, Shelved};
use crate::sighting::Variant;

#[derive(Clone, Debug)]
enum Change {
    Shelve { origin: u8, vary: u8, values: u8, body: u8 },
    Unshelve { origin: u8, vary: u8, values: u8, body: u8 },
    Note { subject: u8, key: u8, plain: bool, day: i64 },
    Arrive { host: u8, issuer: u8, day: i64 },
}

fn changes() -> impl Strategy<Value = Change> {
    let place = || (0..2u8, 0..3u8, 0..2u8, 0..2u8);
    prop_oneof![
        4 => place().prop_map(|(origin, vary, values, body)| Change::Shelve { origin, vary, values, body }),
        1 => place().prop_map(|(origin, vary, values, body)| Change::Unshelve { origin, vary, values, body }),
        4 => (0..2u8, 0..20u8, any::<bool>(), 0..40i64)
            .prop_map(|(subject, key, plain, day)| Change::Note { subject, key, plain, day }),
        4 => (0..2u8, 0..4u8, 0..40i64).prop_map(|(host, issuer, day)| Change::Arrive { host, issuer, day }),
    ]
}

/// What one gives, but for names that are new each time.
#[derive(Debug, PartialEq)]
enum Given {
    Nothing,
    Noted(Option<(Variant, Timestamp)>),
    Arrived(Arrival, bool, Vec<(Mark, Timestamp, bool)>),
}

fn at(origin: u8, vary: u8, values: u8) -> shelf::Variant {
    shelf::Variant {
        url: URL.into(),
        origin: ["", "https://shop.test"][usize::from(origin)].into(),
        vary: ["", "accept", "origin"][usize::from(vary)].into(),
        values: BodyId([values; 32]),
    }
}

async fn make(store: &Store, change: &Change, number: usize) -> Given {
    let second = seconds(number as i64);
    let days = |day: i64| second + SignedDuration::from_hours(24 * day);
    match *change {
        Change::Shelve { origin, vary, values, body } => {
            let shelved = Shelved {
                variant: at(origin, vary, values),
                digests: Digests::of(&[body]),
                len: 1,
                head: Vec::new(),
                kinds: Kinds::from_iter([Kind::Script]),
                path: None,
                seen: second,
                asked: second,
                first: noon(),
            };
            store.shelve_again(shelved).await.unwrap();
            Given::Nothing
        }
        Change::Unshelve { origin, vary, values, body } => {
            store.unshelve(at(origin, vary, values), Digests::of(&[body]).sha256).await.unwrap();
            Given::Nothing
        }
        Change::Note { subject, key, plain, day } => {
            let variant = Variant {
                subject: format!("{SUBJECT}{subject}").into(),
                party: "comm100".into(),
                plain,
                key: BodyId([key; 32]),
                url: URL.into(),
                headers: Vec::new(),
                http_version: "2".into(),
            };
            let noted = store.note_variant(variant, days(day)).await.unwrap();
            Given::Noted(noted.map(|in_use| (in_use.variant, in_use.asked)))
        }
        Change::Arrive { host, issuer, day } => {
            let marks = vec![Mark::Issuer(format!("CA {issuer}").into())];
            let arrived = store.arrived(&format!("h{host}.test"), marks, false, days(day)).await.unwrap();
            let news = arrived.news.into_iter().map(|news| (news.mark, news.untold.at, news.is_last));
            Given::Arrived(arrived.arrival, arrived.is_learning, news.collect())
        }
    }
}

type Left = (Vec<Shelved>, Vec<(Variant, Timestamp)>);

async fn left(store: &Store) -> Left {
    let mut shelved = store.on_shelf().await.unwrap();
    shelved.sort_by(|one, other| {
        (&one.variant, one.digests.sha256.0).cmp(&(&other.variant, other.digests.sha256.0))
    });
    let mut in_use: Vec<_> = store
        .variants_in_use(Timestamp::MIN)
        .await
        .unwrap()
        .into_iter()
        .map(|in_use| (in_use.variant, in_use.asked))
        .collect();
    in_use.sort_by_key(|(variant, _)| (variant.subject.clone(), variant.key.0));
    (shelved, in_use)
}

/// Writes them in groups, or each by itself.
async fn write(groups: &[Vec<Change>], together: bool) -> (Vec<Given>, Left) {
    let dir = directory();
    let store = gateway(&dir).await;
    // One of the hosts is known all but for one fetch.
    let learned =
        (1..LEARNING_FETCHES).map(|_| make(&store, &Change::Arrive { host: 0, issuer: 0, day: 0 }, 0));
    join_all(learned).await;
    let (mut given, mut number) = (Vec::new(), 0);
    for group in groups {
        let making = group.iter().enumerate().map(|(place, change)| -> BoxFuture<'_, Given> {
            Box::pin(make(&store, change, number + place))
        });
        // What cannot wait, and changes nothing: what came before it waits no longer.
        let at_once = || store.unshelve(at(0, 0, 9), BodyId([9; 32]));
        if together {
            let (made, ended) = tokio::join!(join_all(making), at_once());
            ended.unwrap();
            given.extend(made);
        } else {
            for making in making {
                let (made, ended) = tokio::join!(making, at_once());
                ended.unwrap();
                given.push(made);
            }
        }
        number += group.len();
    }
    (given, left(&store).await)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn what_is_written_together_is_what_comes_one_after_the_other(
        groups in vec(vec(changes(), 1..28), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            assert_eq!(write(&groups, true).await, write(&groups, false).await);
        });
    }
}
