//! The house rules that a compiler does not keep: borders between modules, the map, sizes, leftovers.
//! Reads sources as text; a rule that has to change is changed here, in the same commit as what breaks it.

mod source;

use std::fs;
use std::path::{Path, PathBuf};

use source::Source;

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file under a folder of the repository, in order.
fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("node_modules") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The path of a file within `src`, as the tables below name it.
fn place(path: &Path) -> String {
    path.strip_prefix(root().join("src")).unwrap().display().to_string()
}

/// Whether a file holds nothing but tests.
fn is_test_file(place: &str) -> bool {
    let (folders, file) = place.rsplit_once('/').unwrap_or(("", place));
    let stem = file.trim_end_matches(".rs");
    folders.split('/').any(|folder| folder == "tests")
        || stem == "tests"
        || stem.ends_with("_tests")
        || stem.starts_with("test_")
}

/// The proxy's own code, tests cut off: its place and its source.
fn code_of_src() -> Vec<(String, Source)> {
    rust_files("src")
        .into_iter()
        .map(|path| (place(&path), path))
        .filter(|(place, _)| !is_test_file(place))
        .map(|(place, path)| (place, Source::without_tests(&fs::read_to_string(path).unwrap())))
        .collect()
}

/// Fails with the list, if there is anything in it.
#[track_caller]
fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

const IO: &[&str] =
    &["async", "await", "glommio", "std::net::TcpStream", "std::fs", "fs::", "log::"];
const CLOCK: &[&str] = &["Instant::now", "SystemTime::now"];

/// What each place may not touch (DESIGN.md, "Layout"). A place ends in `/` if it is a folder.
const BORDERS: &[(&str, &[&[&str]])] = &[
    (
        "http/",
        &[
            IO,
            CLOCK,
            &["rustls", "hyperscan", "crossbeam_channel", "serde", "serde_json"],
            &["crate::scan", "crate::report", "crate::tls", "crate::forward", "crate::conn"],
        ],
    ),
    (
        "scan/",
        &[
            IO,
            CLOCK,
            &["rustls", "httparse", "crossbeam_channel", "serde_json"],
            &["crate::http", "crate::report", "crate::tls", "crate::forward", "crate::conn"],
        ],
    ),
    (
        "policy/",
        &[
            IO,
            CLOCK,
            &["rustls", "hyperscan", "httparse", "crossbeam_channel", "serde", "serde_json"],
            &["crate::http", "crate::scan", "crate::report", "crate::tls", "crate::conn"],
        ],
    ),
    (
        "secrets/",
        &[
            &["async", "await", "glommio", "rustls", "hyperscan", "httparse"],
            &["crate::http", "crate::report", "crate::tls", "crate::forward", "crate::conn"],
        ],
    ),
    ("report/dedup.rs", &[IO, CLOCK]),
    (
        "report/",
        &[
            &["async", "await", "glommio", "rustls", "hyperscan", "httparse"],
            &["crate::http", "crate::scan", "crate::tls", "crate::forward", "crate::conn"],
        ],
    ),
    ("conn/", &[&["rustls", "httparse", "hyperscan", "serde", "serde_json", "std::fs", "fs::"]]),
    (
        "forward/",
        &[
            &["hyperscan", "httparse", "rcgen", "serde", "serde_json"],
            &["crate::scan", "crate::report", "crate::conn"],
        ],
    ),
    (
        "http2/",
        &[
            CLOCK,
            &["glommio", "rustls", "httparse", "hyperscan", "serde", "log::"],
            &["crate::scan", "crate::policy", "crate::report", "crate::conn", "crate::config"],
        ],
    ),
    ("http2/heads.rs", &[IO]),
    (
        "tls/",
        &[
            &["hyperscan", "httparse", "serde", "serde_json"],
            &["crate::http", "crate::scan", "crate::report", "crate::conn"],
        ],
    ),
    ("tls/record.rs", &[IO, CLOCK]),
    ("tls/session.rs", &[IO, CLOCK]),
    ("cli/", &[&["glommio", "rustls", "hyperscan", "httparse", "crate::conn", "crate::forward"]]),
    (
        "admin/",
        &[&["async", "await", "glommio", "rustls", "hyperscan", "httparse"], &["crate::forward"]],
    ),
    ("config/", &[&["async", "await", "glommio", "crate::conn", "crate::report"]]),
    ("finding.rs", &[CLOCK, &["serde"]]),
    ("error.rs", &[IO, CLOCK, &["use crate"]]),
    ("counters.rs", &[&["crate::http", "crate::forward", "crate::conn"]]),
    ("limits.rs", &[&["fn", "use crate", "use std"]]),
    ("limits/", &[&["fn", "use crate", "use std"]]),
    ("worker.rs", &[&["rustls", "httparse", "hyperscan"]]),
    ("main.rs", &[&["glommio", "rustls", "httparse", "hyperscan", "TcpStream"]]),
];

#[test]
fn no_module_reaches_across_its_border() {
    let mut found = Vec::new();
    for (place, source) in code_of_src() {
        for (border, words) in BORDERS {
            let is_inside =
                if border.ends_with('/') { place.starts_with(border) } else { place == *border };
            for word in words.iter().copied().flatten().filter(|_| is_inside) {
                let lines = source.lines_with(word);
                found.extend(lines.map(|line| format!("src/{place}:{line}: {word}")));
            }
        }
    }
    assert_none("across a border", &found);
}

/// Where each outside crate is at home (DESIGN.md, "Outside crates by home").
const HOMES: &[(&str, &[&str])] = &[
    ("clap", &["cli/"]),
    ("glommio", &["turns.rs", "worker.rs", "supervisor", "conn/", "forward/", "tls/stream"]),
    ("core_affinity", &["worker.rs", "supervisor", "report/"]),
    ("httparse", &["http/"]),
    ("h2", &["http2/"]),
    ("tokio", &["http2/"]),
    ("rustls", &["tls/"]),
    ("rcgen", &["tls/"]),
    ("x509_parser", &["tls/"]),
    ("hyperscan", &["scan/"]),
    ("flate2", &["http/websocket/", "scan/view/codings/"]),
    ("brotli_decompressor", &["scan/view/codings/"]),
    ("zstd_safe", &["scan/view/codings/"]),
    ("regex_syntax", &["scan/rules/"]),
    ("fearless_simd", &["scan/view/"]),
    ("wide", &["scan/view/"]),
    // A file of rules is text, and reading it is deciding: one file knows how it is written, so that packs,
    // which are in the binary, need nothing from outside of the scanner.
    ("toml", &["scan/rules/text.rs"]),
    ("serde", &["report/", "config/", "cli/"]),
    (
        "aws_lc_rs",
        &[
            "http/websocket/",
            "secret_hash.rs",
            "tls/",
            "policy/",
            "secrets/",
            "scan/clean_blocks.rs",
            "scan/known_values/",
            "scan/rules/checksum.rs",
            "rulebook/cache.rs",
        ],
    ),
    ("zeroize", &["secrets/", "scan/known_values/"]),
    ("crossbeam_channel", &["report/", "worker.rs", "supervisor", "cli/run_child.rs"]),
    ("serde_json", &["admin/", "config/", "report/", "cli/", "secrets/"]),
    ("signal_hook", &["supervisor", "main.rs", "cli/run_child.rs"]),
    ("prometheus_client", &["admin/metrics.rs"]),
    ("argon2", &["secret_hash.rs"]),
    ("mimalloc", &["main.rs"]),
    ("pin_project_lite", &["conn/", "defects.rs"]),
    ("clap_complete", &["cli/generated.rs"]),
    ("clap_mangen", &["cli/generated.rs"]),
    ("rustls_native_certs", &["tls/"]),
    ("unicode_normalization", &["scan/view/"]),
    ("socket2", &["conn/", "listen.rs"]),
    ("smallvec", &["conn/", "scan/"]),
    ("nix", &["forward/tcp.rs", "ring.rs"]),
    ("jiff", &["admin/", "cli/", "config/", "report/"]),
];

/// Crates that may be used anywhere: plain tools, or named as our own modules and variables are.
const AT_HOME_EVERYWHERE: &[&str] =
    &["bytes", "data_encoding", "futures_lite", "http", "log", "memchr", "regex", "rustix", "time"];

#[test]
fn every_outside_crate_has_a_home() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, behind) = manifest.split_once("\n[dependencies]\n").unwrap();
    let (dependencies, _) = behind.split_once("\n[").unwrap();
    let names: Vec<String> = dependencies
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.split_once(" = ")?.0.replace('-', "_")))
        .collect();
    let is_known = |name: &str| {
        AT_HOME_EVERYWHERE.contains(&name) || HOMES.iter().any(|(known, _)| *known == name)
    };
    let homeless: Vec<String> = names.iter().filter(|name| !is_known(name)).cloned().collect();
    assert_none("without a home", &homeless);
    let known = HOMES.iter().map(|(name, _)| *name).chain(AT_HOME_EVERYWHERE.iter().copied());
    let gone = known.filter(|name| !names.iter().any(|named| named == name)).map(str::to_owned);
    assert_none("homes of no crate", &gone.collect::<Vec<_>>());
}

#[test]
fn outside_crates_stay_at_home() {
    let mut found = Vec::new();
    for (place, source) in code_of_src() {
        for (name, homes) in HOMES {
            if !homes.iter().any(|home| place.starts_with(home)) {
                let lines = source.lines_with(name);
                found.extend(lines.map(|line| format!("src/{place}:{line}: {name}")));
            }
        }
    }
    assert_none("away from home", &found);
}

#[test]
fn unsafe_is_in_one_file() {
    let mut found = Vec::new();
    for (place, source) in code_of_src().into_iter().filter(|(place, _)| place != "ring.rs") {
        found.extend(source.lines_with("unsafe").map(|line| format!("src/{place}:{line}")));
    }
    assert_none("unsafe code", &found);
}

/// A defect in one exchange, or in one lookup, must not end the core with all the others.
#[test]
fn tasks_of_connections_are_contained() {
    let is_of_connections =
        |place: &str| ["conn/", "forward/"].iter().any(|folder| place.starts_with(folder));
    let mut found = Vec::new();
    for (place, source) in code_of_src().into_iter().filter(|(place, _)| is_of_connections(place)) {
        for (at, line) in source.code.lines().enumerate() {
            if line.contains("spawn_local(") && !line.contains("spawn_local(contained(") {
                found.push(format!("src/{place}:{}: {}", at + 1, line.trim()));
            }
        }
    }
    assert_none("tasks whose defects end others", &found);
}

#[test]
fn every_file_says_what_it_owns() {
    let files = ["src", "tests", "benches", "loadtest/src"]
        .into_iter()
        .filter(|folder| root().join(folder).exists())
        .flat_map(rust_files);
    let silent: Vec<String> = files
        .filter(|path| !fs::read_to_string(path).unwrap().starts_with("//!"))
        .map(|path| path.display().to_string())
        .collect();
    assert_none("no //! at the top", &silent);
}

#[test]
fn the_map_shows_every_module_with_a_line_and_has_no_code() {
    let map = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let lines: Vec<&str> = map.lines().collect();
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let name = name.trim_end_matches(".rs");
        if ["lib", "main"].contains(&name) {
            continue;
        }
        let declared = [format!("pub mod {name};"), format!("mod {name};")];
        match lines.iter().position(|line| declared.iter().any(|mod_line| line == mod_line)) {
            Some(at) if at > 0 && lines[at - 1].starts_with("///") => {}
            Some(_) => found.push(format!("{name} has no line of its own")),
            None => found.push(format!("{name} is missing")),
        }
    }
    for (at, line) in Source::without_tests(&map).code.lines().enumerate() {
        let line = line.trim();
        let is_map = line.is_empty() || line.starts_with("#![") || line.ends_with(';');
        if !is_map || line.contains("fn ") {
            found.push(format!("src/lib.rs:{}: code in the map", at + 1));
        }
    }
    assert_none("the map", &found);
}

#[test]
fn no_file_is_forgotten_by_its_parent() {
    let mut found = Vec::new();
    for path in rust_files("src") {
        let place = place(&path);
        let Some((folder, file)) = place.rsplit_once('/') else { continue };
        if file == "mod.rs" {
            continue;
        }
        let declared = format!("mod {};", file.trim_end_matches(".rs"));
        let parents = [format!("src/{folder}/mod.rs"), format!("src/{folder}.rs")];
        let is_known = parents.iter().any(|parent| {
            let text = fs::read_to_string(root().join(parent)).unwrap_or_default();
            text.lines().any(|line| line.ends_with(&declared))
        });
        if !is_known {
            found.push(format!("src/{place}"));
        }
    }
    assert_none("nobody declares", &found);
}

#[test]
fn functions_fit_a_screen() {
    let mut found = Vec::new();
    for path in rust_files("src").into_iter().chain(rust_files("tests")) {
        let source = Source::new(&fs::read_to_string(&path).unwrap());
        for function in source.functions().filter(|function| function.lines > FUNCTION_LINES_MAX) {
            let (line, lines) = (function.line, function.lines);
            found.push(format!("{}:{line}: {} has {lines} lines", path.display(), function.name));
        }
    }
    assert_none("longer than a screen", &found);
}

#[test]
fn files_stay_small() {
    let long = code_of_src()
        .into_iter()
        .map(|(place, source)| (place, source.code.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(place, lines)| format!("src/{place}: {lines} lines without its tests"));
    assert_none("too long", &long.collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_over() {
    // Put together here, so that this file does not find itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("dbg", "!("),
        concat!("#[ig", "nore"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
    ];
    let mut found = Vec::new();
    for path in rust_files("src").into_iter().chain(rust_files("tests")) {
        for (at, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}: {}", path.display(), at + 1, line.trim()));
            }
        }
    }
    assert_none("left over", &found);
}

#[test]
fn no_machine_of_ours_is_named() {
    let machines = ["/root", "/work/", "/home/"];
    let mut found = Vec::new();
    for (place, source) in code_of_src() {
        for (at, line) in source.text.lines().enumerate() {
            if machines.iter().any(|machine| line.contains(machine)) {
                found.push(format!("src/{place}:{}: {}", at + 1, line.trim()));
            }
        }
    }
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let others = [
        "README.md",
        "CHANGELOG.md",
        "PERF.md",
        "PERF-LOG.md",
        "Makefile",
        "Dockerfile",
        ".ci/run",
    ];
    for path in docs.chain(others.map(|name| root().join(name))) {
        let text = fs::read_to_string(&path).unwrap_or_default();
        for (at, line) in text.lines().enumerate() {
            if ["/root/", "/work/"].iter().any(|machine| line.contains(machine)) {
                found.push(format!("{}:{}: {}", path.display(), at + 1, line.trim()));
            }
        }
    }
    assert_none("a path of one machine", &found);
}
