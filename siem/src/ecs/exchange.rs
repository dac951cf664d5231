//! A guarded exchange, or a row of like ones.

use jiff::{SignedDuration, Timestamp};
use pinfold_policy::decisions::Basis;
use pinfold_policy::digest::BodyId;
use pinfold_policy::kind::{self, Kind};
use pinfold_policy::reason::Reason;
use pinfold_policy::url::ArtifactUrl;
use pinfold_policy::verdict::Outcome;
use pinfold_store::entry::{DeliveryPath, Exchange};

use super::action::Action;
use super::document::Document;
use super::peer::{self, Name};
use super::{Happening, in_words, later};
use crate::observer::Observer;

/// The ledger row.
pub(super) struct Row<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) count: u64,
    pub(super) whole: Option<u64>,
    pub(super) last: Timestamp,
}

pub(super) fn write(document: &mut Document, row: &Row<'_>, observer: &Observer) {
    let exchange = row.exchange;
    let decided = later(exchange.at, microseconds(exchange.took_us));
    let happening = Happening {
        id: exchange.id,
        action: Action::of_exchange(exchange.outcome),
        reason: exchange.reason,
        start: exchange.at,
        // A counted row lasts until the last of its exchanges.
        end: decided.max(row.last),
        policy_version: Some(exchange.policy_version),
    };
    happening.write(document, &["web", "network"]);
    document.keyword("message", &*message(row));
    document.keywords("tags", ["artifact-integrity"]);
    document.keyword("labels.vendor", exchange.vendor.as_deref());

    let url = ArtifactUrl::parse(&exchange.url).ok();
    let dialled = exchange.path.as_ref().map(|path| path.address.ip());
    peer::write_asker(document, &exchange.asker);
    if let Some(url) = &url {
        peer::write_destination(document, url.authority(), dialled);
        let port = exchange.path.as_ref().map_or(url.authority().port, |path| path.address.port());
        document.number("destination.port", u64::from(port));
    }
    peer::write_network(document, exchange.asker.address.ip(), dialled);
    document.keyword("network.protocol", "http");

    write_url(document, &exchange.url, url.as_ref());
    write_http(document, exchange);
    write_tls(document, exchange, url.as_ref());
    write_file(document, exchange, url.as_ref());
    write_rule(document, exchange);
    write_threat(document, exchange.reason);
    write_own(document, row);

    let server_name = exchange.client_tls.as_ref().and_then(|tls| tls.server_name.as_deref());
    let authority = url.as_ref().map(ArtifactUrl::authority);
    peer::write_related(document, &exchange.asker, authority, &[server_name], dialled, observer);
}

fn microseconds(us: u64) -> SignedDuration {
    SignedDuration::from_micros(i64::try_from(us).unwrap_or(i64::MAX))
}

fn message(row: &Row<'_>) -> String {
    let exchange = row.exchange;
    let done = match exchange.outcome {
        Outcome::Verified => "Verified",
        Outcome::Substituted => "Substituted",
        Outcome::Observed => "Observed",
        Outcome::Blocked => "Blocked",
        Outcome::Quarantined => "Quarantined",
    };
    let times = if row.count > 1 { format!(", {} times", row.count) } else { String::new() };
    // The part that tells most must not be what a long URL pushes out.
    let url = exchange.url.get(..exchange.url.floor_char_boundary(768)).unwrap_or_default();
    format!(
        "{done} {url} for {}{}{times}",
        exchange.asker.address.ip().to_canonical(),
        in_words(exchange.reason)
    )
}

/// `url.original` is left out: the ledger keeps the match key, not the spelling that the client chose.
fn write_url(document: &mut Document, full: &str, url: Option<&ArtifactUrl>) {
    document.wildcard("url.full", full);
    let Some(url) = url else { return };
    document.keyword("url.scheme", url.scheme().as_str());
    document.keyword("url.domain", &*url.host().to_string());
    if let Some(name) = Name::of(url.host()) {
        document.keyword("url.registered_domain", name.registered);
        document.keyword("url.top_level_domain", name.suffix);
        document.keyword("url.subdomain", name.subdomain);
    }
    document.number("url.port", u64::from(url.authority().port));
    document.wildcard("url.path", url.path());
    document.keyword("url.query", url.query());
    document.keyword("url.extension", extension(url));
}

fn extension(url: &ArtifactUrl) -> Option<&str> {
    url.file_name().rsplit_once('.').map(|(_, extension)| extension)
}

fn write_http(document: &mut Document, exchange: &Exchange) {
    document.keyword("http.version", &*exchange.http_version);
    document.keyword("http.request.method", &*exchange.method);
    document.number("http.response.status_code", status(exchange.status));
    document.number("Pinfold.upstream.status_code", exchange.vendor_status.map(u64::from));
}

/// None where the connection ended without an answer.
pub(super) fn status(status: u16) -> Option<u64> {
    (status != 0).then_some(status.into())
}

fn write_tls(document: &mut Document, exchange: &Exchange, url: Option<&ArtifactUrl>) {
    if let Some(path) = &exchange.path {
        document.keyword("Pinfold.upstream.http_version", &*path.http_version);
        write_upstream_tls(document, path, url);
    }
    if let Some(tls) = &exchange.client_tls {
        document.keyword("Pinfold.client.tls.version", tls_version(&tls.version));
        document.keyword("Pinfold.client.tls.cipher", &*tls.cipher);
        document.keyword("Pinfold.client.tls.server_name", tls.server_name.as_deref());
    }
}

fn write_upstream_tls(document: &mut Document, path: &DeliveryPath, url: Option<&ArtifactUrl>) {
    let Some(version) = &path.tls_version else { return };
    document.flag("tls.established", true);
    document.keyword("tls.version_protocol", "tls");
    document.keyword("tls.version", tls_version(version));
    document.keyword("tls.cipher", path.cipher.as_deref());
    document.keyword("tls.client.server_name", url.and_then(|url| url.host().name()));
    document.keyword("tls.server.issuer", path.issuer.as_deref());
    // ECS has fingerprints in upper case, and hashes of files in lower.
    let fingerprint = path.fingerprint.as_deref().map(str::to_ascii_uppercase);
    document.keyword("tls.server.hash.sha256", fingerprint.as_deref());
}

/// ECS has the number alone.
fn tls_version(version: &str) -> &str {
    version.strip_prefix("TLSv").unwrap_or(version)
}

fn write_file(document: &mut Document, exchange: &Exchange, url: Option<&ArtifactUrl>) {
    if let Some(url) = url {
        document.keyword("file.name", url.file_name());
        document.keyword("file.extension", extension(url));
    }
    document.number("file.size", exchange.body_len);
    let media_type = exchange.media_type.as_deref().map(kind::essence);
    document.keyword("file.mime_type", media_type.as_deref());
    let hash = exchange.body.map(BodyId::to_hex);
    document.keyword("file.hash.sha256", hash.as_deref());
    document.keywords("related.hash", hash.as_deref());
    let sri = exchange.body.map(|body| body.to_string());
    document.keyword("Pinfold.digest", sri.as_deref());
}

/// The pin or approval that decided, or that could not, and what it led to.
fn write_rule(document: &mut Document, exchange: &Exchange) {
    document.keyword("rule.name", exchange.reason.map(Reason::code));
    let Some(rule) = exchange.rule.as_deref() else { return };
    let basis = Basis::of_rule(rule);
    let ruleset = match basis {
        Some(Basis::Reviewed) => "approvals",
        Some(Basis::Cooldown) => "cooldown",
        Some(Basis::Learned) => "learned",
        None => rule.rsplit_once(':').map_or(rule, |(file, _)| file),
    };
    document.keyword("rule.id", rule);
    document.keyword("rule.ruleset", ruleset);
    document.keyword("rule.category", "Artifact integrity");
    document.keyword("rule.version", &*exchange.policy_version.to_string());
    // Without it, verified means that a person or a reviewed file said so.
    if exchange.outcome != Outcome::Observed && basis.is_some_and(Basis::is_provisional) {
        document.flag("Pinfold.provisional", true);
    }
}

/// Content that differs from what was reviewed, or is known to be bad, is the sign of a compromised supply chain.
fn write_threat(document: &mut Document, reason: Option<Reason>) {
    if !matches!(reason, Some(Reason::DigestMismatch | Reason::Revoked)) {
        return;
    }
    document.keyword("threat.framework", "MITRE ATT&CK");
    document.keywords("threat.tactic.id", ["TA0001"]);
    document.keywords("threat.tactic.name", ["Initial Access"]);
    document.keywords("threat.technique.id", ["T1195"]);
    document.keywords("threat.technique.name", ["Supply Chain Compromise"]);
    document.keywords("threat.technique.subtechnique.id", ["T1195.002"]);
    document.keywords("threat.technique.subtechnique.name", ["Compromise Software Supply Chain"]);
}

fn write_own(document: &mut Document, row: &Row<'_>) {
    let exchange = row.exchange;
    document.keyword("Pinfold.verdict", exchange.outcome.as_str());
    let incident = exchange.incident.map(|incident| incident.to_string());
    document.keyword("Pinfold.incident", incident.as_deref());
    document.number("Pinfold.count", row.count);
    // Only of what went out at all: a zero would say that it did not arrive.
    if let Some(whole) = row.whole.filter(|_| row.exchange.outcome.is_release()) {
        document.number("Pinfold.delivered_whole", whole);
    }
    document.keywords("Pinfold.kinds", exchange.kinds.iter().map(Kind::as_str));
    document.keyword("Pinfold.vendor", exchange.vendor.as_deref());
    // Of the first exchange: event.duration spans all that the row counts.
    document.number("Pinfold.verdict_after_us", exchange.took_us);
}
