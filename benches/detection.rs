//! The whole of detection over bodies as agents send them: all rules that are on, all views. Bytes a second of
//! clean text, beside what Hyperscan's own block scan of the same rules, compiled to one database, does with the
//! same bytes.
//!
//! Run with `cargo bench --bench detection`.

#[path = "../tests/support/conversation.rs"]
mod conversation;

use std::hint::black_box;
use std::sync::Arc;

use clawsec::limits::SCAN_PADDING_BYTES;
use clawsec::scan::rules::{RuleSet, default_rules, shipped};
use clawsec::scan::{Database, Match, MatchSink, Padded, Scanner, Shape};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hyperscan::{Block, BlockDatabase, Builder, Matching, Pattern, PatternFlags, Patterns};

const TOTAL_BYTES: usize = 4 * 1024 * 1024;
const READ_BYTES: usize = 64 * 1024;

/// Counts.
#[derive(Default)]
struct Sink(Vec<String>);

impl MatchSink for Sink {
    fn wants(&mut self, found: &Match<'_>) -> bool {
        self.0.push(found.rule.id.to_string());
        false
    }

    fn found(&mut self, _found: &Match<'_>, _snippet: String) {}
}

/// All rules as one database that sees each window by itself.
fn block_database(rules: &RuleSet) -> BlockDatabase {
    let pattern = |number: usize, filter: &str| Pattern {
        expression: filter.to_owned(),
        flags: PatternFlags::empty(),
        id: Some(number),
        ext: Default::default(),
        som: None,
    };
    let numbered = rules.iter().enumerate();
    let patterns = numbered.flat_map(|(number, rule)| {
        rule.expression.filters().map(move |filter| pattern(number, filter))
    });
    patterns.collect::<Patterns>().build::<Block>().expect("the rules compile")
}

fn clean_json(criterion: &mut Criterion) {
    let mut text = conversation::conversation(TOTAL_BYTES).expect("there are sources");
    text.resize(TOTAL_BYTES + SCAN_PADDING_BYTES, 0);
    let all = default_rules().expect("the shipped rules are well formed");
    let seed = shipped(&["seed"]).expect("the seed is well formed");
    let json = Shape::new(std::iter::empty(), Some(b"application/json"));
    let prose = Shape::new(std::iter::empty(), Some(b"text/html"));
    let mut group = criterion.benchmark_group("clean_json");
    group.throughput(Throughput::Bytes(TOTAL_BYTES as u64));
    for (name, rules, shape) in
        [("all_rules", &all, &json), ("all_rules_as_text", &all, &prose), ("seed", &seed, &json)]
    {
        let database = Arc::new(Database::compile(rules).expect("the rules compile"));
        let scanner = Scanner::new(&database, READ_BYTES)
            .expect("there is memory for a scratch")
            .without_memory();
        let scan = |sink: &mut Sink| {
            let mut body = scanner.body(shape);
            for start in (0..TOTAL_BYTES).step_by(READ_BYTES) {
                let part = Padded::new(&text, start..start + READ_BYTES).expect("it is padded");
                body.feed(black_box(part), sink);
            }
            body.finish(sink);
        };
        let mut sink = Sink::default();
        scan(&mut sink);
        sink.0.sort();
        println!("{name}: {} hits in {TOTAL_BYTES} bytes: {:?}", sink.0.len(), sink.0);
        group.bench_function(name, |bencher| bencher.iter(|| scan(&mut Sink::default())));
    }
    for (name, rules) in [("all_rules_block_scan", &all), ("seed_block_scan", &seed)] {
        let database = block_database(rules);
        let scratch = database.alloc_scratch().expect("there is memory for a scratch");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut hits = 0_usize;
                for window in text[..TOTAL_BYTES].chunks(READ_BYTES) {
                    let note = |_, _, _, _| {
                        hits += 1;
                        Matching::Continue
                    };
                    database.scan(black_box(window), &scratch, note).expect("it is scanned");
                }
                hits
            });
        });
    }
    group.finish();
}

/// What requests mostly hold: a small body, and the values of a head.
fn small(criterion: &mut Criterion) {
    let text = conversation::conversation(TOTAL_BYTES).expect("there are sources");
    let all = default_rules().expect("the shipped rules are well formed");
    let database = Arc::new(Database::compile(&all).expect("the rules compile"));
    let scanner = Scanner::new(&database, READ_BYTES)
        .expect("there is memory for a scratch")
        .without_memory();
    let json = Shape::new(std::iter::empty(), Some(b"application/json"));
    let message = br#"{"role":"user","content":""#;
    let pieces = |bytes: usize, before: &[u8]| -> Vec<Vec<u8>> {
        let pieces = text.chunks_exact(TOTAL_BYTES / 500).map(|text| &text[..bytes - before.len()]);
        pieces.map(|text| [before, text, &[0; SCAN_PADDING_BYTES]].concat()).collect()
    };
    let mut group = criterion.benchmark_group("small");
    let bodies = pieces(1024, message);
    group.throughput(Throughput::Bytes(1024 * bodies.len() as u64));
    group.bench_function("bodies", |bencher| {
        bencher.iter(|| {
            for body in &bodies {
                let mut sink = Sink::default();
                let part = Padded::new(body, 0..1024).expect("it is padded");
                let mut body = scanner.body(&json);
                body.feed(black_box(part), &mut sink);
                body.finish(&mut sink);
            }
        });
    });
    let values = pieces(100, b"");
    group.throughput(Throughput::Bytes(100 * values.len() as u64));
    group.bench_function("values", |bencher| {
        bencher.iter(|| {
            for value in &values {
                let part = Padded::new(value, 0..100).expect("it is padded");
                scanner.scan_block(black_box(part), &mut Sink::default());
            }
        });
    });
    group.finish();
}

criterion_group!(benches, clean_json, small);
criterion_main!(benches);
