//! What came out: medians, a table against the goals, JSON with every sample, charts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::bench::Bench;
use super::chart;
use super::peers::Kind;
use super::rows::{Goal, Row, Sample};
use crate::Outcome;

/// All samples, by row and peer.
pub struct Results {
    about: Value,
    rows: Vec<(Row, BTreeMap<&'static str, Samples>)>,
}

#[derive(Default)]
struct Samples {
    figures: Vec<f64>,
    errors: Vec<String>,
    /// What has to be known to read the figures.
    notes: BTreeSet<String>,
    /// The machine's load average (1 minute) when each was taken.
    loads: Vec<f64>,
}

impl Samples {
    fn median(&self) -> Option<f64> {
        let mut sorted = self.figures.clone();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (sorted.len().checked_sub(1)? / 2, sorted.len() / 2);
        Some((sorted.get(low)? + sorted.get(high)?) / 2.0)
    }

    fn to_json(&self) -> Value {
        json!({
            "median": self.median(),
            "figures": self.figures,
            "load_averages": self.loads,
            "errors": self.errors,
            "notes": self.notes,
        })
    }
}

impl Results {
    /// Nothing measured yet.
    pub fn new(bench: &Bench, rounds: usize) -> Results {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
        let about = json!({
            "command": std::env::args().collect::<Vec<_>>().join(" "),
            "kernel": read("/proc/sys/kernel/osrelease").trim(),
            "cpu": cpu.trim_start_matches(['\t', ' ', ':']),
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "rounds": rounds,
            "seconds": bench.pace.seconds,
            "realtime": bench.realtime,
        });
        Results { about, rows: Vec::new() }
    }

    /// Adds a sample, or why there is none.
    pub fn note(&mut self, row: &Row, kind: Kind, sample: Outcome<Option<Sample>>) {
        let at = match self.rows.iter().position(|(known, _)| known.id == row.id) {
            Some(at) => at,
            None => {
                self.rows.push((*row, BTreeMap::new()));
                self.rows.len() - 1
            }
        };
        let Some((_, peers)) = self.rows.get_mut(at) else { return };
        match sample {
            Ok(None) => {}
            Ok(Some(sample)) => {
                let samples = peers.entry(kind.name()).or_default();
                samples.figures.push(sample.figure);
                samples.notes.extend(sample.note);
                samples.loads.push(load_average());
            }
            Err(error) => {
                eprintln!("{} {}: {error}", row.id, kind.name());
                peers.entry(kind.name()).or_default().errors.push(error.to_string());
            }
        }
    }

    /// `results.json`, `results.md` and one SVG a row.
    pub fn write(&self, folder: &Path) -> Outcome<()> {
        fs::create_dir_all(folder)?;
        let mut rows = serde_json::Map::new();
        for (row, peers) in &self.rows {
            let peers: serde_json::Map<_, _> =
                peers.iter().map(|(name, s)| ((*name).to_owned(), s.to_json())).collect();
            let whole = json!({ "title": row.title, "unit": row.unit, "peers": peers });
            rows.insert(row.id.to_owned(), whole);
            let bars = self.medians(row.id);
            if bars.len() > 1 {
                let drawing = chart::bars(row.title, row.unit, &bars);
                fs::write(folder.join(format!("{}.svg", row.id)), drawing)?;
            }
        }
        let all = json!({ "about": self.about, "rows": rows });
        fs::write(folder.join("results.json"), serde_json::to_string_pretty(&all)? + "\n")?;
        fs::write(folder.join("results.md"), self.table())?;
        Ok(())
    }

    fn medians(&self, id: &str) -> Vec<(&'static str, f64)> {
        let found = self.rows.iter().find(|(row, _)| row.id == id);
        let median = |kind: Kind| Some((kind.name(), found?.1.get(kind.name())?.median()?));
        Kind::ALL.into_iter().filter_map(median).collect()
    }

    /// One line a row, in Markdown.
    pub fn table(&self) -> String {
        let mut text = String::from("| row | unit |");
        for kind in Kind::ALL {
            let _ = write!(text, " {} |", kind.name());
        }
        text.push_str(" to reach |\n| --- | --- |");
        text.push_str(&" ---: |".repeat(Kind::ALL.len()));
        text.push_str(" --- |\n");
        for (row, _) in &self.rows {
            let medians = self.medians(row.id);
            let median = |name| medians.iter().find(|(peer, _)| *peer == name).map(|(_, m)| *m);
            let _ = write!(text, "| {} | {} |", row.title, row.unit);
            for kind in Kind::ALL {
                let shown = median(kind.name()).map_or("–".to_owned(), shown);
                let _ = write!(text, " {shown} |");
            }
            let _ = writeln!(text, " {} |", verdict(row.goal, median("clawsec"), median));
        }
        for (row, peers) in &self.rows {
            for (peer, samples) in peers {
                for note in &samples.notes {
                    let _ = writeln!(text, "\n{} {peer}: {note}.", row.id);
                }
            }
        }
        text
    }
}

/// How ClawSec's figure stands to the goal.
fn verdict(goal: Goal, own: Option<f64>, peer: impl Fn(&'static str) -> Option<f64>) -> String {
    let Some(own) = own else { return "not measured".to_owned() };
    let said = |reached: bool| if reached { "reached" } else { "missed" };
    match goal {
        Goal::None => String::new(),
        Goal::AtMost(bound) => format!("≤ {}: {}", shown(bound), said(own <= bound)),
        Goal::AtLeast(bound) => format!("≥ {}: {}", shown(bound), said(own >= bound)),
        Goal::Factors(factors) => {
            let part = |(name, factor): &(&'static str, f64)| {
                let ratio = own / peer(name)?;
                Some(format!("{name} × {factor}: {ratio:.2}, {}", said(ratio <= *factor)))
            };
            factors.iter().filter_map(part).collect::<Vec<_>>().join("; ")
        }
    }
}

/// Three digits that matter, no more.
pub fn shown(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        0.0 => "0".to_owned(),
        _ => format!("{figure:.2}"),
    }
}

fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_counts() {
        let of = |figures: &[f64]| Samples { figures: figures.to_vec(), ..Samples::default() };
        assert_eq!(of(&[]).median(), None);
        assert_eq!(of(&[3.0, 1.0, 2.0]).median(), Some(2.0));
        assert_eq!(of(&[4.0, 1.0]).median(), Some(2.5));
    }

    #[test]
    fn verdicts_compare_with_bound_or_peer() {
        let goal = Goal::Factors(&[("nginx", 0.9), ("squid", 0.25)]);
        let peer = |name| (name == "nginx").then_some(20.0);
        assert_eq!(verdict(goal, Some(18.0), peer), "nginx × 0.9: 0.90, reached");
        assert_eq!(verdict(Goal::AtMost(20.0), Some(20.5), peer), "≤ 20.0: missed");
        assert_eq!(verdict(Goal::AtLeast(1.85), Some(1.9), peer), "≥ 1.85: reached");
    }
}
