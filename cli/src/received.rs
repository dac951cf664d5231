//! Who received a body: what is asked first when a digest is revoked.

use std::time::Duration;

use pinfold_policy::digest::{BodyId, Digest, Digests};
use pinfold_store::{Receiver, Store, StoreError, Unseen};
use serde_json::{Map, Value, json};

use crate::listing::{Column, Listing};
use crate::terminal::Terminal;
use crate::words::{counted, second, unwritten};

/// Those who received a body, as far as the ledger knows.
pub(crate) enum Received {
    /// Each client and user; and hosts that may have sent it to anyone, since nobody looked.
    By(Vec<Receiver>, Unseen),
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
        match (store.receivers(id).await, store.unseen().await) {
            (Ok(receivers), Ok(unseen)) => Self::By(receivers, unseen),
            (Err(error), _) | (_, Err(error)) => Self::Unreadable(error),
        }
    }

    /// For people: a table, and what a revocation does not reach.
    pub(crate) fn to_text(&self, client_max_age: Duration, terminal: &Terminal) -> String {
        let (receivers, unseen) = match self {
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
            Self::By(receivers, unseen) if receivers.is_empty() => {
                return format!(
                    "nobody received it as something that was judged, as far as the ledger reaches back\n{}",
                    not_reached(*unseen)
                );
            }
            Self::By(receivers, unseen) => (receivers, *unseen),
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
            "received by {}{workers}:\n{}\n{}\nopen pages keep what they run; caches of browsers lose it within {} minutes",
            counted(receivers.len(), "client"),
            listing.render(terminal),
            not_reached(unseen),
            client_max_age.as_secs().div_ceil(60),
        )
    }

    /// For programs: adds `received` and `not_looked_into`, null where that is not known, and `client_max_age_seconds`.
    pub(crate) fn write_json(&self, client_max_age: Duration, fields: &mut Map<String, Value>) {
        let (received, unseen) = match self {
            Self::Unknown | Self::Unreadable(_) => (Value::Null, Value::Null),
            Self::By(receivers, unseen) => {
                (receivers.iter().map(receiver_json).collect(), unseen_json(*unseen))
            }
        };
        fields.insert("received".to_owned(), received);
        fields.insert("not_looked_into".to_owned(), unseen);
        if let Self::Unreadable(error) = self {
            fields.insert("received_error".to_owned(), error.to_string().into());
        }
        fields.insert("client_max_age_seconds".to_owned(), client_max_age.as_secs().into());
    }
}

/// Hosts that no vendor claims go on as they did, whatever is revoked.
fn not_reached(unseen: Unseen) -> String {
    let Unseen { tunnelled, visited, untold, unwritten_until } = unseen;
    let more = if untold > 0 { " and more that are not told apart" } else { "" };
    format!(
        "not looked into, and not reached by this: hosts that no vendor claims; the ledger knows {} by tunnels, and \
         {}{more} in clear text or decrypted{}",
        counted(tunnelled, "host"),
        counted(visited, "host"),
        unwritten_until.map(|until| format!("; {}", unwritten(until))).unwrap_or_default(),
    )
}

fn unseen_json(unseen: Unseen) -> Value {
    let Unseen { tunnelled, visited, untold, unwritten_until } = unseen;
    json!({
        "hosts_tunnelled": tunnelled,
        "other_hosts": visited,
        "requests_not_told_apart": untold,
        "other_hosts_not_recorded_before": unwritten_until.map(|time| time.to_string()),
    })
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
