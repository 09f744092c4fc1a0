//! Each view alone: bytes a second of what it reads, on text that is made here and on clean traffic.
//!
//! Run with `cargo bench --bench views`, one view with `cargo bench --bench views -- next_run`.

#[path = "../tests/support/conversation.rs"]
mod conversation;
#[path = "support/made.rs"]
mod made;

use std::hint::black_box;
use std::io::Write;

use clawsec::scan::view::codings::{Allowance, Codings, Inflater};
use clawsec::scan::view::encoded::{Kind, RunDecoder, next_run};
use clawsec::scan::view::fold::{Folder, next_trigger};
use clawsec::scan::view::json::{
    ArraySplitter, AwsEventSplitter, EventSplitter, LineSplitter, Reader, Unescaper,
};
use clawsec::scan::view::markup::Markup;
use clawsec::scan::view::words::next_word;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use data_encoding::BASE64;
use made::{Numbers, code, prose};

const WINDOW_BYTES: usize = 64 * 1024;
/// More than a CPU learns by heart.
const TRAFFIC_BYTES: usize = 1024 * 1024;
/// What the views are given at once of it.
const PIECE_BYTES: usize = 16 * 1024;

fn base64(bytes: usize) -> String {
    let mut numbers = Numbers(9);
    let noise: Vec<u8> = (0..bytes).map(|_| numbers.below(256) as u8).collect();
    let mut text = BASE64.encode(&noise);
    text.truncate(bytes);
    text
}

/// A request that holds a text in messages.
fn request(text: &str) -> Vec<u8> {
    let message = |text: &str| serde_json::json!({"role": "user", "content": text});
    let chunks = text.as_bytes().chunks(4000).map(String::from_utf8_lossy);
    let messages: Vec<_> = chunks.map(|text| message(&text)).collect();
    let mut json = serde_json::json!({"model": "m", "messages": messages}).to_string();
    json.truncate(WINDOW_BYTES);
    json.into_bytes()
}

/// What services answer: short strings, numbers, now and then an escape.
fn records(bytes: usize) -> Vec<u8> {
    let record = |number: usize| {
        serde_json::json!({"id": number, "name": format!("record {number}"), "active": true, "ratio": 0.25,
            "url": format!("https://api.example.com/v1/records/{number}"), "note": "line\none", "tags": ["a", "b"]})
    };
    let records: Vec<_> = (0..bytes / 100).map(record).collect();
    let mut json = serde_json::json!(records).to_string();
    json.truncate(bytes);
    json.into_bytes()
}

/// Clean traffic, as it is sent.
fn sent() -> Vec<u8> {
    conversation::conversation(TRAFFIC_BYTES).expect("there are sources")
}

/// Windows as they come by: prose, code, code as a string of JSON, what is no text, and what clean traffic says.
fn windows() -> [(&'static str, Vec<u8>); 5] {
    let mut said = Vec::new();
    Unescaper::new().feed(&sent(), &mut said);
    [
        ("prose", prose(WINDOW_BYTES).into_bytes()),
        ("code", code(WINDOW_BYTES).into_bytes()),
        ("json", request(&code(WINDOW_BYTES))),
        ("base64", base64(WINDOW_BYTES).into_bytes()),
        ("traffic", said),
    ]
}

/// Measures one view on several inputs.
fn measure(
    criterion: &mut Criterion,
    view: &str,
    inputs: &[(&'static str, Vec<u8>)],
    mut read: impl FnMut(&[u8]),
) {
    let mut group = criterion.benchmark_group(view);
    for (name, input) in inputs {
        group.throughput(Throughput::Bytes(input.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| read(black_box(input)));
        });
    }
    group.finish();
}

fn searches(criterion: &mut Criterion) {
    measure(criterion, "next_trigger", &windows(), |text| {
        for text in text.chunks(PIECE_BYTES) {
            let mut from = 0;
            while let Some(at) = next_trigger(text, from) {
                from = at + 1;
            }
        }
    });
    let mut decoded = Vec::new();
    measure(criterion, "next_run", &windows(), |text| {
        for text in text.chunks(PIECE_BYTES) {
            let mut from = 0;
            while let Some(run) = next_run(text, from) {
                decoded.clear();
                let rest = &text[run.start..];
                from = run.start + RunDecoder::new(run.kind).feed(rest, &mut decoded).max(1);
            }
        }
    });
    measure(criterion, "next_word", &windows(), |text| {
        for text in text.chunks(PIECE_BYTES) {
            let mut from = 0;
            while let Some(word) = next_word(text, from) {
                from = word.end;
            }
        }
    });
}

fn rewriters(criterion: &mut Criterion) {
    let mut out = Vec::new();
    let inputs = [
        ("prose", request(&prose(WINDOW_BYTES))),
        ("code", request(&code(WINDOW_BYTES))),
        ("records", records(WINDOW_BYTES)),
        ("traffic", sent()),
    ];
    measure(criterion, "unescaper", &inputs, |json| {
        let mut unescaper = Unescaper::new();
        for json in json.chunks(PIECE_BYTES) {
            out.clear();
            black_box(unescaper.feed(json, &mut out));
        }
    });
    measure(criterion, "folder", &windows(), |text| {
        out.clear();
        let mut folder = Folder::new();
        folder.feed(text, &mut out);
        folder.finish(&mut out);
    });
    measure(criterion, "markup", &documents(), |text| {
        out.clear();
        Markup::new().feed(text, &mut out);
    });
    measure(criterion, "run_decoder", &windows()[3..4], |digits| {
        out.clear();
        RunDecoder::new(Kind::Base64).feed(digits, &mut out);
    });
}

/// A page and a document, with as many tags as such have.
fn documents() -> [(&'static str, Vec<u8>); 2] {
    let page =
        prose(WINDOW_BYTES).replace(". ", "</b>.</p>\n<p class=\"note\">").replace(", ", ", <b>");
    let run = "</w:t></w:r><w:r><w:rPr><w:b w:val=\"1\"/></w:rPr><w:t xml:space=\"preserve\">";
    [("html", page.into_bytes()), ("docx", prose(WINDOW_BYTES).replace(", ", run).into_bytes())]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = ::brotli::CompressorWriter::new(&mut out, 4096, 5, 22);
    encoder.write_all(bytes).expect("a vector takes all");
    drop(encoder);
    out
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0; zstd_safe::compress_bound(bytes.len())];
    let len = zstd_safe::compress(&mut out[..], bytes, 3).expect("zstd compresses");
    out.truncate(len);
    out
}

/// Bytes a second of what comes out.
fn codings(criterion: &mut Criterion) {
    let text = code(16 * WINDOW_BYTES).into_bytes();
    let mut group = criterion.benchmark_group("codings");
    group.throughput(Throughput::Bytes(text.len() as u64));
    let mut room = vec![0; WINDOW_BYTES];
    for (name, packed) in [("gzip", gzip(&text)), ("br", brotli(&text)), ("zstd", zstd(&text))] {
        let codings = Codings::parse([name.as_bytes()].into_iter()).expect("it is known");
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| {
                let (mut inflater, mut allowance) = (Inflater::new(&codings), Allowance::new());
                allowance.arrived(text.len());
                let (mut rest, mut written) = (&packed[..], 0);
                loop {
                    let step = inflater.step(rest, &mut room, &mut allowance).expect("it is whole");
                    (rest, written) = (&rest[step.taken..], written + step.written);
                    if rest.is_empty() && !step.has_more {
                        break;
                    }
                }
                assert_eq!(written, text.len());
            });
        });
    }
    group.finish();
}

/// Events as a model streams them, a few words each.
fn events() -> Vec<String> {
    let words = prose(WINDOW_BYTES / 8);
    let delta = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        serde_json::json!({"type": "delta", "index": 0, "delta": {"text": text}}).to_string()
    };
    words.as_bytes().chunks(24).map(delta).collect()
}

fn framed(payload: &str) -> Vec<u8> {
    let total = 16 + payload.len() as u32;
    let prelude = [total, 0, 0].map(u32::to_be_bytes).concat();
    [&prelude, payload.as_bytes(), &[0; 4]].concat()
}

fn leaves(criterion: &mut Criterion) {
    let mut reader = Reader::new();
    let event = events().swap_remove(0).into_bytes();
    let message = serde_json::json!({"role": "user", "content": code(WINDOW_BYTES / 2)});
    let inputs = [("event", event), ("message", message.to_string().into_bytes())];
    measure(criterion, "leaves", &inputs, |json| {
        let visited = reader.visit(json, &mut |leaf| {
            black_box(leaf.text);
        });
        visited.expect("it is JSON");
    });
}

fn splitters(criterion: &mut Criterion) {
    let events = events();
    let input = |bytes: Vec<u8>| [("events", bytes)];
    let give = &mut |payload: &[u8]| {
        black_box(payload);
    };
    let sse: String =
        events.iter().map(|event| format!("event: delta\ndata: {event}\n\n")).collect();
    measure(criterion, "split_sse", &input(sse.into_bytes()), |bytes| {
        EventSplitter::new().feed(bytes, give);
    });
    measure(criterion, "split_lines", &input(events.join("\n").into_bytes()), |bytes| {
        LineSplitter::new().feed(bytes, give);
    });
    let array = format!("[{}]", events.join(","));
    measure(criterion, "split_array", &input(array.into_bytes()), |bytes| {
        ArraySplitter::new().feed(bytes, give);
    });
    let messages: Vec<u8> = events.iter().flat_map(|event| framed(event)).collect();
    measure(criterion, "split_aws_events", &input(messages), |bytes| {
        AwsEventSplitter::new().feed(bytes, give);
    });
}

criterion_group!(benches, searches, rewriters, codings, leaves, splitters);
criterion_main!(benches);
