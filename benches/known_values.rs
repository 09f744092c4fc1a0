//! Known values alone: bytes a second of clean text, by how many values are watched for and by read size.
//!
//! Run with `cargo bench --bench known_values`.

use std::hint::black_box;
use std::sync::Arc;

use clawsec::finding::Fingerprint;
use clawsec::scan::{KnownValues, NamedValue, Watch};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use zeroize::Zeroizing;

const TOTAL_BYTES: usize = 1024 * 1024;

/// Messages as agents send them.
fn conversation() -> Vec<u8> {
    let message = concat!(
        r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_01","content":""#,
        r#"fn main() {\n    let total: u64 = values.iter().sum();\n    println!(\"{total}\");\n}\n"#,
        r#""}]},{"role":"assistant","content":"The sum of the values is printed on one line."},"#,
    );
    let mut text = message.repeat(TOTAL_BYTES / message.len() + 1).into_bytes();
    text.truncate(TOTAL_BYTES);
    text
}

/// Invented values of 40 characters.
fn known(count: usize) -> Arc<KnownValues> {
    let character =
        |number: usize, at: usize| b'!' + ((at * at * 7 + number * (13 + 31 * at)) % 90) as u8;
    let value = |number: usize| NamedValue {
        name: "NAME".into(),
        bytes: Zeroizing::new((0..40).map(|at| character(number, at)).collect()),
    };
    let known = KnownValues::new((0..count).map(value).collect(), |_| Fingerprint([0; 8]));
    Arc::new(known.expect("there are random bytes"))
}

fn clean_text(criterion: &mut Criterion) {
    let text = conversation();
    let mut group = criterion.benchmark_group("known_values");
    group.throughput(Throughput::Bytes(TOTAL_BYTES as u64));
    for count in [0, 1, 8, 64, 256] {
        let known = known(count);
        for read_bytes in [1400, 64 * 1024] {
            group.bench_function(BenchmarkId::new(count.to_string(), read_bytes), |bencher| {
                bencher.iter(|| {
                    let mut watch = Watch::new(&known, 0);
                    for piece in text.chunks(read_bytes) {
                        watch.feed(black_box(piece), &mut |known| panic!("{known:?}"));
                    }
                    watch.finish(&mut |known| panic!("{known:?}"));
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, clean_text);
criterion_main!(benches);
