//! Links glommio's ring set-up through our wrapper (`src/ring.rs`), which adds one flag.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg=-Wl,--wrap=io_uring_queue_init_params");
}
