//! What a revocation darkens: the pins and approvals that allow a digest until then, and where it is on the shelf.

use std::sync::Arc;

use pinfold_policy::decisions::Approval;
use pinfold_policy::digest::{Digest, Digests};
use pinfold_policy::pin::Pin;
use pinfold_store::Store;
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::printable::printable;
use crate::words::counted;

/// Pins of the files, and approvals of the store, that hold a digest in any notation that is known of it.
pub(crate) struct Darkened<'p> {
    pins: Vec<&'p Pin>,
    approvals: Vec<Approval>,
    shelved_at: Vec<Box<str>>,
}

impl<'p> Darkened<'p> {
    /// `body` are all digests of the body, where they are known.
    pub(crate) async fn by(
        digest: &Digest,
        body: Option<&Digests>,
        pins: &'p [Pin],
        store: &Store,
    ) -> Result<Self, Failure> {
        let is_it = |other: &Digest| body.map_or(other == digest, |body| body.include(other));
        let decisions = Arc::clone(&store.decisions().borrow());
        let approvals = decisions.all_approvals().filter(|approval| is_it(&approval.digest.into()));
        let mut approvals: Vec<_> = approvals.cloned().collect();
        approvals.sort_by(|one, other| one.subject.cmp(&other.subject));
        let shelved_at = match body {
            Some(body) => store.shelved_at(body.sha256).await?,
            // What is on the shelf has all of its digests there.
            None => Vec::new(),
        };
        let pins = pins.iter().filter(|pin| pin.digests.iter().any(is_it)).collect();
        Ok(Self { pins, approvals, shelved_at })
    }

    /// For people.
    pub(crate) fn to_text(&self) -> String {
        if self.pins.is_empty() && self.approvals.is_empty() && self.shelved_at.is_empty() {
            return "no pin and no approval holds this digest, and it is not on the shelf: none goes dark"
                .to_owned();
        }
        let mut text = format!(
            "{} and {} go dark for this digest:",
            counted(self.pins.len(), "pin"),
            counted(self.approvals.len(), "approval")
        );
        for pin in &self.pins {
            let alone = if pin.digests.len() == 1 { ", which allows no other" } else { "" };
            text.push_str(&format!("\n  {}: {}{alone}", pin.place, printable(&pin.url.to_text())));
        }
        for approval in &self.approvals {
            text.push_str(&format!("\n  {}: {}", approval.rule(), printable(&approval.subject)));
        }
        for url in &self.shelved_at {
            text.push_str(&format!("\n  on the shelf: {}", printable(url)));
        }
        text
    }

    /// For programs: adds `darkens`, `darkens_approvals` and `darkens_shelf`.
    pub(crate) fn write_json(&self, fields: &mut Map<String, Value>) {
        let pins = self
            .pins
            .iter()
            .map(|pin| json!({ "url": pin.url.to_text(), "file": &*pin.place.file, "line": pin.place.line }));
        let approvals = self.approvals.iter().map(|approval| {
            let (basis, rule) = (approval.basis.as_str(), approval.rule());
            json!({ "subject": &*approval.subject, "basis": basis, "rule": &*rule })
        });
        fields.insert("darkens".to_owned(), pins.collect());
        fields.insert("darkens_approvals".to_owned(), approvals.collect());
        fields.insert("darkens_shelf".to_owned(), self.shelved_at.iter().map(|url| &**url).collect());
    }
}
