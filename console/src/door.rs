//! Who is let in: a password, few tries, and a session that ends by itself.

mod flows;
mod forms;
mod person;
mod sessions;
mod throttle;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pinfold_policy::user::{User, Users};
use tokio::sync::Semaphore;

pub(crate) use self::flows::{Flow, Flows, Purpose};
pub(crate) use self::forms::Forms;
pub(crate) use self::person::Person;
pub(crate) use self::sessions::{About, Session, Sessions, Token};
use self::throttle::Throttle;
pub(crate) use self::throttle::Trying;

/// Passwords that are checked at one time: each takes milliseconds and megabytes on purpose.
const AT_ONE_TIME: usize = 2;

/// Checks passwords.
pub(crate) struct Door {
    throttle: Throttle,
    at_work: Arc<Semaphore>,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The name, the password or the role is wrong: which of them is nobody's business.
    Wrong,
    /// There were too many wrong ones; for so long nothing is checked.
    Wait(Duration),
}

impl Door {
    pub(crate) fn new() -> Self {
        Self { throttle: Throttle::default(), at_work: Arc::new(Semaphore::new(AT_ONE_TIME)) }
    }

    /// Counts a token that was wrong. Whoever shows many is told to wait, and none of those is counted.
    pub(crate) fn wrong_token(&self, source: IpAddr) -> Denied {
        self.wrong(Trying::Program { source })
    }

    /// Counts a return from the identity provider to nothing that began here, in the same way.
    pub(crate) fn astray(&self, source: IpAddr) -> Denied {
        self.wrong(Trying::Astray { source })
    }

    fn wrong(&self, trying: Trying<'_>) -> Denied {
        match self.throttle.enter("", trying, Instant::now()) {
            Ok(()) => Denied::Wrong,
            Err(wait) => Denied::Wait(wait),
        }
    }

    /// Counts a beginning at the identity provider, before anything is made or asked for it.
    ///
    /// # Errors
    /// [`Denied::Wait`]: too many came to nothing.
    pub(crate) fn beginning(&self, source: IpAddr) -> Result<(), Denied> {
        self.throttle.enter("", Trying::Beginning { source }, Instant::now()).map_err(Denied::Wait)
    }

    /// Counts a return to something that did begin here, before the provider is asked about it.
    ///
    /// # Errors
    /// [`Denied::Wait`]: too many came to nothing.
    pub(crate) fn returning(&self, source: IpAddr) -> Result<(), Denied> {
        self.throttle.enter("", Trying::Returning { source }, Instant::now()).map_err(Denied::Wait)
    }

    /// The provider vouched for whoever returned.
    pub(crate) fn returned(&self, source: IpAddr) {
        self.throttle.passed("", Trying::Beginning { source });
        self.throttle.passed("", Trying::Returning { source });
    }

    /// The user of this name who may look, if the password is theirs. Without users it takes no time, and tells no more than
    /// that there are none.
    pub(crate) async fn admit(
        &self,
        users: Option<Arc<Users>>,
        trying: Trying<'_>,
        name: &str,
        password: &str,
    ) -> Result<User, Denied> {
        self.throttle.enter(name, trying, Instant::now()).map_err(Denied::Wait)?;
        let turn = Arc::clone(&self.at_work).acquire_owned().await;
        let (typed, password) = (name.to_owned(), password.to_owned());
        let checking = tokio::task::spawn_blocking(move || {
            // Whoever hangs up does not end the work: until it is done, it counts.
            let _counts = turn;
            users.and_then(|users| users.recognise(&typed, &password).filter(|user| user.may_look()).cloned())
        });
        let user = checking.await.ok().flatten().ok_or(Denied::Wrong)?;
        self.throttle.passed(name, trying);
        Ok(user)
    }
}
