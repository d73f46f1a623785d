//! Compiles the two C functions behind `src/engine/guard.rs`: a non-local jump cannot be set in Rust.

fn main() {
    println!("cargo::rerun-if-changed=src/engine/guard.c");
    cc::Build::new().file("src/engine/guard.c").warnings_into_errors(true).compile("affiant_guard");
}
