//! Compiles the few lines of C++ through which functions of the program are called.

fn main() {
    println!("cargo::rerun-if-changed=src/shim.cpp");
    // No C++ library is linked: programs in C do without, those in C++ bring theirs.
    cc::Build::new()
        .cpp(true)
        .cpp_link_stdlib(None)
        .std("c++17")
        .flag("-fexceptions")
        .warnings(true)
        .file("src/shim.cpp")
        .compile("affiantshim");
}
