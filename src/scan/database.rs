//! The rules compiled into one streaming Hyperscan database.
//!
//! Made once, or read back from what an earlier start made, checked against canaries, then shared by all
//! cores and never changed.

use std::fmt;
use std::sync::Arc;

use hyperscan::{
    Builder, HsError, Pattern, PatternFlags, Patterns, Platform, Serialized, StreamingDatabase,
    version_str,
};

use super::canary::{self, Splits};
use super::rules::{Problem, ProblemKind, Rule, RuleSet};
use super::view::encoded;

/// Rules ready to scan with. `Send` and `Sync`: one serves all cores.
pub struct Database {
    engine: StreamingDatabase,
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
        let engine = compile_filters(rules)?;
        let database = Database { engine, rules: Arc::clone(rules) };
        canary::check_rules(&database)?;
        Ok(database)
    }

    /// Reads back what [`Database::to_compiled`] gave for these very rules, with the same checks of the
    /// engine as when it was compiled.
    pub fn from_compiled(rules: &RuleSet, bytes: &[u8]) -> Result<Database, DatabaseError> {
        check_engine()?;
        let failed = |error: hyperscan::Error| DatabaseError::Engine(error.to_string());
        let engine: StreamingDatabase = bytes.deserialize().map_err(failed)?;
        let database = Database { engine, rules: Arc::clone(rules) };
        canary::check_rules(&database)?;
        Ok(database)
    }

    /// The engine's part as bytes, to be kept where nobody else can change it: it is not checked again.
    pub fn to_compiled(&self) -> Result<Vec<u8>, DatabaseError> {
        let bytes = self.engine.serialize();
        bytes.map(|bytes| bytes.to_vec()).map_err(|error| DatabaseError::Engine(error.to_string()))
    }

    /// Tells all that decides what these rules are compiled to, piece by piece.
    pub fn identify(rules: &RuleSet, mut tell: impl FnMut(&[u8])) {
        tell(engine_version().as_bytes());
        for rule in rules.iter() {
            tell(rule.id.as_bytes());
            tell(rule.expression.text().as_bytes());
            tell(rule.expression.filter().as_bytes());
        }
        gates().iter().for_each(|gate| tell(gate.as_bytes()));
    }

    /// The rules, in the order of their numbers.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// The engine's part.
    pub(super) fn engine(&self) -> &StreamingDatabase {
        &self.engine
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

fn pattern(expression: &str, number: usize, flags: PatternFlags) -> Pattern {
    Pattern {
        expression: expression.to_owned(),
        flags,
        id: Some(number),
        ext: Default::default(),
        som: None,
    }
}

fn problem(rule: &Rule, reason: String) -> Problem {
    Problem { rule: rule.id.to_string(), kind: ProblemKind::Unsupported, reason }
}

/// What only encoded text holds, as the engine's expressions. Their numbers follow those of the rules.
fn gates() -> Vec<String> {
    let literal = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    let mut gates: Vec<String> = encoded::gates().iter().map(|gate| literal(gate)).collect();
    // What follows is a name and a password (RFC 7617), of any length.
    gates.push(r"[Bb][Aa][Ss][Ii][Cc]\x20[A-Za-z0-9+/]".to_owned());
    gates.sort();
    gates.dedup();
    gates
}

fn compile_filters(rules: &[Arc<Rule>]) -> Result<StreamingDatabase, DatabaseError> {
    let patterns = rules
        .iter()
        .enumerate()
        .map(|(number, rule)| pattern(rule.expression.filter(), number, PatternFlags::empty()));
    let gates = gates();
    let gates = gates
        .iter()
        .enumerate()
        .map(|(number, gate)| pattern(gate, rules.len() + number, PatternFlags::empty()));
    let error = match patterns.chain(gates).collect::<Patterns>().build() {
        Ok(engine) => return Ok(engine),
        Err(error) => error,
    };
    // The engine names the first at most: each by itself, to name all of them.
    let alone = rules.iter().filter_map(|rule| {
        let compiled: Result<StreamingDatabase, _> =
            pattern(rule.expression.filter(), 0, PatternFlags::empty()).build();
        compiled.err().map(|error| problem(rule, cause(&error)))
    });
    match alone.collect::<Vec<_>>() {
        none if none.is_empty() => Err(DatabaseError::Engine(cause(&error))),
        problems => Err(DatabaseError::Rules(problems)),
    }
}

fn cause(error: &hyperscan::Error) -> String {
    match error {
        hyperscan::Error::Hyperscan(HsError::CompileError(cause)) => cause.message().to_owned(),
        other => other.to_string(),
    }
}

/// Scans for the pattern that Vectorscan is known to miss, whatever version it claims to be.
fn probe_known_defect() -> Result<(), DatabaseError> {
    let engine: StreamingDatabase = pattern(r"curl.*\|\s*python", 0, PatternFlags::DOTALL)
        .build()
        .map_err(|error| DatabaseError::Engine(error.to_string()))?;
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
