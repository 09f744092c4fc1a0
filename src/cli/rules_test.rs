//! `clawsec rules test FILE…`: whether a user's rules can be used, and do what their examples say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use super::output;
use super::output::visible;
use crate::config::RulesConfig;
use crate::limits::SCAN_WINDOW_MIN_BYTES;
use crate::rulebook;
use crate::scan::rules::{Pack, Rule, RuleSet, Selected, extended, ids_twice, pack_names};
use crate::scan::{Database, DatabaseError, Match, MatchSink, PaddedBuffer, Scanner};

/// Runs the command: 0 if every file is as it says, else 1.
pub fn run(files: &[PathBuf]) -> ExitCode {
    let mut is_any_wrong = false;
    let (mut together, mut told) = (Vec::new(), Vec::new());
    // Those that a start could read before the next.
    let mut before = Vec::new();
    for path in files {
        match test(path, &before) {
            Ok(mut report) => {
                together.append(&mut report.loaded);
                told.extend(report.notes.iter().map(|note| format!("{}: {note}", path.display())));
                if report.wrong.is_empty() {
                    before.push(path.clone());
                }
                is_any_wrong |= !report.wrong.is_empty();
                report.notes.iter().for_each(|note| output::warning(shown(path, note)));
                report.wrong.iter().for_each(|wrong| output::error(shown(path, wrong)));
                if let Err(error) = output::print(&format!("{}\n", shown(path, &report.summary())))
                {
                    output::error(error);
                    return ExitCode::FAILURE;
                }
            }
            Err(error) => {
                is_any_wrong = true;
                output::error(shown(path, &error));
            }
        }
    }
    let (twice, replaced) = ids_twice(together);
    let is_new = |line: &&String| !told.contains(*line);
    replaced.iter().filter(is_new).for_each(|line| output::warning(visible(line)));
    is_any_wrong |= !twice.is_empty();
    twice.iter().for_each(|line| output::error(visible(line)));
    if is_any_wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn shown(path: &Path, text: &str) -> String {
    let lines: Vec<String> = text.lines().map(visible).collect();
    format!("{}: {}", path.display(), lines.join("\n"))
}

/// What is to be said of a file.
#[derive(Default)]
struct Report {
    /// All that the file has.
    loaded: Vec<Arc<Rule>>,
    /// How many of them can be used.
    rules: usize,
    examples: usize,
    notes: Vec<String>,
    wrong: Vec<String>,
}

impl Report {
    fn summary(&self) -> String {
        let (rules, examples) = (self.rules, self.examples);
        match self.wrong.len() {
            0 => format!("{rules} rules can be used, {examples} examples are as they should be"),
            wrong => format!("{rules} rules can be used, {examples} examples tried, {wrong} wrong"),
        }
    }
}

/// `before` are the files that come before it.
fn test(path: &Path, before: &[PathBuf]) -> Result<Report, String> {
    let text = rulebook::read(path).map_err(|error| error.to_string())?;
    let pack =
        Pack::parse(&path.display().to_string(), &text).map_err(|error| error.to_string())?;
    let extending = pack.extends_rules().then(|| pack.extending_ids());
    let mut report = Report {
        loaded: pack.rules.into_iter().map(Arc::new).collect(),
        notes: pack.notes,
        wrong: pack.problems.iter().map(ToString::to_string).collect(),
        ..Report::default()
    };
    let mut tried = report.loaded.clone();
    if let Some(ids) = extending.filter(|_| report.wrong.is_empty()) {
        match put_together(path, before) {
            Ok(selected) => {
                report.notes = notes_of(path, &selected.warnings);
                let extended = ids.iter().flat_map(|id| extended(id, &selected.rules));
                let extended: BTreeMap<_, _> =
                    extended.map(|rule| (Arc::clone(&rule.id), Arc::clone(rule))).collect();
                tried.retain(|rule| !extended.contains_key(&rule.id));
                tried.extend(extended.into_values());
            }
            Err(reason) => report.wrong.push(reason),
        }
    }
    if tried.is_empty() && report.wrong.is_empty() {
        return Ok(report);
    }
    let mut rules: RuleSet = tried.into();
    let mut compiled = Database::compile(&rules);
    if let Err(DatabaseError::Rules(problems)) = &compiled {
        report.wrong.extend(problems.iter().map(ToString::to_string));
        let is_wrong = |id: &str| problems.iter().any(|problem| problem.rule == id);
        rules = rules.iter().filter(|rule| !is_wrong(&rule.id)).map(Arc::clone).collect();
        compiled = Database::compile(&rules);
    }
    report.rules = rules.len();
    let database = match compiled {
        Ok(database) => Arc::new(database),
        Err(error) => return Err(error.to_string()),
    };
    let scanner =
        Scanner::new(&database, SCAN_WINDOW_MIN_BYTES).map_err(|error| error.to_string())?;
    try_examples(&rules, &scanner, &mut report);
    Ok(report)
}

/// What a start with all packs makes of a file: with the rules that it extends.
fn put_together(path: &Path, before: &[PathBuf]) -> Result<Selected, String> {
    let files = before.iter().map(PathBuf::as_path).chain([path]);
    let config = RulesConfig {
        packs: pack_names().map(str::to_owned).collect(),
        files: files.map(Path::to_owned).collect(),
        disable: Vec::new(),
        cache_dir: None,
    };
    rulebook::select(&config).map_err(|error| error.to_string())
}

fn notes_of(path: &Path, warnings: &[String]) -> Vec<String> {
    let place = format!("{}: ", path.display());
    warnings.iter().filter_map(|line| line.strip_prefix(&place)).map(str::to_owned).collect()
}

fn try_examples(rules: &RuleSet, scanner: &Scanner, report: &mut Report) {
    for rule in rules.iter() {
        if rule.examples.is_empty() {
            report.notes.push(format!("{}: it has no examples", rule.id));
        }
        let wanted = rule.examples.iter().map(|text| (text, 1));
        for (text, expected) in wanted.chain(rule.negative_examples.iter().map(|text| (text, 0))) {
            report.examples += 1;
            let mut count = Count { id: &rule.id, matches: 0 };
            scanner.scan_block(PaddedBuffer::new().fill(text.as_bytes()), &mut count);
            if count.matches != expected {
                let found = count.matches;
                report.wrong.push(format!(
                    "{}: {found} matches instead of {expected} in {text:?}",
                    rule.id
                ));
            }
        }
    }
}

/// Counts the matches of one rule.
struct Count<'a> {
    id: &'a str,
    matches: usize,
}

impl MatchSink for Count<'_> {
    fn wants(&mut self, found: &Match<'_>) -> bool {
        self.matches += usize::from(*found.rule.id == *self.id);
        false
    }

    fn found(&mut self, _found: &Match<'_>, _snippet: String) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tested(text: &str) -> Report {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.toml");
        std::fs::write(&path, text).unwrap();
        test(&path, &[]).unwrap()
    }

    #[test]
    fn rules_that_do_what_they_say_are_counted() {
        let report = tested(
            "[[rules]]\nid = 'a'\nregex = 'tok_[0-9]{4,}'\nexamples = ['x tok_{{digits:6}}']\n\
             negative_examples = ['tok_1']\n[[rules]]\nid = 'b'\nregex = 'other'\n",
        );
        assert_eq!((report.rules, report.examples, report.wrong), (2, 2, vec![]));
        assert_eq!(report.notes, ["b: it has no examples"]);
    }

    #[test]
    fn what_is_wrong_is_told_rule_by_rule() {
        let report = tested(
            "[[rules]]\nid = 'a'\nregex = 'ab'\nexamples = ['ab', 'ab ab']\nnegative_examples = ['ab']\n\
             [[rules]]\nid = 'b'\nregex = '('\n\
             [[rules]]\nid = 'c'\nregex = '(?:[a-z]{1000}x){1,1000}y'\n",
        );
        assert_eq!((report.rules, report.wrong.len()), (1, 4), "{:?}", report.wrong);
        let report = tested("[[rules]]\nid = 'a'\nregex = 'ab'\nexamples = ['none']\n");
        assert!(report.wrong[0].contains("0 matches instead of 1"), "{:?}", report.wrong);
    }

    #[test]
    fn of_rules_that_extend_others_it_says_whether_these_are_there() {
        let rule = |id: &str| format!("[[rules]]\nid = '{id}'\nentropy = 3.0\n");
        let report = tested(&format!("[extend]\n{}{}", rule("gitlab-pat"), rule("none-such")));
        assert_eq!(report.wrong, [""; 0]);
        let told = report.notes.join("\n");
        assert!(told.contains("gitlab-pat changes the shipped gitlab_pat"), "{told}");
        assert!(told.contains("rule left out: none-such"), "{told}");
    }

    #[test]
    fn examples_of_a_rule_that_extends_another_are_tried() {
        let text = "[extend]\n[[rules]]\nid = 'gitlab-pat'\nexamples = ['no token at all']\n";
        let report = tested(text);
        assert_eq!((report.rules, report.wrong.len()), (1, 1), "{:?}", report.wrong);
        assert!(report.wrong[0].contains("gitlab_pat: 0 matches instead of 1 in \"no token"));
        let good = text.replace("no token at all", "x glpat-{{alnum:20}}");
        assert_eq!(tested(&good).wrong, [""; 0]);
    }

    /// Each was put together alone, and what it extends was not there.
    #[test]
    fn a_file_extends_those_that_are_given_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let [base, over] = ["base.toml", "over.toml"].map(|name| folder.path().join(name));
        std::fs::write(&base, "[[rules]]\nid = 'acme'\nregex = 'acme_[0-9]{4}'\n").unwrap();
        let text = "[extend]\n[[rules]]\nid = 'acme'\nentropy = 1.0\nexamples = ['acme_1234']\n";
        std::fs::write(&over, text).unwrap();
        let report = test(&over, std::slice::from_ref(&base)).unwrap();
        assert_eq!((report.notes, report.wrong), (Vec::new(), Vec::new()));
        assert_eq!((report.rules, report.examples), (1, 1));
        let alone = test(&over, &[]).unwrap();
        assert!(alone.notes[0].contains("rule left out: acme"), "{:?}", alone.notes);
    }

    #[test]
    fn what_is_wrong_in_several_lines_is_told_in_as_many() {
        let told = shown(Path::new("a.toml"), "1 rule(s):\n  a\u{1b}: wrong\nMend it");
        assert_eq!(told, "a.toml: 1 rule(s):\n  a\\u{1b}: wrong\nMend it");
    }
}
