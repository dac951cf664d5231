//! The certificate authority on a real disk, its leaves before real verifiers.

#[cfg(test)]
mod console;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod issuer;
#[cfg(test)]
mod leaves;
#[cfg(test)]
mod verifiers;
