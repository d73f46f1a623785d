//! An extension module's symbols are found in the interpreter that loads it.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
