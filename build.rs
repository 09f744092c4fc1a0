//! Links glommio's ring set-up through our wrapper (`src/ring.rs`), which adds one flag, and Hyperscan
//! statically.

use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg=-Wl,--wrap=io_uring_queue_init_params");
    link_hyperscan_statically();
    name_the_parser_of_expressions();
}

/// What rules' expressions are parsed to is kept from start to start. It holds for this code only: the reading of
/// rules, the bounds that it looks at, and the crates.
fn name_the_parser_of_expressions() {
    let of_folder = |folder: &str| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "rs"))
    };
    let single = ["src/limits.rs", "Cargo.lock"].map(PathBuf::from);
    let mut files: Vec<PathBuf> =
        of_folder("src/scan/rules").chain(of_folder("src/limits")).chain(single).collect();
    files.sort();
    let mut hasher = std::hash::DefaultHasher::new();
    for file in &files {
        println!("cargo:rerun-if-changed={}", file.display());
        hasher.write(&std::fs::read(file).unwrap_or_default());
    }
    println!("cargo:rustc-env=EXPRESSION_PARSER_DIGEST={:016x}", hasher.finish());
}

/// The binary is to run where no Hyperscan package is. The crate's `static` feature is not enough:
/// its pkg-config never links statically what lies under /usr. So the linker is shown a folder with
/// the archive alone, before any folder that holds the shared library too.
fn link_hyperscan_statically() {
    println!("cargo:rerun-if-env-changed=HYPERSCAN_ROOT");
    if std::env::var_os("HYPERSCAN_ROOT").is_some() {
        // Then the crate does without pkg-config, and its feature means what it says.
        return;
    }
    let Some(archive) = hyperscan_archive() else {
        println!(
            "cargo:warning=libhs.a is missing: the binary will need Hyperscan's shared library"
        );
        return;
    };
    let Some(folder) = std::env::var_os("OUT_DIR").map(PathBuf::from) else { return };
    let link = folder.join("libhs.a");
    let _ = std::fs::remove_file(&link);
    match std::os::unix::fs::symlink(archive, &link) {
        Ok(()) => println!("cargo:rustc-link-search=native={}", folder.display()),
        Err(error) => println!("cargo:warning=cannot link to libhs.a: {error}"),
    }
}

fn hyperscan_archive() -> Option<PathBuf> {
    let asked = Command::new("pkg-config").args(["--variable=libdir", "libhs"]).output().ok()?;
    let folder = String::from_utf8(asked.stdout).ok()?;
    let archive = Path::new(folder.trim()).join("libhs.a");
    archive.is_file().then_some(archive)
}
