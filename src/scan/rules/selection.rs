//! The rules that a configuration asks for: shipped packs, users' files, without what is disabled.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;
use std::thread;

use super::dialect::Dialect;
use super::extending::{Change, Extension, Places, RulesFile, add_allowlist};
use super::meaning::short;
use super::pack::{Pack, PackError, Problem, ProblemKind};
use super::packs::{DEFAULT_PACKS, PACKS, pack_names};
use super::remembered::ParsedExpressions;
use super::{Allowlist, Rule};
use crate::config::glob_matches;
use crate::config::nearest::nearest;
use crate::limits::{RULES_EXTENDED_MAX, RULES_MAX};

/// Rules in the order of their numbers. Shared by all cores.
pub type RuleSet = Arc<[Arc<Rule>]>;

/// What a configuration asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Names of shipped packs.
    pub packs: &'a [String],
    /// Users' files. One that another extends comes before it.
    pub files: &'a [RulesFile],
    /// Ids of rules that are left out; `*` stands for any characters.
    pub disable: &'a [String],
}

impl Wanted<'_> {
    /// Tells all that decides which expressions there are, piece by piece.
    pub fn identify(&self, tell: impl FnMut(&[u8])) {
        let shipped = self.shipped().map(|(_, (_, text))| text);
        let own = self.files.iter().map(|file| &*file.text);
        let left_out = self.disable.iter().map(|pattern| &**pattern);
        shipped.chain(own).chain(left_out).map(str::as_bytes).for_each(tell);
    }

    /// The files of the packs, each with its pack's name.
    fn shipped(&self) -> impl Iterator<Item = (&'static str, (&'static str, &'static str))> {
        let packs = PACKS.iter().filter(|pack| self.packs.iter().any(|name| name == pack.name));
        packs.flat_map(|pack| pack.files.iter().map(|file| (pack.name, *file)))
    }
}

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Selected {
    pub rules: RuleSet,
    /// The ids that `disable` left out.
    pub disabled: Vec<Arc<str>>,
    /// What is worth a word: a line each.
    pub warnings: Vec<String>,
}

impl Selected {
    /// The ids of all rules that were asked for, also of those that are disabled.
    pub fn ids(&self) -> Vec<Arc<str>> {
        let rules = self.rules.iter().map(|rule| &rule.id);
        rules.chain(&self.disabled).map(Arc::clone).collect()
    }
}

/// Why the rules cannot be used as they are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectionError {
    /// There is no pack of this name.
    UnknownPack { name: String, meant: Option<String> },
    /// No rule has this id, or is like it.
    UnknownRule { id: String, meant: Option<String> },
    /// A file as a whole.
    File { file: String, error: PackError },
    /// Rules of a file that are wrong, all of them.
    Rules { file: String, problems: Vec<Problem> },
    /// A file has two rules of the same id.
    Twice { id: String, file: String },
    /// More rules than `limits::RULES_MAX`.
    TooMany,
    /// Nothing is left to look for.
    Nothing,
}

impl fmt::Display for SelectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SelectionError::UnknownPack { name, meant } => {
                let known: Vec<&str> = pack_names().collect();
                let meant = did_you_mean(meant.as_deref());
                write!(
                    f,
                    "rule_packs: there is no pack \"{name}\"{meant} (there are {})",
                    known.join(", ")
                )
            }
            SelectionError::UnknownRule { id, meant } => {
                write!(f, "disable: {}", no_such_rule(id, meant.as_deref()))
            }
            SelectionError::File { file, error } => write!(f, "rules_files: {file}: {error}"),
            SelectionError::Rules { file, problems } => {
                write!(f, "rules_files: {file}: {} rule(s) cannot be used:", problems.len())?;
                problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))?;
                write!(f, "\nMend or remove them; `clawsec rules test {file}` checks the file")
            }
            SelectionError::Twice { id, file } => {
                write!(f, "rules_files: {}", has_twice(file, id))
            }
            SelectionError::TooMany => write!(f, "there are more than {RULES_MAX} rules"),
            SelectionError::Nothing => {
                f.write_str("rule_packs, rules_files and disable leave no rule to look for")
            }
        }
    }
}

impl std::error::Error for SelectionError {}

fn did_you_mean(meant: Option<&str>) -> String {
    meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default()
}

fn has_twice(file: &str, id: &str) -> String {
    format!("{file} has rule {id} twice: rename one")
}

/// How many ids a warning names.
pub(super) const IDS_NAMED: usize = 5;
/// How many, where they are to be copied from it.
const DISABLED_NAMED: usize = 32;

/// The first of them, and how many more there are.
pub(super) fn named<'a>(ids: impl IntoIterator<Item = &'a String>) -> String {
    first_of(ids.into_iter().map(String::as_str), IDS_NAMED)
}

fn first_of<'a>(mut ids: impl Iterator<Item = &'a str>, most: usize) -> String {
    let first: Vec<String> = ids.by_ref().take(most).map(short).collect();
    match ids.count() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

fn stand_for(later: &str, earlier: &str, ids: &[Arc<str>]) -> String {
    let named: Vec<&str> = ids.iter().take(IDS_NAMED).map(|id| &**id).collect();
    let more = if ids.len() > IDS_NAMED { ", …" } else { "" };
    format!(
        "{later}: {} of its rules stand for those of {earlier} of the same ids ({}{more})",
        ids.len(),
        named.join(", ")
    )
}

/// What is said of an id that no rule has, and of the one that may have been meant.
pub fn no_such_rule(id: &str, meant: Option<&str>) -> String {
    let meant = did_you_mean(meant);
    format!("no rule has the id \"{id}\"{meant}; `clawsec rules` lists them")
}

/// Puts together what is asked for. All that is wrong is told at once. What an earlier start parsed is not parsed again.
pub fn select(
    wanted: &Wanted<'_>,
    before: &ParsedExpressions,
) -> Result<Selected, Vec<SelectionError>> {
    let mut selection = Selection::default();
    for name in wanted.packs {
        if !PACKS.iter().any(|pack| pack.name == name) {
            let meant = nearest(name, pack_names()).map(str::to_owned);
            selection.errors.push(SelectionError::UnknownPack { name: name.clone(), meant });
        }
    }
    for (file, parsed) in parse(wanted.shipped(), Dialect::Own, before) {
        selection.add(file, parsed);
    }
    let shipped = selection.rules.len();
    let own = wanted.files.iter().map(|file| (&*file.name, (&*file.name, &*file.text)));
    for (number, (_, parsed)) in parse(own, Dialect::Go, before).into_iter().enumerate() {
        selection.add_own(number, wanted.files, parsed);
    }
    selection.settle_ids(shipped);
    selection.disable(wanted.disable);
    selection.finish()
}

/// What users' files say twice, if they are given together: what is wrong, and what is worth a warning.
pub fn ids_twice(rules: Vec<Arc<Rule>>) -> (Vec<String>, Vec<String>) {
    let mut selection = Selection { rules, ..Selection::default() };
    selection.settle_ids(0);
    let twice = selection.errors.iter().filter_map(|error| match error {
        SelectionError::Twice { id, file } => Some(has_twice(file, id)),
        _ => None,
    });
    (twice.collect(), selection.warnings)
}

/// Parses files, each with its pack's name, all at once: most of a start is this.
fn parse<'a>(
    files: impl Iterator<Item = (&'a str, (&'a str, &'a str))>,
    dialect: Dialect,
    before: &ParsedExpressions,
) -> Vec<(&'a str, Result<Pack, PackError>)> {
    thread::scope(|scope| {
        let parsing: Vec<_> = files
            .map(|(pack, (file, text))| {
                (file, scope.spawn(move || Pack::parse_with(pack, text, dialect, before)))
            })
            .collect();
        let parsed = parsing.into_iter().map(|(file, parsing)| {
            // A panic of the parser is none of this function's to swallow.
            let pack = parsing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (file, pack)
        });
        parsed.collect()
    })
}

/// Rules of shipped packs, for tests and benches.
pub fn shipped(packs: &[&str]) -> Result<RuleSet, Vec<SelectionError>> {
    let packs: Vec<String> = packs.iter().map(|name| (*name).to_owned()).collect();
    let wanted = Wanted { packs: &packs, files: &[], disable: &[] };
    select(&wanted, &ParsedExpressions::default()).map(|selected| selected.rules)
}

/// The rules of the packs that are on if nothing is said.
pub fn default_rules() -> Result<RuleSet, Vec<SelectionError>> {
    shipped(&DEFAULT_PACKS)
}

/// The names of the files that a file extends, the nearest first.
fn bases<'a>(files: &'a [RulesFile], file: &RulesFile) -> impl Iterator<Item = &'a str> {
    let base_of = |file: &RulesFile| file.base.and_then(|number| files.get(number));
    let chain = std::iter::successors(base_of(file), move |file| base_of(file));
    chain.take(RULES_EXTENDED_MAX).map(|file| &*file.name)
}

#[derive(Default)]
struct Selection {
    rules: Vec<Arc<Rule>>,
    disabled: Vec<Arc<str>>,
    warnings: Vec<String>,
    errors: Vec<SelectionError>,
}

impl Selection {
    fn add(&mut self, file: &str, parsed: Result<Pack, PackError>) {
        let pack = match parsed {
            Ok(pack) => pack,
            Err(error) => {
                self.errors.push(SelectionError::File { file: file.to_owned(), error });
                return;
            }
        };
        let is_any_broken = pack.problems.iter().any(|p| p.kind == ProblemKind::Broken);
        let is_empty = pack.rules.is_empty() && pack.extension.is_none();
        if is_any_broken || (is_empty && !pack.problems.is_empty()) {
            let problems = pack.problems;
            self.errors.push(SelectionError::Rules { file: file.to_owned(), problems });
            return;
        }
        let of_file = |line: &dyn fmt::Display| format!("{file}: {line}");
        self.warnings.extend(pack.notes.iter().map(|note| of_file(note)));
        self.warnings.extend(
            pack.problems.iter().map(|problem| format!("{file}: rule left out: {problem}")),
        );
        self.rules.extend(pack.rules.into_iter().map(Arc::new));
    }

    /// The same for a user's file, after what it says of the rules before it.
    fn add_own(&mut self, number: usize, files: &[RulesFile], mut parsed: Result<Pack, PackError>) {
        let Some(file) = files.get(number) else { return };
        if let Ok(pack) = &mut parsed
            && let Some(extension) = &mut pack.extension
        {
            let extension = std::mem::take(extension);
            let bases: Vec<&str> = bases(files, file).collect();
            self.take_over(&file.name, &bases, &extension);
            let places = Places::of(&self.rules);
            let mut changed = HashSet::new();
            for change in extension.changes {
                let id = change.id.clone();
                match self.change(&file.name, (&bases, &places), change) {
                    Ok(false) => {}
                    Ok(true) => drop(changed.insert(id)),
                    Err(reason) => {
                        pack.problems.push(Problem { rule: id, kind: ProblemKind::Broken, reason });
                    }
                }
            }
            pack.rules.retain(|own| !changed.contains(&*own.id));
            self.aim(&file.name, &places, extension.targets);
        }
        self.add(&file.name, parsed);
    }

    /// What a file says of all rules of those that it extends.
    fn take_over(&mut self, file: &str, bases: &[&str], extension: &Extension) {
        if let Some(path) = extension.path.as_deref().filter(|_| bases.is_empty()) {
            self.warnings.push(format!(
                "{file}: the file of its [extend] path, {}, is not read: {RULES_EXTENDED_MAX} in a row are; name {file} in \
                 rules_files, too",
                short(path)
            ));
        }
        if extension.path.is_none() {
            self.name_for_disable(file, &extension.left_out);
        }
        let is_of_base = |rule: &Rule| bases.contains(&&*rule.pack);
        let is_left_out = |rule: &Rule| extension.left_out.contains(&*rule.id);
        self.rules.retain(|rule| !(is_of_base(rule) && is_left_out(rule)));
        for rule in self.rules.iter_mut().filter_map(Arc::get_mut).filter(|rule| is_of_base(rule)) {
            rule.allowlists.extend(extension.allowlists.iter().map(Arc::clone));
        }
    }

    /// Says which of the shipped rules a file means that would leave gitleaks' own out.
    fn name_for_disable(&mut self, file: &str, left_out: &HashSet<String>) {
        let places = Places::of(&self.rules);
        let meant = left_out.iter().flat_map(|id| places.meant(id));
        let meant = meant.filter_map(|at| self.rules.get(at)).filter(|rule| is_of_pack(rule));
        let ids: BTreeSet<&str> = meant.map(|rule| &*rule.id).collect();
        if !ids.is_empty() {
            let ids = first_of(ids.into_iter(), DISABLED_NAMED);
            self.warnings.push(format!(
                "{file}: its disabledRules turns none of the shipped rules off; to do so, add them to disable: {ids}"
            ));
        }
    }

    /// What a file says of one rule, or of those that its id stands for: whether there are such, or why it cannot be
    /// said of them.
    fn change(
        &mut self,
        file: &str,
        (bases, places): (&[&str], &Places),
        mut change: Change,
    ) -> Result<bool, String> {
        let id = change.id.clone();
        let is_of_base =
            |at: &usize| self.rules.get(*at).is_some_and(|rule| bases.contains(&&*rule.pack));
        let found = match change.expression {
            Some(_) => places.exactly(&id).iter().copied().find(is_of_base).into_iter().collect(),
            None => places.meant(&id),
        };
        if found.is_empty() {
            if change.expression.is_none() {
                let reason = match change.may_be_of_paths {
                    true => "\"path\" without \"regex\" is not used",
                    false => "there is no rule of this id to extend",
                };
                self.warnings.push(format!("{file}: rule left out: {id}: {reason}"));
            }
            return Ok(false);
        }
        for at in found {
            let Some(rule) = self.rules.get_mut(at).and_then(Arc::get_mut) else { continue };
            if is_of_pack(rule) {
                self.warnings
                    .push(format!("{file}: its rule {id} changes the shipped {}", rule.id));
            }
            if rule.keywords.is_empty() && !change.keywords.is_empty() {
                self.warnings.push(format!(
                    "{file}: the keywords of its rule {id} are not used: {} has none, and is looked for everywhere",
                    rule.id
                ));
            }
            if is_of_pack(rule)
                && *rule.id != *id
                && change.secret_group.take().is_some_and(|number| number > 0)
            {
                self.warnings.push(format!(
                    "{file}: secretGroup of its rule {id} is not used: {} has an expression of its own",
                    rule.id
                ));
            }
            change.apply(rule)?;
        }
        Ok(true)
    }

    /// Gives a file's allowlists to the rules of others that they name.
    fn aim(&mut self, file: &str, places: &Places, targets: Vec<(String, Arc<Allowlist>)>) {
        let (mut shipped, mut absent) = (BTreeSet::new(), BTreeSet::new());
        for (id, list) in targets {
            let found = places.meant(&id);
            for at in &found {
                let Some(rule) = self.rules.get_mut(*at).and_then(Arc::get_mut) else { continue };
                add_allowlist(rule, Arc::clone(&list));
                if is_of_pack(rule) {
                    shipped.insert(rule.id.to_string());
                }
            }
            if found.is_empty() {
                absent.insert(id);
            }
        }
        if !shipped.is_empty() {
            let ids = named(&shipped);
            self.warnings.push(format!("{file}: its [[allowlists]] change shipped rules: {ids}"));
        }
        if !absent.is_empty() {
            let ids = named(&absent);
            self.warnings.push(format!(
                "{file}: [[allowlists]] targetRules names rules that are not there: {ids}"
            ));
        }
    }

    /// A user's rule stands for the shipped one of its id, and that of a later file for that of an earlier one. Two in
    /// one file cannot both be meant.
    fn settle_ids(&mut self, shipped: usize) {
        let mut kept: Vec<Arc<Rule>> = Vec::with_capacity(self.rules.len());
        let mut places = std::collections::HashMap::new();
        let mut replaced: BTreeMap<[Arc<str>; 2], Vec<Arc<str>>> = BTreeMap::new();
        for (number, rule) in std::mem::take(&mut self.rules).into_iter().enumerate() {
            let Some(place) = places.get(&rule.id).copied() else {
                places.insert(Arc::clone(&rule.id), (kept.len(), number));
                kept.push(rule);
                continue;
            };
            let (at, first): (usize, usize) = place;
            let Some(other) = kept.get_mut(at) else { continue };
            if number < shipped || other.pack == rule.pack {
                let (id, file) = (rule.id.to_string(), rule.pack.to_string());
                self.errors.push(SelectionError::Twice { id, file });
                continue;
            }
            if first < shipped {
                self.warnings.push(format!(
                    "{}: its rule {} stands for the shipped one",
                    rule.pack, rule.id
                ));
            } else {
                let files = [Arc::clone(&rule.pack), Arc::clone(&other.pack)];
                replaced.entry(files).or_default().push(Arc::clone(&rule.id));
            }
            places.insert(Arc::clone(&rule.id), (at, number));
            *other = rule;
        }
        let in_words =
            replaced.iter().map(|([later, earlier], ids)| stand_for(later, earlier, ids));
        self.warnings.extend(in_words);
        self.rules = kept;
    }

    fn disable(&mut self, patterns: &[String]) {
        for pattern in patterns {
            let is_any = self.rules.iter().any(|rule| is_like(pattern, &rule.id));
            if !is_any && !is_shipped(pattern) {
                let ids = self.rules.iter().map(|rule| &*rule.id);
                let meant = nearest(pattern, ids).map(str::to_owned);
                self.errors.push(SelectionError::UnknownRule { id: pattern.clone(), meant });
            }
        }
        let (left_out, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.rules)
            .into_iter()
            .partition(|rule| patterns.iter().any(|pattern| is_like(pattern, &rule.id)));
        self.disabled = left_out.iter().map(|rule| Arc::clone(&rule.id)).collect();
        self.rules = kept;
    }

    fn finish(mut self) -> Result<Selected, Vec<SelectionError>> {
        if self.rules.len() > RULES_MAX {
            self.errors.push(SelectionError::TooMany);
        }
        if self.rules.is_empty() && self.errors.is_empty() {
            self.errors.push(SelectionError::Nothing);
        }
        match self.errors.is_empty() {
            true => Ok(Selected {
                rules: self.rules.into(),
                disabled: self.disabled,
                warnings: self.warnings,
            }),
            false => Err(self.errors),
        }
    }
}

/// Whether some pack has such a rule, on or off: to name it is no mistake. Parses them all.
pub fn is_shipped(pattern: &str) -> bool {
    let files = PACKS.iter().flat_map(|pack| pack.files);
    let files = files.map(|file| ("", *file));
    let mut packs = parse(files, Dialect::Own, &ParsedExpressions::default())
        .into_iter()
        .filter_map(|(_, parsed)| parsed.ok());
    packs.any(|pack| pack.rules.iter().any(|rule| is_like(pattern, &rule.id)))
}

fn is_of_pack(rule: &Rule) -> bool {
    pack_names().any(|name| name == &*rule.pack)
}

/// Whether an id is what a pattern says; `*` stands for any characters.
pub fn is_like(pattern: &str, id: &str) -> bool {
    glob_matches(pattern.as_bytes(), id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn selected(
        packs: &[&str],
        files: &[(&str, &str)],
        disable: &[&str],
    ) -> Result<Selected, Vec<SelectionError>> {
        let file = |(name, text): &(&str, &str)| rules_file(name, text, None);
        let files: Vec<_> = files.iter().map(file).collect();
        let (packs, disable) = (texts(packs), texts(disable));
        let wanted = Wanted { packs: &packs, files: &files, disable: &disable };
        select(&wanted, &ParsedExpressions::default())
    }

    fn rules_file(name: &str, text: &str, base: Option<usize>) -> RulesFile {
        RulesFile { name: name.to_owned(), text: text.to_owned(), base }
    }

    const MINE: (&str, &str) = ("mine.toml", "[[rules]]\nid = 'mine'\nregex = 'mine[0-9]'\n");

    #[test]
    fn packs_and_files_are_joined_and_ids_left_out() {
        let selected = selected(&["seed"], &[MINE], &["ssh_*", "dotenv_file"]).unwrap();
        let ids: Vec<&str> = selected.rules.iter().map(|rule| &*rule.id).collect();
        assert!(ids.contains(&"mine") && ids.contains(&"ai_api_key"));
        assert!(!ids.iter().any(|id| id.starts_with("ssh_") || *id == "dotenv_file"));
    }

    #[test]
    fn a_users_rule_stands_for_the_shipped_one_of_its_id() {
        let own = ("own.toml", "[[rules]]\nid = 'ai_api_key'\nregex = 'own[0-9]'\n");
        let with_own = selected(&["seed"], &[own], &[]).unwrap();
        assert_eq!(with_own.rules.len(), shipped(&["seed"]).unwrap().len());
        assert_eq!(&*with_own.rules[0].pack, "own.toml");
        assert!(with_own.warnings[0].contains("ai_api_key"));
        let errors = selected(&["seed"], &[MINE, MINE], &[]).unwrap_err();
        assert!(matches!(&errors[0], SelectionError::Twice { id, .. } if id == "mine"));
    }

    #[test]
    fn of_two_files_with_a_rule_of_one_id_the_later_counts_and_a_warning_says_so() {
        let count = IDS_NAMED + 1;
        let file = |body: &str| {
            let rule = |at| format!("[[rules]]\nid='r{at}'\nregex='{body}{at}'\n");
            (0..count).map(rule).collect::<String>()
        };
        let (first, second) = (file("one"), file("two"));
        let both = selected(&[], &[("a.toml", &first), ("b.toml", &second)], &[]).unwrap();
        assert!(both.rules.iter().all(|rule| &*rule.pack == "b.toml") && both.rules.len() == count);
        assert_eq!(
            both.warnings,
            [
                "b.toml: 6 of its rules stand for those of a.toml of the same ids (r0, r1, r2, r3, r4, …)"
            ]
        );
        let (wrong, warnings) = ids_twice(both.rules.iter().map(Arc::clone).collect());
        assert!(wrong.is_empty() && warnings.is_empty());
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once_and_a_near_name_with_it() {
        let broken = ("broken.toml", "[[rules]]\nid='a'\n[[rules]]\nid='b'\nregex='('\n");
        let errors = selected(&["seeds"], &[MINE, broken, ("no.toml", "x")], &["mime", "none*"])
            .unwrap_err();
        let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let told = told.join("\n");
        for words in ["did you mean seed?", "\n  a: ", "\n  b: ", "no.toml", "mean mine?", "none*"]
        {
            assert!(told.contains(words), "{words:?} in {told}");
        }
    }

    #[test]
    fn rules_for_other_engines_are_left_out_unless_nothing_is_left() {
        let greek = r"[[rules]]
id = 'greek'
regex = '\p{Greek}'
";
        let both = selected(&[], &[("theirs.toml", &format!("{greek}{}", MINE.1))], &[]).unwrap();
        assert_eq!(both.rules.len(), 1);
        assert!(both.warnings[0].contains("greek") && both.warnings[0].contains("Unicode"));
        let errors = selected(&["seed"], &[("theirs.toml", greek)], &[]).unwrap_err();
        assert!(matches!(&errors[0], SelectionError::Rules { .. }));
    }

    #[test]
    fn no_rule_at_all_is_an_error() {
        assert_eq!(selected(&[], &[], &[]).unwrap_err(), [SelectionError::Nothing]);
        assert_eq!(selected(&["seed"], &[], &["*"]).unwrap_err(), [SelectionError::Nothing]);
    }

    #[test]
    fn the_bound_of_all_rules_holds() {
        let file = |name: &str, count: usize| {
            let rule = |at| format!("[[rules]]\nid='{name}{at}'\nregex='a'\n");
            rules_file(name, &(0..count).map(rule).collect::<String>(), None)
        };
        let chosen = |second| {
            let files = [file("a", RULES_MAX - 1), file("b", second)];
            let wanted = Wanted { packs: &[], files: &files, disable: &[] };
            select(&wanted, &ParsedExpressions::default())
        };
        assert_eq!(chosen(1).unwrap().rules.len(), RULES_MAX);
        assert_eq!(chosen(2).unwrap_err(), [SelectionError::TooMany]);
    }
}
