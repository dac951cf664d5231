//! What the vendor serves.

/// A script of a certain length.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) name: &'static str,
    pub(crate) len: usize,
    /// Its SHA-256, as a pin has it.
    pub(crate) sri: String,
    pub(crate) digest: [u8; 32],
    /// Of its bytes as gzip.
    pub(crate) gzip_sri: String,
    pub(crate) gzip_digest: [u8; 32],
}

impl Body {
    /// By name, and bytes of each.
    pub(crate) const ALL: [(&'static str, usize); 5] =
        [("2k", 2 << 10), ("30k", 30 << 10), ("150k", 150 << 10), ("1m", 1 << 20), ("8m", 8 << 20)];

    pub(crate) fn path(&self) -> String {
        format!("/{}.js", self.name)
    }
}
