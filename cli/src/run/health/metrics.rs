//! Numbers as metrics. `docs/metrics.md` says what they mean, and a test holds the two to each other.
//!
//! Labels are words of closed lists. A host, a URL or a digest is none: whoever asks could make up any number of them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pinfold_policy::reason::Reason;
use pinfold_policy::verdict::Outcome;
use pinfold_proxy::{Counts, Rechecked, Times, Unjudged};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::run::canary::Runs;

/// What there is to tell, at one time.
#[derive(Debug)]
pub(crate) struct Numbers {
    pub(crate) counts: Counts,
    /// Bytes of memory and of disk.
    pub(crate) reserved: (u64, u64),
    pub(crate) shelf_memory: u64,
    pub(crate) policy_version: u64,
    /// Of the root and of the issuing CA.
    pub(crate) ca_ends: [SystemTime; 2],
    pub(crate) ledger: pinfold_store::Numbers,
    /// None where it cannot be read.
    pub(crate) undecided: Option<u64>,
    /// By output, in the order of the configuration.
    pub(crate) backlog: Vec<Option<u64>>,
    /// For how long each of them has failed.
    pub(crate) in_vain: Vec<Duration>,
    /// Taken and refused.
    pub(crate) reloads: [u64; 2],
    pub(crate) canary: Runs,
    pub(crate) started: SystemTime,
}

/// One metric.
struct Metric {
    name: &'static str,
    help: &'static str,
    samples: Samples,
}

type Labels = Vec<(&'static str, String)>;

enum Samples {
    /// Only ever goes up.
    Counter(Vec<(Labels, u64)>),
    /// Goes up and down.
    Gauge(Vec<(Labels, u64)>),
    /// How often something took how long.
    Histogram(Vec<(Labels, Times)>),
}

impl Numbers {
    /// All metrics, as OpenMetrics text.
    pub(crate) fn text(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        // A string takes whatever is written to it.
        if let Err(error) = encode(&mut text, &registry) {
            tracing::error!(%error, "metrics cannot be written; this is a bug");
        }
        text
    }

    fn metrics(&self) -> Vec<Metric> {
        [self.coverage(), self.network(), self.holds(), self.records(), self.program()]
            .into_iter()
            .flatten()
            .collect()
    }

    /// What share of exchanges and bytes was judged, and what could not be, by reason.
    fn coverage(&self) -> Vec<Metric> {
        let counts = &self.counts;
        let judged = |value: fn(&pinfold_proxy::Sum) -> u64| {
            let judged = counts.judged.iter();
            judged.map(|((outcome, reason), sum)| (verdict(*outcome, *reason), value(sum))).collect()
        };
        let unjudged = |value: fn(pinfold_proxy::Sum) -> u64| {
            let sum = |why| counts.unjudged.get(&why).copied().unwrap_or_default();
            Unjudged::ALL.into_iter().map(|why| (one("why", why.as_str()), value(sum(why)))).collect()
        };
        vec![
            counter("pinfold_exchanges", "Guarded exchanges that were judged", judged(|sum| sum.exchanges)),
            counter(
                "pinfold_pinned_unmeasured_exchanges",
                "Answers of pinned URLs that passed although they could not be measured",
                alone(counts.pinned_unmeasured),
            ),
            counter("pinfold_judged_bytes", "Decoded bytes of judged bodies", judged(|sum| sum.bytes)),
            counter(
                "pinfold_unjudged_exchanges",
                "Exchanges and tunnels that passed unjudged",
                unjudged(|sum| sum.exchanges),
            ),
            counter("pinfold_unjudged_bytes", "Bytes that passed unjudged", unjudged(|sum| sum.bytes)),
            counter(
                "pinfold_unrecorded_exchanges",
                "Guarded exchanges refused because they could not be recorded",
                alone(counts.unrecorded),
            ),
        ]
    }

    fn network(&self) -> Vec<Metric> {
        let counts = &self.counts;
        let by_reason = |(reason, count): (&Reason, &u64)| (one("reason", reason.code()), *count);
        let rechecked = |found: Rechecked| counts.rechecks.get(&found).copied().unwrap_or_default();
        let rechecks = Rechecked::ALL.map(|found| (one("result", found.as_str()), rechecked(found)));
        vec![
            counter(
                "pinfold_turned_away",
                "Requests and tunnels refused before there was anything to judge",
                counts.turned_away.iter().map(by_reason).collect(),
            ),
            counter(
                "pinfold_upstream_errors",
                "Fetches to which a vendor gave no usable answer",
                counts.upstream_errors.iter().map(by_reason).collect(),
            ),
            gauge("pinfold_tunnels_open", "Tunnels that are open", alone(counts.tunnels_open)),
            gauge("pinfold_websockets_open", "WebSockets that are open", alone(counts.websockets_open)),
            counter("pinfold_shelf_hits", "Requests answered from the shelf", alone(counts.shelf_hits)),
            counter(
                "pinfold_shelf_misses",
                "Requests that the shelf could have answered and did not",
                alone(counts.shelf_misses),
            ),
            counter("pinfold_rechecks", "Looks at what vendors serve now", rechecks.into()),
        ]
    }

    fn holds(&self) -> Vec<Metric> {
        let took = |outcome: Outcome| {
            let times = self.counts.took.get(&outcome).copied().unwrap_or_default();
            (one("verdict", outcome.as_str()), times)
        };
        let (memory, disk) = self.reserved;
        let held = vec![(one("place", "memory"), memory), (one("place", "disk"), disk)];
        vec![
            Metric {
                name: "pinfold_verdict_seconds",
                help: "From a guarded request to the verdict",
                samples: Samples::Histogram(Outcome::ALL.map(took).into()),
            },
            gauge("pinfold_holds", "Bodies that are being held", alone(self.counts.holds)),
            gauge("pinfold_held_bytes", "Bytes reserved for held bodies", held),
            gauge(
                "pinfold_shelf_memory_bytes",
                "Bytes of verified bodies in memory",
                alone(self.shelf_memory),
            ),
        ]
    }

    fn records(&self) -> Vec<Metric> {
        let numbered = (1_u32..).zip(&self.backlog);
        let backlog = numbered.filter_map(|(at, rows)| Some((one("output", &at.to_string()), (*rows)?)));
        let numbered = (1_u32..).zip(&self.in_vain);
        let in_vain = numbered.map(|(at, time)| (one("output", &at.to_string()), time.as_secs()));
        vec![
            counter(
                "pinfold_ledger_entries",
                "Exchanges, tunnels and notices on disk",
                alone(self.ledger.recorded),
            ),
            counter(
                "pinfold_ledger_missed",
                "Exchanges and tunnels that could not be recorded",
                alone(self.ledger.missed),
            ),
            gauge(
                "pinfold_quarantine_undecided",
                "Items that wait for a reviewer",
                self.undecided.into_iter().flat_map(alone).collect(),
            ),
            gauge(
                "pinfold_siem_backlog",
                "Rows of the feed that an output has not acknowledged",
                backlog.collect(),
            ),
            gauge(
                "pinfold_siem_failing_seconds",
                "For how long an output has tried in vain to deliver",
                in_vain.collect(),
            ),
        ]
    }

    fn program(&self) -> Vec<Metric> {
        let [taken, refused] = self.reloads;
        let [root, issuer] = self.ca_ends.map(unix_seconds);
        let reloads = vec![(one("result", "taken"), taken), (one("result", "refused"), refused)];
        let ends = vec![(one("ca", "root"), root), (one("ca", "issuer"), issuer)];
        let Runs { passed, failed, holds } = self.canary;
        let runs = vec![(one("result", "passed"), passed), (one("result", "failed"), failed)];
        let build = one("version", env!("CARGO_PKG_VERSION"));
        vec![
            gauge("pinfold_policy_version", "The number of the policy in force", alone(self.policy_version)),
            counter("pinfold_reloads", "Changed files, by what became of them", reloads),
            gauge("pinfold_ca_not_after_timestamp_seconds", "When a certificate of the CA ends", ends),
            counter("pinfold_canary_runs", "Tests of the gateway by itself", runs),
            gauge(
                "pinfold_canary_ok",
                "Whether the last one passed",
                holds.into_iter().flat_map(|holds| alone(u64::from(holds))).collect(),
            ),
            gauge("pinfold_build_info", "The version that runs", vec![(build, 1)]),
            gauge(
                "process_start_time_seconds",
                "When the process started",
                alone(unix_seconds(self.started)),
            ),
        ]
    }
}

impl Collector for Numbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for Metric { name, help, samples } in self.metrics() {
            match samples {
                Samples::Counter(values) => {
                    let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
                    each(&values, metric, |value, to| ConstCounter::new(*value).encode(to))?;
                }
                Samples::Gauge(values) => {
                    let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
                    let signed = |value: &u64| i64::try_from(*value).unwrap_or(i64::MAX);
                    each(&values, metric, |value, to| ConstGauge::new(signed(value)).encode(to))?;
                }
                Samples::Histogram(values) => {
                    let metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
                    each(&values, metric, classes)?;
                }
            }
        }
        Ok(())
    }
}

/// Writes all samples of a metric.
fn each<T>(
    values: &[(Labels, T)],
    mut metric: MetricEncoder<'_>,
    write: impl Fn(&T, MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    if let [(labels, value)] = values
        && labels.is_empty()
    {
        return write(value, metric);
    }
    for (labels, value) in values {
        write(value, metric.encode_family(labels)?)?;
    }
    Ok(())
}

fn classes(times: &Times, mut to: MetricEncoder<'_>) -> fmt::Result {
    let seconds = |us: u64| Duration::from_micros(us).as_secs_f64();
    let ends = Times::UP_TO_US.map(seconds).into_iter().chain([f64::INFINITY]);
    let classes: Vec<_> = ends.zip(times.counts).collect();
    let count = times.counts.iter().sum();
    to.encode_histogram::<Labels>(seconds(times.sum_us), count, &classes, None)
}

fn counter(name: &'static str, help: &'static str, values: Vec<(Labels, u64)>) -> Metric {
    Metric { name, help, samples: Samples::Counter(values) }
}

fn gauge(name: &'static str, help: &'static str, values: Vec<(Labels, u64)>) -> Metric {
    Metric { name, help, samples: Samples::Gauge(values) }
}

fn alone(value: u64) -> Vec<(Labels, u64)> {
    vec![(Labels::new(), value)]
}

fn one(name: &'static str, value: &str) -> Labels {
    vec![(name, value.to_owned())]
}

fn verdict(outcome: Outcome, reason: Option<Reason>) -> Labels {
    let reason = reason.map_or("none", Reason::code);
    vec![("verdict", outcome.as_str().to_owned()), ("reason", reason.to_owned())]
}

fn unix_seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers() -> Numbers {
        Numbers {
            counts: Counts::default(),
            reserved: (1, 2),
            shelf_memory: 3,
            policy_version: 4,
            ca_ends: [UNIX_EPOCH; 2],
            ledger: pinfold_store::Numbers::default(),
            undecided: Some(5),
            backlog: vec![Some(6), None],
            in_vain: vec![Duration::ZERO, Duration::from_millis(7999)],
            reloads: [7, 8],
            canary: Runs { passed: 9, failed: 0, holds: Some(true) },
            started: UNIX_EPOCH,
        }
    }

    /// The name of its samples.
    fn sampled(metric: &Metric) -> String {
        match metric.samples {
            Samples::Counter(_) => format!("{}_total", metric.name),
            Samples::Gauge(_) | Samples::Histogram(_) => metric.name.to_owned(),
        }
    }

    #[test]
    fn the_documentation_names_every_metric_and_no_other() {
        let text = include_str!("../../../../docs/metrics.md");
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let documented: Vec<&str> = rows.map(|(name, _)| name).collect();
        let metrics: Vec<String> = numbers().metrics().iter().map(sampled).collect();
        assert_eq!(documented, metrics);
    }

    #[test]
    fn the_text_is_that_of_openmetrics() {
        let mut numbers = numbers();
        let sum = pinfold_proxy::Sum { exchanges: 2, bytes: 30 };
        numbers.counts.judged.insert((Outcome::Quarantined, Some(Reason::DigestMismatch)), sum);
        numbers.counts.judged.insert((Outcome::Verified, None), sum);
        let mut times = pinfold_proxy::Times { sum_us: 61_500_000, ..Default::default() };
        (times.counts[8], times.counts[13]) = (3, 1);
        numbers.counts.took.insert(Outcome::Quarantined, times);
        let text = numbers.text();
        for line in [
            "# TYPE pinfold_exchanges counter",
            "pinfold_exchanges_total{verdict=\"quarantined\",reason=\"digest-mismatch\"} 2",
            "pinfold_judged_bytes_total{verdict=\"verified\",reason=\"none\"} 30",
            "pinfold_unjudged_bytes_total{why=\"tunnel\"} 0",
            "pinfold_verdict_seconds_sum{verdict=\"quarantined\"} 61.5",
            "pinfold_verdict_seconds_count{verdict=\"quarantined\"} 4",
            "pinfold_verdict_seconds_bucket{le=\"0.25\",verdict=\"quarantined\"} 0",
            "pinfold_verdict_seconds_bucket{le=\"1.0\",verdict=\"quarantined\"} 3",
            "pinfold_verdict_seconds_bucket{le=\"+Inf\",verdict=\"quarantined\"} 4",
            "pinfold_verdict_seconds_count{verdict=\"observed\"} 0",
            "pinfold_held_bytes{place=\"disk\"} 2",
            "pinfold_siem_backlog{output=\"1\"} 6",
            "pinfold_siem_failing_seconds{output=\"1\"} 0",
            "pinfold_siem_failing_seconds{output=\"2\"} 7",
            "pinfold_quarantine_undecided 5",
            "# EOF",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}\n{text}");
        }
        assert!(!text.contains("backlog{output=\"2\""), "what cannot be read is not there: {text}");
    }
}
