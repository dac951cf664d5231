//! Ledger events for a SIEM: what they look like, and how they get there.
//!
//! Events wait in the store, on disk, until an output has them: [`deliver`] reads a batch, writes it, and only then
//! acknowledges it. An output that fails costs no event and stops no exchange. An output may get an event twice, with
//! the same `event.id`; it never gets none.

mod cef;
mod delivery;
mod ecs;
mod fields;
mod observer;
mod ocsf;
mod output;
mod record;
mod secret;
mod tls;
mod trying;

pub use self::delivery::{DeliveryError, Trouble, deliver};
pub use self::observer::Observer;
pub use self::output::{Output, Target, Transport};
pub use self::record::Format;
pub use self::secret::{SecretError, SecretFile, read as read_secret};
pub use self::tls::{TrustError, TrustFiles, trust};
pub use self::trying::Trying;
