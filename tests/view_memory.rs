//! What undoing a coding holds at most, counted at the allocator: for bodies that ask for all they can.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use clawsec::limits::CODING_MEMORY_MAX_BYTES;
use clawsec::scan::view::codings::{Allowance, Codings, Inflater};

/// The system's allocator, counting.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all work is the system allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(held, Relaxed);
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise, handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The most that is held while the body is inflated, and right after its last byte.
fn held_by(coding: &str, body: &[u8]) -> (usize, usize) {
    let codings = Codings::parse([coding.as_bytes()].into_iter()).expect("it is known");
    let mut output = vec![0; 32 * 1024];
    let before = HELD.load(Relaxed);
    MOST.store(before, Relaxed);
    let mut inflater = Inflater::new(&codings);
    let mut allowance = Allowance::new();
    allowance.arrived(1 << 30);
    let mut rest = body;
    loop {
        let progress = inflater.step(rest, &mut output, &mut allowance).expect("it is whole");
        rest = &rest[progress.taken..];
        if rest.is_empty() && !progress.has_more {
            break;
        }
    }
    let after = HELD.load(Relaxed);
    drop(inflater);
    assert_eq!(HELD.load(Relaxed), before, "all is given back");
    (MOST.load(Relaxed) - before, after - before)
}

/// A text that no window is too large for.
fn text(bytes: usize) -> Vec<u8> {
    let mut number = 1_u64;
    let mut next = || {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        b"0123456789abcdef"[(number >> 60) as usize]
    };
    (0..bytes).map(|_| next()).collect()
}

/// In a frame with a window of 8 MiB, raw blocks of 128 KiB.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 13 << 3];
    let mut blocks = bytes.chunks(128 * 1024).peekable();
    while let Some(block) = blocks.next() {
        let head = (block.len() as u32) << 3 | u32::from(blocks.peek().is_none());
        out.extend_from_slice(&head.to_le_bytes()[..3]);
        out.extend_from_slice(block);
    }
    out
}

#[test]
fn a_coding_holds_what_its_bound_says() {
    let plain = text(20 << 20);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(1));
    gzip.write_all(&plain).expect("a vector takes all");
    let gzip = gzip.finish().expect("a vector takes all");
    let mut brotli = Vec::new();
    brotli::CompressorWriter::new(&mut brotli, 1 << 16, 1, 24)
        .write_all(&plain)
        .expect("a vector takes all");
    let zstd = zstd(&plain);
    let cases = [
        ("gzip", &gzip, 64 << 10),
        ("br", &brotli, CODING_MEMORY_MAX_BYTES),
        ("zstd", &zstd, 9 << 20),
    ];
    for (coding, body, bound) in cases {
        let (most, after) = held_by(coding, body);
        println!("{coding}: {} KiB at most, {} KiB at the end", most >> 10, after >> 10);
        assert!(most <= bound.min(CODING_MEMORY_MAX_BYTES), "{coding}: {most}");
    }
}
