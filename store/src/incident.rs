//! Incidents: the name of a refusal, as clients, reviewers and the SIEM see it.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use ulid::Ulid;
use uuid::Uuid;

/// The id of a refusal, or of the quarantined item that it led to: a UUIDv7, written as 26 characters of Crockford's
/// base32 so that it can be read out over the telephone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Incident(pub Uuid);

/// The text names no incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an incident id, expected 26 characters such as 01KB3Z5V9QJ8R2M4T6W8Y0A1CD")]
pub struct NotAnIncident;

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ulid(self.0.as_u128()).fmt(f)
    }
}

impl fmt::Debug for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Incident {
    type Err = NotAnIncident;

    fn from_str(text: &str) -> Result<Self, NotAnIncident> {
        let ulid = Ulid::from_string(text).map_err(|_| NotAnIncident)?;
        Ok(Self(Uuid::from_u128(ulid.0)))
    }
}
