//! Answers whose head comes and whose first byte does not: streams of events, long polls, calls in both directions. The
//! head goes on, and the first bytes are looked at when they come, on their way. What then turns out to be guarded ends
//! there: its client gets no byte of it.

use std::sync::Arc;
use std::time::Duration;

use http::header;
use http::response::Parts;
use pinfold_policy::image::suits_any_image;
use pinfold_policy::policy::Expectation;
use pinfold_policy::verdict::{Consequence, consequence};

use crate::ask::Ask;
use crate::exchange::{borrowed, kinds_of, party};
use crate::fetch::FetchError;
use crate::gateway::Shared;
use crate::headers::texts;
use crate::hold;
use crate::incoming::Arriving;
use crate::policy_cell::Snapshot;

/// For so long the first byte is waited for with the head in hand.
const PROMPT: Duration = Duration::from_millis(500);

/// Whether the head of an answer should go on alone: nothing has followed it so far, what may follow could only be
/// refused, and no type has to be given to an image.
pub(crate) async fn is_late(expected: &Expectation<'_>, head: &Parts, body: &mut Arriving) -> bool {
    let is_refused = match consequence(expected, expected.reason_without_match()) {
        Consequence::Block | Consequence::Quarantine => true,
        Consequence::ObserveUnverified | Consequence::Learn => false,
    };
    let types = texts(&head.headers, header::CONTENT_TYPE);
    is_refused && suits_any_image(&borrowed(&types)) && !body.begins_within(PROMPT).await
}

/// Looks at the first bytes of such an answer. Gives the body, or nothing where it is guarded and so was refused.
pub(crate) async fn look(
    gateway: Arc<Shared>,
    ask: Arc<Ask>,
    policy: Arc<Snapshot>,
    head: Parts,
    mut body: Arriving,
) -> Option<Arriving> {
    let mut reservation = policy.live.upstream.reservation(ask.asker.address.ip(), party(&policy, &ask));
    let looking = hold::look_at_start(&mut body, &head.headers, &gateway.beginnings, &mut reservation);
    let starts = looking.await.ok()?;
    let kinds = kinds_of(&ask, &head, &starts);
    let expected = policy.expect(&ask.url);
    if !expected.guards(kinds) {
        return Some(body);
    }
    // The next one is waited for, held and judged.
    gateway.remember_guarded(&ask.url);
    gateway.refuse(&ask, &policy, kinds, &FetchError::Body(expected.reason_without_match())).await;
    None
}
