//! The local certificate authority: what lets the gateway read traffic to vendor hosts, and nothing else.
//!
//! Clients trust one root. The root signs one issuing CA, whose critical name constraints permit the vendor
//! hosts only, and the issuing CA signs a leaf per host. A thief of the issuing CA's key can impersonate the
//! vendors to our clients and nobody else, and the root's key need not be on the machine at all.
//!
//! The constraints stand on the issuing CA and not on the root because Java ignores those of a trust anchor,
//! and because a new vendor then needs a new issuing CA, not a new trust roll-out.
//!
//! This is the only crate that makes certificates. It reads no clock: every entry takes the time.

mod authority;
mod certificate;
mod constraints;
mod directory;
mod error;
mod issuer;
mod key;
mod leaf;
mod profile;
mod root;
mod server;

pub use authority::{CaOptions, CertificateAuthority, Certified, Opened};
pub use error::{CaError, LeafUnfit, Unfit};
pub use server::{GivenError, KeptError, ServerIdentity};
