//! How the extension's library is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // cargo-pgrx reads what SQL it has to write from a section of the library that no code refers to.
    println!("cargo:rustc-cdylib-link-arg=-Wl,--no-gc-sections");
}
