//! What is measured.

use crate::body::Body;
use crate::client::{Load, Names};

/// A row of the table.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) load: Load,
}

/// Clients at a time, where it is not one.
const CLIENTS: usize = 16;

/// All rows that are about requests. `share` of the requests of a full run are sent.
pub(crate) fn scenarios(bodies: &[Body], share: f64) -> Vec<Scenario> {
    let of =
        |name: &'static str, body: usize, gzip: bool, connections: usize, requests: usize, names: Names| {
            let body = bodies.get(body).expect("five bodies").clone();
            let requests = ((requests as f64 * share) as usize).max(2 * connections);
            Scenario { name, load: Load { body, gzip, connections, requests, names } }
        };
    vec![
        of("2 KiB keep-alive", 0, false, CLIENTS, 40_000, Names::Kept),
        of("30 KiB keep-alive", 1, false, CLIENTS, 20_000, Names::Kept),
        of("150 KiB keep-alive", 2, false, CLIENTS, 6_000, Names::Kept),
        of("1 MiB", 3, false, CLIENTS, 1_000, Names::Kept),
        of("8 MiB", 4, false, 4, 120, Names::Kept),
        of("2 KiB sent as gzip", 0, true, CLIENTS, 30_000, Names::Kept),
        of("150 KiB sent as gzip", 2, true, CLIENTS, 10_000, Names::Kept),
        of("1 MiB sent as gzip", 3, true, CLIENTS, 1_500, Names::Kept),
        of("new connection, same name", 0, false, CLIENTS, 4_000, Names::FreshConnection),
        of("new connection, new name", 0, false, 4, 300, Names::FreshName(1)),
        of("2 KiB, one client", 0, false, 1, 3_000, Names::Kept),
        of("150 KiB, one client", 2, false, 1, 1_500, Names::Kept),
    ]
}
