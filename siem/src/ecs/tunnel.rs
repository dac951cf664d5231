//! A tunnel that has closed, or was refused.

use jiff::SignedDuration;
use pinfold_policy::verdict::Outcome;
use pinfold_store::entry::{Tunnel, TunnelEnd};

use super::action::Action;
use super::document::Document;
use super::exchange::status;
use super::{Happening, in_words, later, peer};
use crate::observer::Observer;

pub(super) fn write(document: &mut Document, tunnel: &Tunnel, end: Option<TunnelEnd>, observer: &Observer) {
    let action = Action::of_tunnel(tunnel, end);
    let open_ms = end.map_or(0, |end| i64::try_from(end.open_ms).unwrap_or(i64::MAX));
    let happening = Happening {
        id: tunnel.id,
        action,
        reason: tunnel.reason,
        start: tunnel.at,
        end: later(tunnel.at, SignedDuration::from_millis(open_ms)),
        policy_version: Some(tunnel.policy_version),
    };
    happening.write(document, &["network"]);
    document.keyword("message", &*message(tunnel, action));
    document.keywords("tags", ["tunnel"]);

    peer::write_asker(document, &tunnel.asker);
    peer::write_destination(document, &tunnel.authority, tunnel.dialled);
    document.number("destination.port", u64::from(tunnel.authority.port));
    peer::write_network(document, tunnel.asker.address.ip(), tunnel.dialled);
    document.keyword("network.protocol", tunnel.server_name.as_ref().map(|_| "tls"));
    document.keyword("tls.client.server_name", tunnel.server_name.as_deref());
    // A request that was not admitted is told of in the same way, and its method is not known here.
    document.keyword("http.request.method", (!action.is_refusal()).then_some("CONNECT"));
    document.number("http.response.status_code", status(tunnel.status));
    if let Some(end) = end {
        document.number("source.bytes", end.sent);
        document.number("client.bytes", end.sent);
        document.number("destination.bytes", end.received);
        document.number("network.bytes", end.sent.saturating_add(end.received));
    }

    document.keyword("rule.name", tunnel.reason.map(|reason| reason.code()));
    // What passed unseen has no verdict.
    document.keyword("Pinfold.verdict", action.is_refusal().then(|| Outcome::Blocked.as_str()));
    let incident = tunnel.incident.map(|incident| incident.to_string());
    document.keyword("Pinfold.incident", incident.as_deref());
    document.number("Pinfold.count", 1);
    let names = [tunnel.server_name.as_deref()];
    peer::write_related(document, &tunnel.asker, Some(&tunnel.authority), &names, tunnel.dialled, observer);
}

fn message(tunnel: &Tunnel, action: Action) -> String {
    let done = if action.is_refusal() { "Refused a tunnel or a request" } else { "Carried a tunnel" };
    let client = tunnel.asker.address.ip().to_canonical();
    format!("{done} to {} for {client}{}", tunnel.authority, in_words(tunnel.reason))
}
