//! Scanning alone: bytes a second of clean text by read size, and what hits cost.
//!
//! Run with `cargo bench --bench scan`.

use std::hint::black_box;
use std::sync::Arc;

use clawsec::scan::rules::shipped;
use clawsec::scan::{Database, Match, MatchSink, Padded, Scanner};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const WINDOW_BYTES: usize = 64 * 1024;
const PADDING_BYTES: usize = clawsec::limits::SCAN_PADDING_BYTES;

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

fn scanner() -> Scanner {
    let rules = shipped(&["seed"]).expect("the seed is well formed");
    let database = Arc::new(Database::compile(&rules).expect("the rules compile"));
    Scanner::new(&database, WINDOW_BYTES).expect("there is memory for a scratch")
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

criterion_group!(benches, clean_bodies, clean_heads, hits);
criterion_main!(benches);
