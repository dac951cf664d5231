//! TOML text, parsed to its end.

use toml::Spanned;
use toml::de::DeTable;

use crate::source::{Mistake, SourceFile};

/// The tables of a file, or nothing when it is not TOML: what a broken text seems to say would only lead to
/// mistakes that are none. Every place where it breaks is reported.
pub(crate) fn parse(file: &SourceFile) -> Option<Spanned<DeTable<'_>>> {
    let (table, errors) = DeTable::parse_recoverable(file.text());
    for error in &errors {
        let place = error.span().unwrap_or_default();
        file.error(place, Mistake::new(error.message().to_lowercase()));
    }
    errors.is_empty().then_some(table)
}
