//! What came out: medians, a table against the goals, JSON with every sample, charts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::peers::Kind;
use super::rows::{ROWS, Row, Sample};
use super::{CompareArguments, about, chart};
use crate::Outcome;
use crate::bodies::STRETCH_BYTES;

/// All samples, by row and peer.
pub struct Results {
    about: Value,
    kinds: Vec<Kind>,
    rounds: u64,
    /// The arguments that measure a row again, up to its name.
    again: String,
    rows: Vec<(Row, BTreeMap<&'static str, Samples>)>,
}

#[derive(Default)]
struct Samples {
    figures: Vec<f64>,
    errors: Vec<String>,
    /// What has to be known to read the figures.
    notes: BTreeSet<String>,
    /// Figures that were not taken under what the goal asks for.
    undecided: usize,
    /// The machine's load average (1 minute) when each was taken.
    loads: Vec<f64>,
}

impl Samples {
    /// The median, and the lowest and highest figure.
    fn cell(&self) -> String {
        let Some(median) = self.median() else { return "failed".to_owned() };
        let low = self.figures.iter().copied().fold(f64::INFINITY, f64::min);
        let high = self.figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{} ({}–{})", shown(median), shown(low), shown(high))
    }

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
    /// Nothing measured yet. The folder is made, and the charts of an earlier run leave it.
    pub fn new(arguments: &CompareArguments, kinds: &[Kind]) -> Outcome<Results> {
        let folder = &arguments.results;
        let named = |error| format!("{}: {error}", folder.display());
        fs::create_dir_all(folder).map_err(named)?;
        for row in ROWS {
            let _ = fs::remove_file(folder.join(format!("{}.svg", row.id)));
        }
        let pace = format!("--seconds {} --warmup {}", arguments.seconds, arguments.warmup);
        let realtime = if arguments.realtime { "--realtime " } else { "" };
        let names = kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(",");
        let rounds = arguments.rounds;
        let results = Results {
            about: about::of_run(arguments, kinds),
            kinds: kinds.to_vec(),
            rounds,
            again: format!("{realtime}--rounds {rounds} {pace} --peers {names} --rows"),
            rows: Vec::new(),
        };
        // What cannot be written is known before hours of work, not after them.
        results.write(folder)?;
        Ok(results)
    }

    /// The rows in which a peer failed, in some round at least.
    pub fn failed(&self, kind: Kind) -> Vec<&'static str> {
        let has_failed = |peers: &BTreeMap<&str, Samples>| {
            peers.get(kind.name()).is_some_and(|samples| !samples.errors.is_empty())
        };
        self.rows.iter().filter(|(_, peers)| has_failed(peers)).map(|(row, _)| row.id).collect()
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
                samples.undecided += usize::from(!sample.decides);
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
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
        };
        let mut rows = serde_json::Map::new();
        for (row, peers) in &self.rows {
            let peers: serde_json::Map<_, _> =
                peers.iter().map(|(name, s)| ((*name).to_owned(), s.to_json())).collect();
            let whole = json!({ "title": row.title, "unit": row.unit, "peers": peers });
            rows.insert(row.id.to_owned(), whole);
            let bars = self.medians(row.id);
            if bars.len() > 1 {
                write(&format!("{}.svg", row.id), chart::bars(row.title, row.unit, &bars))?;
            }
        }
        let all = json!({ "about": self.about, "rows": rows });
        write("results.json", serde_json::to_string_pretty(&all)? + "\n")?;
        write("results.md", self.table())?;
        Ok(())
    }

    fn medians(&self, id: &str) -> Vec<(&'static str, f64)> {
        let found = self.rows.iter().find(|(row, _)| row.id == id);
        let median = |kind: Kind| Some((kind.name(), found?.1.get(kind.name())?.median()?));
        Kind::ALL.into_iter().filter_map(median).collect()
    }

    /// One line a row, in Markdown, and below them what has to be known to read it.
    pub fn table(&self) -> String {
        let mut text = String::from("| row (`--rows`) | unit |");
        for kind in &self.kinds {
            let _ = write!(text, " {} |", kind.name());
        }
        text.push_str(" to reach | stands at | rounds | again |\n| --- | --- |");
        text.push_str(&" ---: |".repeat(self.kinds.len()));
        text.push_str(" --- | --- | ---: | --- |\n");
        for (row, peers) in &self.rows {
            let _ = write!(text, "| {} (`{}`) | {} |", row.title, row.id, row.unit);
            for kind in &self.kinds {
                let samples = peers.get(kind.name());
                let _ = write!(text, " {} |", samples.map_or("–".to_owned(), Samples::cell));
            }
            let own = peers.get(Kind::ClawSec.name());
            let stands = match own.map_or(0, |samples| samples.undecided) {
                0 => {
                    let medians = self.medians(row.id);
                    let median =
                        |name| medians.iter().find(|(peer, _)| *peer == name).map(|(_, m)| *m);
                    row.goal.verdict(median("clawsec"), median)
                }
                count => {
                    format!("not decided: {count} of the rounds are not what the goal asks for")
                }
            };
            let counted = own.map_or(0, |samples| samples.figures.len());
            let (goal, rounds, again) = (row.goal.text(), self.rounds, &self.again);
            let _ = writeln!(
                text,
                " {goal} | {stands} | {counted} of {rounds} | `make loadtest ARGS=\"{again} {}\"` |",
                row.id
            );
        }
        text + &self.remarks()
    }

    /// What has to be known of all rows; then what of some, and what failed.
    fn remarks(&self) -> String {
        let mut text = format!(
            "\n- Bodies never repeat: no {STRETCH_BYTES} bytes in a row come twice, in a body or among bodies, of \
             origin or client. Heads do, and in `conversation` the messages of the requests before, the system prompt \
             and the tools."
        );
        for (row, peers) in &self.rows {
            for (peer, samples) in peers {
                let failed = samples.errors.iter().map(|error| format!("a round failed: {error}"));
                for remark in samples.notes.iter().cloned().chain(failed) {
                    let _ =
                        write!(text, "\n- `{}`, {peer}: {}", row.id, remark.replace('\n', " / "));
                }
            }
        }
        text + "\n"
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
    fn a_cell_says_how_far_the_figures_lie_apart() {
        let samples = Samples { figures: vec![3.0, 1.0, 2.0], ..Samples::default() };
        assert_eq!(samples.cell(), "2.00 (1.00–3.00)");
        assert_eq!(Samples::default().cell(), "failed");
    }
}
