//! What becomes of a finding: the dedup of the logger and of a core, by either key, and the JSON line.
//!
//! Run with `cargo bench --bench report`.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use clawsec::config::DedupBy;
use clawsec::counters::Counters;
use clawsec::finding::{
    Confidence, Direction, Finding, Fingerprint, Protocol, Severity, Step, ThreatType, View,
};
use clawsec::limits::{CORE_DEDUP_KEYS_MAX, DEDUP_KEYS_MAX};
use clawsec::report::core::CoreReporter;
use clawsec::report::jsonl::append_line;
use clawsec::report::queue::bounded;
use clawsec::report::windows::{Subject, Verdict, Windows};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Longer than a bench takes: no key is forgotten for its age.
const WINDOW: Duration = Duration::from_secs(60);
const KEYS: [(&str, DedupBy); 2] =
    [("pattern", DedupBy::Pattern), ("fingerprint", DedupBy::Fingerprint)];
/// Findings that an empty table is given.
const FEW: usize = 1024;

/// Findings of which no two have one key, twice as many as the table holds: whichever comes again was forgotten
/// meanwhile. Of their names there are few, which stay in the CPU's cache as a connection's do.
struct Subjects {
    by: DedupBy,
    patterns: Vec<String>,
    dests: Vec<String>,
}

const SUBJECTS: usize = 2 * DEDUP_KEYS_MAX;
const DESTS: usize = 512;

impl Subjects {
    fn new(by: DedupBy) -> Subjects {
        let pattern = |number| format!("provider_{number}_api_key");
        let dest = |number| format!("host-{number}.api.example.com:443");
        let patterns = (0..SUBJECTS / DESTS).map(pattern).collect();
        Subjects { by, patterns, dests: (0..DESTS).map(dest).collect() }
    }

    /// By pattern and destination, or by secret at one destination.
    fn get(&self, number: usize) -> Subject<'_> {
        let number = number % SUBJECTS;
        let (name, secret) = match self.by {
            DedupBy::Pattern => (number, 0),
            DedupBy::Fingerprint => (0, number as u64),
        };
        Subject {
            pattern: &self.patterns[name / DESTS],
            dest: &self.dests[name % DESTS],
            direction: Direction::Outbound,
            is_info: false,
            is_doubtful: false,
            fingerprint: Some(Fingerprint(secret.to_be_bytes())),
        }
    }

    /// A table that is as full as it gets, and holds the first half of these.
    fn full_table(&self, now: Instant) -> Windows<u64> {
        let mut table = Windows::new(WINDOW, self.by, DEDUP_KEYS_MAX);
        let is_new = |number: &usize| opens(&mut table, &self.get(*number), now);
        assert_eq!((0..DEDUP_KEYS_MAX).filter(is_new).count(), DEDUP_KEYS_MAX);
        assert_eq!(table.len(), DEDUP_KEYS_MAX);
        table
    }
}

/// Whether it is no repeat.
fn opens(table: &mut Windows<u64>, subject: &Subject<'_>, now: Instant) -> bool {
    let key = table.key(black_box(subject));
    matches!(table.open(key, now), Verdict::Opens { .. })
}

/// Odd, so that each number of a table has its turn, and none is near the one before.
const STRIDE: usize = 40_503;

fn dedup(criterion: &mut Criterion) {
    let now = Instant::now();
    for (name, by) in KEYS {
        let subjects = Subjects::new(by);
        let mut group = criterion.benchmark_group("dedup");
        let empty = || Windows::new(WINDOW, by, DEDUP_KEYS_MAX);
        let mut one = empty();
        assert!(opens(&mut one, &subjects.get(0), now));
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("repeated_of_one", name), |bencher| {
            bencher.iter(|| assert!(!opens(&mut one, &subjects.get(0), now)));
        });
        assert_eq!(one.len(), 1);

        let (mut full, mut number) = (subjects.full_table(now), 0);
        group.bench_function(BenchmarkId::new("repeated_of_all", name), |bencher| {
            bencher.iter(|| {
                number = (number + STRIDE) % DEDUP_KEYS_MAX;
                assert!(!opens(&mut full, &subjects.get(number), now));
            });
        });
        let mut number = DEDUP_KEYS_MAX;
        group.bench_function(BenchmarkId::new("new_to_a_full_table", name), |bencher| {
            bencher.iter(|| {
                assert!(opens(&mut full, &subjects.get(number), now));
                number += 1;
            });
        });
        assert_eq!(full.len(), DEDUP_KEYS_MAX);

        group.throughput(Throughput::Elements(FEW as u64));
        group.bench_function(BenchmarkId::new("new_to_an_empty_table", name), |bencher| {
            let fill = |table: &mut Windows<u64>| {
                (0..FEW).for_each(|number| assert!(opens(table, &subjects.get(number), now)));
            };
            bencher.iter_batched_ref(empty, fill, BatchSize::SmallInput);
        });
        group.finish();
    }
}

/// What a match costs a worker before it is a finding.
fn core_dedup(criterion: &mut Criterion) {
    let now = Instant::now();
    let mut group = criterion.benchmark_group("core_dedup");
    for (name, by) in KEYS {
        let subjects = Subjects::new(by);
        let (sender, _queue) = bounded(1);
        let mut core = CoreReporter::new(sender, Arc::new(Counters::default()), WINDOW, by);
        // The last of them are those that are known.
        assert!((0..SUBJECTS).all(|number| core.admits(&subjects.get(number), now)));
        let mut known = SUBJECTS - CORE_DEDUP_KEYS_MAX..SUBJECTS;
        assert!(known.all(|number| core.admits(&subjects.get(number), now)));
        group.throughput(Throughput::Elements(1));
        let mut number = 0;
        group.bench_function(BenchmarkId::new("repeated", name), |bencher| {
            bencher.iter(|| {
                number = (number + STRIDE) % CORE_DEDUP_KEYS_MAX;
                assert!(!core.admits(black_box(&subjects.get(SUBJECTS - 1 - number)), now));
            });
        });
        let mut number = SUBJECTS;
        group.bench_function(BenchmarkId::new("new", name), |bencher| {
            bencher.iter(|| {
                assert!(core.admits(black_box(&subjects.get(number)), now));
                number += 1;
            });
        });
    }
    group.finish();
}

/// A key in a request as it stands.
fn plain() -> Finding {
    Finding {
        direction: Direction::Outbound,
        protocol: Protocol::Https,
        threat_type: ThreatType::Exfil,
        pattern: "anthropic_api_key".into(),
        severity: Severity::High,
        confidence: Confidence::High,
        view: View::default(),
        fingerprint: None,
        snippet: format!("x-api-key: {}-api03-... content-type: application/json", "sk-ant"),
        source: IpAddr::V4(Ipv4Addr::LOCALHOST),
        dest: "api.example.com:443".into(),
        has_secret_dest: false,
        seen_at: SystemTime::now(),
        seen_at_mono: Instant::now(),
        held_back: None,
        agent: None,
    }
}

/// One of all fields, whose snippet is a piece of a program: much to escape.
fn rich() -> Finding {
    let lines = "if \"token\" in config:\n\tprint(\"naïve\\n\")  # → stderr\n";
    Finding {
        view: View::default().then(Step::Gzip).then(Step::Sse).then(Step::Json),
        fingerprint: Some(Fingerprint(*b"12345678")),
        snippet: lines.repeat(4).chars().take(clawsec::limits::SNIPPET_CHARS).collect(),
        agent: Some("coder".into()),
        ..plain()
    }
}

fn json_line(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("json_line");
    for (name, finding, suppressed) in [("plain", plain(), 0), ("all_fields", rich(), 12)] {
        let mut line = Vec::new();
        append_line(&mut line, &finding, suppressed).expect("it has a line");
        let object: serde_json::Value = serde_json::from_slice(&line).expect("it is JSON");
        assert_eq!(object["snippet"], finding.snippet);
        assert_eq!(object["suppressed"].as_u64(), (suppressed > 0).then_some(suppressed));
        let (elements, bytes) = (1, line.len() as u64);
        group.throughput(Throughput::ElementsAndBytes { elements, bytes });
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                line.clear();
                append_line(&mut line, black_box(&finding), suppressed).expect("it has a line");
                black_box(&line);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, dedup, core_dedup, json_line);
criterion_main!(benches);
