use super::*;
use crate::worker::{Given, MOST_URLS};

const PATH: &str = "https://v.test/sw.js";

#[tokio::test]
async fn workers_of_made_up_queries_are_told_apart_up_to_a_bound_and_those_beyond_may_be_any() {
    let dir = directory();
    let store = gateway(&dir).await;
    let give = async |query: &str, body: &[u8]| {
        store.worker_given(PATH, &format!("{PATH}{query}"), Digests::of(body), noon()).await.unwrap();
    };
    for number in 0..MOST_URLS {
        give(&format!("?{number}"), REVIEWED).await;
    }
    give("?beyond", TAMPERED).await;
    give("?0", TAMPERED).await;

    let given = store.workers_given(PATH).await.unwrap();
    let at = |url: Option<&str>, body: &[u8]| {
        let url = url.map(|query| format!("{PATH}{query}").into());
        given.contains(&Given { url, digests: Digests::of(body) })
    };
    assert_eq!(given.len() as u64, MOST_URLS + 2);
    assert!(at(Some("?1"), REVIEWED) && at(Some("?0"), TAMPERED) && at(None, TAMPERED));
    assert!(store.workers_given("https://v.test/other.js").await.unwrap().is_empty());
}
