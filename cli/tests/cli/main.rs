//! The real binary, as a shell runs it. It reaches nothing beyond loopback.

#[cfg(test)]
mod checking;
#[cfg(test)]
mod desk;
#[cfg(test)]
mod keeping;
#[cfg(test)]
mod pinning;
#[cfg(test)]
mod reviewing;
mod revoking;
#[cfg(test)]
mod running;
#[cfg(test)]
mod starting;
#[cfg(test)]
mod users;
