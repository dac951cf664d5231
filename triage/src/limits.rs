//! What an analysis may take.

use std::time::Instant;

/// Bounds of one analysis. Beyond them nothing is guessed: what was not analysed is said.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of each side.
    pub size: usize,
    /// Brackets inside each other, and links of a chain.
    pub depth: usize,
    /// When it must have ended. `None` is for who waits as long as it takes.
    pub deadline: Option<Instant>,
}

impl Default for Limits {
    /// 4 MiB a side, 2000 deep, no deadline.
    fn default() -> Self {
        Self { size: 4 << 20, depth: 2000, deadline: None }
    }
}

impl Limits {
    /// The same with a deadline.
    #[must_use]
    pub fn until(self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
