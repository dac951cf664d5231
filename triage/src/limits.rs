//! What an analysis may take.

use std::time::Instant;

/// Bounds of one analysis. Beyond them nothing is guessed: what was not analysed is said.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of each side that are read as a script.
    pub size: usize,
    /// Bytes of each side that are looked at in any other way.
    pub body: usize,
    /// Bytes that one member of an archive may unpack to.
    pub member: usize,
    /// Bytes that all members together may unpack to, those of both sides.
    pub unpacked: usize,
    /// Bytes that one packed byte may unpack to, beyond the first mebibyte.
    pub ratio: usize,
    /// Members, of all archives together.
    pub members: usize,
    /// Archives inside each other.
    pub layers: usize,
    /// Brackets inside each other, and links of a chain.
    pub depth: usize,
    /// When it must have ended. `None` is for who waits as long as it takes.
    pub deadline: Option<Instant>,
}

impl Default for Limits {
    /// Scripts of 4 MiB, 2000 deep; bodies of 1 GiB a side, members of 128 MiB that unpack to 1 GiB together and by no more
    /// than 200 times; 50,000 members, 3 archives inside each other; no deadline.
    fn default() -> Self {
        Self {
            size: 4 << 20,
            body: 1 << 30,
            member: 128 << 20,
            unpacked: 1 << 30,
            ratio: 200,
            members: 50_000,
            layers: 3,
            depth: 2000,
            deadline: None,
        }
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
