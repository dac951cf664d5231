//! The pure heart of pinfold: what is expected of an artifact, and what follows.
//!
//! Nothing here knows the time, a file, a socket or a task. A verdict is a function of a [`policy::Policy`], a
//! [`held::Held`] body and a moment that is passed in.

pub mod cooldown;
pub mod decisions;
pub mod digest;
pub mod file_name;
pub mod held;
pub mod host;
pub mod image;
pub mod kept;
pub mod kind;
pub mod lookalike;
pub mod opening;
pub mod part;
pub mod path;
pub mod pin;
pub mod pins;
pub mod policy;
pub mod printable;
pub mod reason;
pub mod redact;
pub mod release;
pub mod token;
pub mod url;
pub mod user;
pub mod vendor;
pub mod verdict;
