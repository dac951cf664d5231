//! Reading the approvals that hold, and who made them.

use std::collections::HashMap;

use jiff::Timestamp;
use pinfold_policy::decisions::{Basis, Decisions};
use pinfold_policy::digest::BodyId;
use sqlx::SqliteConnection;

use super::standing::person;
use crate::columns::Columns;
use crate::item::{Approved, Assent};

/// Rows that say yes, and are not followed by one of the same subject and digest that says no.
const SELECT: &str = "
    SELECT subject, digest, at, who, basis, reason, url, vendor, expires FROM decision d
    WHERE what = 'approved' AND subject IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM decision r WHERE r.subject = d.subject AND r.digest = d.digest
            AND r.version > d.version AND r.what <> 'approved')
    ORDER BY version";

type Found = (Option<Box<str>>, Option<Box<str>>, Vec<(Assent, Basis, Option<Timestamp>)>);

/// Every approval of `decisions`, by subject and digest.
pub(crate) async fn approvals(
    connection: &mut SqliteConnection,
    decisions: &Decisions,
) -> Result<Vec<Approved>, sqlx::Error> {
    let rows = sqlx::query(SELECT).fetch_all(connection).await?;
    let mut found: HashMap<(Box<str>, BodyId), Found> = HashMap::new();
    for row in &rows {
        let row = Columns(row);
        let (url, vendor, by) = found.entry((row.text("subject")?, row.body("digest")?)).or_default();
        *url = row.text_or_none("url")?;
        *vendor = row.text_or_none("vendor")?;
        let assent = Assent { at: row.time("at")?, who: row.text("who")?, reason: row.text("reason")? };
        // The last word of each.
        by.retain(|(earlier, _, _)| person(&earlier.who) != person(&assent.who));
        by.push((assent, row.basis("basis")?, row.time_or_none("expires")?));
    }
    let with_provenance = |approval: &pinfold_policy::decisions::Approval| {
        let (url, vendor, by) =
            found.remove(&(approval.subject.clone(), approval.digest)).unwrap_or_default();
        // Whoever agreed for less time does not stand by it to its end.
        let stands = |end: Option<Timestamp>| match (end, approval.expires) {
            (Some(end), Some(last)) => end >= last,
            (Some(_), None) => false,
            (None, _) => true,
        };
        // What was learned and then confirmed stands by people's word, and what waits for more of them does not yet.
        let of_basis = by.into_iter().filter(|(_, basis, end)| *basis == approval.basis && stands(*end));
        let by = of_basis.map(|(assent, _, _)| assent).collect();
        Approved { approval: approval.clone(), url, vendor, by }
    };
    let mut approvals: Vec<_> = decisions.all_approvals().map(with_provenance).collect();
    approvals.sort_by(|a, b| {
        let key = |approved: &Approved| (approved.approval.subject.clone(), approved.approval.digest.0);
        key(a).cmp(&key(b))
    });
    Ok(approvals)
}
