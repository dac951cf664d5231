//! Where decoded bytes go.

use pinfold_policy::held::Hold;
use pinfold_policy::verdict::Unmeasurable;

/// Takes decoded bytes, in order, and says when it has had enough.
pub trait Sink {
    /// Appends `bytes`, which are never more than one slice of the decoder's scratch memory, or of the wire.
    ///
    /// # Errors
    /// Whatever makes the body unmeasurable from here on; the decoder stops and repeats it ever after.
    fn push(&mut self, bytes: &[u8]) -> Result<(), Unmeasurable>;
}

impl Sink for Hold {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Unmeasurable> {
        Hold::push(self, bytes)
    }
}
