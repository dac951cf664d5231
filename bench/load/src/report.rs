//! What was found, as tables and as JSON.

use std::collections::BTreeMap;
use std::path::Path;

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

use crate::machine::Machine;
use crate::proxies::Kind;

/// Of one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// CPU seconds for 1,000 requests.
    pub(crate) cpu: f64,
    /// Requests per second.
    pub(crate) rate: f64,
    /// Milliseconds, of which half, 99 of 100 and 999 of 1,000 requests took no more.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    /// Of 1,000 requests, those that reached the origin.
    pub(crate) origin: f64,
    /// Of 100 requests, those that came over a connection whose handshake went on with a session of earlier.
    pub(crate) resumed: f64,
}

type Of = fn(&Figures) -> f64;

/// Name, what it is, and how many digits are told.
const FIGURES: [(&str, Of, usize); 6] = [
    ("CPU seconds per 1,000 requests", |figures| figures.cpu, 4),
    ("Requests per second", |figures| figures.rate, 0),
    ("p50, ms", |figures| figures.p50, 2),
    ("p99, ms", |figures| figures.p99, 2),
    ("p99.9, ms", |figures| figures.p999, 2),
    ("Requests that reached the origin, of 1,000", |figures| figures.origin, 0),
];

/// Everything that was measured.
pub(crate) struct Report {
    command: String,
    made: jiff::Timestamp,
    machine: Machine,
    kinds: Vec<Kind>,
    versions: Vec<String>,
    rows: Vec<&'static str>,
    rounds: BTreeMap<(&'static str, &'static str), Vec<Figures>>,
    singles: Vec<Single>,
    missing: Vec<String>,
}

/// A figure that is no median of rounds of requests.
struct Single {
    table: &'static str,
    row: String,
    kind: Kind,
    value: f64,
}

impl Report {
    /// Asks each program for its version first, so that one that is missing is found out before anything is measured.
    pub(crate) fn new(command: String, machine: Machine, kinds: Vec<Kind>) -> Self {
        let versions = kinds.iter().map(|kind| kind.version()).collect();
        Self::of_versions(command, machine, kinds, versions)
    }

    fn of_versions(command: String, machine: Machine, kinds: Vec<Kind>, versions: Vec<String>) -> Self {
        let made = jiff::Timestamp::now();
        Self {
            command,
            made,
            machine,
            kinds,
            versions,
            rows: Vec::new(),
            rounds: BTreeMap::new(),
            singles: Vec::new(),
            missing: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, row: &'static str, kind: Kind, figures: Figures) {
        if !self.rows.contains(&row) {
            self.rows.push(row);
        }
        self.rounds.entry((row, kind.name())).or_default().push(figures);
    }

    pub(crate) fn single(&mut self, table: &'static str, row: impl Into<String>, kind: Kind, value: f64) {
        // What was late is missing, and said to be.
        if value.is_finite() {
            self.singles.push(Single { table, row: row.into(), kind, value });
        }
    }

    /// Something that could not be measured, and why.
    pub(crate) fn missing(&mut self, what: String) {
        eprintln!("missing: {what}");
        self.missing.push(what);
    }

    /// Writes both forms into a folder, named after the time at which the run began.
    pub(crate) fn write(&self, dir: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(dir)?;
        let name = self.made.strftime("load-%Y-%m-%dT%H-%M-%SZ").to_string();
        std::fs::write(dir.join(format!("{name}.md")), self.markdown())?;
        std::fs::write(dir.join(format!("{name}.json")), self.json())
    }

    /// A page with all tables.
    pub(crate) fn markdown(&self) -> String {
        let made = self.made.strftime("%Y-%m-%d %H:%M UTC");
        let mut text = format!("# Load, {made}\n\n    {}\n\n{}\n", self.command, self.machine.markdown());
        text += &self.versions();
        for (name, of, digits) in FIGURES {
            let cell = |row: &str, kind: Kind| Some(format!("{:.digits$}", self.median(row, kind, of)?));
            text += &self.table(name, self.rows.iter().copied(), cell);
        }
        text += &self.resumed();
        text += &self.latency_added();
        text += &self.ratios();
        text += &self.others();
        if !self.missing.is_empty() {
            text += "## Missing\n\n";
        }
        text + &self.missing.iter().map(|missing| format!("- {missing}\n")).collect::<String>()
    }

    fn versions(&self) -> String {
        let mut table = table(["", "version"]);
        for (kind, version) in self.kinds.iter().zip(&self.versions) {
            table.add_row([kind.name(), version]);
        }
        format!("{table}\n\n")
    }

    fn median(&self, row: &str, kind: Kind, of: Of) -> Option<f64> {
        let rounds = self.rounds.iter().find(|((known, proxy), _)| *known == row && *proxy == kind.name())?.1;
        middle(rounds.iter().map(of).collect())
    }

    /// Where clients come back, how often that helps.
    fn resumed(&self) -> String {
        let rows = self.rows.iter().copied().filter(|row| row.contains("returning"));
        let cell = |row: &str, kind: Kind| {
            Some(format!("{:.0}", self.median(row, kind, |figures| figures.resumed)?))
        };
        self.table("Handshakes that resumed a session, of 100", rows, cell)
    }

    /// With one client, by the rounds.
    fn latency_added(&self) -> String {
        let rows = self.rows.iter().copied().filter(|row| row.contains("one client"));
        let cell = |row: &str, kind: Kind| {
            let of = |kind: Kind| {
                self.rounds.iter().find(|((known, proxy), _)| *known == row && *proxy == kind.name())
            };
            let (direct, proxy) = (of(Kind::Direct)?.1, of(kind)?.1);
            let added = proxy.iter().zip(direct).map(|(proxy, direct)| proxy.p50 - direct.p50);
            Some(format!("{:+.3}", middle(added.collect())?))
        };
        self.table("p50 beyond that of no proxy, ms", rows, cell)
    }

    /// CPU, as a multiple of others'.
    fn ratios(&self) -> String {
        let best = |row: &str| {
            let others = self.kinds.iter().filter(|kind| kind.is_other_proxy());
            let costs =
                others.filter_map(|kind| Some((*kind, self.median(row, *kind, |figures| figures.cpu)?)));
            costs.min_by(|(_, one), (_, other)| one.total_cmp(other))
        };
        let mut table = table([
            "",
            "best of the other proxies",
            "pinfold to it",
            "pinfold-always to it",
            "pinfold to nginx itself",
            "pinfold-always to minimal",
            "pinfold-always to libraries",
        ]);
        for row in &self.rows {
            let cost = |kind: Kind| self.median(row, kind, |figures| figures.cpu);
            let ratio = |one: Option<f64>, other: Option<f64>| {
                one.zip(other).map_or_else(|| "-".to_owned(), |(one, other)| format!("{:.2}", one / other))
            };
            let best = best(row);
            let least = best.map(|(_, cost)| cost);
            table.add_row([
                (*row).to_owned(),
                best.map_or_else(|| "-".to_owned(), |(kind, _)| kind.name().to_owned()),
                ratio(cost(Kind::Pinfold), least),
                ratio(cost(Kind::PinfoldAlways), least),
                ratio(cost(Kind::Pinfold), cost(Kind::Direct)),
                ratio(cost(Kind::PinfoldAlways), cost(Kind::Minimal)),
                ratio(cost(Kind::PinfoldAlways), cost(Kind::Libraries)),
            ]);
        }
        if self.rows.is_empty() { String::new() } else { titled("CPU, as a multiple", &table) }
    }

    fn others(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for single in &self.singles {
            if !names.contains(&single.table) {
                names.push(single.table);
            }
        }
        names.into_iter().map(|name| self.other(name)).collect()
    }

    fn other(&self, name: &str) -> String {
        let of_table = || self.singles.iter().filter(|single| single.table == name);
        let mut rows: Vec<&str> = Vec::new();
        for single in of_table() {
            if !rows.contains(&&*single.row) {
                rows.push(&single.row);
            }
        }
        let cell = |row: &str, kind: Kind| {
            let found = of_table().find(|single| single.row == row && single.kind == kind)?;
            let digits = if found.value.abs() < 1.0 { 4 } else { 2 };
            Some(format!("{:.digits$}", found.value))
        };
        self.table(name, rows.into_iter(), cell)
    }

    fn table<'a>(
        &self,
        name: &str,
        rows: impl Iterator<Item = &'a str>,
        cell: impl Fn(&str, Kind) -> Option<String>,
    ) -> String {
        let heads = self.kinds.iter().map(|kind| kind.name());
        let mut table = table(std::iter::once("").chain(heads));
        for row in rows {
            let cells = self.kinds.iter().map(|kind| cell(row, *kind).unwrap_or_else(|| "-".to_owned()));
            table.add_row(std::iter::once(row.to_owned()).chain(cells));
        }
        if table.row_count() == 0 { String::new() } else { titled(name, &table) }
    }

    /// Everything, with the command that made it.
    pub(crate) fn json(&self) -> String {
        let rounds: Vec<Value> = self
            .rounds
            .iter()
            .map(|((row, proxy), rounds)| {
                let rounds: Vec<Value> = rounds.iter().map(Figures::json).collect();
                json!({ "row": row, "proxy": proxy, "rounds": rounds })
            })
            .collect();
        let singles: Vec<Value> = self
            .singles
            .iter()
            .map(|Single { table, row, kind, value }| {
                json!({ "table": table, "row": row, "proxy": kind.name(), "value": value })
            })
            .collect();
        let names = self.kinds.iter().map(|kind| kind.name());
        let versions: BTreeMap<_, _> = names.zip(&self.versions).collect();
        let report = json!({
            "made": self.made.to_string(),
            "command": self.command,
            "machine": self.machine.json(),
            "versions": versions,
            "requests": rounds,
            "others": singles,
            "missing": self.missing,
        });
        format!("{report:#}\n")
    }
}

impl Figures {
    fn json(&self) -> Value {
        let Self { cpu, rate, p50, p99, p999, origin, resumed } = self;
        json!({
            "cpu_seconds_per_1000": cpu,
            "requests_per_second": rate,
            "p50_ms": p50,
            "p99_ms": p99,
            "p999_ms": p999,
            "origin_per_1000": origin,
            "resumed_per_100": resumed,
        })
    }
}

fn middle(mut of: Vec<f64>) -> Option<f64> {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied()
}

fn table(heads: impl IntoIterator<Item = &'static str>) -> Table {
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN);
    table.set_header(heads);
    table
}

fn titled(name: &str, table: &Table) -> String {
    let mut table = table.clone();
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("## {name}\n\n{table}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_to_the_best_of_the_proxies_that_people_use() {
        let mut report =
            Report::of_versions("a command".to_owned(), Machine::here(), Kind::ALL.to_vec(), Vec::new());
        let costs = [
            (Kind::Direct, 4.0),
            (Kind::Minimal, 1.0),
            (Kind::Libraries, 1.5),
            (Kind::Pinfold, 2.0),
            (Kind::PinfoldAlways, 3.0),
            (Kind::Squid, 8.0),
            (Kind::Hudsucker, 16.0),
        ];
        for (kind, cpu) in costs {
            report.add(
                "2 KiB",
                kind,
                Figures { cpu, rate: 1.0, p50: 1.0, p99: 1.0, p999: 1.0, origin: 0.0, resumed: 0.0 },
            );
        }

        let ratios = report.ratios();

        let row = ratios.lines().rfind(|line| line.contains("2 KiB")).expect("a row");
        let cells: Vec<_> = row.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert_eq!(cells, ["2 KiB", "squid", "0.25", "0.38", "0.50", "3.00", "2.00"]);
    }
}
