use super::*;
use crate::shelf::{Shelved, Variant};
use pinfold_policy::digest::BodyId;

fn shelved(url: &str, vary: &str, values: u8) -> Shelved {
    Shelved {
        variant: Variant {
            url: url.into(),
            origin: "".into(),
            vary: vary.into(),
            values: BodyId([values; 32]),
        },
        digests: Digests::of(REVIEWED),
        len: REVIEWED.len() as u64,
        head: vec![("etag".into(), "\"a\\b\"".into()), ("x".into(), "\u{fc}".into())],
        kinds: Kinds::from_iter([Kind::Script, Kind::Document]),
        path: Some(path()),
        seen: seconds(1),
        asked: seconds(2),
        first: noon(),
    }
}

/// What is there, by what it depends on.
async fn on_shelf(store: &Store) -> Vec<Shelved> {
    let mut all = store.on_shelf().await.unwrap();
    all.sort_by(|one, other| one.variant.cmp(&other.variant));
    all
}

#[tokio::test]
async fn what_is_shelved_is_read_back_as_it_was() {
    let dir = directory();
    let store = gateway(&dir).await;
    let without_path =
        Shelved { path: None, head: Vec::new(), ..shelved("https://v.test/\"b\".js?v='", "", 0) };
    let all = [without_path, shelved(URL, "accept,origin", 1), shelved(URL, "accept,origin", 2)];
    let [one, two, three] = all.clone().map(|shelved| store.shelve_again(shelved));
    let (one, two, three) = tokio::join!(one, two, three);
    one.and(two).and(three).unwrap();
    assert_eq!(on_shelf(&store).await, all);
}

#[tokio::test]
async fn of_lists_of_what_an_answer_depends_on_the_last_one_counts_also_of_those_that_are_written_together() {
    let dir = directory();
    let store = gateway(&dir).await;
    store.shelve_again(shelved(URL, "accept", 1)).await.unwrap();
    let again = |vary, values| store.shelve_again(shelved(URL, vary, values));
    let (one, two, three) = tokio::join!(again("accept", 2), again("origin", 3), again("origin", 4));
    one.and(two).and(three).unwrap();
    assert_eq!(on_shelf(&store).await, [shelved(URL, "origin", 3), shelved(URL, "origin", 4)]);
}

#[tokio::test]
async fn a_list_that_was_over_meanwhile_leaves_nothing_of_before_when_the_vendor_goes_back_to_it() {
    let dir = directory();
    let store = gateway(&dir).await;
    store.shelve_again(shelved(URL, "accept", 1)).await.unwrap();
    let again = |vary, values| store.shelve_again(shelved(URL, vary, values));
    let (one, two, three) = tokio::join!(again("accept", 2), again("origin", 3), again("accept", 4));
    one.and(two).and(three).unwrap();
    assert_eq!(on_shelf(&store).await, [shelved(URL, "accept", 4)]);
}

#[tokio::test]
async fn what_is_taken_off_the_shelf_right_behind_being_put_there_stays_off() {
    let dir = directory();
    let store = gateway(&dir).await;
    let (kept, gone) = (shelved(URL, "", 1), shelved(URL, "", 2));
    let (putting, taking, keeping) = tokio::join!(
        store.shelve_again(gone.clone()),
        store.unshelve(gone.variant.clone(), gone.digests.sha256),
        store.shelve_again(kept.clone()),
    );
    putting.and(taking).and(keeping).unwrap();
    assert_eq!(on_shelf(&store).await, [kept]);
}
