//! What a gateway has done since it started, in plain numbers. Whoever runs it makes metrics of them.
//!
//! They say what share of the traffic was judged, and why the rest could not be. The canary's exchanges are in none of
//! them.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use pinfold_policy::reason::Reason;
use pinfold_policy::verdict::Outcome;

use crate::respond::{BoxError, ClientBody};

/// How often something was, and how many bytes it had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How often.
    pub exchanges: u64,
    /// Bytes of the bodies: decoded where they were measured, else as they passed.
    pub bytes: u64,
}

/// How long each of some took, by classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// All together, in microseconds.
    pub sum_us: u64,
    /// How many took up to each of [`Times::UP_TO_US`] and longer than the one before it; the last of them took longer.
    pub counts: [u64; Times::UP_TO_US.len() + 1],
}

impl Times {
    /// Where the classes end, in microseconds: from what the shelf answers to `limits.patience`.
    pub const UP_TO_US: [u64; 13] = [
        1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 2_500_000, 10_000_000,
        30_000_000, 60_000_000,
    ];

    fn add(&mut self, took_us: u64) {
        self.sum_us = self.sum_us.saturating_add(took_us);
        let class = Self::UP_TO_US.partition_point(|up_to| *up_to < took_us);
        if let Some(count) = self.counts.get_mut(class) {
            *count += 1;
        }
    }
}

/// Why something passed without a judgement. A closed list, which metrics and docs share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unjudged {
    /// A vendor's answer that could not act as anything that is guarded.
    Unguarded,
    /// A vendor's document that is not guarded: it runs its own inline code.
    Document,
    /// An answer of a host whose scripts are no concern.
    OtherHost,
    /// A tunnel that was not decrypted.
    Tunnel,
    /// A WebSocket.
    Websocket,
}

impl Unjudged {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Unguarded, Self::Document, Self::OtherHost, Self::Tunnel, Self::Websocket];

    /// Whether the gateway judges what comes from there.
    pub(crate) fn is_of_judged_host(self) -> bool {
        match self {
            Self::Unguarded | Self::Document => true,
            Self::OtherHost | Self::Tunnel | Self::Websocket => false,
        }
    }

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unguarded => "unguarded",
            Self::Document => "document",
            Self::OtherHost => "other-host",
            Self::Tunnel => "tunnel",
            Self::Websocket => "websocket",
        }
    }
}

/// What passes bytes both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carries {
    Tunnel,
    Websocket,
}

impl Carries {
    pub(crate) fn unjudged(self) -> Unjudged {
        match self {
            Self::Tunnel => Unjudged::Tunnel,
            Self::Websocket => Unjudged::Websocket,
        }
    }
}

/// What a recheck found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rechecked {
    /// A body that is allowed there.
    Allowed,
    /// Another one.
    Drift,
    /// None that could be measured.
    Nothing,
}

impl Rechecked {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Allowed, Self::Drift, Self::Nothing];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Drift => "drift",
            Self::Nothing => "nothing",
        }
    }
}

/// The counts at one time.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Guarded exchanges, by what was decided and why.
    pub judged: HashMap<(Outcome, Option<Reason>), Sum>,
    /// How long it took from a guarded request to what was decided.
    pub took: HashMap<Outcome, Times>,
    /// Answers of pinned URLs that observe mode let pass although they could not be measured.
    pub pinned_unmeasured: u64,
    /// What passed without a judgement.
    pub unjudged: HashMap<Unjudged, Sum>,
    /// Guarded exchanges that were refused because they could not be recorded.
    pub unrecorded: u64,
    /// Requests and tunnels that were refused before there was anything to judge.
    pub turned_away: HashMap<Reason, u64>,
    /// Requests of clients and of rechecks to which a vendor gave no usable answer.
    pub upstream_errors: HashMap<Reason, u64>,
    /// Looks at what vendors serve now.
    pub rechecks: HashMap<Rechecked, u64>,
    /// Answers from the shelf.
    pub shelf_hits: u64,
    /// Requests that the shelf could have answered, and did not.
    pub shelf_misses: u64,
    /// Tunnels that are open.
    pub tunnels_open: u64,
    /// WebSockets that are open.
    pub websockets_open: u64,
    /// Bodies that are being held.
    pub holds: u64,
}

/// What counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    counts: Mutex<Counts>,
    /// Bytes that passed unjudged come in pieces.
    passed: [AtomicU64; Unjudged::ALL.len()],
    tunnels: Arc<AtomicU64>,
    websockets: Arc<AtomicU64>,
    holds: Arc<AtomicU64>,
}

/// Something that lasts, until this is dropped.
#[derive(Debug)]
pub(crate) struct Lasting(Arc<AtomicU64>);

impl Lasting {
    fn begin(gauge: &Arc<AtomicU64>) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(gauge))
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Counters {
    /// The counts as they are now.
    pub(crate) fn now(&self) -> Counts {
        let mut counts = self.counts().clone();
        for (why, passed) in Unjudged::ALL.into_iter().zip(&self.passed) {
            counts.unjudged.entry(why).or_default().bytes = passed.load(Ordering::Relaxed);
        }
        let lasting = |gauge: &AtomicU64| gauge.load(Ordering::Relaxed);
        counts.tunnels_open = lasting(&self.tunnels);
        counts.websockets_open = lasting(&self.websockets);
        counts.holds = lasting(&self.holds);
        counts
    }

    /// A guarded exchange that is recorded.
    pub(crate) fn judged(&self, outcome: Outcome, reason: Option<Reason>, bytes: u64, took_us: u64) {
        let mut counts = self.counts();
        counts.took.entry(outcome).or_default().add(took_us);
        let sum = counts.judged.entry((outcome, reason)).or_default();
        sum.exchanges += 1;
        sum.bytes += bytes;
    }

    /// One of those that is among the pinned ones.
    pub(crate) fn pinned_unmeasured(&self) {
        self.counts().pinned_unmeasured += 1;
    }

    pub(crate) fn unrecorded(&self) {
        self.counts().unrecorded += 1;
    }

    pub(crate) fn turned_away(&self, reason: Reason) {
        *self.counts().turned_away.entry(reason).or_default() += 1;
    }

    pub(crate) fn upstream_error(&self, reason: Reason) {
        *self.counts().upstream_errors.entry(reason).or_default() += 1;
    }

    pub(crate) fn rechecked(&self, found: Rechecked) {
        *self.counts().rechecks.entry(found).or_default() += 1;
    }

    pub(crate) fn shelf(&self, is_hit: bool) {
        let mut counts = self.counts();
        if is_hit { counts.shelf_hits += 1 } else { counts.shelf_misses += 1 }
    }

    /// A body that passes unjudged: its bytes are counted as they go.
    pub(crate) fn passing(self: &Arc<Self>, why: Unjudged, body: ClientBody) -> ClientBody {
        self.counts().unjudged.entry(why).or_default().exchanges += 1;
        ClientBody::new(Passing { body, why, counters: Arc::clone(self) })
    }

    /// Bytes that passed unjudged.
    pub(crate) fn passed(&self, why: Unjudged, bytes: u64) {
        let mut passed = Unjudged::ALL.into_iter().zip(&self.passed);
        if let Some((_, passed)) = passed.find(|(one, _)| *one == why) {
            passed.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Bytes pass both ways from now on.
    pub(crate) fn relaying(&self, carries: Carries) -> Lasting {
        self.counts().unjudged.entry(carries.unjudged()).or_default().exchanges += 1;
        Lasting::begin(match carries {
            Carries::Tunnel => &self.tunnels,
            Carries::Websocket => &self.websockets,
        })
    }

    /// A body is being held.
    pub(crate) fn holding(&self) -> Lasting {
        Lasting::begin(&self.holds)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body whose bytes are counted as they pass.
struct Passing {
    body: ClientBody,
    why: Unjudged,
    counters: Arc<Counters>,
}

impl Body for Passing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.counters.passed(self.why, u64::try_from(data.len()).unwrap_or(u64::MAX));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::respond::{no_body, text_body};

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the body is our own")]
    async fn what_passes_unjudged_is_counted_as_it_goes() {
        let counters = Arc::new(Counters::default());
        let body = counters.passing(Unjudged::Document, text_body("<p>".to_owned()));
        assert_eq!(counters.now().unjudged[&Unjudged::Document], Sum { exchanges: 1, bytes: 0 });
        assert_eq!(body.size_hint().exact(), Some(3));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "<p>");
        assert_eq!(counters.now().unjudged[&Unjudged::Document], Sum { exchanges: 1, bytes: 3 });
        assert!(counters.passing(Unjudged::Unguarded, no_body()).is_end_stream());
    }

    #[test]
    fn a_time_is_counted_in_the_class_that_it_ends_in() {
        let counters = Counters::default();
        for took_us in [0, 1_000, 1_001, 60_000_000, 60_000_001, u64::MAX] {
            counters.judged(Outcome::Verified, None, 0, took_us);
        }
        let times = counters.now().took[&Outcome::Verified];
        assert_eq!(times.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(times.sum_us, u64::MAX, "it does not begin anew");
    }

    #[test]
    fn what_lasts_is_counted_until_it_ends() {
        let counters = Counters::default();
        let (hold, tunnel) = (counters.holding(), counters.relaying(Carries::Tunnel));
        let now = counters.now();
        assert_eq!((now.holds, now.tunnels_open, now.websockets_open), (1, 1, 0));
        drop((hold, tunnel));
        let now = counters.now();
        assert_eq!((now.holds, now.tunnels_open), (0, 0));
        assert_eq!(now.unjudged[&Unjudged::Tunnel].exchanges, 1);
    }
}
