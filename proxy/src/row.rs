//! The ledger's row of an exchange: what was asked, seen and decided.

use std::sync::Arc;

use http::response::Parts;
use pinfold_policy::digest::BodyId;
use pinfold_policy::kind::{Kind, Kinds};
use pinfold_policy::path::Arrival;
use pinfold_policy::policy::{Expectation, Policy};
use pinfold_policy::reason::Reason;
use pinfold_policy::verdict::Outcome;
use pinfold_store::entry::{DeliveryPath, Exchange};

use crate::ask::Ask;
use crate::headers::{media_type, method_name};

/// A measured body: its identity, and its decoded length in bytes.
pub(crate) type Measured = (BodyId, u64);

/// What was seen of the vendor's answer.
pub(crate) struct Seen<'a> {
    pub(crate) kinds: Kinds,
    pub(crate) head: &'a Parts,
    pub(crate) path: Option<&'a DeliveryPath>,
    /// How that path looks beside what is known of the host.
    pub(crate) arrival: Arrival,
}

impl Seen<'_> {
    pub(crate) fn row(
        &self,
        ask: &Ask,
        policy: &Policy,
        outcome: Outcome,
        reason: Option<Reason>,
        body: Option<Measured>,
    ) -> Exchange {
        Exchange {
            kinds: self.kinds,
            body: body.map(|(id, _)| id),
            body_len: body.map(|(_, len)| len),
            media_type: media_type(&self.head.headers).map(Into::into),
            vendor_status: Some(self.head.status.as_u16()),
            status: self.head.status.as_u16(),
            path: self.path.cloned(),
            ..row(ask, policy, outcome, reason)
        }
    }
}

pub(crate) fn row(ask: &Ask, policy: &Policy, outcome: Outcome, reason: Option<Reason>) -> Exchange {
    Exchange {
        id: ask.id,
        at: ask.at,
        took_us: u64::try_from(ask.started.elapsed().as_micros()).unwrap_or(u64::MAX),
        asker: ask.asker.clone(),
        method: method_name(&ask.method),
        http_version: ask.http_version.into(),
        url: ask.to_write(),
        vendor: policy.vendor(ask.url.host()).map(|vendor| Arc::clone(&vendor.name)),
        kinds: Kinds::NONE,
        outcome,
        reason,
        incident: None,
        body: None,
        body_len: None,
        media_type: None,
        vendor_status: None,
        status: 0,
        rule: None,
        policy_version: policy.version(),
        path: None,
        client_tls: ask.client_tls.clone(),
        destination: ask.destination(),
    }
}

/// What an approval would let the bytes act as: what the deciding pin says, or the first guarded kind.
pub(crate) fn acts_as(expected: &Expectation<'_>, kinds: Kinds) -> Kind {
    let pinned = expected.deciding().pins().first().map(|pin| pin.kind);
    let guarded = || kinds.iter().find(|kind| expected.rules().guard.contains(*kind));
    pinned.or_else(guarded).or_else(|| kinds.iter().next()).unwrap_or(Kind::Script)
}
