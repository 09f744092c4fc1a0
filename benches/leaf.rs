//! Leaves: signed for a new host, and found again for one that is ready.
//!
//! Run with `cargo bench --bench leaf`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::SystemTime;

use clawsec::limits::LEAF_CACHE_ENTRIES;
use clawsec::tls::{Authority, LeafCache, LeafName, shared_ticketer};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

fn authority() -> Arc<Authority> {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let made = Authority::load_or_create(folder.path(), SystemTime::now());
    Arc::new(made.expect("a CA is made").0)
}

fn cache(authority: &Arc<Authority>) -> LeafCache {
    let ticketer = shared_ticketer().expect("there are random bytes");
    LeafCache::new(Arc::clone(authority), ticketer, LEAF_CACHE_ENTRIES)
}

fn host(number: usize) -> String {
    format!("host-{number}.api.example.com")
}

/// A host that is looked for, and whether its leaf had to be made.
fn is_made(cache: &mut LeafCache, host: &str, now: SystemTime) -> bool {
    let found = cache.server_config(black_box(host), now).expect("there is a leaf");
    black_box(found).1
}

fn leaves(criterion: &mut Criterion) {
    let (authority, now) = (authority(), SystemTime::now());
    let mut group = criterion.benchmark_group("leaf");
    let name = LeafName::parse(&host(0)).expect("it is a name");
    group.bench_function("signed", |bencher| {
        bencher.iter(|| authority.issue(black_box(&name), now).expect("it is signed"));
    });

    let ticketer = shared_ticketer().expect("there are random bytes");
    let empty = || LeafCache::new(Arc::clone(&authority), Arc::clone(&ticketer), 1);
    let new_host = host(0);
    group.bench_function("new_host", |bencher| {
        let look = |cache: &mut LeafCache| assert!(is_made(cache, &new_host, now));
        bencher.iter_batched_ref(empty, look, BatchSize::SmallInput);
    });

    let mut full = cache(&authority);
    let hosts: Vec<String> = (0..LEAF_CACHE_ENTRIES).map(host).collect();
    assert!(hosts.iter().all(|host| is_made(&mut full, host, now)));
    assert_eq!(full.len(), LEAF_CACHE_ENTRIES);
    let mut at = 0;
    group.bench_function("ready_host", |bencher| {
        bencher.iter(|| {
            // Odd, so that each host has its turn, and none is near the one before.
            at = (at + 1237) % hosts.len();
            assert!(!is_made(&mut full, &hosts[at], now));
        });
    });
    let mut number = hosts.len();
    group.bench_function("new_host_in_a_full_cache", |bencher| {
        let next = || {
            number += 1;
            host(number)
        };
        let look = |host: String| assert!(is_made(&mut full, &host, now));
        bencher.iter_batched(next, look, BatchSize::SmallInput);
    });
    assert_eq!(full.len(), LEAF_CACHE_ENTRIES);
    group.finish();
}

criterion_group!(benches, leaves);
criterion_main!(benches);
