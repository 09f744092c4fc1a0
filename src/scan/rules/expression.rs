//! One expression, both halves of the search: the `regex` crate's program, which finds exact spans, and
//! Hyperscan's filter, which is printed from the same parse and so cannot mean something else.
//!
//! The filter reports where matches end, and few ends: what may be missing at the end of a match is left
//! out, and `{20,}` there becomes `{20}`. Each match of the whole expression begins with a match of the
//! filter, so the exact span is looked for around the filter's end. What may be missing at the front is
//! left out too: it changes no end. The filter never matches less than the expression; where Hyperscan
//! has no word for a condition, it matches more, and the exact search decides.

use std::fmt;
use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Capture, Hir, HirKind, Look, Repetition};

use super::dialect::{Dialect, from_go, origin};
use super::remembered::ParsedExpressions;
use super::{filter, long_word, marks};
use crate::limits::{
    EXPRESSION_MAX_BYTES, EXPRESSION_NESTING_MAX, EXPRESSION_PROGRAM_MAX_BYTES,
    EXPRESSION_WRITTEN_MAX_BYTES, SCAN_MATCH_BEFORE_BYTES,
};

/// An expression over bytes: Unicode off, so `\w`, `\d`, `\s` and `\b` are ASCII's.
#[derive(Debug)]
pub struct Expression {
    source: String,
    parsed: Parsed,
    program: OnceLock<Option<Regex>>,
}

/// What is asked of an expression, worked out of its parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parsed {
    /// For the exact search.
    pub(super) text: String,
    /// For the engine that reads all of a text; empty if there is nothing for it.
    pub(super) filter_everywhere: String,
    /// For the one that reads what stands around long words; empty if there is nothing for it.
    pub(super) filter_around_words: String,
    pub(super) is_filter_exact: bool,
    pub(super) begins_at_word: bool,
    pub(super) is_wide: bool,
    pub(super) max_width: usize,
    pub(super) groups: usize,
}

/// Why an expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpressionError {
    /// The text is longer than `limits::EXPRESSION_MAX_BYTES`.
    TooLong,
    /// It does not parse.
    Syntax(String),
    /// It matches the empty text, and so everywhere.
    MatchesNothing,
    /// It is well formed, but one of the engines cannot take it.
    Unsupported(String),
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExpressionError::TooLong => {
                write!(f, "the expression is longer than {EXPRESSION_MAX_BYTES} bytes")
            }
            ExpressionError::Syntax(cause) => write!(f, "the expression does not parse: {cause}"),
            ExpressionError::MatchesNothing => {
                f.write_str("the expression matches the empty text, and so everywhere")
            }
            ExpressionError::Unsupported(cause) => {
                write!(f, "the expression cannot be used: {cause}")
            }
        }
    }
}

impl std::error::Error for ExpressionError {}

impl Parsed {
    /// Parses an expression and derives its filter.
    fn new(source: &str) -> Result<Parsed, ExpressionError> {
        let whole = parse(source)?;
        let (text, apart) = match word_start(source) {
            None => (source.to_owned(), None),
            Some((lax, rest)) => {
                let apart = without_word_start(&whole).map_or_else(|| parse(&rest), Ok)?;
                (lax, Some(apart).filter(|apart| *apart != whole))
            }
        };
        let begins_at_word = apart.is_some();
        if whole.properties().minimum_len().is_none_or(|length| length == 0) {
            return Err(ExpressionError::MatchesNothing);
        }
        let sought = apart.as_ref().unwrap_or(&whole);
        let anchored = marks::from_anchor(sought);
        let shortened = without_tail(sought);
        let filter = match &anchored {
            Some(anchored) => without_lead(&without_tail(anchored)),
            None => without_lead(&shortened),
        };
        let split = long_word::split(&filter);
        let print = |part: Option<Hir>| part.map(|part| filter::print(&part)).transpose();
        let everywhere = print(split.everywhere).map_err(unsupported)?;
        let around_words = print(split.around_words).map_err(unsupported)?;
        let is_exact = [&everywhere, &around_words].into_iter().flatten().all(|part| part.is_exact);
        let text_of =
            |part: Option<filter::Printed>| part.map_or_else(String::new, |part| part.text);
        let width = shortened.properties().maximum_len();
        let is_wide = width.is_none_or(|width| width > SCAN_MATCH_BEFORE_BYTES);
        Ok(Parsed {
            text: marks::without(&text),
            filter_everywhere: text_of(everywhere),
            filter_around_words: text_of(around_words),
            is_filter_exact: is_exact && !begins_at_word && anchored.is_none(),
            begins_at_word,
            max_width: width
                .map_or(usize::MAX, |width| width + usize::from(begins_at_word) * ESCAPE_BYTES)
                .min(SCAN_MATCH_BEFORE_BYTES),
            is_wide,
            groups: whole.properties().explicit_captures_len().saturating_sub(marks::count(&whole)),
        })
    }
}

impl Expression {
    /// Parses an expression and derives its filter. The program is compiled when it is first asked for.
    pub fn new(source: &str) -> Result<Expression, ExpressionError> {
        Expression::written(source, Dialect::Own, &ParsedExpressions::default())
    }

    /// The same, without the parsing if that was done before.
    pub(super) fn remembered(
        source: &str,
        before: &ParsedExpressions,
    ) -> Result<Expression, ExpressionError> {
        let parsed = before.get(source).map_or_else(|| Parsed::new(source), |p| Ok(p.clone()))?;
        Ok(Expression { source: source.to_owned(), parsed, program: OnceLock::new() })
    }

    /// The same for one that is written in another's words.
    pub(super) fn written(
        source: &str,
        dialect: Dialect,
        before: &ParsedExpressions,
    ) -> Result<Expression, ExpressionError> {
        let spelt = spelt(source, dialect)?;
        Expression::remembered(&spelt, before)
            .map_err(|error| of_author(error, source, dialect, &spelt))
    }

    /// As it was handed in, with the file's definitions in their places.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// What is asked of it.
    pub(super) fn parsed(&self) -> &Parsed {
        &self.parsed
    }

    /// What is searched for.
    pub fn text(&self) -> &str {
        &self.parsed.text
    }

    /// The engine's expressions: one of them reports an end within each match; case-sensitive, no flags.
    pub fn filters(&self) -> impl Iterator<Item = &str> {
        [self.filter_everywhere(), self.filter_around_words()].into_iter().flatten()
    }

    /// The one that is looked for in all of a text.
    pub(in crate::scan) fn filter_everywhere(&self) -> Option<&str> {
        Some(self.parsed.filter_everywhere.as_str()).filter(|filter| !filter.is_empty())
    }

    /// The one whose every match holds a long word, and little else: it is looked for around these only.
    pub(in crate::scan) fn filter_around_words(&self) -> Option<&str> {
        Some(self.parsed.filter_around_words.as_str()).filter(|filter| !filter.is_empty())
    }

    /// Whether the filters match only where the expression does.
    pub(in crate::scan) fn is_filter_exact(&self) -> bool {
        self.parsed.is_filter_exact
    }

    /// How much of a match's front is the escape, or the underscore, that stands for a word's beginning.
    pub(in crate::scan) fn escape_before(&self, matched: &[u8]) -> usize {
        let text = self.text();
        let begins_at_token = text.strip_prefix("(?i)").unwrap_or(text).starts_with(TOKEN_START);
        match matched {
            [b'\\', b'n' | b'r' | b't', ..] if self.parsed.begins_at_word || begins_at_token => {
                ESCAPE_BYTES
            }
            [b'_', ..] if begins_at_token => 1,
            _ => 0,
        }
    }

    /// How far before a filter's end its match can begin, at most `limits::SCAN_MATCH_BEFORE_BYTES`.
    pub fn max_width(&self) -> usize {
        self.parsed.max_width
    }

    /// Whether a match can begin further before a filter's end than is looked back.
    pub(in crate::scan) fn is_wide(&self) -> bool {
        self.parsed.is_wide
    }

    /// How many groups it captures.
    pub fn groups(&self) -> usize {
        self.parsed.groups
    }

    /// The program that finds exact spans; none if it does not compile, which [`Expression::verify`] tells.
    pub(in crate::scan) fn program(&self) -> Option<&Regex> {
        self.program.get_or_init(|| compile(self.text()).ok()).as_ref()
    }

    /// Compiles the program now, to know that it does.
    pub(in crate::scan) fn verify(&self) -> Result<(), ExpressionError> {
        if self.program.get().is_some_and(Option::is_some) {
            return Ok(());
        }
        let program = compile(self.text())?;
        let _ = self.program.set(Some(program));
        Ok(())
    }
}

/// What stands for a line break where a level of JSON is not undone, as in `\\n`.
const ESCAPE_BYTES: usize = 2;
/// How an expression begins that finds tokens also behind an underscore.
const TOKEN_START: &str = r"(?:\b|_|\\[nrt])";

/// An expression that begins at a word's beginning finds it behind the letter of an escape, too, where `\\b`
/// fails: a token on a line of its own, in JSON in JSON. The expression that says so; and the one without the
/// condition, for the engine.
fn word_start(text: &str) -> Option<(String, String)> {
    let flags = if text.starts_with("(?i)") { "(?i)" } else { "" };
    // `\b{start}` and its kin are other conditions.
    let rest =
        text.strip_prefix(flags)?.strip_prefix(r"\b").filter(|rest| !rest.starts_with('{'))?;
    Some((format!(r"{flags}(?:\b|\\[nrt]){rest}"), format!("{flags}{rest}")))
}

/// The parse of an expression that begins with `\b`, without it; none if that is not at the front of all of it.
fn without_word_start(whole: &Hir) -> Option<Hir> {
    let HirKind::Concat(parts) = whole.kind() else { return None };
    let (first, rest) = parts.split_first()?;
    matches!(first.kind(), HirKind::Look(Look::WordAscii)).then(|| Hir::concat(rest.to_vec()))
}

/// An expression as this engine spells it.
fn spelt(source: &str, dialect: Dialect) -> Result<String, ExpressionError> {
    match dialect {
        _ if source.len() > EXPRESSION_MAX_BYTES => Err(ExpressionError::TooLong),
        Dialect::Own => Ok(source.to_owned()),
        Dialect::Go => from_go(source).map_err(unsupported),
    }
}

/// What is wrong, told of the author's own text: where it is wrong there, and what its own parse says of that place.
fn of_author(
    error: ExpressionError,
    source: &str,
    dialect: Dialect,
    spelt: &str,
) -> ExpressionError {
    if dialect == Dialect::Own || error == ExpressionError::TooLong {
        return error;
    }
    let Err(fault) = tried(spelt) else { return error };
    let part = origin(source, fault.place);
    let is_last = part.end == source.len();
    let is_there =
        |own: &Fault| part.contains(&own.place) || (is_last && own.place == source.len());
    match tried(source).err().filter(is_there) {
        Some(own) => own.told_of(source),
        None => Fault { place: part.start, ..fault }.told_of(source),
    }
}

/// Checks an expression, and compiles nothing. Its text as this engine spells it.
pub(super) fn checked(source: &str, dialect: Dialect) -> Result<String, ExpressionError> {
    let text = spelt(source, dialect)?;
    parse(&text).map_err(|error| of_author(error, source, dialect, &text))?;
    Ok(text)
}

/// The parse of an expression, without a program.
pub(super) fn parse(text: &str) -> Result<Hir, ExpressionError> {
    if text.len() > EXPRESSION_WRITTEN_MAX_BYTES {
        return Err(ExpressionError::TooLong);
    }
    tried(text).map_err(|fault| fault.told_of(text))
}

/// What the parser minds, and at which byte.
struct Fault {
    place: usize,
    kind: String,
    asks_for_unicode: bool,
}

impl Fault {
    fn told_of(&self, text: &str) -> ExpressionError {
        let near = near(text, self.place);
        match self.asks_for_unicode {
            true => unsupported(format!(
                "it asks for Unicode characters {near}, and bytes are searched"
            )),
            false => ExpressionError::Syntax(format!("{}, {near}", self.kind)),
        }
    }
}

fn tried(text: &str) -> Result<Hir, Fault> {
    use regex_syntax::hir::ErrorKind;
    let mut parser =
        ParserBuilder::new().unicode(false).utf8(false).nest_limit(EXPRESSION_NESTING_MAX).build();
    parser.parse(text).map_err(|error| match error {
        regex_syntax::Error::Parse(error) => Fault {
            place: error.span().start.offset,
            kind: error.kind().to_string(),
            asks_for_unicode: false,
        },
        regex_syntax::Error::Translate(error) => Fault {
            place: error.span().start.offset,
            kind: error.kind().to_string(),
            asks_for_unicode: matches!(
                error.kind(),
                ErrorKind::UnicodeNotAllowed
                    | ErrorKind::UnicodePropertyNotFound
                    | ErrorKind::UnicodePropertyValueNotFound
                    | ErrorKind::UnicodePerlClassNotFound
            ),
        },
        other => Fault { place: 0, kind: other.to_string(), asks_for_unicode: false },
    })
}

pub(super) fn compile(text: &str) -> Result<Regex, ExpressionError> {
    RegexBuilder::new(text)
        .unicode(false)
        .nest_limit(EXPRESSION_NESTING_MAX)
        .size_limit(EXPRESSION_PROGRAM_MAX_BYTES)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(limit) => {
                unsupported(format!("its program is larger than {limit} bytes"))
            }
            other => ExpressionError::Syntax(other.to_string()),
        })
}

fn unsupported(cause: impl Into<String>) -> ExpressionError {
    ExpressionError::Unsupported(cause.into())
}

/// Where in an expression something is wrong: its own words, since a long one has no columns to count.
fn near(text: &str, place: usize) -> String {
    const SHOWN_CHARS: usize = 20;
    let rest: String = text.get(place..).unwrap_or_default().chars().take(SHOWN_CHARS).collect();
    format!("at byte {place}, before {rest:?}")
}

/// What is left of an expression whose match may end as soon as it must: every match begins with a match
/// of this. A condition at the end stays, and what stands before it too, since it decides there.
fn without_tail(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Concat(parts) => {
            let mut parts = parts.clone();
            while let Some(last) = parts.pop() {
                let kept = without_tail(&last);
                if !matches!(kept.kind(), HirKind::Empty) {
                    parts.push(kept);
                    break;
                }
            }
            Hir::concat(parts)
        }
        _ => shortest(hir, without_tail),
    }
}

/// The same for the front: what is left ends wherever the whole does, and nowhere else.
fn without_lead(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Concat(parts) => {
            let mut rest = parts.iter();
            while let Some(first) = rest.next() {
                let kept = without_lead(first);
                if !matches!(kept.kind(), HirKind::Empty) {
                    return Hir::concat(std::iter::once(kept).chain(rest.cloned()).collect());
                }
            }
            Hir::empty()
        }
        _ => shortest(hir, without_lead),
    }
}

/// As little as an expression must match, its parts shortened by `shorten`.
fn shortest(hir: &Hir, shorten: fn(&Hir) -> Hir) -> Hir {
    match hir.kind() {
        HirKind::Repetition(repeat) if repeat.min == 0 => Hir::empty(),
        HirKind::Repetition(repeat) if repeat.min == 1 => shorten(&repeat.sub),
        HirKind::Repetition(repeat) => Hir::repetition(Repetition {
            min: repeat.min,
            max: Some(repeat.min),
            greedy: repeat.greedy,
            sub: repeat.sub.clone(),
        }),
        HirKind::Capture(capture) => match shorten(&capture.sub) {
            kept if marks::is_mark(capture) && !matches!(kept.kind(), HirKind::Empty) => {
                Hir::capture(Capture { sub: Box::new(kept), ..capture.clone() })
            }
            kept => kept,
        },
        HirKind::Alternation(branches) => {
            let branches: Vec<Hir> = branches.iter().map(shorten).collect();
            match branches.iter().any(|branch| matches!(branch.kind(), HirKind::Empty)) {
                true => Hir::empty(),
                false => Hir::alternation(branches),
            }
        }
        HirKind::Empty
        | HirKind::Literal(_)
        | HirKind::Class(_)
        | HirKind::Look(_)
        | HirKind::Concat(_) => hir.clone(),
    }
}
