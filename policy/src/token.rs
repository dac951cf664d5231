//! Tokens: by which a program acts at the console's API for one of its users, and never for more than that user.
//!
//! What is kept is the SHA-256 of the secret: of 256 random bits, so that a slow hash would add nothing to it.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use crate::user::{Role, Users};

/// How every secret begins, so that whoever looks for secrets in code and logs finds one of ours.
pub const PREFIX: &str = "pinfold_";

/// One token. Its `Debug` shows nothing of what it is checked against.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// What it is called, unique among the tokens.
    pub name: Arc<str>,
    /// Whose it is.
    pub user: Arc<str>,
    /// The most that it may do.
    pub role: Role,
    /// The SHA-256 of the whole secret, prefix included.
    pub sha256: [u8; 32],
    /// The day it was made.
    pub created: Option<Date>,
    /// The last day on which it counts, in UTC; none for ever.
    pub expires: Option<Date>,
}

impl ApiToken {
    /// Whether its last day has not passed.
    #[must_use]
    pub fn is_active(&self, today: Date) -> bool {
        self.expires.is_none_or(|last| today <= last)
    }

    /// Whether its user is there and may do what it may: else it opens nothing.
    #[must_use]
    pub fn is_backed(&self, users: &Users) -> bool {
        let roles = users.find(&self.user).map(|user| user.roles.as_slice()).unwrap_or_default();
        roles.iter().any(|role| *role >= self.role)
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiToken").field("name", &self.name).field("user", &self.user).finish_non_exhaustive()
    }
}

/// What a secret is looked for by.
#[must_use]
pub fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// The token of this secret, if it has not ended and its user still may do what it may.
///
/// All are compared, each in full and by digests: the time tells nothing of any.
#[must_use]
pub fn of_secret<'u>(users: &'u Users, secret: &str, now: Timestamp) -> Option<&'u ApiToken> {
    let shown = digest(secret);
    let is_alike = |token: &ApiToken| {
        let pairs = token.sha256.iter().zip(&shown);
        pairs.fold(0, |differing, (kept, shown)| differing | (kept ^ shown)) == 0
    };
    let found =
        users.tokens().iter().fold(None, |found, token| if is_alike(token) { Some(token) } else { found });
    let today = now.to_zoned(TimeZone::UTC).date();
    found.filter(|token| token.is_active(today) && token.is_backed(users))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::User;

    const HASH: &str =
        "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$xaW9jW1nqBjBzztRIhRyK5oGq6/azN5UkLyxA9sPeBo";

    fn users(roles: &[Role], token: ApiToken) -> Users {
        let user = User { name: "ada".into(), password: HASH.parse().unwrap(), roles: roles.to_vec() };
        Users::new(vec![user]).unwrap().with_tokens(vec![token])
    }

    fn token(role: Role) -> ApiToken {
        ApiToken {
            name: "ci".into(),
            user: "ada".into(),
            role,
            sha256: digest("pinfold_x"),
            created: None,
            expires: Some("2026-11-28".parse().unwrap()),
        }
    }

    fn opens(users: &Users, secret: &str, now: &str) -> bool {
        of_secret(users, secret, now.parse().unwrap()).is_some()
    }

    #[test]
    fn a_token_ends_with_its_user_with_a_lowered_role_and_with_its_day() {
        let (last, next) = ("2026-11-28T23:59:59Z", "2026-11-29T00:00:00Z");
        let reviewer = users(&[Role::Proxy, Role::Reviewer], token(Role::Reviewer));
        assert!(opens(&reviewer, "pinfold_x", last));
        assert!(!opens(&reviewer, "pinfold_x", next));
        assert!(!opens(&reviewer, "pinfold_y", last) && !opens(&reviewer, "", last));
        assert!(!opens(&users(&[Role::Viewer], token(Role::Reviewer)), "pinfold_x", last));
        assert!(!opens(&users(&[Role::Proxy], token(Role::Viewer)), "pinfold_x", last));
        assert!(opens(&users(&[Role::Admin], token(Role::Viewer)), "pinfold_x", last));
        let orphan = ApiToken { user: "eve".into(), ..token(Role::Viewer) };
        assert!(!opens(&users(&[Role::Admin], orphan), "pinfold_x", last));
        let for_ever = ApiToken { expires: None, ..token(Role::Viewer) };
        assert!(opens(&users(&[Role::Admin], for_ever), "pinfold_x", "2999-01-01T00:00:00Z"));
    }

    #[test]
    fn nothing_of_a_token_is_shown() {
        let shown = format!("{:?}", token(Role::Viewer));
        assert!(shown.contains("ci") && !shown.contains("sha256"), "{shown}");
    }
}
