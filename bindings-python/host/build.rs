//! Embeds the sources of the Python packages into the library, and finds libpython for the tests.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The packages of the wheel, beside this crate.
const PACKAGES: &str = "../python";
/// What takes the place of the wheel's module of this name; see `python/_affiant_ccf.py`.
const FINDER: &str = "_affiant_ccf.py";

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    println!("cargo::rerun-if-changed={PACKAGES}");
    let root = here.join(PACKAGES).canonicalize()?;
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    files.sort();
    let mut table = String::from("&[\n");
    for file in &files {
        let name = file.strip_prefix(&root)?.to_str().ok_or("a file name is not UTF-8")?;
        if name != FINDER {
            let path = file.to_str().ok_or("a path is not UTF-8")?;
            writeln!(table, "    ({name:?}, include_str!({path:?})),")?;
        }
    }
    table.push(']');
    fs::write(PathBuf::from(std::env::var("OUT_DIR")?).join("sources.rs"), table)?;
    link_tests();
    Ok(())
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "py") {
            files.push(path);
        }
    }
    Ok(())
}

/// Links the tests of this package with the libpython of the interpreter that pyo3 was configured for, and
/// tells the packages above how. Nothing else of this repository is linked with one: see
/// `.cargo/config.toml`.
fn link_tests() {
    let config = pyo3_build_config::get();
    let (Some(name), Some(directory)) = (config.lib_name(), config.lib_dir()) else { return };
    let suffix = if config.shared() { "so" } else { "a" };
    if !Path::new(directory).join(format!("lib{name}.{suffix}")).exists() {
        println!(
            "cargo::warning={directory} has no lib{name}.{suffix}: the tests of this package will not link \
             (Debian, Ubuntu: apt-get install libpython3-dev; or name another interpreter in PYO3_PYTHON)"
        );
    }
    let mut arguments = vec![format!("-L{directory}"), format!("-l{name}")];
    if config.shared() {
        arguments.push(format!("-Wl,-rpath,{directory}"));
    } else {
        // Extension modules find the interpreter's symbols in the program then.
        arguments.extend(["-Wl,--export-dynamic", "-lm", "-lutil", "-ldl"].map(str::to_owned));
    }
    for argument in &arguments {
        println!("cargo::rustc-link-arg={argument}");
    }
    println!("cargo::metadata=LINK={}", arguments.join("\t"));
}
