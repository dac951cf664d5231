//! What is asked for, and how.

use crate::body::Body;
use crate::load::{Connections, Load};

/// A row of the tables.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) load: Load,
}

/// Clients at a time, where it is not one.
const CLIENTS: usize = 16;

/// All rows that are about requests. `share` of the requests of a full run are sent.
pub(crate) fn scenarios(bodies: &[Body], share: f64) -> Vec<Scenario> {
    use Connections::{Fresh, FreshName, Kept, KeptFar, Returning};

    let of = |name, body: usize, gzip, clients, requests, connections| {
        let body = bodies.get(body).expect("five bodies").clone();
        let requests = scaled(requests, share, clients);
        Scenario { name, load: Load { body, gzip, clients, requests, connections } }
    };
    vec![
        of("2 KiB", 0, false, CLIENTS, 40_000, Kept),
        of("30 KiB", 1, false, CLIENTS, 20_000, Kept),
        of("150 KiB", 2, false, CLIENTS, 6_000, Kept),
        of("1 MiB", 3, false, CLIENTS, 1_000, Kept),
        of("8 MiB", 4, false, 4, 120, Kept),
        of("2 KiB, gzip", 0, true, CLIENTS, 30_000, Kept),
        of("30 KiB, gzip", 1, true, CLIENTS, 20_000, Kept),
        of("150 KiB, gzip", 2, true, CLIENTS, 10_000, Kept),
        of("1 MiB, gzip", 3, true, CLIENTS, 1_500, Kept),
        of("8 MiB, gzip", 4, true, 4, 200, Kept),
        of("new connection", 0, false, CLIENTS, 4_000, Fresh),
        of("new connection of a returning client", 0, false, 4, 4_000, Returning),
        of("new connection, new name", 0, false, 4, 300, FreshName(1)),
        of("2 KiB, one client", 0, false, 1, 3_000, Kept),
        of("150 KiB, one client", 2, false, 1, 1_500, Kept),
        of("2 KiB, one client, vendor 2 ms away", 0, false, 1, 500, KeptFar),
        of("150 KiB, one client, vendor 2 ms away", 2, false, 1, 500, KeptFar),
    ]
}

/// That share of so many requests, and two at least for each client.
pub(crate) fn scaled(requests: usize, share: f64, clients: usize) -> usize {
    ((requests as f64 * share) as usize).max(2 * clients)
}
