//! The fuzz targets' corpus, run as a test: every input that was ever worth keeping.

#[path = "../fuzz/checks.rs"]
mod checks;
#[path = "../fuzz/checks_codings.rs"]
mod checks_codings;
#[path = "../fuzz/checks_http2.rs"]
mod checks_http2;
#[path = "../fuzz/checks_json.rs"]
mod checks_json;
#[path = "../fuzz/checks_rules.rs"]
mod checks_rules;
#[path = "../fuzz/checks_text.rs"]
mod checks_text;
#[path = "../fuzz/checks_tls.rs"]
mod checks_tls;

use std::fs;
use std::path::Path;

fn run(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        check(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "{} is empty", folder.display());
}

#[test]
fn request_heads() {
    run("request_head", checks::request_head);
}

#[test]
fn response_heads() {
    run("response_head", checks::response_head);
}

#[test]
fn bodies() {
    run("body", checks::body);
}

#[test]
fn http2() {
    run("http2", checks_http2::translation);
}

#[test]
fn websockets() {
    run("websocket", checks::websocket);
}

#[test]
fn codings() {
    run("codings", checks_codings::codings);
}

#[test]
fn archives() {
    run("archive", checks_codings::archive);
}

#[test]
fn lines_and_packs_of_git() {
    run("git", checks_codings::git);
}

#[test]
fn multipart_bodies() {
    run("multipart", checks_codings::multipart);
}

#[test]
fn quoted_printable_texts() {
    run("quoted_printable", checks_codings::quoted_printable);
}

#[test]
fn json_texts() {
    run("json", checks_json::json);
}

#[test]
fn event_streams() {
    run("events", checks_json::events);
}

#[test]
fn hidden_texts() {
    run("fold", checks_text::fold);
}

#[test]
fn encoded_texts() {
    run("encoded", checks_text::encoded);
}

#[test]
fn markup() {
    run("markup", checks_text::markup);
}

#[test]
fn wide_texts() {
    run("utf16", checks_text::utf16);
}

#[test]
fn files_of_rules() {
    run("rules", checks_rules::rules);
}

#[test]
fn tls_sessions() {
    run("tls", checks_tls::session);
}
