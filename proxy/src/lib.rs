//! The network: accept, admit, tunnel or intercept, fetch, hold, respond.
//!
//! Everything that is asynchronous on the data path lives here, and nothing that decides: the rules are in
//! `pinfold-policy`, and this crate obeys them. [`Gateway`] is the door; `exchange` is the path of one request,
//! readable from top to bottom.

mod arrival;
mod ask;
mod beginnings;
mod budget;
mod byteranges;
mod canary;
mod clock;
mod counters;
mod credentials;
mod decodings;
mod delivery;
mod egress;
mod encoded;
mod exchange;
mod fetch;
mod gauge;
mod head_gate;
mod headers;
mod hold;
mod incoming;
mod intercept;
mod late;
mod link;
mod live;
mod lookalikes;
mod news;
mod observed;
mod parked;
mod policy_cell;
mod prefixed;
mod proxy_status;
mod range;
mod ready;
mod recheck;
mod refusal;
mod release;
mod reload;
mod request_head;
mod respond;
mod row;
mod serve;
mod settings;
mod shelf;
mod sniff;
mod splice;
mod stall;
mod streams;
mod tally;
mod tunnel;
mod unguarded;
mod unregistering;
mod upload;
mod upstream_tls;
mod websocket;
mod weighed;

mod gateway;

pub use canary::{CANARY_HOST, Canary, CanaryFault, canary_hosts};
pub use clock::{Clock, Hand};
pub use counters::{Counts, Rechecked, Sum, Times, Unjudged};
pub use egress::EgressError;
pub use exchange::MOST_LEARNED;
pub use fetch::{FetchError, Looked, Upstream};
pub use gateway::{BindError, Gateway};
pub use gauge::Gauge;
pub use hold::Spill;
pub use reload::{ReloadError, Reloader};
pub use settings::{Egress, Limits, Settings};
