//! pinfold.toml, pins.toml and users.toml, read into values and edited in place.
//!
//! Files are written by people, so a file is read to its end: every mistake in it is reported at once, with its
//! place, its cause and what would be right. No other crate sees TOML.

pub mod diagnostic;
pub mod edit;
pub mod load;
pub mod settings;
pub mod template;

mod console;
mod crosscheck;
mod document;
mod gateway;
mod pins;
mod quantity;
mod section;
mod siem;
mod source;
mod users;
mod vendors;

pub use load::{Loaded, built_in, load};
pub use settings::Config;
pub use source::MAX_LIST_LEN;
