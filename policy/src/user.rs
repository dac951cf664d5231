//! Users: their names, what each may do, and what their passwords are checked against.
//!
//! The only module that sees Argon2 (RFC 9106). Hashing is slow on purpose and takes memory; how often it happens at
//! one time is for the callers to bound.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use argon2::{ARGON2ID_IDENT, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use thiserror::Error;

use crate::printable::is_deceptive;
use crate::token::ApiToken;

/// The most memory that one password may take, in KiB.
const MOST_MEMORY: u32 = 256 * 1024;
/// The most passes over it.
const MOST_PASSES: u32 = 16;
/// The most lanes.
const MOST_LANES: u32 = 16;
/// Less memory than this, in KiB, is weaker than the least that OWASP's password storage cheat sheet names for argon2id.
const LEAST_MEMORY: u32 = 7 * 1024;
/// A shorter hash, in bytes, can be met by chance.
const SHORTEST_HASH: usize = 16;

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Use the proxy.
    Proxy,
    /// Look at the ledger and the quarantine.
    Viewer,
    /// Decide what is released.
    Reviewer,
    /// Everything.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Proxy, Self::Viewer, Self::Reviewer, Self::Admin];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Viewer => "viewer",
            Self::Reviewer => "reviewer",
            Self::Admin => "admin",
        }
    }

    /// Whether who has it may sign in at the console and look.
    #[must_use]
    pub fn may_look(self) -> bool {
        match self {
            Self::Proxy => false,
            Self::Viewer | Self::Reviewer | Self::Admin => true,
        }
    }

    /// Whether who has it may decide what is released.
    #[must_use]
    pub fn may_decide(self) -> bool {
        match self {
            Self::Proxy | Self::Viewer => false,
            Self::Reviewer | Self::Admin => true,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a role, expected proxy, viewer, reviewer or admin")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

/// Why a name cannot be a user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// It is empty.
    #[error("is empty")]
    Empty,
    /// It holds a colon, which ends the name in `Basic` credentials (RFC 7617 §2).
    #[error("holds a colon, which no client could send")]
    Colon,
    /// It holds a control character, which RFC 7617 §2 bars.
    #[error("holds a control character")]
    Control,
    /// Read, it is another name than it is: a character that does not show, or a blank at an end.
    #[error("holds a character that does not show, or a blank at an end")]
    Deceptive,
    /// It begins with `@`, behind which the history names a machine.
    #[error("begins with '@'")]
    Machine,
    /// It is longer than [`MOST_NAME`].
    #[error("is longer than {MOST_NAME} bytes")]
    Long,
}

/// The longest name, in bytes.
pub const MOST_NAME: usize = 128;

/// Whether `name` can be a user's.
///
/// # Errors
/// What stands against it.
pub fn check_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.contains(':') {
        return Err(NameError::Colon);
    }
    if name.chars().any(char::is_control) {
        return Err(NameError::Control);
    }
    // Else one person could be two of those who must agree, and nobody would see it in the list.
    if name.chars().any(is_deceptive) || name.trim() != name {
        return Err(NameError::Deceptive);
    }
    if name.starts_with('@') {
        return Err(NameError::Machine);
    }
    if name.len() > MOST_NAME {
        return Err(NameError::Long);
    }
    Ok(())
}

/// Why a text is no hash that a password can be checked against.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HashError {
    /// It is not of the form `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
    #[error("is no PHC string of argon2id")]
    NotPhc,
    /// It is made by another function.
    #[error("is hashed with {0}, expected argon2id")]
    Algorithm(String),
    /// It is of a version that is not in RFC 9106.
    #[error("is hashed with another version of argon2 than v=19")]
    Version,
    /// It has no salt, or no hash, or a hash that is too short to prove anything.
    #[error("has no salt, or a hash of less than {SHORTEST_HASH} bytes")]
    Incomplete,
    /// Checking it would take the gateway down.
    #[error(
        "costs too much: m={memory},t={passes},p={lanes}, at most m={MOST_MEMORY},t={MOST_PASSES},p={MOST_LANES}"
    )]
    Costs {
        /// KiB of memory.
        memory: u32,
        /// Passes over it.
        passes: u32,
        /// Lanes.
        lanes: u32,
    },
    /// The password could not be hashed: it is too long, or there is no memory.
    #[error("cannot be hashed")]
    Unhashable,
}

/// What a password is checked against. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(argon2::PasswordHash);

/// What checking a password takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    memory: u32,
    passes: u32,
    lanes: u32,
}

impl Costs {
    /// Whether whoever steals the hash has it easier than they should.
    #[must_use]
    pub fn are_weak(self) -> bool {
        self.memory < LEAST_MEMORY
    }
}

impl PasswordHash {
    /// Hashes a password with costs of 19 MiB and two passes, OWASP's first choice. `salt` must be random.
    ///
    /// # Errors
    /// [`HashError::Unhashable`].
    pub fn of(password: &str, salt: &[u8; 16]) -> Result<Self, HashError> {
        let hashed = Argon2::default().hash_password_with_salt(password.as_bytes(), salt);
        hashed.map(Self).map_err(|_| HashError::Unhashable)
    }

    /// Whether this is the password. Takes its costs in time and memory, whatever the answer.
    #[must_use]
    pub fn is_of(&self, password: &str) -> bool {
        Argon2::default().verify_password(password.as_bytes(), &self.0).is_ok()
    }

    /// What [`PasswordHash::is_of`] takes.
    #[must_use]
    pub fn costs(&self) -> Costs {
        let params = Params::try_from(&self.0).unwrap_or_default();
        Costs { memory: params.m_cost(), passes: params.t_cost(), lanes: params.p_cost() }
    }

    /// The PHC string, as it stands in `users.toml`.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.0.to_string()
    }
}

impl FromStr for PasswordHash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let hash = argon2::PasswordHash::new(text).map_err(|_| HashError::NotPhc)?;
        if hash.algorithm != ARGON2ID_IDENT {
            return Err(HashError::Algorithm(hash.algorithm.as_str().to_owned()));
        }
        if hash.version != Some(Version::V0x13.into()) {
            return Err(HashError::Version);
        }
        if hash.salt.is_none() || hash.hash.is_none_or(|hash| hash.len() < SHORTEST_HASH) {
            return Err(HashError::Incomplete);
        }
        let params = Params::try_from(&hash).map_err(|_| HashError::NotPhc)?;
        let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
        if memory > MOST_MEMORY || passes > MOST_PASSES || lanes > MOST_LANES {
            return Err(HashError::Costs { memory, passes, lanes });
        }
        Ok(Self(hash))
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// One user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name, unique among the users.
    pub name: Arc<str>,
    /// What the password is checked against.
    pub password: PasswordHash,
    /// What the user may do.
    pub roles: Vec<Role>,
}

impl User {
    /// Whether they may sign in at the console and look.
    #[must_use]
    pub fn may_look(&self) -> bool {
        self.roles.iter().any(|role| role.may_look())
    }

    /// Whether they may decide what is released.
    #[must_use]
    pub fn may_decide(&self) -> bool {
        self.roles.iter().any(|role| role.may_decide())
    }
}

/// The users of a gateway. There is at least one.
#[derive(Clone, Debug)]
pub struct Users {
    all: Vec<User>,
    by_name: HashMap<Arc<str>, usize>,
    /// What an unknown user's password is checked against, for the time that it takes.
    decoy: PasswordHash,
    /// By which programs act for some of them.
    tokens: Vec<ApiToken>,
}

impl Users {
    /// None of nobody. Of two users of one name the last one counts.
    #[must_use]
    pub fn new(all: Vec<User>) -> Option<Self> {
        let decoy = all.first()?.password.clone();
        let by_name = all.iter().enumerate().map(|(at, user)| (Arc::clone(&user.name), at)).collect();
        Some(Self { all, by_name, decoy, tokens: Vec::new() })
    }

    /// The same, with these tokens of theirs.
    #[must_use]
    pub fn with_tokens(self, tokens: Vec<ApiToken>) -> Self {
        Self { tokens, ..self }
    }

    /// The tokens, in the order given.
    #[must_use]
    pub fn tokens(&self) -> &[ApiToken] {
        &self.tokens
    }

    /// All of them, in the order given.
    #[must_use]
    pub fn all(&self) -> &[User] {
        &self.all
    }

    /// Whether a user of this name is, password and roles included, as among `others`.
    #[must_use]
    pub fn have_alike(&self, name: &str, others: &Self) -> bool {
        self.find(name).is_some_and(|user| others.find(name) == Some(user))
    }

    /// The name of the user of this name, if there is one: what somebody has typed is nobody's to keep.
    #[must_use]
    pub fn known(&self, name: &str) -> Option<Arc<str>> {
        self.find(name).map(|user| Arc::clone(&user.name))
    }

    /// The user of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&User> {
        self.all.get(*self.by_name.get(name)?)
    }

    /// The user of this name, if the password is theirs and they have the role.
    ///
    /// Takes as long as [`Users::recognise`].
    #[must_use]
    pub fn identify(&self, role: Role, name: &str, password: &str) -> Option<Arc<str>> {
        let user = self.recognise(name, password).filter(|user| user.roles.contains(&role))?;
        Some(Arc::clone(&user.name))
    }

    /// The user of this name, if the password is theirs, whatever they may do.
    ///
    /// Whoever is unknown takes as long as whoever is known and has a wrong password: the time does not tell who exists.
    /// Blocks for as long as hashing takes.
    #[must_use]
    pub fn recognise(&self, name: &str, password: &str) -> Option<&User> {
        let user = self.find(name);
        let is_right = self.hash_for(user).is_of(password);
        // The decoy is somebody's: that it matches says nothing about a user who does not exist.
        user.filter(|_| is_right)
    }

    fn hash_for<'u>(&'u self, user: Option<&'u User>) -> &'u PasswordHash {
        user.map_or(&self.decoy, |user| &user.password)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the password `open sesame`, at the least costs that argon2id has.
    const CHEAP: &str =
        "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$xaW9jW1nqBjBzztRIhRyK5oGq6/azN5UkLyxA9sPeBo";

    fn user(name: &str, roles: &[Role]) -> User {
        User { name: name.into(), password: CHEAP.parse().unwrap(), roles: roles.to_vec() }
    }

    #[test]
    fn a_user_is_who_knows_the_password_and_has_the_role() {
        let users = Users::new(vec![user("ada", &[Role::Proxy]), user("eve", &[Role::Viewer])]).unwrap();
        assert_eq!(users.identify(Role::Proxy, "ada", "open sesame").as_deref(), Some("ada"));
        assert_eq!(users.identify(Role::Proxy, "ada", "open sesame "), None);
        assert_eq!(users.identify(Role::Proxy, "eve", "open sesame"), None);
        assert!(Users::new(Vec::new()).is_none());
    }

    #[test]
    fn a_console_is_for_those_who_may_look_and_its_decisions_for_reviewers() {
        let may = |role| (user("ada", &[role]).may_look(), user("ada", &[role]).may_decide());
        assert_eq!(
            Role::ALL.map(may),
            [(false, false), (true, false), (true, true), (true, true)],
            "proxy, viewer, reviewer, admin"
        );
    }

    #[test]
    fn an_unknown_user_costs_as_much_as_a_known_one_and_never_passes_by_the_decoy() {
        let users = Users::new(vec![user("ada", &[Role::Proxy])]).unwrap();
        assert_eq!(users.hash_for(None).costs(), users.hash_for(users.find("ada")).costs());
        assert_eq!(users.identify(Role::Proxy, "mallory", "open sesame"), None);
    }

    #[test]
    fn a_new_hash_is_strong_and_read_back() {
        let hash = PasswordHash::of("pässword", &[7; 16]).unwrap();
        let back: PasswordHash = hash.to_text().parse().unwrap();
        assert!(hash.to_text().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.to_text());
        assert!(back.is_of("pässword") && !back.is_of("password"));
        assert!(!back.costs().are_weak());
        assert_eq!(format!("{back:?}"), "PasswordHash(…)");
    }

    #[test]
    fn what_is_not_argon2id_of_bearable_costs_is_no_hash() {
        let salted = |head: &str| format!("{head}$c29tZXNhbHRzb21lc2FsdA$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3");
        for (text, error) in [
            ("hunter2".to_owned(), HashError::NotPhc),
            (salted("$argon2i$v=19$m=64,t=1,p=1"), HashError::Algorithm("argon2i".into())),
            (salted("$argon2id$v=16$m=64,t=1,p=1"), HashError::Version),
            (salted("$argon2id$m=64,t=1,p=1"), HashError::Version),
            ("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA".to_owned(), HashError::Incomplete),
            (
                salted("$argon2id$v=19$m=4194304,t=1,p=1"),
                HashError::Costs { memory: 4_194_304, passes: 1, lanes: 1 },
            ),
            (
                salted("$argon2id$v=19$m=64,t=999999,p=1"),
                HashError::Costs { memory: 64, passes: 999_999, lanes: 1 },
            ),
            (salted("$argon2id$v=19$m=1,t=1,p=1"), HashError::NotPhc),
        ] {
            assert_eq!(text.parse::<PasswordHash>(), Err(error), "{text}");
        }
        assert!(salted("$argon2id$v=19$m=64,t=1,p=1").parse::<PasswordHash>().unwrap().costs().are_weak());
    }

    #[test]
    fn a_user_is_alike_where_nothing_about_them_has_changed() {
        let hash = |password: &str| PasswordHash::of(password, b"0123456789abcdef").unwrap();
        let user = |name: &str, password: &str, role| User {
            name: name.into(),
            password: hash(password),
            roles: vec![role],
        };
        let before =
            [user("ada", "a", Role::Proxy), user("bob", "b", Role::Proxy), user("eve", "e", Role::Proxy)];
        let after =
            [user("ada", "a", Role::Proxy), user("bob", "c", Role::Proxy), user("eve", "e", Role::Viewer)];
        let (before, after) = (Users::new(before.to_vec()).unwrap(), Users::new(after.to_vec()).unwrap());
        let alike = ["ada", "bob", "eve", "nobody"].map(|name| after.have_alike(name, &before));
        assert_eq!(alike, [true, false, false, false]);
    }

    #[test]
    fn a_name_is_what_a_client_can_send() {
        assert_eq!(check_name("ada lovelace"), Ok(()));
        assert_eq!(check_name(""), Err(NameError::Empty));
        assert_eq!(check_name("a:b"), Err(NameError::Colon));
        assert_eq!(check_name("a\nb"), Err(NameError::Control));
        for twin in ["ada ", " ada", "ada\u{200b}", "ada\u{a0}", "\u{202e}ada"] {
            assert_eq!(check_name(twin), Err(NameError::Deceptive), "{twin:?}");
        }
        assert_eq!(check_name("@ada"), Err(NameError::Machine));
        assert_eq!(check_name(&"a".repeat(129)), Err(NameError::Long));
    }
}
