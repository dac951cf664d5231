//! Sessions: opaque random tokens, of which the memory holds the digests alone. None outlives the process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pinfold_policy::user::Users;
use pinfold_store::incident::Incident;
use sha2::{Digest as _, Sha256};

use super::Person;
use crate::review::Told;

/// A session ends when nothing was asked for this long.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// Who has proved again who they are may decide within this.
const PROOF_HOLDS: Duration = Duration::from_secs(5 * 60);
/// Sessions at one time. Beyond them the one that was idle for longest ends.
const MOST: usize = 256;
/// The same of one user, so that nobody ends those of others by signing in.
const MOST_OF_ONE: usize = 8;

/// What a browser shows to be let in.
pub(crate) struct Token(String);

/// Nothing prints it.
impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// A new one of 256 random bits.
    ///
    /// # Errors
    /// Where the system has no random bytes.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    pub(crate) fn of_browser(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both are the same. By their digests: the time of the comparison tells nothing of either.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.digest() == other.digest()
    }

    /// What stands for it here. Whoever reads this cannot show it.
    pub(crate) fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }
}

/// Somebody who is signed in.
#[derive(Clone)]
pub(crate) struct Session {
    /// As they were when they signed in: with another password or role it has ended.
    pub(crate) user: Person,
    begun: Instant,
    seen: Instant,
    /// What the page of what they decided is to tell them.
    told: Option<(About, Told)>,
    /// For a decision on what they have proved again who they are, and when.
    proved: Option<(About, Instant)>,
}

impl Session {
    /// Whether they have just proved for this who they are.
    pub(crate) fn has_proved(&self, about: About, now: Instant) -> bool {
        self.proved.is_some_and(|(what, at)| what == about && now.duration_since(at) < PROOF_HOLDS)
    }
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// An item of the quarantine.
    Item(Incident),
    /// What was learned, by its record.
    Learned(u64),
}

impl About {
    /// Its page.
    pub(crate) fn page(self) -> String {
        match self {
            Self::Item(incident) => format!("/quarantine/{incident}"),
            Self::Learned(record) => format!("/pins/learned/{record}"),
        }
    }
}

#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

impl Sessions {
    pub(crate) fn begin(&self, token: &Token, user: Person, now: Instant) {
        let mut all = self.all();
        let is_own = |session: &Session| session.user.is_same(&user);
        if all.values().filter(|session| is_own(session)).count() >= MOST_OF_ONE {
            end_idlest(&mut all, is_own);
        }
        if all.len() >= MOST {
            end_idlest(&mut all, |_| true);
        }
        all.insert(token.digest(), Session { user, begun: now, seen: now, told: None, proved: None });
    }

    /// Whose token it is, if the session has not ended: for idling, for its age, or since its user is not among `users` as they
    /// were.
    pub(crate) fn of(&self, token: &Token, users: Option<&Users>, now: Instant) -> Option<Session> {
        let mut all = self.all();
        all.retain(|_, session| {
            now.duration_since(session.seen) < IDLE
                && now.duration_since(session.begun) < session.user.longest()
                && session.user.stands(users)
        });
        let session = all.get_mut(&token.digest())?;
        session.seen = now;
        Some(session.clone())
    }

    /// Keeps what the page about this is to tell.
    pub(crate) fn tell(&self, token: &Token, about: About, told: Told) {
        self.tell_at(&token.digest(), about, told);
    }

    /// The same, by the digest of a session's token.
    pub(crate) fn tell_at(&self, session: &[u8; 32], about: About, told: Told) {
        if let Some(session) = self.all().get_mut(session) {
            session.told = Some((about, told));
        }
    }

    /// Whoever the session of this digest is of has proved again who they are, if it was them. They may do from now on what they
    /// may do now.
    ///
    /// # Errors
    /// Why it does not count.
    pub(crate) fn prove(
        &self,
        session: &[u8; 32],
        person: Person,
        about: About,
        now: Instant,
    ) -> Result<(), &'static str> {
        let mut all = self.all();
        let Some(session) = all.get_mut(session) else { return Err("Your session has ended.") };
        if !session.user.is_same(&person) {
            return Err("Somebody else signed in at the identity provider than who is signed in here.");
        }
        session.user = person;
        session.proved = Some((about, now));
        Ok(())
    }

    /// Whether they have proved for this who they are. It counts for one decision.
    pub(crate) fn take_proof(&self, token: &Token, about: About, now: Instant) -> bool {
        let mut all = self.all();
        let Some(session) = all.get_mut(&token.digest()) else { return false };
        let has_proved = session.has_proved(about, now) && session.user.may_decide();
        session.proved = None;
        has_proved
    }

    /// What was kept to be told, once.
    pub(crate) fn told(&self, token: &Token, page: About) -> Option<Told> {
        let mut all = self.all();
        let told = &mut all.get_mut(&token.digest())?.told;
        told.take_if(|(about, _)| *about == page).map(|(_, told)| told)
    }

    pub(crate) fn end(&self, token: &Token) {
        self.end_at(&token.digest());
    }

    /// The same, by the digest of a session's token.
    pub(crate) fn end_at(&self, session: &[u8; 32]) {
        self.all().remove(session);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end_idlest(all: &mut HashMap<[u8; 32], Session>, among: impl Fn(&Session) -> bool) {
    let idlest = all.iter().filter(|(_, session)| among(session)).min_by_key(|(_, session)| session.seen);
    if let Some(key) = idlest.map(|(key, _)| *key) {
        all.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use pinfold_policy::user::{PasswordHash, Role, User};

    use super::*;

    fn user(password: &str, role: Role) -> User {
        let password = PasswordHash::of(password, b"0123456789abcdef").unwrap();
        User { name: "ada".into(), password, roles: vec![role] }
    }

    fn users(user: &User) -> Users {
        Users::new(vec![user.clone()]).unwrap()
    }

    #[test]
    fn a_session_ends_when_it_idles_and_when_it_is_old() {
        let (ada, sessions, start) = (user("x", Role::Reviewer), Sessions::default(), Instant::now());
        let (users, token) = (users(&ada), Token::new().unwrap());
        sessions.begin(&token, Person::local(ada.clone()), start);
        assert!(sessions.of(&token, Some(&users), start + IDLE - Duration::from_secs(1)).is_some());
        let mut now = start;
        while now < start + Person::local(ada.clone()).longest() {
            assert!(sessions.of(&token, Some(&users), now).is_some());
            now += IDLE / 2;
        }
        assert!(sessions.of(&token, Some(&users), now).is_none());

        sessions.begin(&token, Person::local(ada), start);
        assert!(sessions.of(&token, Some(&users), start + IDLE).is_none());
        assert!(sessions.of(&token, Some(&users), start).is_none());
    }

    #[test]
    fn a_session_ends_with_another_password_or_role_and_when_its_user_is_gone() {
        let (ada, now) = (user("x", Role::Reviewer), Instant::now());
        let other = [users(&user("y", Role::Reviewer)), users(&user("x", Role::Viewer))];
        for users in other.iter().map(Some).chain([None]) {
            let (sessions, token) = (Sessions::default(), Token::new().unwrap());
            sessions.begin(&token, Person::local(ada.clone()), now);
            assert!(sessions.of(&token, users, now).is_none());
        }
    }

    #[test]
    fn a_token_that_nobody_was_given_is_nobodys() {
        let (ada, sessions, now) = (user("x", Role::Reviewer), Sessions::default(), Instant::now());
        let (users, token) = (users(&ada), Token::new().unwrap());
        assert!(sessions.of(&Token::of_browser("made-up"), Some(&users), now).is_none());
        sessions.begin(&token, Person::local(ada), now);
        assert!(sessions.of(&Token::of_browser("made-up"), Some(&users), now).is_none());
        sessions.end(&token);
        assert!(sessions.of(&token, Some(&users), now).is_none());
    }

    #[test]
    fn sessions_are_bounded_and_the_idlest_gives_way() {
        let (ada, sessions, start) = (user("x", Role::Reviewer), Sessions::default(), Instant::now());
        let all: Vec<_> = (0..=MOST).map(|at| User { name: format!("{at}").into(), ..ada.clone() }).collect();
        let users = Users::new(all.clone()).unwrap();
        let tokens: Vec<_> = (0..=MOST).map(|_| Token::new().unwrap()).collect();
        for (at, (user, token)) in (0..).zip(all.into_iter().zip(&tokens)) {
            sessions.begin(token, Person::local(user), start + Duration::from_millis(at));
        }
        let now = start + Duration::from_secs(1);
        let live = tokens.iter().filter(|token| sessions.of(token, Some(&users), now).is_some()).count();
        assert_eq!(live, MOST);
        assert!(sessions.of(&tokens[0], Some(&users), now).is_none());
    }

    #[test]
    fn who_signs_in_again_and_again_ends_their_own_sessions_and_nobody_elses() {
        let (ada, sessions, start) = (user("x", Role::Reviewer), Sessions::default(), Instant::now());
        let bob = User { name: "bob".into(), ..ada.clone() };
        let users = Users::new(vec![ada.clone(), bob.clone()]).unwrap();
        let (first, his) = (Token::new().unwrap(), Token::new().unwrap());
        sessions.begin(&his, Person::local(bob), start);
        sessions.begin(&first, Person::local(ada.clone()), start + Duration::from_millis(1));
        for at in 2..300 {
            sessions.begin(
                &Token::new().unwrap(),
                Person::local(ada.clone()),
                start + Duration::from_millis(at),
            );
        }
        let now = start + Duration::from_secs(1);
        assert!(sessions.of(&first, Some(&users), now).is_none());
        assert!(sessions.of(&his, Some(&users), now).is_some());
        assert_eq!(sessions.all().len(), 1 + MOST_OF_ONE);
    }

    #[test]
    fn a_proof_is_of_the_same_person_for_one_item_and_counts_once() {
        let (sessions, now, token) = (Sessions::default(), Instant::now(), Token::new().unwrap());
        let vouched = |who: &str, role| Person::vouched(who.into(), "ada".into(), vec![role]);
        let [item, other] = ["01KB0000000000000000000001", "01KB0000000000000000000002"]
            .map(|id| About::Item(id.parse().unwrap()));
        let ada = vouched("oidc:1@idp.test", Role::Reviewer);
        sessions.begin(&token, ada.clone(), now);
        assert!(sessions.prove(&token.digest(), vouched("oidc:2@idp.test", Role::Admin), item, now).is_err());
        let local = Person::local(user("x", Role::Admin));
        assert!(sessions.prove(&token.digest(), local, item, now).is_err());
        assert!(!sessions.take_proof(&token, item, now));

        sessions.prove(&token.digest(), ada.clone(), item, now).unwrap();
        assert!(!sessions.take_proof(&token, other, now), "another item");
        sessions.prove(&token.digest(), ada.clone(), item, now).unwrap();
        assert!(!sessions.take_proof(&token, item, now + PROOF_HOLDS), "too late");
        sessions.prove(&token.digest(), ada, item, now).unwrap();
        assert!(sessions.take_proof(&token, item, now) && !sessions.take_proof(&token, item, now));

        // A role that was taken away meanwhile is gone.
        sessions.prove(&token.digest(), vouched("oidc:1@idp.test", Role::Viewer), item, now).unwrap();
        assert!(!sessions.take_proof(&token, item, now));
        assert!(!sessions.of(&token, None, now).unwrap().user.may_decide());
    }
}
