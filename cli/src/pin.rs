//! `pinfold pin`: the reviewed list.

pub(crate) mod add;
pub(crate) mod list;

use pinfold_policy::digest::Digest;

/// As much of a digest as a person compares: `sha256-NWSBQ9IeA5+w…`.
fn shortened(digest: &Digest) -> String {
    let text = digest.to_string();
    let short: String = text.chars().take("sha256-".len() + 12).collect();
    format!("{short}…")
}
