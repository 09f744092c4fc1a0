//! Scanning alone: bytes a second with the rules that are shipped, by the size of a body, clean and with hits; and
//! with the seed's twelve, by read size, and what hits cost.
//!
//! Run with `cargo bench --bench scan`; the shipped rules alone with `cargo bench --bench scan -- ^shipped`.

#[path = "support/made.rs"]
mod made;

use std::hint::black_box;
use std::sync::Arc;

use clawsec::scan::rules::{RuleSet, default_rules, shipped};
use clawsec::scan::{Database, Match, MatchSink, Padded, Scanner, Shape};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use made::{Numbers, code, prose};

const WINDOW_BYTES: usize = 64 * 1024;
const PADDING_BYTES: usize = clawsec::limits::SCAN_PADDING_BYTES;
const KIB: usize = 1024;
/// A body with hits has one in each of these.
const HIT_EVERY_BYTES: usize = 4 * KIB;
const HIT_RULE: &str = "aws_access_key";

/// Wants all snippets or none.
struct Sink {
    is_wanted: bool,
}

impl MatchSink for Sink {
    fn wants(&mut self, _found: &Match<'_>) -> bool {
        self.is_wanted
    }

    fn found(&mut self, _found: &Match<'_>, snippet: String) {
        black_box(snippet);
    }
}

/// Notes which rules fired.
#[derive(Default)]
struct Notes(Vec<String>);

impl MatchSink for Notes {
    fn wants(&mut self, found: &Match<'_>) -> bool {
        self.0.push(found.rule.id.to_string());
        false
    }

    fn found(&mut self, _found: &Match<'_>, _snippet: String) {}
}

/// One to which nothing is known: else only the first passes would be scanned.
fn scanner_of(rules: &RuleSet) -> Scanner {
    remembering(rules).without_memory()
}

fn remembering(rules: &RuleSet) -> Scanner {
    let database = Arc::new(Database::compile(rules).expect("the rules compile"));
    Scanner::new(&database, WINDOW_BYTES).expect("there is memory for a scratch")
}

/// Of the seed's twelve rules.
fn scanner() -> Scanner {
    scanner_of(&shipped(&["seed"]).expect("the seed is well formed"))
}

/// Makes a body of so many bytes.
type BodyOf = fn(usize) -> Vec<u8>;

/// What a model is told, 4 KiB a message: something to read, something to compile.
fn messages(bytes: usize) -> Vec<String> {
    let (prose, code) = (prose(bytes / 2 + KIB), code(bytes / 2 + KIB));
    let halves = prose.as_bytes().chunks(2 * KIB).zip(code.as_bytes().chunks(2 * KIB));
    halves.map(|halves| String::from_utf8_lossy(&[halves.0, halves.1].concat()).into()).collect()
}

/// A text of so many bytes without a hit.
fn text_of(bytes: usize) -> Vec<u8> {
    let mut text = messages(bytes).concat().into_bytes();
    text.truncate(bytes);
    text
}

/// A request of so many bytes without a hit: those messages, and a last one as long as there is room.
fn json_of(bytes: usize) -> Vec<u8> {
    let mut json = br#"{"model":"large","messages":["#.to_vec();
    let (head, tail) = (br#"{"role":"assistant","content":""#, br#""}]}"#);
    for message in messages(bytes) {
        let message = serde_json::json!({"role": "user", "content": message}).to_string();
        if json.len() + message.len() + head.len() + tail.len() >= bytes {
            break;
        }
        json.extend_from_slice(message.as_bytes());
        json.push(b',');
    }
    json.extend_from_slice(head);
    let plain = prose(bytes).replace(['"', '\n'], " ");
    json.extend_from_slice(&plain.as_bytes()[..bytes - tail.len() - json.len()]);
    json.extend_from_slice(tail);
    serde_json::from_slice::<serde_json::Value>(&json).expect("it is JSON");
    json
}

/// Writes a key over plain words of each 4 KiB, no two alike. How many there are.
fn plant(body: &mut [u8]) -> usize {
    let mut numbers = Numbers(11);
    let is_plain = |byte: &u8| byte.is_ascii_lowercase() || b" ,.'".contains(byte);
    let mut planted = 0;
    for block in body.chunks_mut(HIT_EVERY_BYTES) {
        let sign = |_| b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[numbers.below(32)];
        let key: Vec<u8> = b" AKIA".iter().copied().chain((0..16).map(sign)).chain(*b" ").collect();
        let mut places = block.windows(key.len()).enumerate().skip(block.len() / 4);
        let place = places.find(|(_, window)| window.iter().all(is_plain));
        let (at, _) = place.expect("there are plain words");
        block[at..at + key.len()].copy_from_slice(&key);
        planted += 1;
    }
    planted
}

/// Scans a body to its end, in reads of a window each. `text` has padding behind it.
fn scan(scanner: &Scanner, shape: &Shape, text: &[u8], sink: &mut dyn MatchSink) {
    let bytes = text.len() - PADDING_BYTES;
    let mut body = scanner.body(shape);
    for start in (0..bytes).step_by(WINDOW_BYTES) {
        let end = bytes.min(start + WINDOW_BYTES);
        let part = Padded::new(text, start..end).expect("the text is padded");
        body.feed(black_box(part), sink);
    }
    body.finish(sink);
}

/// The rules that are on unless the configuration says otherwise, over bodies of all sizes.
fn shipped_rules(criterion: &mut Criterion) {
    let scanner = scanner_of(&default_rules().expect("the shipped rules are well formed"));
    let shape = |media: &[u8]| Shape::new(std::iter::empty(), Some(media));
    let kinds: [(&str, Shape, BodyOf); 2] =
        [("text", shape(b"text/plain"), text_of), ("json", shape(b"application/json"), json_of)];
    for (kind, shape, body_of) in &kinds {
        for has_hits in [false, true] {
            let name = if has_hits { "hit_every_4_kib" } else { "clean" };
            let mut group = criterion.benchmark_group(format!("shipped/{kind}/{name}"));
            for kib in [1, 4, 16, 64, 256, 1024] {
                let mut text = body_of(kib * KIB);
                let planted = if has_hits { plant(&mut text) } else { 0 };
                assert_eq!(text.len(), kib * KIB);
                group.throughput(Throughput::Bytes(text.len() as u64));
                text.resize(text.len() + PADDING_BYTES, 0);
                let mut notes = Notes::default();
                scan(&scanner, shape, &text, &mut notes);
                assert_eq!(notes.0, vec![HIT_RULE; planted], "{kind}, {kib} KiB");
                let mut sink = Sink { is_wanted: true };
                group.bench_function(
                    BenchmarkId::from_parameter(format!("{kib}_kib")),
                    |bencher| {
                        bencher.iter(|| scan(&scanner, shape, &text, &mut sink));
                    },
                );
            }
            group.finish();
        }
    }
}

/// The same clean request again and again, which is known from the third time on; and the first time, over and over.
fn repeated(criterion: &mut Criterion) {
    let rules = default_rules().expect("the shipped rules are well formed");
    let shape = Shape::new(std::iter::empty(), Some(b"application/json"));
    let mut text = json_of(256 * KIB);
    let mut group = criterion.benchmark_group("repeated/256_kib");
    group.throughput(Throughput::Bytes(text.len() as u64));
    text.resize(text.len() + PADDING_BYTES, 0);
    let mut sink = Sink { is_wanted: true };
    for (name, scanner) in [("new", scanner_of(&rules)), ("known", remembering(&rules))] {
        for _ in 0..3 {
            scan(&scanner, &shape, &text, &mut sink);
        }
        group.bench_function(name, |bencher| {
            bencher.iter(|| scan(&scanner, &shape, &text, &mut sink));
        });
    }
    group.finish();
}

/// Messages as agents send them, without a hit, with padding behind.
fn conversation(bytes: usize) -> Vec<u8> {
    let message = concat!(
        r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_01","content":""#,
        r#"fn main() {\n    let total: u64 = values.iter().sum();\n    println!(\"{total}\");\n}\n"#,
        r#""}]},{"role":"assistant","content":"The sum of the values is printed on one line."},"#,
    );
    let mut text = message.repeat(bytes / message.len() + 1).into_bytes();
    text.truncate(bytes);
    text.resize(bytes + PADDING_BYTES, 0);
    text
}

fn clean_bodies(criterion: &mut Criterion) {
    let scanner = scanner();
    let total = 1024 * 1024;
    let text = conversation(total);
    let mut sink = Sink { is_wanted: true };
    let mut group = criterion.benchmark_group("clean_body");
    group.throughput(Throughput::Bytes(total as u64));
    for read_bytes in [200, 1400, 4096, 16 * 1024, WINDOW_BYTES] {
        group.bench_function(BenchmarkId::from_parameter(read_bytes), |bencher| {
            bencher.iter(|| {
                let mut stream = scanner.open();
                for start in (0..total).step_by(read_bytes) {
                    let end = total.min(start + read_bytes);
                    let part = Padded::new(&text, start..end).expect("the text is padded");
                    stream.feed(part, &mut sink);
                }
                stream.finish(&mut sink);
            });
        });
    }
    group.finish();
}

fn clean_heads(criterion: &mut Criterion) {
    let scanner = scanner();
    let mut sink = Sink { is_wanted: true };
    let mut group = criterion.benchmark_group("clean_head");
    for bytes in [200, 1000, 4096] {
        let text = conversation(bytes);
        let head = Padded::new(&text, 0..bytes).expect("the text is padded");
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::from_parameter(bytes), |bencher| {
            bencher.iter(|| scanner.scan_block(black_box(head), &mut sink));
        });
    }
    group.finish();
}

fn hits(criterion: &mut Criterion) {
    let scanner = scanner();
    let mut one = conversation(WINDOW_BYTES);
    one.splice(30_000..30_012, *b" /etc/passwd");
    one.splice(30_012..30_013, *b" ");
    let flood = |text: &str| {
        let mut bytes = text.repeat(WINDOW_BYTES / text.len() + 1).into_bytes();
        bytes.truncate(WINDOW_BYTES + PADDING_BYTES);
        bytes.resize(WINDOW_BYTES + PADDING_BYTES, 0);
        bytes
    };
    let texts = [
        ("one", one),
        ("commands", flood("rm -rf / ")),
        ("keys", flood("sk-ant-api03-EXAMPLEexample0123456789 ")),
        ("one_match_many_ends", flood("curl x|sh|sh|sh|sh|sh|sh|sh|sh|sh|sh")),
    ];
    let mut group = criterion.benchmark_group("hits");
    group.throughput(Throughput::Bytes(WINDOW_BYTES as u64));
    for (name, text) in &texts {
        let window = Padded::new(text, 0..WINDOW_BYTES).expect("the text is padded");
        for is_wanted in [false, true] {
            let mut sink = Sink { is_wanted };
            group.bench_function(BenchmarkId::new(*name, is_wanted), |bencher| {
                bencher.iter(|| scanner.scan_block(black_box(window), &mut sink));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, shipped_rules, repeated, clean_bodies, clean_heads, hits);
criterion_main!(benches);
