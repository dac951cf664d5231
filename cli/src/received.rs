//! Who received a body: what is asked first when a digest is revoked.

use std::time::Duration;

use pinfold_policy::digest::{BodyId, Digest, Digests};
use pinfold_store::{Receiver, Store, StoreError};
use serde_json::{Map, Value, json};

use crate::listing::{Column, Listing};
use crate::terminal::Terminal;
use crate::words::{counted, second};

/// Those who received a body, as far as the ledger knows.
pub(crate) enum Received {
    /// Each client and user.
    By(Vec<Receiver>),
    /// The ledger knows bodies by their SHA-256, and nothing says which one this digest is of.
    Unknown,
    /// The ledger, or a month of it, cannot be read. What was decided is decided all the same.
    Unreadable(StoreError),
}

impl Received {
    /// Reads all months of the ledger. `body` are all digests of the body, where they are known.
    pub(crate) async fn read(store: &Store, digest: &Digest, body: Option<Digests>) -> Self {
        let id = match (body, digest) {
            (Some(body), _) => body.sha256,
            (None, Digest::Sha256(bytes)) => BodyId(*bytes),
            (None, Digest::Sha384(_) | Digest::Sha512(_)) => return Self::Unknown,
        };
        store.receivers(id).await.map_or_else(Self::Unreadable, Self::By)
    }

    /// For people: a table, and what a revocation does not reach.
    pub(crate) fn to_text(&self, client_max_age: Duration, terminal: &Terminal) -> String {
        let receivers = match self {
            Self::Unknown => {
                return "who received it is not known: the ledger names bodies by their SHA-256, and no body with this \
                        digest was in quarantine or is on the shelf\nhint: revoke it by its sha256 digest too, if you have the bytes"
                    .to_owned();
            }
            Self::Unreadable(error) => {
                return format!(
                    "who received it is not known: {error}\nhint: {}; 'pinfold exposure --digest' tells then who received it",
                    error.hint()
                );
            }
            Self::By(receivers) if receivers.is_empty() => {
                return "nobody received it through this gateway, as far as its ledger reaches back"
                    .to_owned();
            }
            Self::By(receivers) => receivers,
        };
        let mut listing = Listing::new([
            Column::Text("CLIENT"),
            Column::Text("USER"),
            Column::Number("TIMES"),
            Column::Text("FIRST"),
            Column::Text("LAST"),
            Column::Text("AS A WORKER"),
        ]);
        for receiver in receivers {
            listing.row([
                receiver.client.to_string(),
                receiver.user.as_deref().unwrap_or("-").to_owned(),
                receiver.count.to_string(),
                second(receiver.first),
                second(receiver.last),
                receiver.workers.join(" "),
            ]);
        }
        let workers = receivers.iter().filter(|receiver| !receiver.workers.is_empty()).count();
        let workers = match workers {
            0 => String::new(),
            some => format!(", {some} of them as a worker, which may outlive its page"),
        };
        format!(
            "received by {}{workers}:\n{}\nopen pages keep what they run; caches of browsers lose it within {} minutes",
            counted(receivers.len(), "client"),
            listing.render(terminal),
            client_max_age.as_secs().div_ceil(60),
        )
    }

    /// For programs: adds `received`, null where it is not known, and `client_max_age_seconds`.
    pub(crate) fn write_json(&self, client_max_age: Duration, fields: &mut Map<String, Value>) {
        let received = match self {
            Self::Unknown | Self::Unreadable(_) => Value::Null,
            Self::By(receivers) => receivers.iter().map(receiver_json).collect(),
        };
        fields.insert("received".to_owned(), received);
        if let Self::Unreadable(error) = self {
            fields.insert("received_error".to_owned(), error.to_string().into());
        }
        fields.insert("client_max_age_seconds".to_owned(), client_max_age.as_secs().into());
    }
}

fn receiver_json(receiver: &Receiver) -> Value {
    json!({
        "client": receiver.client.to_string(),
        "user": receiver.user.as_deref(),
        "count": receiver.count,
        "first": receiver.first.to_string(),
        "last": receiver.last.to_string(),
        "workers": receiver.workers.iter().map(|worker| &**worker).collect::<Vec<_>>(),
    })
}
