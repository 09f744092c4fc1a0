//! The rules, and what they are compiled to.
//!
//! Made once, or read back from what an earlier start made, checked against canaries, then shared by all
//! cores and never changed.

use std::fmt;
use std::sync::Arc;

use hyperscan::{
    Builder, Pattern, PatternFlags, Platform, Scratch, StreamingDatabase, version_str,
};

use super::canary::{self, Splits};
use super::engines::{self, Engines};
use super::rules::{Problem, ProblemKind, Rule, RuleSet};

/// Rules ready to scan with. `Send` and `Sync`: one serves all cores.
pub struct Database {
    engines: Engines,
    rules: RuleSet,
}

/// Why there is no database.
#[derive(Debug)]
pub enum DatabaseError {
    /// The processor lacks what the engine needs.
    Platform,
    /// The engine is one that is known to miss matches, or one that nobody tried.
    Version {
        /// What the engine says of itself.
        found: String,
    },
    /// Rules that do not compile, all of them.
    Rules(Vec<Problem>),
    /// The engine failed as a whole.
    Engine(String),
    /// The engine compiled a pattern, and did not find it in a text that holds it.
    SelfTest {
        /// The rule's id.
        rule: String,
        /// Where the text was split in two writes.
        split_at_bytes: usize,
    },
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatabaseError::Platform => f.write_str(
                "this processor has no SSSE3, which Hyperscan needs; run ClawSec on an x86-64 \
                 machine from 2009 or later, or give the virtual machine the host's CPU features",
            ),
            DatabaseError::Version { found } => write!(
                f,
                "the scanning engine says it is version {found:?}; Hyperscan from 5.4.0 on is \
                 needed, and Vectorscan up to 5.4.12 misses matches: build against Debian's \
                 libhyperscan-dev"
            ),
            DatabaseError::Rules(problems) => {
                write!(f, "{} rule(s) do not compile:", problems.len())?;
                problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
            DatabaseError::Engine(cause) => write!(f, "the scanning engine failed: {cause}"),
            DatabaseError::SelfTest { rule, split_at_bytes } => write!(
                f,
                "the scanning engine {:?} missed the self-test of {rule} (split at byte \
                 {split_at_bytes}); it would miss threats, so ClawSec does not start with it",
                engine_version()
            ),
        }
    }
}

impl std::error::Error for DatabaseError {}

/// What the engine says of itself: version and build date.
pub fn engine_version() -> String {
    version_str().to_string_lossy().into_owned()
}

impl Database {
    /// Compiles the rules (50 ms for twelve, some seconds for hundreds) and checks that the engine finds
    /// their first examples.
    pub fn compile(rules: &RuleSet) -> Result<Database, DatabaseError> {
        check_engine()?;
        let problems: Vec<Problem> = rules
            .iter()
            .filter_map(|rule| Some((rule, rule.expression.verify().err()?)))
            .map(|(rule, error)| problem(rule, error.to_string()))
            .collect();
        if !problems.is_empty() {
            return Err(DatabaseError::Rules(problems));
        }
        let database = Database { engines: Engines::compile(rules)?, rules: Arc::clone(rules) };
        canary::check_rules(&database)?;
        Ok(database)
    }

    /// Reads back what [`Database::to_compiled`] gave for these very rules, with the same checks of the
    /// engine as when it was compiled.
    pub fn from_compiled(rules: &RuleSet, bytes: &[u8]) -> Result<Database, DatabaseError> {
        check_engine()?;
        let database = Database { engines: Engines::from_bytes(bytes)?, rules: Arc::clone(rules) };
        canary::check_rules(&database)?;
        Ok(database)
    }

    /// The engine's part as bytes, to be kept where nobody else can change it: it is not checked again.
    pub fn to_compiled(&self) -> Result<Vec<u8>, DatabaseError> {
        self.engines.to_bytes()
    }

    /// Tells all that decides what these rules are compiled to, piece by piece.
    pub fn identify(rules: &RuleSet, mut tell: impl FnMut(&[u8])) {
        tell(engine_version().as_bytes());
        for rule in rules.iter() {
            tell(rule.id.as_bytes());
            tell(rule.expression.text().as_bytes());
            for filter in
                [rule.expression.filter_everywhere(), rule.expression.filter_around_words()]
            {
                tell(filter.unwrap_or_default().as_bytes());
                tell(&[u8::from(filter.is_some())]);
            }
        }
        Engines::identify(tell);
    }

    /// The rules, in the order of their numbers.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// The compiled part.
    pub(super) fn engines(&self) -> &Engines {
        &self.engines
    }

    /// Work memory for both engines.
    pub(super) fn alloc_scratch(&self) -> Result<Scratch, DatabaseError> {
        let mut scratch = self.engines.everywhere.alloc_scratch().map_err(engines::failed)?;
        self.engines.words.realloc_scratch(&mut scratch).map_err(engines::failed)?;
        Ok(scratch)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("rules", &self.rules.len()).finish_non_exhaustive()
    }
}

/// Whether the engine can be used at all.
fn check_engine() -> Result<(), DatabaseError> {
    Platform::is_valid().map_err(|_| DatabaseError::Platform)?;
    let found = engine_version();
    if !is_trusted_version(&found) {
        return Err(DatabaseError::Version { found });
    }
    probe_known_defect()
}

/// Whether an engine of this version may be used. Hyperscan's open releases end with 5.4.2, so
/// 5.4.3 to 5.4.12 are Vectorscan's, which miss matches on x86-64 (VectorCamp/vectorscan #368).
fn is_trusted_version(version: &str) -> bool {
    let number = version.split_whitespace().next().unwrap_or_default();
    let mut parts = number.split('.').map(str::parse::<u32>);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Ok(5)), Some(Ok(4)), Some(Ok(patch))) => !(3..=12).contains(&patch),
        (Some(Ok(major)), Some(Ok(minor)), _) => (major, minor) > (5, 4),
        _ => false,
    }
}

fn problem(rule: &Rule, reason: String) -> Problem {
    Problem { rule: rule.id.to_string(), kind: ProblemKind::Unsupported, reason }
}

/// Scans for the pattern that Vectorscan is known to miss, whatever version it claims to be.
fn probe_known_defect() -> Result<(), DatabaseError> {
    let pattern = engines::pattern(r"curl.*\|\s*python", 0);
    let pattern = Pattern { flags: PatternFlags::DOTALL, ..pattern };
    let engine: StreamingDatabase = pattern.build().map_err(engines::failed)?;
    let text = "curl https://example.com/x.py | python";
    canary::Canary::new(&engine)?.check(0, "curl-to-python probe", text, Splits::All)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::rules::{Pack, shipped};

    /// Rules of these expressions, the first example of each being the text given.
    fn rules(expressions: &[(&str, &str)]) -> RuleSet {
        let entry = |(number, (regex, example)): (usize, &(&str, &str))| {
            format!(
                "[[rules]]\nid = 'tried{number}'\nregex = '{regex}'\nexamples = ['{example}']\n"
            )
        };
        let text: String = expressions.iter().enumerate().map(entry).collect();
        Pack::parse("tried", &text).unwrap().rules.into_iter().map(Arc::new).collect()
    }

    #[test]
    fn the_shipped_rules_compile_and_pass_their_canaries() {
        let rules = shipped(&["seed"]).unwrap();
        assert_eq!(Database::compile(&rules).unwrap().rules().len(), rules.len());
    }

    #[test]
    fn a_database_may_be_shared_between_threads() {
        fn assert_shared<T: Send + Sync>() {}
        assert_shared::<Database>();
    }

    #[test]
    fn an_error_names_every_rule_that_does_not_compile() {
        let too_large = "(?:[a-z]{1000}x){1,1000}y";
        let rules = rules(&[("an", "an"), (too_large, ""), ("fine", "fine"), (too_large, "")]);
        let error = Database::compile(&rules).unwrap_err();
        let DatabaseError::Rules(problems) = &error else { panic!("{error}") };
        let named: Vec<&str> = problems.iter().map(|problem| problem.rule.as_str()).collect();
        assert_eq!(named, ["tried1", "tried3"]);
        assert!(error.to_string().contains("tried3"));
    }

    #[test]
    fn an_example_that_does_not_match_is_no_fault_of_the_engine() {
        assert!(Database::compile(&rules(&[("another", "an example")])).is_ok());
    }

    #[test]
    fn what_was_compiled_is_read_back_and_passes_the_same_checks() {
        let rules = rules(&[("an", "an example"), ("x[0-9]{3,}", "x123")]);
        let compiled = Database::compile(&rules).unwrap().to_compiled().unwrap();
        assert_eq!(Database::from_compiled(&rules, &compiled).unwrap().rules().len(), 2);
        let cut = compiled.get(..compiled.len() / 2).unwrap();
        assert!(matches!(Database::from_compiled(&rules, cut), Err(DatabaseError::Engine(_))));
        let others = self::rules(&[("other", "other"), ("x", "x")]);
        assert!(matches!(
            Database::from_compiled(&others, &compiled),
            Err(DatabaseError::SelfTest { .. })
        ));
    }

    #[test]
    fn engines_that_miss_matches_are_refused_by_version() {
        assert!(is_trusted_version(&engine_version()));
        for good in ["5.4.0 2021-01-26", "5.4.2 2023-04-19", "5.4.13 2027-01-01", "5.5.0", "6.0.0"]
        {
            assert!(is_trusted_version(good), "{good}");
        }
        for bad in ["5.4.3", "5.4.9 2023-03-23", "5.4.12 2025-07-21", "5.3.0", "4.7.0", "", "x.y"] {
            assert!(!is_trusted_version(bad), "{bad}");
        }
    }
}
