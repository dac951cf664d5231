//! The files that `pinfold init`, and the commands that add to a file, write.

/// A pinfold.toml with every key, its default and what it is for, as comments.
pub const PINFOLD_TOML: &str = include_str!("template/pinfold.toml");

/// A pins.toml without pins, which says how to add one.
pub const PINS_TOML: &str = include_str!("template/pins.toml");

/// A users.toml without users, which says how to add one.
pub const USERS_TOML: &str = include_str!("template/users.toml");
