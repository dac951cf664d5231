//! What a rejection refuses although it is approved: a decision is about a URL with one query or with any, and of two that
//! disagree about one body a rejection of either holds.

use pinfold_policy::decisions::Approval;
use pinfold_policy::digest::BodyId;
use pinfold_store::item::{Item, ItemState};
use serde_json::{Value, json};

use crate::printable::printable;

/// A rejection of a body that refuses it although it is approved at another subject.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bar<'i> {
    item: &'i Item,
    at: Where,
}

/// How the subject of one decision lies to that of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    /// It is the same URL for any query.
    ForAnyQuery,
    /// It is one query of it.
    AtOneQuery,
}

impl Where {
    fn is(other: &str, subject: &str) -> Option<Self> {
        let any = |subject: &str| subject.split_once('?').is_some_and(|(any, _)| any == other);
        let is_of = |other: &str| other.split_once('?').is_some_and(|(any, _)| any == subject);
        match (any(subject), is_of(other)) {
            (true, _) => Some(Self::ForAnyQuery),
            (false, true) => Some(Self::AtOneQuery),
            (false, false) => None,
        }
    }

    fn in_words(self, subject: &str) -> String {
        match self {
            Self::ForAnyQuery => "there for any query".to_owned(),
            Self::AtOneQuery => format!("at {}", printable(subject)),
        }
    }
}

impl Bar<'_> {
    /// `incident 01…: these bytes are rejected there for any query, and refused all the same`
    pub(crate) fn in_words(self) -> String {
        let there = self.at.in_words(&self.item.subject);
        format!("incident {}: these bytes are rejected {there}, and refused all the same", self.item.incident)
    }

    /// `rejected there for any query (01…)`
    pub(crate) fn in_short(self) -> String {
        format!("rejected {} ({})", self.at.in_words(&self.item.subject), self.item.incident)
    }

    pub(crate) fn as_json(self) -> Value {
        json!({ "incident": self.item.incident.to_string(), "subject": &*self.item.subject })
    }
}

/// What refuses a body that is approved at `subject`, or would be.
pub(crate) fn bars<'i>(items: &'i [Item], subject: &str, digest: BodyId) -> Vec<Bar<'i>> {
    let rejected = items.iter().filter(|item| (item.digest, item.state) == (digest, ItemState::Rejected));
    let bar = |item: &'i Item| Some(Bar { item, at: Where::is(&item.subject, subject)? });
    rejected.filter_map(bar).collect()
}

/// What a rejection of `digest` at `subject` refuses: `approval 01…, at https://…?v=1`.
pub(crate) fn barred<'a>(
    approvals: impl Iterator<Item = &'a Approval>,
    subject: &str,
    digest: BodyId,
) -> Vec<(String, Value)> {
    let same = approvals.filter(|approval| approval.digest == digest);
    let barred = |approval: &Approval| {
        let there = Where::is(&approval.subject, subject)?.in_words(&approval.subject);
        let (rule, subject) = (approval.rule(), &*approval.subject);
        Some((format!("{rule}, {there}"), json!({ "rule": &*rule, "subject": subject })))
    };
    let mut barred: Vec<_> = same.filter_map(barred).collect();
    barred.sort_by(|a, b| a.0.cmp(&b.0));
    barred
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_with_a_query_is_one_of_the_same_without_and_of_no_other() {
        for (other, subject, is) in [
            ("https://v.test/a", "https://v.test/a?v=1", Some(Where::ForAnyQuery)),
            ("https://v.test/a?v=1", "https://v.test/a", Some(Where::AtOneQuery)),
            ("https://v.test/a?v=1", "https://v.test/a?v=2", None),
            ("https://v.test/a", "https://v.test/a", None),
            ("https://v.test/", "https://v.test/a?v=1", None),
            ("https://v.test/a", "https://v.test/ab?v=1", None),
        ] {
            assert_eq!(Where::is(other, subject), is, "{other} of {subject}");
        }
    }
}
