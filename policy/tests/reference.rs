//! The reference in `docs/` says what the code says.

use pinfold_policy::kind::{
    DOCUMENT_EXTENSIONS, DOCUMENT_TYPES, INSTALLER_EXTENSIONS, INSTALLER_TYPES, OTHER_SCRIPT_TYPES,
    SCRIPT_EXTENSIONS, SCRIPT_TYPES,
};
use pinfold_policy::reason::{Answer, Keep, Reason};

const REFERENCE: &str = include_str!("../../docs/reference.md");

#[test]
fn the_table_of_reasons_is_the_enum() {
    let (_, table) = REFERENCE.split_once("<!-- reasons -->").unwrap();
    let (table, _) = table.split_once("<!-- /reasons -->").unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), Reason::ALL.len());
    for (row, reason) in rows.iter().zip(Reason::ALL) {
        let status = match reason.answer() {
            Answer::Status(status) => status.to_string(),
            Answer::VendorStatus => "the vendor's".into(),
            Answer::ConnectionEnds => "the connection ends".into(),
        };
        let kept = match reason.keep() {
            Keep::ByRule => "if the rule says so",
            Keep::Yes => "yes",
            Keep::No => "no",
            Keep::NoBody => "",
        };
        let observed = if reason.yields_to_observe_mode() { "yes" } else { "no" };
        assert_eq!([row[0], row[2], row[3], row[4]], [&format!("`{reason}`"), &status, kept, observed]);
    }
}

#[test]
fn every_entry_of_the_closed_lists_is_printed() {
    let types = SCRIPT_TYPES.iter().chain(&OTHER_SCRIPT_TYPES).chain(&DOCUMENT_TYPES).chain(&INSTALLER_TYPES);
    for media_type in types {
        assert!(REFERENCE.contains(&format!("`{media_type}`")), "{media_type}");
    }
    let extensions = SCRIPT_EXTENSIONS.iter().chain(&DOCUMENT_EXTENSIONS).chain(&INSTALLER_EXTENSIONS);
    for extension in extensions {
        assert!(REFERENCE.contains(&format!("`.{extension}`")), "{extension}");
    }
}
