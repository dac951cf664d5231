//! Who is signed in: a user of the files, or somebody for whom the identity provider vouches.

use std::sync::Arc;
use std::time::Duration;

use pinfold_policy::user::{Role, User, Users};

use crate::review::Who;

/// Somebody who may look.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    /// As pages show it, and nothing more.
    pub(crate) name: Arc<str>,
    /// What they may do.
    roles: Vec<Role>,
    origin: Origin,
}

#[derive(Clone, Debug)]
enum Origin {
    /// As they were when they signed in: with another password or role they are somebody else.
    Local(Box<User>),
    /// As whom the history has them.
    Vouched(Arc<str>),
}

impl Person {
    pub(crate) fn local(user: User) -> Self {
        Self {
            name: Arc::clone(&user.name),
            roles: user.roles.clone(),
            origin: Origin::Local(Box::new(user)),
        }
    }

    pub(crate) fn vouched(who: Arc<str>, name: Arc<str>, roles: Vec<Role>) -> Self {
        Self { name, roles, origin: Origin::Vouched(who) }
    }

    pub(crate) fn may_decide(&self) -> bool {
        self.roles.iter().any(|role| role.may_decide())
    }

    /// As whom they decide.
    pub(crate) fn who(&self) -> Who {
        match &self.origin {
            Origin::Local(user) => Who::Local(Arc::clone(&user.name)),
            Origin::Vouched(who) => Who::Vouched { who: Arc::clone(who), name: Arc::clone(&self.name) },
        }
    }

    /// Whether the history means them by this.
    pub(crate) fn is(&self, who: &str) -> bool {
        match &self.origin {
            // Named as in the history: NAME@MACHINE.
            Origin::Local(user) => who.rsplit_once('@').is_some_and(|(name, _)| name == &*user.name),
            Origin::Vouched(own) => who == &**own,
        }
    }

    /// Whether the provider vouches for them, and not a password.
    pub(crate) fn is_vouched(&self) -> bool {
        matches!(self.origin, Origin::Vouched(_))
    }

    /// Whether both are the same person, whatever they may do by now.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.origin, &other.origin) {
            (Origin::Local(own), Origin::Local(other)) => own.name == other.name,
            (Origin::Vouched(own), Origin::Vouched(other)) => own == other,
            (Origin::Local(_), Origin::Vouched(_)) | (Origin::Vouched(_), Origin::Local(_)) => false,
        }
    }

    /// Whether the files still have them as they were. Of whom the provider vouches for, they know nothing.
    pub(crate) fn stands(&self, users: Option<&Users>) -> bool {
        match &self.origin {
            Origin::Local(user) => users.and_then(|users| users.find(&user.name)) == Some(&**user),
            Origin::Vouched(_) => true,
        }
    }

    /// The longest session. The provider is asked again sooner, as nothing tells us of a role that it takes away.
    pub(crate) fn longest(&self) -> Duration {
        match &self.origin {
            Origin::Local(_) => Duration::from_secs(12 * 60 * 60),
            Origin::Vouched(_) => Duration::from_secs(2 * 60 * 60),
        }
    }
}
