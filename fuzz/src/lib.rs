//! What the targets share. An oracle that fails says so by panicking: that is the finding.

pub mod second;
pub mod wire;
