//! Threads for what nests deeply, and for two sides at once.

use std::panic::resume_unwind;
use std::thread::{Builder, scope};

/// Holds what nests as deeply as the limit allows, with room to spare; only what is used of it takes memory.
const STACK: usize = 256 << 20;

/// `None` where there is no room for the stack, or where the parser found a fault in itself.
pub(crate) fn on_own_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    scope(|scope| builder().spawn_scoped(scope, work).ok()?.join().ok())
}

/// Both at once. `None` where there is no room for a second stack.
pub(crate) fn both<A, B: Send>(
    first: impl FnOnce() -> A,
    second: impl FnOnce() -> B + Send,
) -> Option<(A, B)> {
    scope(|scope| {
        let beside = builder().spawn_scoped(scope, second).ok()?;
        let first = first();
        Some((first, beside.join().unwrap_or_else(|fault| resume_unwind(fault))))
    })
}

fn builder() -> Builder {
    Builder::new().name("triage".to_owned()).stack_size(STACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_on_either_side_ends_the_analysis_and_nothing_else() {
        let faulty = |is_faulty: bool| move || assert!(!is_faulty, "a fault of the parser");
        let found = |first, second| on_own_stack(|| both(faulty(first), faulty(second)));
        assert_eq!(found(false, false), Some(Some(((), ()))));
        assert_eq!([found(true, false), found(false, true), found(true, true)], [None; 3]);
        assert_eq!(on_own_stack(|| both(|| 1, || 2)), Some(Some((1, 2))));
    }
}
