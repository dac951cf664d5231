//! Caches that are bounded by the memory of what they keep.

use std::hash::Hash;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

/// In so many parts the memory is divided: a part must take the largest that is to be kept. By itself the cache makes more
/// where there are more processors.
const SHARDS: usize = 8;

/// A cache of at most `memory` bytes by `weight`, of which what is kept takes `usual` bytes.
#[expect(clippy::expect_used, reason = "of the options only the two capacities can be missing")]
pub(crate) fn cache<K: Eq + Hash, V: Clone, W: Weighter<K, V> + Clone>(
    memory: u64,
    usual: u64,
    weight: W,
) -> Cache<K, V, W> {
    let items = usize::try_from(memory / usual).unwrap_or(usize::MAX);
    let mut options = OptionsBuilder::new();
    options.shards(SHARDS).estimated_items_capacity(items.max(2 * SHARDS)).weight_capacity(memory);
    let options = options.build().expect("both capacities are given");
    Cache::with_options(options, weight, DefaultHashBuilder::default(), DefaultLifecycle::default())
}
