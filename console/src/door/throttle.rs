//! Few tries: after some wrong passwords each further one has to wait twice as long as the one before.
//!
//! A try counts when it begins, so that many at once are not all the first. A name counts whether or not it is a user's: the
//! wait does not tell who exists, and what was typed is kept as its digest alone. But only a user's is kept whatever else is
//! tried: names and addresses without end push each other out, and no user.
//!
//! Whoever is signed in proves who they are by tries of their session's own, so that nobody else can keep them from deciding.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::sessions::Token;

/// Tries for one name that wait for nothing.
const FREE_FOR_NAME: u32 = 5;
/// Tries from one address that wait for nothing: an office can be behind it.
const FREE_FOR_SOURCE: u32 = 20;
/// Beginnings at the identity provider from one address that come to nothing and wait for nothing: who begins proves nothing, and
/// people change their minds.
const FREE_TO_BEGIN: u32 = 60;
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// Tries are forgotten this long after the last of them.
const FORGOTTEN: Duration = Duration::from_secs(60 * 60);
/// Addresses, and names that are nobody's, that are remembered. Beyond them the one that was tried longest ago is forgotten.
const REMEMBERED: usize = 4096;

/// Who tries.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trying<'a> {
    /// Somebody at this address, under a name that is or is not a user's.
    Stranger { source: IpAddr, is_user: bool },
    /// The session of this token.
    Session(&'a Token),
    /// A program at this address, by a token. One with an old token must not keep people there from signing in.
    Program { source: IpAddr },
    /// A browser at this address that is to be sent to the identity provider.
    Beginning { source: IpAddr },
    /// A browser at this address that comes back from the identity provider and began nothing here.
    Astray { source: IpAddr },
    /// One that did, and hands in what the provider is to vouch for: it costs us a question to the provider.
    Returning { source: IpAddr },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    User([u8; 32]),
    Name([u8; 32]),
    Source(IpAddr),
    Session([u8; 32]),
    Program(IpAddr),
    Beginning(IpAddr),
    Astray(IpAddr),
    Returning(IpAddr),
}

impl Key {
    fn free(self) -> u32 {
        match self {
            Self::User(_) | Self::Name(_) | Self::Session(_) => FREE_FOR_NAME,
            Self::Source(_) | Self::Program(_) | Self::Astray(_) | Self::Returning(_) => FREE_FOR_SOURCE,
            Self::Beginning(_) => FREE_TO_BEGIN,
        }
    }

    /// There are as many of these as there are users and sessions.
    fn stays(self) -> bool {
        match self {
            Self::User(_) | Self::Session(_) => true,
            Self::Name(_)
            | Self::Source(_)
            | Self::Program(_)
            | Self::Beginning(_)
            | Self::Astray(_)
            | Self::Returning(_) => false,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Tries {
    count: u32,
    last: Instant,
}

impl Tries {
    /// How long after the last try the next one may be.
    fn wait(self, free: u32) -> Duration {
        match self.count.checked_sub(free) {
            None => Duration::ZERO,
            Some(over) => Duration::from_secs(1_u64.checked_shl(over).unwrap_or(u64::MAX)).min(LONGEST),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<HashMap<Key, Tries>>);

impl Throttle {
    /// Counts a try.
    ///
    /// # Errors
    /// How long to wait: then it was none.
    pub(super) fn enter(&self, name: &str, trying: Trying<'_>, now: Instant) -> Result<(), Duration> {
        let keys = keys(name, trying);
        let mut known = self.known();
        known.retain(|_, tries| now.duration_since(tries.last) < FORGOTTEN);
        let left = |key: &Key| {
            let tries = known.get(key)?;
            tries.wait(key.free()).checked_sub(now.duration_since(tries.last)).filter(|left| !left.is_zero())
        };
        if let Some(wait) = keys.iter().flatten().filter_map(left).max() {
            return Err(wait);
        }
        for key in keys.into_iter().flatten() {
            make_room(&mut known);
            let tries = known.entry(key).or_insert(Tries { count: 0, last: now });
            *tries = Tries { count: tries.count.saturating_add(1), last: now };
        }
        Ok(())
    }

    /// The try was right. What else came from there stays counted.
    pub(super) fn passed(&self, name: &str, trying: Trying<'_>) {
        let mut known = self.known();
        for key in keys(name, trying).into_iter().flatten() {
            match key {
                Key::User(_) | Key::Name(_) | Key::Session(_) => drop(known.remove(&key)),
                Key::Source(_) | Key::Program(_) | Key::Beginning(_) | Key::Astray(_) | Key::Returning(_) => {
                    if let Some(tries) = known.get_mut(&key) {
                        tries.count = tries.count.saturating_sub(1);
                    }
                }
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Key, Tries>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keys(name: &str, trying: Trying<'_>) -> [Option<Key>; 2] {
    let name = || Sha256::digest(name).into();
    match trying {
        Trying::Stranger { source, is_user } => {
            let name = if is_user { Key::User(name()) } else { Key::Name(name()) };
            [Some(name), Some(Key::Source(source.to_canonical()))]
        }
        Trying::Session(token) => [Some(Key::Session(token.digest())), None],
        Trying::Program { source } => [Some(Key::Program(network(source))), None],
        Trying::Beginning { source } => [Some(Key::Beginning(network(source))), None],
        Trying::Astray { source } => [Some(Key::Astray(network(source))), None],
        Trying::Returning { source } => [Some(Key::Returning(network(source))), None],
    }
}

/// The network of an address in IPv6, of which each machine has as many as it likes (RFC 8981); another address as it is.
/// Passwords do not go by it: they are kept by their name too, and a neighbour must not keep people out.
pub(super) fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        own @ IpAddr::V4(_) => own,
    }
}

fn make_room(known: &mut HashMap<Key, Tries>) {
    let passing = || known.iter().filter(|(key, _)| !key.stays());
    if passing().count() >= REMEMBERED
        && let Some(oldest) = passing().min_by_key(|(_, tries)| tries.last).map(|(key, _)| *key)
    {
        known.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u8) -> Trying<'static> {
        Trying::Stranger { source: IpAddr::from([127, 0, 0, last]), is_user: true }
    }

    #[test]
    fn of_one_name_some_tries_are_free_and_then_each_waits_longer_than_the_one_before() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        for last in 0..5 {
            assert_eq!(throttle.enter("ada", source(last), start), Ok(()));
        }
        let mut now = start;
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            let wait = Duration::from_secs(seconds);
            // From wherever, and it is not counted.
            assert_eq!(throttle.enter("ada", source(9), now), Err(wait));
            now += wait;
            assert_eq!(throttle.enter("ada", source(10), now), Ok(()), "after {seconds} s");
        }
        assert_eq!(throttle.enter("eve", source(1), now), Ok(()));
        assert_eq!(throttle.enter("ada", source(1), now + FORGOTTEN), Ok(()));
    }

    #[test]
    fn of_one_source_tries_with_many_names_wait_too() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for name in 0..20 {
            assert_eq!(throttle.enter(&format!("user {name}"), source(1), now), Ok(()));
        }
        assert_eq!(throttle.enter("ada", source(1), now), Err(Duration::from_secs(1)));
        assert_eq!(throttle.enter("ada", source(2), now), Ok(()));
    }

    #[test]
    fn who_was_right_begins_anew_and_the_source_keeps_its_wrong_ones() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for at in 0..19 {
            assert_eq!(throttle.enter(&format!("user {at}"), source(1), now), Ok(()));
        }
        for _ in 0..30 {
            assert_eq!(throttle.enter("ada", source(1), now), Ok(()));
            throttle.passed("ada", source(1));
        }
        assert_eq!(throttle.enter("eve", source(1), now), Ok(()));
        assert!(throttle.enter("ada", source(1), now).is_err());
    }

    #[test]
    fn names_and_addresses_without_end_are_bounded_and_push_no_user_out() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        while throttle.enter("ada", source(1), now).is_ok() {}
        for at in 0..2 * REMEMBERED {
            let source = IpAddr::from(u32::try_from(at).unwrap().to_be_bytes());
            let stranger = Trying::Stranger { source, is_user: false };
            assert_eq!(throttle.enter(&format!("user {at}"), stranger, now), Ok(()));
        }
        assert!(throttle.known().len() <= REMEMBERED + 1);
        assert_eq!(throttle.enter("ada", source(2), now), Err(Duration::from_secs(1)));
    }

    #[test]
    fn a_machine_of_many_addresses_is_one_that_tries() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let of = |text: &str| text.parse::<IpAddr>().unwrap();
        for last in 0..FREE_FOR_SOURCE {
            let source = of(&format!("2001:db8:0:1::{last:x}"));
            assert_eq!(throttle.enter("", Trying::Program { source }, now), Ok(()));
        }
        let tries = |source| throttle.enter("", Trying::Program { source: of(source) }, now).is_ok();
        assert!(!tries("2001:db8:0:1:ffff::1"));
        assert!(tries("2001:db8:0:2::1") && tries("192.0.2.1") && tries("::ffff:192.0.2.2"));
    }

    #[test]
    fn who_begins_at_the_provider_without_end_waits_and_who_comes_back_right_does_not_count() {
        let throttle = Throttle::default();
        let (source, now) = ("192.0.2.7".parse().unwrap(), Instant::now());
        let begins = || throttle.enter("", Trying::Beginning { source }, now);
        for _ in 0..200 {
            assert_eq!(begins(), Ok(()));
            throttle.passed("", Trying::Beginning { source });
        }
        for _ in 0..FREE_TO_BEGIN {
            assert_eq!(begins(), Ok(()));
        }
        assert!(begins().is_err());
        assert_eq!(throttle.enter("", Trying::Returning { source }, now), Ok(()));
    }

    #[test]
    fn who_is_signed_in_is_kept_from_nothing_by_the_tries_of_others_and_has_few_of_their_own() {
        let (throttle, now, token) = (Throttle::default(), Instant::now(), Token::new().unwrap());
        for _ in 0..50 {
            let _ = throttle.enter("ada", source(1), now);
        }
        for _ in 0..FREE_FOR_NAME {
            assert_eq!(throttle.enter("ada", Trying::Session(&token), now), Ok(()));
        }
        assert!(throttle.enter("ada", Trying::Session(&token), now).is_err());
        let other = Token::new().unwrap();
        assert_eq!(throttle.enter("ada", Trying::Session(&other), now), Ok(()));
    }
}
