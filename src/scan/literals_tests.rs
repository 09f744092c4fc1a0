//! What the engine that reads all of a text looks for is seldom said in clean text, and its search for literals seldom looks
//! at a place in vain. A rule that makes it look for a word of each model's answer, such as `content`, costs a third of the
//! throughput, one with a literal of two bytes a tenth, and no other test would tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hyperscan::{Builder, Pattern, Patterns, StreamingDatabase};

use super::engines::{fillers, pattern};
use super::rules::{Pack, Rule, default_rules};

#[path = "../../tests/support/conversation.rs"]
mod conversation;

/// How often in a KiB of clean text one of the engine's literals may be met at most. Those of the shipped rules are met
/// 0.1 times, but for those below; ` with` would be met 0.3 times in code, `content` and `model` three in answers.
const HITS_PER_KIB_MAX: f64 = 0.2;
/// How many places of a KiB of clean text the search for literals may look at, where something may end. How many they are
/// hangs on the processor, for which Hyperscan picks other literals of a rule: with the same rules 43 were counted on an EPYC
/// and 51 on a Xeon, where they are 57 now.
const LOOKS_PER_KIB_MAX: f64 = 60.0;
/// The fewest literals of a bucket. It gives buckets by length, and the longest need most of them.
const BUCKET_LITERALS_MIN: usize = 40;
/// The last eight bytes of what is met more often: every address, and the role that some gateways name in each event.
const NEEDED: [&str; 3] = ["://", "https://", "ssistant"];
/// Of each so many bytes of a conversation the first are looked at, or it were about the first of its sources only.
const CONVERSATION_BYTES: usize = 16 * 1024 * 1024;
const CONVERSATION_PART_BYTES: usize = 512 * 1024;
const CONVERSATION_SHARE: usize = 32;

/// The last bytes of what the engine's search for literals looks for: of each byte the bits that count, and their value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Literal {
    mask: [u8; 8],
    value: [u8; 8],
}

impl Literal {
    /// Reads one of Hyperscan's own records of a literal (`struct LitInfo` of its source): value, mask, groups, number,
    /// length, flags, and whether another one follows. None if these bytes are no such record.
    fn of_record(record: &[u8; 32]) -> Option<Literal> {
        let bytes = |at: usize| -> [u8; 8] { record[at..at + 8].try_into().unwrap() };
        let (value, mask) = (bytes(0), bytes(8));
        let (length, flags, next) = (usize::from(record[28]), record[29], record[30]);
        let own = 8_usize.saturating_sub(length);
        let is_record = length > 0
            && flags <= 1
            && next <= 1
            && record[31] == 0
            && bytes(16) != [0; 8]
            && mask[..own] == [0; 8][..own]
            && matches!(mask[7], 0xDF | 0xFF)
            && value[7] != 0
            && value.iter().zip(mask).all(|(value, mask)| value & !mask == 0);
        is_record.then_some(Literal { mask, value })
    }

    fn ends(&self, text: &[u8]) -> bool {
        let bytes = text.iter().rev().zip(self.mask.iter().rev().zip(self.value.iter().rev()));
        text.len() >= self.len()
            && bytes.into_iter().all(|(byte, (mask, value))| byte & mask == *value)
    }

    fn len(&self) -> usize {
        8 - self.mask.iter().position(|mask| *mask != 0).unwrap_or(8)
    }

    fn shown(&self) -> String {
        let sign = |(mask, value): (&u8, &u8)| match (*mask, *value) {
            (0xFF, value) => char::from(value),
            (0xDF, value) => char::from(value).to_ascii_lowercase(),
            _ => '.',
        };
        let from = 8 - self.len();
        self.mask[from..].iter().zip(&self.value[from..]).map(sign).collect()
    }
}

/// What the engine's search for literals asks of each place of a text, read out of what Hyperscan compiled it to (`struct
/// FDR` of its source). A literal may end at a place if its bucket has each of the eight pairs of bytes there.
struct Search {
    /// By pair: of each place before the end, the nearest first, one bit for each bucket that does not have the pair there.
    pairs: Vec<u64>,
    buckets: Vec<Vec<Literal>>,
}

impl Search {
    const BUCKETS: usize = 8;
    const PLACES: usize = 8;

    /// The search of an engine of these patterns: the one with the most literals.
    fn of(patterns: Vec<Pattern>) -> Search {
        let bytes = compiled(patterns);
        let searches = (0..bytes.len()).step_by(4).filter_map(|at| Search::read(&bytes[at..]));
        let literals = |search: &Search| search.buckets.iter().map(Vec::len).sum::<usize>();
        searches.max_by_key(literals).expect("its search for literals")
    }

    fn read(bytes: &[u8]) -> Option<Search> {
        const HEAD: usize = 64;
        let number = |at: usize| {
            let bytes: Option<&[u8; 4]> = bytes.get(at..)?.first_chunk();
            bytes.map(|bytes| u32::from_le_bytes(*bytes) as usize)
        };
        let &[stride, domain, low, high] = bytes.get(24..)?.first_chunk()?;
        let mask = usize::from(u16::from_le_bytes([low, high]));
        let pairs = 1_usize.checked_shl(domain.into()).filter(|pairs| mask == pairs - 1)?;
        if stride != 1 || pairs < 512 || number(28)? != 8 * pairs {
            return None;
        }
        let (table, _) = bytes.get(HEAD..HEAD + 8 * pairs)?.as_chunks();
        let confirm = number(16)?;
        let bucket = |number_of: usize| match number(confirm + 4 * number_of)? {
            0 => Some(Vec::new()),
            at => Search::bucket(bytes.get(confirm + at..)?),
        };
        Some(Search {
            pairs: table.iter().map(|entry| u64::from_le_bytes(*entry)).collect(),
            buckets: (0..Search::BUCKETS).map(bucket).collect::<Option<_>>()?,
        })
    }

    /// The literals of a bucket, in chains by their hashes.
    fn bucket(bytes: &[u8]) -> Option<Vec<Literal>> {
        const HEAD: usize = 32;
        const RECORD: usize = 32;
        let number =
            |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?) as usize);
        let mut literals = Vec::new();
        for hash in
            0..1_usize.checked_shl(number(16)? as u32).filter(|hashes| *hashes <= 1 << 16)?
        {
            let mut at = number(HEAD + 4 * hash)?;
            while at > 0 {
                let record: &[u8; RECORD] = bytes.get(at..)?.first_chunk()?;
                let (value, mask) = (*record.first_chunk()?, *record[8..].first_chunk()?);
                literals.push(Literal { mask, value });
                at = if record[30] > 0 { at + RECORD } else { 0 };
            }
        }
        Some(literals)
    }

    fn pair(&self, text: &[u8], at: usize) -> usize {
        usize::from(u16::from_le_bytes([text[at], text[at + 1]])) & (self.pairs.len() - 1)
    }

    /// The places of a text at which something may end, each with a bit for each bucket.
    fn places<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (usize, u8)> + 'a {
        let ends = Search::PLACES..text.len() - 1;
        ends.filter_map(|end| {
            let has = |before: usize| !(self.pairs[self.pair(text, end - before)] >> (8 * before));
            let buckets =
                (0..Search::PLACES).fold(u64::MAX, |left, before| left & has(before)) as u8;
            (buckets > 0).then_some((end, buckets))
        })
    }

    /// How often in a KiB of a text the search looks at a place, and the literals without which it would not most often.
    fn looks(&self, text: &[u8]) -> (f64, Vec<(String, f64)>) {
        let having: Vec<_> = self.buckets.iter().map(|bucket| self.having(bucket)).collect();
        let (mut all, mut alone) = (0, BTreeMap::<Literal, usize>::new());
        for (end, buckets) in self.places(text) {
            all += 1;
            for bucket in (0..Search::BUCKETS).filter(|bucket| buckets >> bucket & 1 == 1) {
                let pairs =
                    (0..Search::PLACES).map(|before| (before, self.pair(text, end - before)));
                let only: BTreeSet<Literal> = pairs
                    .filter_map(|(before, pair)| having[bucket][before][pair].only())
                    .collect();
                only.into_iter().for_each(|literal| *alone.entry(literal).or_default() += 1);
            }
        }
        let per_kib = |count: usize| count as f64 * 1024.0 / text.len() as f64;
        let mut alone: Vec<_> = alone.into_iter().collect();
        alone.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let named = alone.into_iter().map(|(literal, count)| (literal.shown(), per_kib(count)));
        (per_kib(all), named.collect())
    }

    /// Which literals of a bucket have each pair, by places before the end.
    fn having(&self, bucket: &[Literal]) -> Vec<Vec<Having>> {
        let mut having = vec![vec![Having::None; self.pairs.len()]; Search::PLACES];
        for literal in bucket {
            for (before, having) in having.iter_mut().enumerate() {
                let at = Search::PLACES - 1 - before;
                let of = |at: usize| (literal.mask.get(at), literal.value.get(at));
                let is = |byte: u8, (mask, value): (Option<&u8>, Option<&u8>), known: u8| {
                    let (mask, value) = (mask.unwrap_or(&0), value.unwrap_or(&0));
                    byte & mask & known == value & known
                };
                let known = (self.pairs.len() >> 8) as u8;
                for (pair, having) in having.iter_mut().enumerate() {
                    let [first, second, ..] = pair.to_le_bytes();
                    if is(first, of(at), 0xFF) && is(second, of(at + 1), known.wrapping_sub(1)) {
                        having.add(*literal);
                    }
                }
            }
        }
        having
    }
}

/// Which of a bucket's literals have a pair at a place.
#[derive(Clone, Copy)]
enum Having {
    None,
    One(Literal),
    Many,
}

impl Having {
    fn add(&mut self, literal: Literal) {
        *self = if matches!(self, Having::None) { Having::One(literal) } else { Having::Many };
    }

    fn only(self) -> Option<Literal> {
        if let Having::One(literal) = self { Some(literal) } else { None }
    }
}

fn compiled(patterns: Vec<Pattern>) -> Vec<u8> {
    let engine: StreamingDatabase = Patterns(patterns).build().unwrap();
    engine.serialize().unwrap().to_vec()
}

/// What an engine of these patterns looks for, read out of what Hyperscan compiled them to.
fn literals(patterns: Vec<Pattern>) -> BTreeSet<Literal> {
    let bytes = compiled(patterns);
    let records = (0..bytes.len()).step_by(4).filter_map(|at| bytes[at..].first_chunk());
    records.filter_map(Literal::of_record).collect()
}

fn of_rules(rules: &[Arc<Rule>]) -> BTreeSet<Literal> {
    literals(patterns_of(rules))
}

fn patterns_of(rules: &[Arc<Rule>]) -> Vec<Pattern> {
    let filters = rules.iter().enumerate().filter_map(|(number, rule)| {
        rule.expression.filter_everywhere().map(|filter| pattern(filter, number))
    });
    let filters: Vec<Pattern> = filters.collect();
    let made_up = fillers(filters.len());
    filters.into_iter().chain(made_up).collect()
}

/// How often each literal is met in a text, for each that is met at all.
fn hits(literals: &BTreeSet<Literal>, text: &[u8]) -> BTreeMap<Literal, usize> {
    let mut by_end: Vec<Vec<&Literal>> = vec![Vec::new(); 256];
    for literal in literals {
        let (mask, value) = (literal.mask[7], literal.value[7]);
        for byte in (0..=u8::MAX).filter(|byte| byte & mask == value) {
            by_end[usize::from(byte)].push(literal);
        }
    }
    let mut found = BTreeMap::new();
    for (at, byte) in text.iter().enumerate() {
        let seen = &text[at.saturating_sub(7)..=at];
        for literal in by_end[usize::from(*byte)].iter().filter(|literal| literal.ends(seen)) {
            *found.entry(**literal).or_default() += 1;
        }
    }
    found
}

/// What of these literals clean text is full of: the words, and where.
fn common(literals: &BTreeSet<Literal>) -> Vec<(Literal, String)> {
    let mut all = Vec::new();
    for (name, text) in samples() {
        let per_kib = |count: usize| count as f64 * 1024.0 / text.len() as f64;
        let mut found: Vec<_> = hits(literals, text.as_bytes()).into_iter().collect();
        found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let often = found.into_iter().map(|(literal, count)| (literal, per_kib(count)));
        let often: Vec<_> = often.take_while(|(_, rate)| *rate > HITS_PER_KIB_MAX / 4.0).collect();
        let said = |(literal, rate): &(Literal, f64)| {
            (*literal, format!("{:?} {rate:.2} times a KiB in {name}", literal.shown()))
        };
        often.iter().for_each(|found| println!("{}", said(found).1));
        let is_told = |(literal, rate): &&(Literal, f64)| {
            *rate > HITS_PER_KIB_MAX && !NEEDED.contains(&literal.shown().as_str())
        };
        all.extend(often.iter().filter(is_told).map(said));
    }
    all
}

/// The rules that make the engine look for a literal.
fn whose<'a>(rules: &'a [Arc<Rule>], literal: &Literal) -> Vec<&'a str> {
    let shown = literal.shown();
    let words = shown.split(|sign: char| !sign.is_ascii_alphanumeric());
    let word = words.max_by_key(|word| word.len()).unwrap_or_default().to_lowercase();
    let holds = |rule: &&Arc<Rule>| rule.expression.text().to_lowercase().contains(&word);
    let is_of = |rule: &&Arc<Rule>| of_rules(std::slice::from_ref(rule)).contains(literal);
    let mut holding: Vec<&Arc<Rule>> = rules.iter().filter(holds).collect();
    if holding.len() > 1 {
        holding.retain(is_of);
    }
    holding.into_iter().map(|rule| &*rule.id).collect()
}

#[test]
fn no_shipped_rule_makes_the_engine_look_for_a_word_that_clean_text_is_full_of() {
    let rules: Vec<Arc<Rule>> = default_rules().unwrap().iter().cloned().collect();
    let literals = of_rules(&rules);
    // Each rule gives some, and each filler one, or the records are others than those of this version.
    assert!(literals.len() > 5000, "{} literals were read", literals.len());
    let common = common(&literals).into_iter();
    let told: Vec<_> = common.map(|(literal, said)| (said, whose(&rules, &literal))).collect();
    assert!(
        told.is_empty(),
        "a group (?<common>…) keeps words from the engine, (?<anchor>…) what stands before: {told:#?}"
    );
}

#[test]
fn no_shipped_rule_has_a_literal_so_short_that_it_takes_a_bucket_of_longer_ones() {
    let rules: Vec<Arc<Rule>> = default_rules().unwrap().iter().cloned().collect();
    let search = Search::of(patterns_of(&rules));
    for bucket in &search.buckets {
        let shown: Vec<_> = bucket.iter().map(Literal::shown).collect();
        assert!(shown.len() >= BUCKET_LITERALS_MIN, "a bucket has {shown:?} only");
    }
}

#[test]
fn the_engine_seldom_looks_at_a_place_of_clean_text_in_vain() {
    let rules: Vec<Arc<Rule>> = default_rules().unwrap().iter().cloned().collect();
    let search = Search::of(patterns_of(&rules));
    // The other sample repeats the same few words.
    let Some((name, text)) = samples().into_iter().nth(1) else { return };
    let (looks, alone) = search.looks(text.as_bytes());
    let first = &alone[..alone.len().min(40)];
    println!("{looks:.1} a KiB in {name}: {first:.2?}");
    assert!(
        looks <= LOOKS_PER_KIB_MAX,
        "{looks:.1} places a KiB of {name} are looked at; so many fewer without one of these literals: {first:.2?}"
    );
}

#[test]
fn a_rule_that_makes_the_engine_look_for_such_a_word_is_named_with_it() {
    let pack = r"
        [[rules]]
        id = 'filters'
        regex = '(?i)\ball[\n ](?<anchor>(?:safety|content|ethical)[\n ](?:filter|restriction|guardrail)s?\b)'
        [[rules]]
        id = 'readers'
        regex = '(?i)(?:spokesperson|model)[a-z]{4,9}[!?]{2}'
        [[rules]]
        id = 'calls'
        regex = '(?i)\b(?:pay|get)_[a-z_]{2,30}[\n ]with[!?]{2}'
        [[rules]]
        id = 'kept'
        regex = '(?i)\b(?:transfer|withdraw)_[a-z_]{2,30}[\n ](?<common>with)[!?]{2}'
    ";
    let rules: Vec<Arc<Rule>> =
        Pack::parse("tried", pack).unwrap().rules.into_iter().map(Arc::new).collect();
    let told: BTreeSet<(String, Vec<&str>)> = common(&of_rules(&rules))
        .into_iter()
        .map(|(literal, _)| {
            (literal.shown().trim_matches([' ', '.', '\n']).to_owned(), whose(&rules, &literal))
        })
        .collect();
    let expected = [("content", "filters"), ("model", "readers"), ("with", "calls")];
    let expected = expected.map(|(word, rule)| (word.to_owned(), vec![rule]));
    assert_eq!(told, BTreeSet::from(expected));
}

/// Clean text: an answer as models stream it, and a conversation about code.
fn samples() -> Vec<(&'static str, String)> {
    let delta = |word: &str| {
        let word = serde_json::Value::from(word);
        format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"large\",\
             \"choices\":[{{\"index\":0,\"delta\":{{\"role\":\"assistant\",\"content\":{word}}},\
             \"finish_reason\":null}}]}}\n\nevent: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\
             \"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":{word}}}}}\n\n"
        )
    };
    let words = include_str!("../../README.md").split_inclusive(' ').take(1000);
    let mut all = vec![("a streamed answer", words.map(delta).collect())];
    match conversation::conversation(CONVERSATION_BYTES) {
        Some(body) => {
            let part = |part: &[u8]| {
                String::from_utf8_lossy(&part[..part.len() / CONVERSATION_SHARE]).into_owned()
            };
            let parts = body.chunks(CONVERSATION_PART_BYTES).map(part).collect();
            all.push(("a conversation about code", parts));
        }
        None => eprintln!("a part is skipped: there are no sources in ~/.cargo/registry"),
    }
    all
}
