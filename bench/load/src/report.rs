//! What was found, as tables and as JSON.

use std::collections::BTreeMap;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

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
}

/// Everything that was measured.
pub(crate) struct Report {
    proxies: Vec<&'static str>,
    rows: Vec<&'static str>,
    rounds: BTreeMap<(&'static str, &'static str), Vec<Figures>>,
    single_rows: Vec<&'static str>,
    singles: BTreeMap<(&'static str, &'static str), f64>,
}

impl Report {
    pub(crate) fn new(proxies: impl Iterator<Item = &'static str>) -> Self {
        Self {
            proxies: proxies.collect(),
            rows: Vec::new(),
            rounds: BTreeMap::new(),
            single_rows: Vec::new(),
            singles: BTreeMap::new(),
        }
    }

    pub(crate) fn add(&mut self, row: &'static str, proxy: &'static str, figures: Figures) {
        if !self.rows.contains(&row) {
            self.rows.push(row);
        }
        self.rounds.entry((row, proxy)).or_default().push(figures);
    }

    pub(crate) fn single(&mut self, row: &'static str, proxy: &'static str, figure: f64) {
        if !self.single_rows.contains(&row) {
            self.single_rows.push(row);
        }
        self.singles.insert((row, proxy), figure);
    }

    fn median(&self, row: &'static str, proxy: &'static str, of: fn(&Figures) -> f64) -> Option<f64> {
        let mut found: Vec<f64> = self.rounds.get(&(row, proxy))?.iter().map(of).collect();
        found.sort_by(f64::total_cmp);
        found.get(found.len() / 2).copied()
    }

    /// One table for each figure.
    pub(crate) fn tables(&self) -> String {
        let figures: [(&str, fn(&Figures) -> f64, usize); 5] = [
            ("CPU seconds per 1,000 requests", |figures| figures.cpu, 3),
            ("requests per second", |figures| figures.rate, 0),
            ("p50, ms", |figures| figures.p50, 2),
            ("p99, ms", |figures| figures.p99, 2),
            ("p99.9, ms", |figures| figures.p999, 2),
        ];
        let mut text = String::new();
        if !self.rows.is_empty() {
            for (name, of, digits) in figures {
                let cell = |row, proxy| self.median(row, proxy, of).map(|found| format!("{found:.digits$}"));
                text += &self.table(name, &self.rows, cell);
            }
        }
        if !self.single_rows.is_empty() {
            let cell = |row, proxy| self.singles.get(&(row, proxy)).map(|found| format!("{found:.2}"));
            text += &self.table("besides", &self.single_rows, cell);
        }
        text
    }

    fn table(
        &self,
        name: &str,
        rows: &[&'static str],
        cell: impl Fn(&'static str, &'static str) -> Option<String>,
    ) -> String {
        let mut table = Table::new();
        table.load_preset(UTF8_HORIZONTAL_ONLY);
        table.set_header(std::iter::once(name).chain(self.proxies.iter().copied()));
        for row in rows {
            let cells = self.proxies.iter().map(|proxy| cell(row, proxy).unwrap_or_else(|| "-".to_owned()));
            table.add_row(std::iter::once((*row).to_owned()).chain(cells));
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        format!("{table}\n\n")
    }

    /// Everything, with the command that made it.
    pub(crate) fn json(&self, command: &str) -> String {
        let rounds: Vec<Value> = self
            .rounds
            .iter()
            .map(|((row, proxy), rounds)| {
                let rounds: Vec<Value> = rounds
                    .iter()
                    .map(|Figures { cpu, rate, p50, p99, p999 }| {
                        json!({ "cpu_seconds_per_1000": cpu, "requests_per_second": rate, "p50_ms": p50, "p99_ms": p99, "p999_ms": p999 })
                    })
                    .collect();
                json!({ "scenario": row, "proxy": proxy, "rounds": rounds })
            })
            .collect();
        let singles: Vec<Value> = self
            .singles
            .iter()
            .map(|((row, proxy), figure)| json!({ "figure": row, "proxy": proxy, "value": figure }))
            .collect();
        let report = json!({
            "made": jiff::Timestamp::now().to_string(),
            "command": command,
            "scenarios": rounds,
            "others": singles,
        });
        format!("{report:#}\n")
    }
}
