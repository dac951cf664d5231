//! What a connection holds on which nothing happens.
//!
//! In a process of its own for each kind of connection, since what earlier work has freed would be used again and seem to
//! cost nothing. For the same reason the first connections do not count: they use up what starting and the first requests
//! have left.

use super::{Bench, fresh, unless_late};
use crate::client::{Connection, Failure, Http2, Route};
use crate::origin::{TUNNELLED, name};
use crate::proxies::{Kind, Proxy};
use crate::report::Report;
use crate::running::{Memory, memory, most_files, settled_memory};
use crate::scenario::scaled;

const TABLE: &str = "Memory";
/// Connections that are made and closed again, so many at a time.
const EARLIER: usize = 300;
const AT_A_TIME: usize = 16;
/// Connections that stay and do not count.
const FIRST: usize = 400;
const COUNTED: usize = 2_000;
/// With fewer requests and connections than this share of a whole run they are opened and used, and no figure is told.
const SMALLEST: f64 = 0.1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Http1,
    Http2,
    Tunnel,
}

impl Way {
    const ALL: [Self; 3] = [Self::Http1, Self::Http2, Self::Tunnel];

    fn row(self) -> &'static str {
        match self {
            Self::Http1 => "KiB per idle HTTP/1.1 connection",
            Self::Http2 => "KiB per idle HTTP/2 connection",
            Self::Tunnel => "KiB per idle tunnel",
        }
    }

    fn is_offered(self, kind: Kind) -> bool {
        match self {
            Self::Http1 | Self::Http2 => kind.intercepts(),
            Self::Tunnel => kind.tunnels(),
        }
    }
}

/// A connection over which one answer came.
#[expect(dead_code, reason = "it is held, and that is all")]
enum Idle {
    Http1(Box<Connection>),
    Http2(Http2),
}

/// A row for each way.
pub(crate) async fn idle(report: &mut Report, bench: &Bench<'_>) {
    for way in Way::ALL {
        for kind in bench.kinds.iter().filter(|kind| way.is_offered(**kind)) {
            let proxy = fresh(bench, &format!("idle-{way:?}"), *kind).await;
            let done = each(bench, way, &proxy).await;
            // Nothing: it does not speak this, or there were too few.
            if let Some(Some(kib)) = unless_late(report, *kind, way.row(), done) {
                report.single(TABLE, way.row(), *kind, kib);
            }
            proxy.stop().await;
        }
        eprintln!("{}", way.row());
    }
}

/// What proxies hold after all that was asked of them.
pub(crate) fn resident(report: &mut Report, bench: &Bench<'_>, running: &[Proxy]) {
    for proxy in running.iter().filter(|proxy| proxy.address.is_some()) {
        let kib = memory(&proxy.pids(bench.origin), Memory::All);
        report.single(TABLE, "MiB in all after the run", proxy.kind, kib as f64 / 1024.0);
    }
}

async fn each(bench: &Bench<'_>, way: Way, proxy: &Proxy) -> Result<Option<f64>, Failure> {
    let is_told = bench.share >= SMALLEST;
    let (earlier, uncounted) = if is_told { (EARLIER, FIRST) } else { (AT_A_TIME, AT_A_TIME) };
    let counted = scaled(COUNTED, bench.share.min(1.0), AT_A_TIME / 2);
    // Two files for each in a proxy, and some for itself.
    assert!(2 * (uncounted + counted) + 200 < most_files(), "raise the limit of open files: ulimit -n 65536");
    let origin = bench.origin;
    let route = if way == Way::Tunnel { proxy.tunnel(origin) } else { proxy.route(origin) };
    for _ in 0..earlier / AT_A_TIME {
        if open(bench, &route, way, AT_A_TIME).await?.is_none() {
            return Ok(None);
        }
    }
    let pids = proxy.pids(origin);
    let first = open(bench, &route, way, uncounted).await?;
    let before = settled_memory(&pids).await;
    let rest = open(bench, &route, way, counted).await?;
    let after = settled_memory(&pids).await;
    drop((first, rest));
    Ok(is_told.then(|| (after as f64 - before as f64) / counted as f64))
}

/// Opens so many and asks for something over each. None where the other side does not speak this.
async fn open(
    bench: &Bench<'_>,
    route: &Route,
    way: Way,
    count: usize,
) -> Result<Option<Vec<Idle>>, Failure> {
    let mut opened = Vec::with_capacity(count);
    while opened.len() < count {
        let some = (count - opened.len()).min(AT_A_TIME);
        for one in futures_util::future::try_join_all((0..some).map(|_| open_one(bench, route, way))).await? {
            match one {
                Some(one) => opened.push(one),
                None => return Ok(None),
            }
        }
    }
    Ok(Some(opened))
}

async fn open_one(bench: &Bench<'_>, route: &Route, way: Way) -> Result<Option<Idle>, Failure> {
    let body = &bench.origin.bodies[0];
    let host = if way == Way::Tunnel { TUNNELLED.to_owned() } else { name(0) };
    if way == Way::Http2 {
        let Some(mut connection) = route.connect_http2(&host).await? else { return Ok(None) };
        let digest = connection.get(&body.path()).await?;
        assert_eq!(digest, body.digest, "{} served other bytes over HTTP/2", route.through);
        return Ok(Some(Idle::Http2(connection)));
    }
    let mut connection = route.connect(&host).await?;
    connection.get(&body.path(), false, false).await?;
    Ok(Some(Idle::Http1(Box::new(connection))))
}
