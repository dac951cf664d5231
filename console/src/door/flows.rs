//! Sign-ins that are under way at the identity provider. Each counts once, in the browser that began it, and within minutes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pinfold_store::incident::Incident;

use super::throttle::network;
use super::{About, Token};

/// A flow that is not back after this has ended.
const WITHIN: Duration = Duration::from_secs(10 * 60);
/// Flows at one time. Beyond them the oldest ends.
const MOST: usize = 256;
/// The same from one address, or one network in IPv6, so that nobody ends those of others by beginning some.
const MOST_OF_ONE: usize = 16;

/// What is kept of one.
#[derive(Debug)]
pub(crate) struct Flow {
    /// What its token will hold.
    pub(crate) nonce: Token,
    /// What shows the provider that whoever has the code began the flow.
    pub(crate) verifier: Token,
    /// Where it comes back to.
    pub(crate) redirect_uri: String,
    /// What for.
    pub(crate) purpose: Purpose,
}

/// What a flow is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To sign in, and then to go to an item. The session that the browser had before, by its digest, ends with that.
    SignIn(Option<Incident>, Option<[u8; 32]>),
    /// To prove again who one is, in the session of this digest, for a decision.
    Prove([u8; 32], About),
}

struct Kept {
    flow: Flow,
    browser: [u8; 32],
    source: IpAddr,
    begun: Instant,
}

#[derive(Default)]
pub(crate) struct Flows(Mutex<HashMap<[u8; 32], Kept>>);

impl Flows {
    /// Keeps a flow under its `state`, for the browser with this cookie.
    pub(crate) fn begin(&self, state: &Token, browser: &Token, source: IpAddr, flow: Flow, now: Instant) {
        let (mut all, source) = (self.all(), network(source));
        all.retain(|_, kept| now.duration_since(kept.begun) < WITHIN);
        let is_of_one = |kept: &Kept| kept.source == source;
        if all.values().filter(|kept| is_of_one(kept)).count() >= MOST_OF_ONE {
            end_oldest(&mut all, is_of_one);
        }
        if all.len() >= MOST {
            end_oldest(&mut all, |_| true);
        }
        all.insert(state.digest(), Kept { flow, browser: browser.digest(), source, begun: now });
    }

    /// The flow of this `state`, if this is the browser that began it. Whoever asks: it has ended.
    pub(crate) fn take(&self, state: &Token, browser: &Token, now: Instant) -> Option<Flow> {
        let kept = self.all().remove(&state.digest())?;
        let counts = kept.browser == browser.digest() && now.duration_since(kept.begun) < WITHIN;
        counts.then_some(kept.flow)
    }

    fn all(&self) -> MutexGuard<'_, HashMap<[u8; 32], Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end_oldest(all: &mut HashMap<[u8; 32], Kept>, among: impl Fn(&Kept) -> bool) {
    let oldest = all.iter().filter(|(_, kept)| among(kept)).min_by_key(|(_, kept)| kept.begun);
    if let Some(key) = oldest.map(|(key, _)| *key) {
        all.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow() -> Flow {
        Flow {
            nonce: Token::new().unwrap(),
            verifier: Token::new().unwrap(),
            redirect_uri: String::new(),
            purpose: Purpose::SignIn(None, None),
        }
    }

    #[test]
    fn a_flow_counts_once_in_its_browser_and_within_its_time() {
        let (flows, now, source) = (Flows::default(), Instant::now(), IpAddr::from([10, 0, 0, 1]));
        let (state, browser, other) = (Token::new().unwrap(), Token::new().unwrap(), Token::new().unwrap());
        flows.begin(&state, &browser, source, flow(), now);
        assert!(flows.take(&state, &browser, now).is_some());
        assert!(flows.take(&state, &browser, now).is_none(), "it was used");

        flows.begin(&state, &browser, source, flow(), now);
        assert!(flows.take(&state, &other, now).is_none(), "another browser");
        assert!(flows.take(&state, &browser, now).is_none(), "it has ended with that");

        flows.begin(&state, &browser, source, flow(), now);
        assert!(flows.take(&state, &browser, now + WITHIN).is_none(), "too late");
    }

    #[test]
    fn flows_without_end_from_one_address_end_its_own() {
        let (flows, now) = (Flows::default(), Instant::now());
        let (state, browser) = (Token::new().unwrap(), Token::new().unwrap());
        flows.begin(&state, &browser, IpAddr::from([10, 0, 0, 1]), flow(), now);
        for _ in 0..2 * MOST {
            flows.begin(&Token::new().unwrap(), &browser, IpAddr::from([10, 0, 0, 2]), flow(), now);
        }
        for last in 0..2 * MOST {
            let source: IpAddr = format!("2001:db8::{last:x}").parse().unwrap();
            flows.begin(&Token::new().unwrap(), &browser, source, flow(), now);
        }
        assert_eq!(flows.all().len(), 1 + 2 * MOST_OF_ONE);
        assert!(flows.take(&state, &browser, now).is_some());
    }
}
