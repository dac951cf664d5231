//! Hostile bytes: bounded decoding and encoding. The only crate that sees codecs.
//!
//! Two decoders can disagree on the same wire bytes: where a gzip body ends, whether a deflate body has a header,
//! what follows the last frame. pinfold therefore never forwards the wire bytes of a guarded body. A [`Decoder`]
//! reads them strictly and in bounded memory, the decoded bytes are measured in a
//! [`Hold`](pinfold_policy::held::Hold), and [`encode()`] makes new wire bytes of what was measured.

mod accept;
mod coding;
mod decode;
mod encode;
mod peek;
mod sink;

pub use accept::Accepted;
pub use coding::{Coding, Codings};
pub use decode::{DecodeLimits, Decoder, Pulled, RATIO_FLOOR};
pub use encode::{EncodeError, encode};
pub use peek::Peek;
pub use sink::Sink;
