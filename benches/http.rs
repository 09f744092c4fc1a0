//! HTTP/1.1 as values: heads parsed, bodies' ends decided and found.
//!
//! Run with `cargo bench --bench http`.

use std::hint::black_box;
use std::io::Write;

use clawsec::http::body::{Body, Piece};
use clawsec::http::framing::{BodyKind, plan_request, plan_response};
use clawsec::http::head::{HeadLimits, Method, parse_request, parse_response};
use clawsec::limits::{HEAD_MAX_BYTES, HEADERS_MAX};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const LIMITS: HeadLimits = HeadLimits { max_bytes: HEAD_MAX_BYTES, max_headers: HEADERS_MAX };
const BODY_BYTES: usize = 1024 * 1024;
/// What of a body comes at once.
const READ_BYTES: usize = 64 * 1024;

/// A head, and how many fields it has.
struct Sample {
    name: &'static str,
    fields: usize,
    bytes: Vec<u8>,
}

impl Sample {
    fn new(name: &'static str, start_line: &str, fields: &[(String, String)]) -> Sample {
        let lines = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let bytes = format!("{start_line}\r\n{}\r\n", lines.collect::<String>()).into_bytes();
        Sample { name, fields: fields.len(), bytes }
    }
}

fn fields<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

/// So many fields in all, the further ones of a length that is usual.
fn filled(mut fields: Vec<(String, String)>, count: usize) -> Vec<(String, String)> {
    let further = (fields.len()..count)
        .map(|at| (format!("x-trace-field-{at}"), format!("00-4bf92f3577b34da6a3ce929d0e0e-{at}")));
    fields.extend(further);
    fields
}

/// What curl sends by itself; what a model's SDK sends with a call; a head that gateways have added to.
fn requests() -> [Sample; 3] {
    let curl = fields([("Host", "example.com"), ("User-Agent", "curl/8.5.0"), ("Accept", "*/*")]);
    let sdk = fields([
        ("Host", "api.anthropic.com"),
        ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("Connection", "keep-alive"),
        ("Content-Type", "application/json"),
        ("Accept", "application/json"),
        ("User-Agent", "Anthropic/Python 0.75.0"),
        ("X-Stainless-Lang", "python"),
        ("X-Stainless-Package-Version", "0.75.0"),
        ("X-Stainless-OS", "Linux"),
        ("X-Stainless-Arch", "x64"),
        ("X-Stainless-Runtime", "CPython"),
        ("X-Stainless-Runtime-Version", "3.12.3"),
        ("X-Stainless-Async", "false"),
        ("X-Stainless-Retry-Count", "0"),
        ("X-Stainless-Read-Timeout", "600"),
        ("X-Stainless-Timeout", "600"),
        ("anthropic-version", "2023-06-01"),
        ("anthropic-beta", "prompt-caching-2024-07-31,token-counting-2024-11-01"),
        (
            "X-Api-Key",
            "a-key-of-a-hundred-characters-as-the-real-ones-have-it-and-here-without-a-meaning",
        ),
        ("Content-Length", "48213"),
    ]);
    [
        Sample::new("curl", "GET /index.html HTTP/1.1", &curl),
        Sample::new("sdk_20", "POST /v1/messages?beta=true HTTP/1.1", &sdk),
        Sample::new("fields_100", "POST /v1/messages HTTP/1.1", &filled(sdk.clone(), 100)),
    ]
}

/// What a small server answers; what a model's API answers; the same with what gateways add.
fn responses() -> [Sample; 3] {
    let small = fields([
        ("Date", "Fri, 27 Nov 2026 12:00:00 GMT"),
        ("Content-Type", "text/html"),
        ("Content-Length", "1256"),
    ]);
    let api = fields([
        ("Date", "Fri, 27 Nov 2026 12:00:00 GMT"),
        ("Content-Type", "text/event-stream; charset=utf-8"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "keep-alive"),
        ("Cache-Control", "no-cache"),
        ("anthropic-ratelimit-requests-limit", "4000"),
        ("anthropic-ratelimit-requests-remaining", "3999"),
        ("anthropic-ratelimit-requests-reset", "2026-11-27T12:00:01Z"),
        ("anthropic-ratelimit-tokens-limit", "480000"),
        ("anthropic-ratelimit-tokens-remaining", "468000"),
        ("anthropic-ratelimit-tokens-reset", "2026-11-27T12:00:02Z"),
        ("request-id", "req_011CSHoEeqs5C35K2UUqR7Fy"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
        ("anthropic-organization-id", "6f1c3f0e-0000-4000-8000-000000000000"),
        ("via", "1.1 google"),
        ("cf-cache-status", "DYNAMIC"),
        ("X-Robots-Tag", "none"),
        ("Server", "cloudflare"),
        ("CF-RAY", "98f1c2d3e4f5a6b7-FRA"),
        ("Keep-Alive", "timeout=60"),
    ]);
    [
        Sample::new("small", "HTTP/1.1 200 OK", &small),
        Sample::new("api_20", "HTTP/1.1 200 OK", &api),
        Sample::new("fields_100", "HTTP/1.1 200 OK", &filled(api.clone(), 100)),
    ]
}

fn request_heads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("request_head");
    for Sample { name, fields, bytes } in &requests() {
        let parse = |bytes| {
            let head = parse_request(bytes, &LIMITS).expect("it is well formed");
            head.expect("it is whole")
        };
        let head = parse(bytes);
        assert_eq!((head.len, head.headers().count()), (bytes.len(), *fields));
        let is_get = head.method == Method::Get;
        let kind = if is_get { BodyKind::None } else { BodyKind::Length(48_213) };
        assert_eq!(plan_request(&head).expect("its framing is clear").body, kind);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::new("parse", name), |bencher| {
            bencher.iter(|| parse(black_box(bytes)));
        });
        group.bench_function(BenchmarkId::new("plan", name), |bencher| {
            bencher.iter(|| plan_request(black_box(&head)).expect("its framing is clear"));
        });
    }
    group.finish();
}

fn response_heads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("response_head");
    for Sample { name, fields, bytes } in &responses() {
        let parse = |bytes| {
            let head = parse_response(bytes, &LIMITS).expect("it is well formed");
            head.expect("it is whole")
        };
        let head = parse(bytes);
        assert_eq!((head.len, head.headers().count()), (bytes.len(), *fields));
        let plan = |head| plan_response(head, Method::Post).expect("its framing is clear");
        let kind = if *fields < 20 { BodyKind::Length(1256) } else { BodyKind::Chunked };
        assert_eq!(plan(&head).body, kind);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::new("parse", name), |bencher| {
            bencher.iter(|| parse(black_box(bytes)));
        });
        group.bench_function(BenchmarkId::new("plan", name), |bencher| {
            bencher.iter(|| plan(black_box(&head)));
        });
    }
    group.finish();
}

/// A body in the chunked coding.
fn chunked(chunk_bytes: usize) -> Vec<u8> {
    let mut coded = Vec::new();
    for chunk in vec![b'x'; BODY_BYTES].chunks(chunk_bytes) {
        write!(coded, "{:x}\r\n", chunk.len()).expect("there is memory");
        coded.extend_from_slice(chunk);
        coded.extend_from_slice(b"\r\n");
    }
    coded.extend_from_slice(b"0\r\n\r\n");
    coded
}

/// Reads a body to its end: how many pieces and bytes of data there were.
fn read(kind: BodyKind, coded: &[u8]) -> (usize, usize) {
    let (mut body, mut pieces, mut data_bytes) = (Body::new(kind), 0, 0);
    for input in coded.chunks(READ_BYTES) {
        let taken = body.step(black_box(input), &mut |piece| {
            if let Piece::Data(range) = black_box(piece) {
                (pieces, data_bytes) = (pieces + 1, data_bytes + range.len());
            }
        });
        assert_eq!(taken, Ok(input.len()));
    }
    assert!(body.is_done());
    (pieces, data_bytes)
}

/// Of 1 MiB. Data is not looked at, so the time is that of the chunks (elements); of a body with a length, of the
/// reads.
fn framing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("framing");
    let mut measure = |id: BenchmarkId, kind, coded: &[u8], elements: usize| {
        let (pieces, data_bytes) = read(kind, coded);
        assert_eq!(data_bytes, BODY_BYTES);
        assert!((elements..elements + coded.len() / READ_BYTES + 1).contains(&pieces));
        let (elements, bytes) = (elements as u64, BODY_BYTES as u64);
        group.throughput(Throughput::ElementsAndBytes { elements, bytes });
        group.bench_function(id, |bencher| bencher.iter(|| read(kind, coded)));
    };
    for chunk_bytes in [16, 256, 4096, 64 * 1024] {
        let elements = BODY_BYTES / chunk_bytes;
        let id = BenchmarkId::new("chunked", chunk_bytes);
        measure(id, BodyKind::Chunked, &chunked(chunk_bytes), elements);
    }
    let (kind, plain) = (BodyKind::Length(BODY_BYTES as u64), vec![b'x'; BODY_BYTES]);
    let id = BenchmarkId::new("content_length", BODY_BYTES);
    measure(id, kind, &plain, BODY_BYTES / READ_BYTES);
    group.finish();
}

criterion_group!(benches, request_heads, response_heads, framing);
criterion_main!(benches);
