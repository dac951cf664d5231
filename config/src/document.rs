//! TOML text, parsed to its end.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::source::{Mistake, SourceFile};

/// The tables of a file, or nothing when it is not TOML: what a broken text seems to say would only lead to
/// mistakes that are none. Every place where it breaks is reported.
pub(crate) fn parse(file: &SourceFile) -> Option<Spanned<DeTable<'_>>> {
    let (table, errors) = DeTable::parse_recoverable(file.text());
    for error in &errors {
        let place = error.span().unwrap_or_default();
        file.error(place, Mistake::new(error.message().to_lowercase()));
    }
    (errors.is_empty() && have_numbers(file, table.get_ref().values())).then_some(table)
}

/// Whether what begins as a number is one that fits into 64 bits. The parser leaves numbers as they are written, and lets
/// pass what is none, such as `202_6-11-23`.
fn have_numbers<'v, 't: 'v>(
    file: &SourceFile,
    values: impl Iterator<Item = &'v Spanned<DeValue<'t>>>,
) -> bool {
    let mut all = true;
    for value in values {
        let is_number = match value.get_ref() {
            DeValue::Integer(written) => i64::from_str_radix(written.as_str(), written.radix()).is_ok(),
            DeValue::Float(written) => written
                .as_str()
                .parse()
                .is_ok_and(|number: f64| number.is_finite() || written.as_str().ends_with(['f', 'n'])),
            DeValue::Array(items) => {
                all &= have_numbers(file, items.iter());
                continue;
            }
            DeValue::Table(table) => {
                all &= have_numbers(file, table.values());
                continue;
            }
            DeValue::String(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => continue,
        };
        if !is_number {
            // What it is instead is not said: it may be a password that somebody wrote in clear, without quotes.
            file.error(value.span(), Mistake::new("this is no number that TOML knows"));
            all = false;
        }
    }
    all
}
