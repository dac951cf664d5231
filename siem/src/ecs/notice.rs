//! What happened beside the traffic.

use std::net::IpAddr;

use pinfold_policy::digest::BodyId;
use pinfold_store::Count;
use pinfold_store::entry::{Notice, What};

use super::Happening;
use super::action::Action;
use super::document::Document;
use crate::observer::Observer;

pub(super) fn write(document: &mut Document, notice: &Notice, observer: &Observer) {
    let count = count(notice);
    let happening = Happening {
        id: notice.id,
        action: Action::of_notice(notice.what),
        reason: None,
        start: count.map_or(notice.at, |count| count.first.min(notice.at)),
        end: notice.at,
        policy_version: Some(notice.policy_version),
    };
    happening.write(document, categories(notice.what));
    document.keyword("message", &*format!("{}: {}", headline(notice.what), notice.text));
    document.keywords("tags", [notice.what.as_str()]);
    document.keyword("user.name", notice.who.as_deref());
    document.keywords("related.user", notice.who.as_deref());
    document.keywords("related.hosts", [&*observer.hostname]);
    let client = client(notice).map(|ip| ip.to_canonical());
    document.ip("source.ip", client);
    document.keywords("related.ip", client.map(|ip| ip.to_string()).as_deref());

    let hash = notice.digest.map(BodyId::to_hex);
    document.keyword("file.hash.sha256", hash.as_deref());
    document.keywords("related.hash", hash.as_deref());
    let sri = notice.digest.map(|digest| digest.to_string());
    document.keyword("Pinfold.digest", sri.as_deref());
    document.keyword("Pinfold.subject", notice.subject.as_deref());
    let incident = notice.incident.map(|incident| incident.to_string());
    document.keyword("Pinfold.incident", incident.as_deref());
    document.number("Pinfold.count", count.map_or(1, |count| count.times));
}

/// Some notices are of a whole minute.
fn count(notice: &Notice) -> Option<Count> {
    let is_counted = matches!(notice.what, What::LoginFailed | What::LeafSigned);
    Count::at_the_start_of(&notice.text).filter(|_| is_counted)
}

/// The notices that are about a client have it as their subject.
fn client(notice: &Notice) -> Option<IpAddr> {
    let is_about_a_client = matches!(notice.what, What::LoginFailed | What::SignedIn);
    notice.subject.as_deref().filter(|_| is_about_a_client)?.parse().ok()
}

fn categories(what: What) -> &'static [&'static str] {
    match what {
        What::PolicyReloaded
        | What::ReloadFailed
        | What::LedgerDropped
        | What::FeedOverflow
        | What::EventRefused
        | What::RootChanged
        | What::IssuerChanged
        | What::LeafSigned
        | What::Approved
        | What::ApprovalPending
        | What::Rejected
        | What::Revoked
        | What::Reinstated => &["configuration"],
        What::Drift
        | What::UrlVolatile
        | What::PathChanged
        | What::Quarantined
        | What::CanaryFailed
        | What::CanaryRecovered => &["web"],
        What::LookalikeHost => &["network", "web"],
        What::Started | What::Stopped => &["process"],
        What::LoginFailed | What::SignedIn => &["authentication"],
    }
}

fn headline(what: What) -> &'static str {
    match what {
        What::PolicyReloaded => "Changed files are in force",
        What::ReloadFailed => "Changed files cannot be used, the policy stays as it was",
        What::LedgerDropped => "A month of the ledger is older than what is kept, and was dropped",
        What::FeedOverflow => "An output was away for too long, and will never get some events",
        What::EventRefused => "The receiver of an output refuses an event, and will never get it",
        What::Started => "The gateway runs",
        What::Stopped => "The gateway stops",
        What::RootChanged => "A root certificate is in use that the ledger was not told of before",
        What::IssuerChanged => "An issuing CA is in use that the ledger was not told of before",
        What::LeafSigned => "The issuing CA signed a certificate for a host",
        What::LoginFailed => "Credentials for the proxy or the console were wrong",
        What::SignedIn => "Somebody signed in at the console",
        What::Drift => "The vendor serves something else than what is pinned",
        What::UrlVolatile => "The vendor serves something else each time",
        What::Quarantined => "A digest was refused for the first time at a URL, and waits for review",
        What::LookalikeHost => "A client asked for a host that imitates one that is expected",
        What::PathChanged => "A pinned host answers by another path than ever before",
        What::CanaryFailed => "The gateway does not pass its test of itself",
        What::CanaryRecovered => "The gateway passes its test of itself again",
        What::Approved => "A digest may be served at a URL",
        What::ApprovalPending => "Someone approved of a digest, and more people must",
        What::Rejected => "A digest is not released at a URL",
        What::Revoked => "A digest is never released again",
        What::Reinstated => "A digest is not revoked any more",
    }
}
