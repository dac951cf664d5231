//! One exchange, from the request to the answer, in one place. What differs by protocol stays at the rim.

mod answer;
mod learn;
mod record;
mod refuse;

use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::poll_immediate;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use pinfold_body::{Coding, Codings};
use pinfold_policy::digest::Digests;
use pinfold_policy::held::Held;
use pinfold_policy::kept::Kept;
use pinfold_policy::kind::{Kind, Kinds, classify_request};
use pinfold_policy::path::Arrival;
use pinfold_policy::policy::Expectation;
use pinfold_policy::reason::Reason;
use pinfold_policy::verdict::{Cleared, Consequence, Outcome, Verdict, consequence, judge, judge_arrival};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::TaskTracker;

use self::answer::redirect_target;
pub(crate) use self::answer::{Answer, borrowed, fetch, kinds_of};
pub(crate) use self::learn::FullyLearned;
pub use self::learn::MOST_LEARNED;
use crate::ask::{Ask, Extent, early_refusal};
use crate::counters::Unjudged;
use crate::decodings::Wire;
use crate::encoded::Encoded;
use crate::fetch::{self, FetchError};
use crate::gateway::Shared;
use crate::hold::{self, Failed, HoldError, HoldLimits, Unmeasured};
use crate::incoming::Arriving;
use crate::late;
use crate::link::{Link, Place};
use crate::observed::ObservedUnverified;
use crate::parked::Guarded;
use crate::policy_cell::Snapshot;
use crate::release::{Grounds, Release, Wanted};
use crate::respond::{ClientBody, Outbound, no_body, respond};
use crate::row::{Measured, Seen};
use crate::shelf::{self, Flight, Fresh, may_be_shelved};
use crate::unguarded::Unguarded;
use crate::upload::Upload;
use crate::websocket;

/// Answers one request.
pub(crate) async fn exchange(
    gateway: Arc<Shared>,
    link: Arc<Link>,
    request: Request<Incoming>,
) -> Response<ClientBody> {
    if websocket::is_asked_for(&request) {
        return Box::pin(websocket::open(gateway, link, request)).await;
    }
    let (head, body) = request.into_parts();
    let authority = link.authority(&head);
    let policy = gateway.snapshot(&link);
    let now = gateway.settings.clock.now();
    let ask = match Ask::admit(&link, head, policy.live.admission(), &gateway.via, now) {
        Ok(ask) => Arc::new(ask.with_content(!body.is_end_stream())),
        Err(refusal) => return Box::pin(gateway.turn_down(&link, authority, refusal)).await,
    };
    gateway.watch_for_lookalike_of(&ask, &policy);
    let (id, authority, reader) = (ask.id, Some(ask.url.authority().clone()), ask.reader.clone());
    let is_head = ask.method == Method::HEAD;
    let carrying = Box::pin(caught(carry(Arc::clone(&gateway), policy, ask, body)));
    let under_way = Some((carrying, Arc::clone(&link.place)));
    match (ToItsEnd { under_way, tasks: gateway.tasks.clone() }).await {
        // HTTP/2 would send the body of an answer to HEAD.
        Some(outbound) if is_head => respond(counted(outbound, &gateway)).map(|_| no_body()),
        Some(outbound) => respond(counted(outbound, &gateway)),
        None => {
            let refusal = early_refusal(id, Reason::Internal, &reader);
            Box::pin(gateway.turn_down(&link, authority, refusal)).await
        }
    }
}

/// An exchange that is carried to its end, also where the client hangs up meanwhile: that does not undo what is being
/// recorded. It takes a task of its own only then.
struct ToItsEnd<F: Future + Send + 'static> {
    /// A client that hangs up and comes back has no second place while its first is at work.
    under_way: Option<(Pin<Box<F>>, Place)>,
    tasks: TaskTracker,
}

impl<F: Future + Send + 'static> Future for ToItsEnd<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some((carrying, _)) = &mut self.under_way else { return Poll::Pending };
        let carried = ready!(carrying.as_mut().poll(cx));
        self.under_way = None;
        Poll::Ready(carried)
    }
}

impl<F: Future + Send + 'static> Drop for ToItsEnd<F> {
    fn drop(&mut self) {
        // Without a runtime the process ends, and nothing goes on.
        if let (Some((carrying, place)), Ok(runtime)) = (self.under_way.take(), Handle::try_current()) {
            let rest = async move {
                carrying.await;
                drop(place);
            };
            self.tasks.spawn_on(rest, &runtime);
        }
    }
}

/// `None` where it panics. Not `async`: that would have room for what it carries twice.
fn caught(carrying: impl Future<Output = Outbound>) -> impl Future<Output = Option<Outbound>> {
    AssertUnwindSafe(carrying).catch_unwind().map(|carried| {
        if carried.is_err() {
            tracing::error!("an exchange panicked; this is a bug");
        }
        carried.ok()
    })
}

/// What leaves without a judgement is counted as it goes; what was judged was counted when it was recorded.
fn counted(outbound: Outbound, gateway: &Shared) -> Outbound {
    match outbound {
        Outbound::Unguarded(unguarded) => Outbound::Unguarded(unguarded.counted(&gateway.counters)),
        Outbound::Cleared(_)
        | Outbound::ObservedUnverified(_)
        | Outbound::Refusal(_)
        | Outbound::Unregistering(_) => outbound,
    }
}

/// Carries an exchange out. What most do not come to is boxed here and below: each takes memory for the longest way, and is
/// moved with all of that.
async fn carry(gateway: Arc<Shared>, policy: Arc<Snapshot>, ask: Arc<Ask>, body: Incoming) -> Outbound {
    if let Some(guarded) = gateway.parked.take(|| ask.key()) {
        return Box::pin(gateway.judge_when_held(&ask, policy, guarded)).await;
    }
    let on_shelf = gateway.answer_from_shelf(&ask, &policy, &policy.expect(&ask.url)).await;
    match on_shelf {
        shelf::Answer::Given(outbound) => outbound,
        shelf::Answer::AskVendor(flight) => Box::pin(ask_vendor(gateway, policy, ask, body, flight)).await,
    }
}

/// The steps of an exchange with the vendor: fetch, classify, hold, judge, act.
async fn ask_vendor(
    gateway: Arc<Shared>,
    policy: Arc<Snapshot>,
    ask: Arc<Ask>,
    body: Incoming,
    flight: Option<Flight>,
) -> Outbound {
    let expected = policy.expect(&ask.url);
    let extent = gateway.extent(&ask, &expected);
    let whole = extent == Extent::Whole;
    let asks_for_head = ask.method == Method::HEAD;
    let method = if asks_for_head && whole { Method::GET } else { ask.method.clone() };

    let is_answered = Arc::default();
    let content = body_of(&ask, body, gateway.settings.limits.idle_timeout, &is_answered);
    let fetched = fetch(&gateway, &ask, &policy, &expected, method, extent, content).await;
    is_answered.store(true, Ordering::Relaxed);
    let mut answer = match fetched {
        Ok(answer) => answer,
        Err(error) => {
            if let (FetchError::Broken(_), Some(flight)) = (&error, flight) {
                flight.land_refused();
            }
            return Box::pin(gateway.refuse(&ask, &policy, Kinds::NONE, &error)).await;
        }
    };
    let is_judged = expected.is_judged();
    let why = unjudged(is_judged, answer.kinds);
    if ask.method == Method::OPTIONS {
        gateway.note_visit(&ask, why);
        return Outbound::Unguarded(Unguarded::head_only(answer.head, why));
    }
    if !expected.guards(answer.kinds) {
        if answer.head.status == StatusCode::NOT_MODIFIED && extent != Extent::AsAsked {
            return Box::pin(gateway.refuse(&ask, &policy, answer.kinds, &FetchError::Status(304))).await;
        }
        return Box::pin(gateway.pass(ask, policy, answer, why)).await;
    }
    gateway.remember_guarded(&ask.url);
    if asks_for_head && !whole {
        let again = fetch(&gateway, &ask, &policy, &expected, Method::GET, Extent::Whole, fetch::empty());
        answer = match Box::pin(again).await {
            Ok(answer) => answer,
            Err(error) => return Box::pin(gateway.refuse(&ask, &policy, answer.kinds, &error)).await,
        };
    }
    gateway.guarded(ask, policy, answer, flight).await
}

/// Why an answer that is not guarded passes.
fn unjudged(is_judged: bool, kinds: Kinds) -> Unjudged {
    match (is_judged, kinds.contains(Kind::Document)) {
        (false, _) => Unjudged::OtherHost,
        (true, true) => Unjudged::Document,
        (true, false) => Unjudged::Unguarded,
    }
}

/// Whose share of the budget rechecks have, all together, so that clients do not wait for them. No vendor has this name.
const RECHECKS: &str = "(rechecks)";

/// Whose share of the budget a body of this URL is counted in.
pub(crate) fn party(policy: &Snapshot, ask: &Ask) -> Arc<str> {
    if ask.is_recheck() {
        return RECHECKS.into();
    }
    policy.party(ask.url.host())
}

/// The coding to answer in. A package is compressed already: encoding it again costs time and gains nothing; and a part
/// is one of the body without a coding.
fn coding_for(ask: &Ask, plain: bool) -> Coding {
    if plain { Coding::Identity } else { ask.accepted().best() }
}

fn body_of(ask: &Ask, body: Incoming, limit: Duration, is_answered: &Arc<AtomicBool>) -> ClientBody {
    if ask.has_content { Upload::of(body, limit, is_answered).boxed_unsync() } else { fetch::empty() }
}

impl Shared {
    /// How much the vendor is asked for. A 304 does not say what it confirms: where a judged host is asked for anything but
    /// what is shown or played, that could be a script which nobody would allow now.
    fn extent(&self, ask: &Ask, expected: &Expectation<'_>) -> Extent {
        // What is pinned is guarded whatever it is.
        let is_guarded = || expected.is_pinned() || expected.guards(classify_request(&ask.facts()));
        if is_guarded() || self.was_guarded(&ask.url) {
            Extent::Whole
        } else if expected.is_judged() && !ask.is_for_media() {
            Extent::Unconfirmed
        } else {
            Extent::AsAsked
        }
    }

    /// Passes what is not guarded. A part that does not begin at the beginning shows no magic: where its type does not
    /// say that it is harmless, it is refused.
    async fn pass(
        self: Arc<Self>,
        ask: Arc<Ask>,
        policy: Arc<Snapshot>,
        mut answer: Answer,
        why: Unjudged,
    ) -> Outbound {
        self.note_visit(&ask, why);
        let is_judged = why.is_of_judged_host();
        if is_judged && answer.is_blind_part() {
            let refused = FetchError::Body(Reason::PartialContent);
            return self.refuse(&ask, &policy, answer.kinds, &refused).await;
        }
        if is_judged {
            answer.suit_nosniff();
            answer.confirm_once();
            answer.forget_a_way_out(&ask, &policy);
        }
        if ask.method == Method::HEAD {
            return Outbound::Unguarded(Unguarded::answer_to_head(answer.head, why));
        }
        if answer.is_late {
            let looking = late::look(self, ask, policy, answer.head.clone(), answer.body);
            return Outbound::Unguarded(Unguarded::pass_once_seen(answer.head, looking, why));
        }
        Outbound::Unguarded(Unguarded::pass(answer.head, answer.body, why))
    }

    /// Holds and judges a guarded answer, and does what follows.
    async fn guarded(
        self: &Arc<Self>,
        ask: Arc<Ask>,
        policy: Arc<Snapshot>,
        answer: Answer,
        flight: Option<Flight>,
    ) -> Outbound {
        let arrival = match self.arrive(&ask, &policy, answer.path.as_ref()).await {
            Ok(arrival) => arrival,
            Err(error) => {
                self.store.miss_arrival(ask.at);
                return self.unrecorded(&ask, &policy, &error);
            }
        };
        let status = answer.head.status;
        if status != StatusCode::OK {
            return Box::pin(self.not_ok(&ask, &policy, answer, arrival)).await;
        }
        let Answer { head, body, path, kinds, .. } = answer;
        let head = Arc::new(head);
        let Ok(codings) = hold::codings(&head.headers) else {
            let seen = Seen { kinds, head: &head, path: path.as_ref(), arrival };
            let passing = self.not_to_be_measured(&ask, &policy, &seen, Reason::BadEncoding, body);
            return Box::pin(passing).await;
        };
        let announced = hold::announced(&head.headers);
        let expected = policy.expect(&ask.url);
        if expected.is_pinned_by_name() {
            self.rechecks.note(&ask, &expected, &head.headers);
        }
        let could_be = could_be(&expected, kinds);
        let limits =
            HoldLimits { keep_wire: observes(&expected), ..policy.live.upstream.hold_limits(could_be) };
        // A large file is fetched once, however long that takes; others need not wait for a script that trickles.
        let flies =
            if could_be.contains(Kind::Installer) { policy.live.max_hold } else { policy.live.patience };
        let room = policy.live.upstream.room(ask.asker.address.ip(), party(&policy, &ask));
        let until = Instant::now() + policy.live.max_hold;
        let (gateway, store) = (Arc::clone(self), self.store.clone());
        let (asked, head_of, path_of) = (Arc::clone(&ask), Arc::clone(&head), path.clone());
        let room_again = || policy.live.upstream.reservation(ask.asker.address.ip(), party(&policy, &ask));
        let again = self.shelf.expected(&ask.url, codings, announced, room_again);
        let mut hold = Box::pin(async move {
            let _holding = gateway.counters.holding();
            let mut flight = flight;
            let aliases = move |id| store.aliases(id);
            let held = {
                let holding = hold::hold_or_recall(body, codings, announced, &limits, room, aliases, again);
                let mut holding = pin!(timeout_at(until, holding));
                match timeout(flies, &mut holding).await {
                    Ok(held) => held,
                    Err(_) => {
                        flight = None;
                        holding.await
                    }
                }
            };
            let (held, wire) = held.unwrap_or(Err(Failed { error: HoldError::Timeout, rest: None }))?;
            let seen = Seen { kinds, head: &head_of, path: path_of.as_ref(), arrival };
            gateway.shelve(&asked, &seen, &held, wire.map(|wire| (codings, wire))).await;
            // Whoever waited finds it on the shelf, also if this client does not come back.
            drop(flight);
            Ok(held)
        });
        if let Some(ended) = poll_immediate(&mut hold).await {
            let seen = Seen { kinds, head: &head, path: path.as_ref(), arrival };
            return self.judge_hold(&ask, policy, &seen, ended).await;
        }
        // A task of its own: it goes on when the client is told to come back.
        let hold = tokio::spawn(hold);
        let guarded = Guarded { head, path, arrival, kinds, hold, until };
        Box::pin(self.judge_when_held(&ask, policy, guarded)).await
    }

    /// Judges a body that is held, or was not to be held.
    async fn judge_hold(
        &self,
        ask: &Ask,
        policy: Arc<Snapshot>,
        seen: &Seen<'_>,
        ended: Result<Held, Failed>,
    ) -> Outbound {
        match ended {
            Ok(held) => self.judge(ask, policy, seen, held).await,
            Err(failed) => {
                let reason = failed.error.reason();
                Box::pin(self.unmeasurable(ask, &policy, seen, reason, failed.rest)).await
            }
        }
    }

    /// Judges a body as soon as it is held. A client whose patience ends before is told to come back: the hold goes on.
    async fn judge_when_held(&self, ask: &Ask, policy: Arc<Snapshot>, mut guarded: Guarded) -> Outbound {
        let patience = if ask.asks() { policy.live.patience } else { policy.live.max_hold };
        let ended = timeout(patience, &mut guarded.hold).await;
        let (kinds, arrival) = (guarded.kinds, guarded.arrival);
        let seen = Seen { kinds, head: &guarded.head, path: guarded.path.as_ref(), arrival };
        match ended {
            Ok(Ok(ended)) => self.judge_hold(ask, policy, &seen, ended).await,
            Ok(Err(_)) => {
                let failed = FetchError::Body(Reason::Internal);
                self.refuse(ask, &policy, guarded.kinds, &failed).await
            }
            Err(_) => {
                let Some(key) = ask.key() else {
                    guarded.hold.abort();
                    return self.unmeasurable(ask, &policy, &seen, Reason::UpstreamTimeout, None).await;
                };
                let kinds = guarded.kinds;
                // Before the answer: the client may come back at once.
                self.parked.put(key, guarded);
                self.refuse(ask, &policy, kinds, &FetchError::Body(Reason::Held)).await
            }
        }
    }

    /// A guarded URL that answered something else than 200.
    async fn not_ok(&self, ask: &Ask, policy: &Snapshot, answer: Answer, arrival: Arrival) -> Outbound {
        let Answer { head, body, path, kinds, .. } = answer;
        let reason = match head.status.as_u16() {
            301 | 302 | 303 | 307 | 308 => match redirect_target(&ask.url, &head) {
                // A browser follows none for a worker's script, and keeps the worker that it has.
                Some(to) if policy.judges_scripts_at(&to) => {
                    if !self.unregisters(ask, policy, Reason::Redirect).await {
                        return Outbound::Unguarded(Unguarded::redirect(head, &to));
                    }
                    Reason::Redirect
                }
                Some(_) | None => Reason::Redirect,
            },
            206 => Reason::PartialContent,
            _ => Reason::UpstreamStatus,
        };
        let seen = Seen { kinds, head: &head, path: path.as_ref(), arrival };
        self.not_to_be_measured(ask, policy, &seen, reason, body).await
    }

    /// What is not measured whatever it is: refused, or in observe mode looked through and passed as it came.
    async fn not_to_be_measured(
        &self,
        ask: &Ask,
        policy: &Snapshot,
        seen: &Seen<'_>,
        reason: Reason,
        body: Arriving,
    ) -> Outbound {
        let expected = policy.expect(&ask.url);
        if consequence(&expected, reason) != Consequence::ObserveUnverified
            || self.unregisters(ask, policy, reason).await
        {
            return self.unmeasurable(ask, policy, seen, reason, None).await;
        }
        let headers = &seen.head.headers;
        let (codings, announced) =
            (hold::codings(headers).unwrap_or(Codings::IDENTITY), hold::announced(headers));
        let limits = policy.live.upstream.hold_limits(could_be(&expected, seen.kinds));
        let room = policy.live.upstream.room(ask.asker.address.ip(), party(policy, ask));
        let looking = hold::unmeasured(body, codings, announced, &limits, room);
        let looked = timeout(policy.live.max_hold, looking).await;
        match looked.unwrap_or(Err(HoldError::Timeout)) {
            Ok(body) => self.unmeasurable(ask, policy, seen, reason, Some(body)).await,
            Err(error) => self.unmeasurable(ask, policy, seen, error.reason(), None).await,
        }
    }

    /// What cannot be measured: refused, or in observe mode passed as it came, unless it can be told that it was revoked.
    async fn unmeasurable(
        &self,
        ask: &Ask,
        policy: &Snapshot,
        seen: &Seen<'_>,
        reason: Reason,
        body: Option<Unmeasured>,
    ) -> Outbound {
        let expected = policy.expect(&ask.url);
        // What is no script replaces no worker: observed or not, a browser would keep the one that was revoked.
        let body = if self.unregisters(ask, policy, reason).await { None } else { body };
        match (consequence(&expected, reason), body) {
            (Consequence::Block | Consequence::Quarantine | Consequence::Learn, _)
            | (Consequence::ObserveUnverified, None) => {
                self.withhold(ask, policy, seen, reason, None, None).await
            }
            (Consequence::ObserveUnverified, Some(Unmeasured { body, digests })) => {
                let is_revoked = || digests.iter().any(|digests| self.is_revoked(digests));
                if is_revoked() {
                    return self.withhold(ask, policy, seen, Reason::Revoked, None, None).await;
                }
                let mut row = seen.row(ask, policy, Outcome::Observed, Some(reason), None);
                // Of a failure browsers run nothing. Whatever else comes from a pinned URL may well be what was changed there.
                let is_failure = seen.head.status.is_client_error() || seen.head.status.is_server_error();
                row.rule = if is_failure { None } else { expected.some_rule() };
                match self.record_release(ask, row, &digests).await {
                    // Once more: the disk took a while.
                    Ok(_) if is_revoked() => {
                        self.withhold(&ask.again(), policy, seen, Reason::Revoked, None, None).await
                    }
                    Ok(receipt) => Outbound::ObservedUnverified(ObservedUnverified::as_it_came(
                        seen.head.clone(),
                        body,
                        reason,
                        receipt,
                        policy.live.client_max_age,
                    )),
                    Err(error) => self.unrecorded(ask, policy, &error),
                }
            }
        }
    }

    /// Judges a measured body. The revocations are read from the newest snapshot, whatever snapshot decides the rest.
    async fn judge(&self, ask: &Ask, mut policy: Arc<Snapshot>, seen: &Seen<'_>, mut held: Held) -> Outbound {
        self.store.remember_aliases(*held.digests());
        let mut is_bound_now = false;
        loop {
            let newest = self.policy.newest();
            let now = self.settings.clock.now();
            let expected = policy.expect(&ask.url);
            match judge(&expected, Ok(held), now, newest.revocations()) {
                Verdict::Allow(cleared) => {
                    // By its name it was noted when it came.
                    if !expected.is_pinned_by_name() {
                        self.rechecks.note(ask, &expected, &seen.head.headers);
                    }
                    let cleared = match judge_arrival(&expected, cleared, seen.arrival) {
                        Ok(cleared) => cleared,
                        Err(held) => {
                            let acting = self.act(ask, &policy, seen, Reason::PathChanged, Some(held));
                            return Box::pin(acting).await;
                        }
                    };
                    if is_bound_now {
                        Box::pin(self.shelve(ask, seen, cleared.held(), None)).await;
                    }
                    let kept = Box::pin(self.kept_together(ask, &policy, &expected, &cleared)).await;
                    if let Some(kept) = kept {
                        return kept;
                    }
                    return self.release(ask, &policy, seen, cleared, Grounds::Verified).await;
                }
                Verdict::Withhold(reason, held) => {
                    return Box::pin(self.act(ask, &policy, seen, reason, held)).await;
                }
                Verdict::Bind(unbound, binding) => {
                    if let Err(error) = self.store.bind(&binding).await {
                        return self.unrecorded(ask, &policy, &error);
                    }
                    // Bound now, here or by another request elsewhere: the newest policy knows.
                    policy = self.policy.newest();
                    held = unbound;
                    is_bound_now = true;
                }
            }
        }
    }

    /// Puts a body on the shelf that the newest policy allows where it was asked for, if it could ever be served from
    /// there. What `came` on the wire is remembered in any case: when the vendor sends it again, it is there in each coding.
    async fn shelve(&self, ask: &Ask, seen: &Seen<'_>, held: &Held, came: Option<(Codings, Wire)>) {
        let (policy, now) = (self.policy.newest(), self.settings.clock.now());
        let expected = policy.expect(&ask.url);
        let is_for_shelf = may_be_shelved(ask, &expected) || (ask.asks() && expected.rules().substitute);
        if !is_for_shelf && came.is_none() {
            return;
        }
        let cleared = match judge(&expected, Ok(held.clone()), now, policy.revocations()) {
            Verdict::Allow(cleared) => cleared,
            Verdict::Bind(..) | Verdict::Withhold(..) => return,
        };
        if let Some((codings, wire)) = came {
            self.shelf.learn(&ask.url, codings, wire, cleared.held()).await;
        }
        if is_for_shelf && let Ok(cleared) = judge_arrival(&expected, cleared, seen.arrival) {
            let fresh = Fresh { head: seen.head, kinds: seen.kinds, path: seen.path, cleared: &cleared };
            self.shelf.put(ask, &fresh, now, self.room_on_shelf());
        }
    }

    /// Releases what was cleared, once that is recorded.
    pub(crate) async fn release(
        &self,
        ask: &Ask,
        policy: &Snapshot,
        seen: &Seen<'_>,
        cleared: Cleared,
        grounds: Grounds,
    ) -> Outbound {
        let measured = (cleared.digests().sha256, cleared.len());
        // Parts and conditions are for those who ask: an answer to another method is about what was done.
        let wanted = Wanted::by(ask.asks().then_some(&ask.headers), ask.method == Method::HEAD);
        let plain = cleared.kind() == Kind::Installer || wanted.is_for_part();
        let room = || policy.live.upstream.reservation(ask.asker.address.ip(), party(policy, ask));
        let coding = coding_for(ask, plain);
        let encoded = self.shelf.encoded(&self.encoders, cleared.held(), coding, room).await;
        let given = wanted.of(cleared.digests().sha256, &encoded);
        if self.is_revoked(cleared.digests()) {
            return Box::pin(self.revoked(ask, policy, seen, measured)).await;
        }
        let recording = {
            let (outcome, reason, incident) = grounds.recorded();
            let mut row = seen.row(ask, policy, outcome, reason, Some(measured));
            row.incident = incident;
            row.rule = Some(cleared.rule());
            row.status = given.status().as_u16();
            self.record_release(ask, row, std::slice::from_ref(cleared.digests()))
        };
        match recording.await {
            // Once more: the disk took a while.
            Ok(_) if self.is_revoked(cleared.digests()) => {
                let again = ask.again();
                Box::pin(async move { self.revoked(&again, policy, seen, measured).await }).await
            }
            Ok(receipt) => Outbound::Cleared(Release::new(
                (&seen.head.headers, &self.shelf.ready),
                &cleared,
                encoded,
                (&wanted, given),
                (receipt, &self.deliveries),
                (grounds, policy.live.client_max_age),
            )),
            Err(error) => self.unrecorded(ask, policy, &error),
        }
    }

    /// Encodes a body as the client wants it, unless it goes out `plain`.
    async fn encode(
        &self,
        ask: &Ask,
        policy: &Snapshot,
        kept: &Kept,
        digests: &Digests,
        plain: bool,
    ) -> Encoded {
        let reservation = policy.live.upstream.reservation(ask.asker.address.ip(), party(policy, ask));
        self.encoders.encode(kept, digests, coding_for(ask, plain), reservation).await
    }

    /// Whether a body was revoked, by now: encoding and recording take a while.
    fn is_revoked(&self, digests: &Digests) -> bool {
        self.policy.newest().revocations().include(digests)
    }

    async fn revoked(&self, ask: &Ask, policy: &Snapshot, seen: &Seen<'_>, measured: Measured) -> Outbound {
        self.withhold(ask, policy, seen, Reason::Revoked, Some(measured), None).await
    }

    /// Does what the rules say for a measured body that was not cleared.
    async fn act(
        &self,
        ask: &Ask,
        policy: &Snapshot,
        seen: &Seen<'_>,
        reason: Reason,
        held: Option<Held>,
    ) -> Outbound {
        let expected = policy.expect(&ask.url);
        let measured = held.as_ref().map(|held| (held.id(), held.len()));
        match (consequence(&expected, reason), held) {
            (Consequence::ObserveUnverified, Some(held)) => {
                self.observe(ask, policy, seen, reason, held).await
            }
            (Consequence::Learn, Some(held)) => self.learn(ask, policy, seen, held).await,
            (Consequence::Quarantine, held) => {
                self.withhold(ask, policy, seen, reason, measured, held.as_ref()).await
            }
            (Consequence::Block | Consequence::ObserveUnverified | Consequence::Learn, _) => {
                self.withhold(ask, policy, seen, reason, measured, None).await
            }
        }
    }

    async fn observe(
        &self,
        ask: &Ask,
        policy: &Snapshot,
        seen: &Seen<'_>,
        reason: Reason,
        held: Held,
    ) -> Outbound {
        let (digests, len) = (*held.digests(), held.len());
        let plain = seen.kinds.contains(Kind::Installer);
        let encoded = self.encode(ask, policy, &held.into_unverified(), &digests, plain).await;
        if self.is_revoked(&digests) {
            return self.revoked(ask, policy, seen, (digests.sha256, len)).await;
        }
        let row = seen.row(ask, policy, Outcome::Observed, Some(reason), Some((digests.sha256, len)));
        match self.record_release(ask, row, &[digests]).await {
            // Once more: the disk took a while.
            Ok(_) if self.is_revoked(&digests) => {
                self.revoked(&ask.again(), policy, seen, (digests.sha256, len)).await
            }
            Ok(receipt) => Outbound::ObservedUnverified(ObservedUnverified::measured(
                seen.head.clone(),
                encoded,
                reason,
                (receipt, &self.deliveries),
                policy.live.client_max_age,
            )),
            Err(error) => self.unrecorded(ask, policy, &error),
        }
    }
}

/// Whether observe mode may let this URL pass unmeasured.
fn observes(expected: &Expectation<'_>) -> bool {
    consequence(expected, Reason::BodyTooLarge) == Consequence::ObserveUnverified
}

/// What a body could act as, the kind that its pins say included: an installer may be larger than others.
pub(crate) fn could_be(expected: &Expectation<'_>, mut kinds: Kinds) -> Kinds {
    kinds.extend(expected.deciding().pins().iter().map(|pin| pin.kind));
    kinds
}
