//! Rule 1: who a client says they are, and whether they are.
//!
//! The credential comes with each request to the proxy and with each CONNECT (RFC 9110 §11.7); what goes on in a tunnel
//! is its user's. Checking a password takes milliseconds and megabytes on purpose, so a flood of wrong ones must not
//! become the gateway's whole work: few are checked at one time, few more wait, no address has more than a quarter of
//! the waiting places, and whoever finds none is told to come back. A credential that was right once is remembered and
//! waits for nobody.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Request, Response, header};
use hyper::body::Incoming;
use pinfold_policy::host::Authority;
use pinfold_policy::reason::Reason;
use pinfold_policy::user::{Role, Users};
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha512_256};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use uuid::Uuid;

use crate::ask::{early_refusal, reader};
use crate::gateway::Shared;
use crate::link::Link;
use crate::respond::ClientBody;

/// Passwords that are checked at one time.
const AT_ONE_TIME: usize = 2;
/// Credentials that wait to be checked, or are being checked.
const WAITING: usize = 128;
/// The same of one client address.
const WAITING_OF_ONE: usize = WAITING / 4;
/// Whoever has waited for this long is told to come back.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Credentials that are known to be right.
const REMEMBERED: usize = 16_384;
/// The longest name and password together, in bytes.
const LONGEST: usize = 1024;

/// What stands for a credential in memory: it tells nothing of the password to whoever reads the memory without the key.
type Tag = [u8; 32];

/// Tells users by their credentials.
pub(crate) struct Credentials {
    users: Arc<Users>,
    key: [u8; 32],
    known: Cache<Tag, Arc<str>>,
    queue: Arc<Queue>,
    at_work: Arc<Semaphore>,
}

impl Credentials {
    /// # Errors
    /// Where the system has no random bytes.
    pub(crate) fn of(users: Arc<Users>) -> Result<Self, rustls::Error> {
        let mut key = [0; 32];
        let source = rustls::crypto::aws_lc_rs::default_provider().secure_random;
        source.fill(&mut key).map_err(|_| rustls::Error::FailedToGetRandomBytes)?;
        Ok(Self {
            users,
            key,
            known: Cache::new(REMEMBERED),
            queue: Arc::default(),
            at_work: Arc::new(Semaphore::new(AT_ONE_TIME)),
        })
    }

    /// The same for other users. A credential that was right stays known where nothing about its user has changed: not
    /// every client is to be checked anew because one was added.
    pub(crate) fn followed_by(&self, users: Arc<Users>) -> Self {
        let known = Cache::new(REMEMBERED);
        for (tag, name) in self.known.iter() {
            if users.have_alike(&name, &self.users) {
                known.insert(tag, name);
            }
        }
        let (queue, at_work) = (Arc::clone(&self.queue), Arc::clone(&self.at_work));
        Self { users, key: self.key, known, queue, at_work }
    }

    /// The user that a request is from.
    ///
    /// # Errors
    /// The reason to refuse it. Wrong in any way is one reason: what exactly is wrong is nobody's business.
    async fn identify(&self, client: IpAddr, headers: &HeaderMap) -> Result<Arc<str>, Reason> {
        let credential = Credential::read(headers).ok_or(Reason::CredentialsRequired)?;
        let identified = timeout(LONGEST_WAIT, self.known_or_checked(client, credential)).await;
        identified.unwrap_or(Err(Reason::Overloaded))
    }

    /// Whose credential a request carries, as far as that is a user; none where it carries none, as a browser's first does.
    fn tried(&self, headers: &HeaderMap) -> Option<Option<Arc<str>>> {
        let is_tried = headers.contains_key(header::PROXY_AUTHORIZATION);
        let user = || Credential::read(headers).and_then(|credential| self.users.known(&credential.name));
        is_tried.then(user)
    }

    /// A browser opens a dozen connections with the same credential at once: one of them has it checked.
    async fn known_or_checked(&self, client: IpAddr, credential: Credential) -> Result<Arc<str>, Reason> {
        match self.known.get_value_or_guard_async(&credential.tag(&self.key)).await {
            Ok(user) => Ok(user),
            Err(to_be_known) => {
                let user = self.check(client, credential).await?;
                // Where it was removed meanwhile, the next one has it checked again.
                let _ = to_be_known.insert(Arc::clone(&user));
                Ok(user)
            }
        }
    }

    async fn check(&self, client: IpAddr, credential: Credential) -> Result<Arc<str>, Reason> {
        let place = self.queue.enter(client).ok_or(Reason::Overloaded)?;
        let turn = Arc::clone(&self.at_work).acquire_owned().await.map_err(|_| Reason::Internal)?;
        let users = Arc::clone(&self.users);
        let checking = tokio::task::spawn_blocking(move || {
            // A client that hangs up does not end the work: until it is done, it counts.
            let _counts = (place, turn);
            users.identify(Role::Proxy, &credential.name, &credential.password)
        });
        checking.await.map_err(|_| Reason::Internal)?.ok_or(Reason::CredentialsRequired)
    }
}

/// A name and a password. It has no `Debug`, so that nothing can print it.
struct Credential {
    name: String,
    password: String,
}

impl Credential {
    /// The one credential of a request, `Basic` in UTF-8 (RFC 7617 §2 and §2.1). With two, two readers could take a
    /// different one.
    fn read(headers: &HeaderMap) -> Option<Self> {
        let mut fields = headers.get_all(header::PROXY_AUTHORIZATION).iter();
        let (Some(field), None) = (fields.next(), fields.next()) else { return None };
        let (scheme, token) = field.to_str().ok()?.split_once(' ')?;
        let token = token.trim_matches(' ');
        // Before anything is decoded: three bytes for each four characters.
        if !scheme.eq_ignore_ascii_case("basic") || token.len() > LONGEST / 3 * 4 {
            return None;
        }
        let text = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
        let (name, password) = text.split_once(':')?;
        // RFC 7617 §2: neither holds a control character.
        let is_plain = !text.chars().any(char::is_control);
        is_plain.then(|| Self { name: name.to_owned(), password: password.to_owned() })
    }

    /// SHA-512/256 of the key, the name and the password: the key in front is enough, as this hash cannot be extended.
    fn tag(&self, key: &[u8; 32]) -> Tag {
        let mut hash = Sha512_256::new();
        hash.update(key);
        hash.update((self.name.len() as u64).to_be_bytes());
        hash.update(&self.name);
        hash.update(&self.password);
        hash.finalize().into()
    }
}

/// Who waits, by address.
#[derive(Debug, Default)]
struct Queue(Mutex<HashMap<IpAddr, usize>>);

impl Queue {
    fn enter(self: &Arc<Self>, client: IpAddr) -> Option<Waiting> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.values().sum::<usize>() >= WAITING {
            return None;
        }
        let of_one = waiting.entry(client).or_default();
        if *of_one >= WAITING_OF_ONE {
            return None;
        }
        *of_one += 1;
        Some(Waiting { queue: Arc::clone(self), client })
    }
}

/// A place in the queue.
#[derive(Debug)]
struct Waiting {
    queue: Arc<Queue>,
    client: IpAddr,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut waiting = self.queue.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_one) = waiting.get_mut(&self.client) {
            *of_one -= 1;
            if *of_one == 0 {
                waiting.remove(&self.client);
            }
        }
    }
}

impl Shared {
    /// The link with the user of this request, or the refusal that it gets.
    pub(crate) async fn identified(
        &self,
        link: Arc<Link>,
        request: &Request<Incoming>,
    ) -> Result<Arc<Link>, Response<ClientBody>> {
        if link.is_canary {
            return Ok(link);
        }
        let newest = self.policy.newest();
        let Some(credentials) = &newest.live.credentials else { return Ok(link) };
        match credentials.identify(link.client.ip().to_canonical(), request.headers()).await {
            Ok(user) => Ok(Arc::new(Link { user: Some(user), ..Link::clone(&link) })),
            Err(reason) => {
                if reason == Reason::CredentialsRequired
                    && let Some(user) = credentials.tried(request.headers())
                {
                    let client = link.client.ip().to_canonical();
                    self.news.failed_logins.count((client, user), self.settings.clock.now());
                }
                let reader = reader(request.method(), request.headers());
                let refusal = early_refusal(Uuid::now_v7(), reason, &reader);
                let named = request.uri().authority().map(http::uri::Authority::as_str);
                let authority = named.and_then(|named| Authority::parse(named, Some(80)).ok());
                Err(self.turn_down(&link, authority, refusal).await)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use pinfold_policy::user::User;

    use super::*;

    fn read(fields: &[&str]) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(header::PROXY_AUTHORIZATION, HeaderValue::from_str(field).unwrap());
        }
        Credential::read(&headers).map(|credential| (credential.name, credential.password))
    }

    fn basic(text: impl AsRef<[u8]>) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn a_credential_is_one_field_of_basic_in_utf_8() {
        let ada = |password: &str| Some(("ada".to_owned(), password.to_owned()));
        assert_eq!(read(&[&basic("ada:x")]), ada("x"));
        assert_eq!(read(&["bAsIc   YWRhOng="]), ada("x"));
        assert_eq!(read(&[&basic("ada:a:b")]), ada("a:b"));
        assert_eq!(read(&[&basic("ada:ß")]), ada("ß"));
        assert_eq!(read(&[&basic("ada:")]), ada(""));
        let refusals: [&[&str]; 11] = [
            &[],
            &[&basic("ada:x"), &basic("ada:x")],
            &[&basic("ada")],
            &[&basic(b"ada:\xff")],
            &[&basic("ada:x\n")],
            &["Basic YWRhOng"],
            &["Basic YWRh*ng="],
            &["Basic"],
            &["YWRhOng="],
            &["Bearer YWRhOng="],
            &[&basic(format!("ada:{}", "x".repeat(LONGEST)))],
        ];
        for refused in refusals {
            assert_eq!(read(refused), None, "{refused:?}");
        }
    }

    #[test]
    fn where_a_name_ends_is_part_of_its_tag() {
        let tag = |name: &str, password: &str| {
            Credential { name: name.to_owned(), password: password.to_owned() }.tag(&[7; 32])
        };
        assert_eq!(tag("ada", "x"), tag("ada", "x"));
        assert_ne!(tag("ada", "x"), tag("ad", "ax"));
    }

    #[test]
    fn no_address_takes_more_than_a_quarter_of_the_places() {
        let queue = Arc::<Queue>::default();
        let address = |last: u8| IpAddr::from([10, 0, 0, last]);
        let mut places: Vec<_> = (0..WAITING_OF_ONE).map(|_| queue.enter(address(1)).unwrap()).collect();
        assert!(queue.enter(address(1)).is_none());
        for other in 2..=4 {
            places.extend((0..WAITING_OF_ONE).map(|_| queue.enter(address(other)).unwrap()));
        }
        assert!(queue.enter(address(5)).is_none());
        places.truncate(1);
        assert!(queue.enter(address(5)).is_some());
        drop(places);
        assert!(queue.0.lock().unwrap().is_empty());
    }

    /// Of `open sesame`.
    const HASH: &str =
        "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$xaW9jW1nqBjBzztRIhRyK5oGq6/azN5UkLyxA9sPeBo";

    #[tokio::test]
    async fn with_other_users_only_what_was_right_of_those_who_are_as_they_were_stays_known() {
        let user =
            |name: &str, role| User { name: name.into(), password: HASH.parse().unwrap(), roles: vec![role] };
        let users = |all: Vec<User>| Arc::new(Users::new(all).unwrap());
        let all = ["ada", "bob", "eve"].map(|name| user(name, Role::Proxy)).to_vec();
        let before = Credentials::of(users(all)).unwrap();
        let client = IpAddr::from([10, 0, 0, 1]);
        let ask = |name: &str| {
            let mut headers = HeaderMap::new();
            let field = basic(format!("{name}:open sesame"));
            headers.insert(header::PROXY_AUTHORIZATION, HeaderValue::from_str(&field).unwrap());
            headers
        };
        for name in ["ada", "bob", "eve"] {
            assert_eq!(before.identify(client, &ask(name)).await.as_deref(), Ok(name));
        }

        let after = before.followed_by(users(vec![user("ada", Role::Proxy), user("eve", Role::Viewer)]));

        let known: Vec<_> = after.known.iter().map(|(_, name)| name).collect();
        assert_eq!(known, ["ada".into()]);
        assert_eq!(after.identify(client, &ask("ada")).await.as_deref(), Ok("ada"));
        for gone in ["bob", "eve"] {
            assert_eq!(after.identify(client, &ask(gone)).await, Err(Reason::CredentialsRequired));
        }
    }

    #[tokio::test]
    async fn a_right_credential_is_checked_once_however_many_come_with_it_and_a_wrong_one_is_not_remembered()
    {
        let ada = User { name: "ada".into(), password: HASH.parse().unwrap(), roles: vec![Role::Proxy] };
        let credentials = Credentials::of(Arc::new(Users::new(vec![ada]).unwrap())).unwrap();
        let client = IpAddr::from([10, 0, 0, 1]);
        let ask = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::PROXY_AUTHORIZATION, HeaderValue::from_str(&basic(text)).unwrap());
            headers
        };
        let (right, wrong) = (ask("ada:open sesame"), ask("ada:open barley"));

        assert_eq!(credentials.identify(client, &wrong).await, Err(Reason::CredentialsRequired));
        assert!(credentials.known.is_empty());
        // More than there are places for one address: they all wait for the one that is checked.
        let many = (0..WAITING).map(|_| credentials.identify(client, &right));
        for user in futures_util::future::join_all(many).await {
            assert_eq!(user.as_deref(), Ok("ada"));
        }
        assert_eq!(credentials.known.len(), 1);

        // Whoever is known passes while all places are taken; whoever is not is told to come back.
        let places: Vec<_> = (0..WAITING_OF_ONE).map(|_| credentials.queue.enter(client).unwrap()).collect();
        assert_eq!(credentials.identify(client, &right).await.as_deref(), Ok("ada"));
        assert_eq!(credentials.identify(client, &wrong).await, Err(Reason::Overloaded));
        drop(places);
    }
}
