//! Compiles the few lines of C++ through which functions of the program are called; with Python, links the
//! tests with it.

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
    // The libraries are linked by their users. Set by the build script of affiant-python-host.
    if let Ok(arguments) = std::env::var("DEP_AFFIANT_PYTHON_HOST_LINK") {
        for argument in arguments.split('\t') {
            println!("cargo::rustc-link-arg={argument}");
        }
    }
}
