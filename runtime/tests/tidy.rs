//! Style and structure as a test: who imports whom, file and line lengths, module docs, plain ASCII,
//! and what the pure core may not name. STYLE lives here, so that it cannot drift from its page.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

/// Layers: an edge must lead to a lower number.
const LAYERS: &[(&str, u8)] = &[
    ("affiant-proof", 0),
    ("affiant-kv", 1),
    ("affiant-attest", 1),
    ("affiant", 2),
    ("affiant-js", 3),
    ("affiant-python", 3),
    ("affiant-python-host", 4),
    ("affiant-capi", 5),
    ("affiant-cli", 5),
    ("affiant-wheel", 6),
    ("affiant-bench", 6),
    ("affiant-sim", 6),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn metadata() -> Json {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn crates_import_lower_layers_only() {
    let layers: BTreeMap<&str, u8> = LAYERS.iter().copied().collect();
    let metadata = metadata();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let own = layers.get(name).unwrap_or_else(|| panic!("{name} has no layer in tidy.rs"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let other = dependency["name"].as_str().unwrap();
            // What only tests need may come from anywhere.
            if dependency["kind"] == "dev" {
                continue;
            }
            if let Some(layer) = layers.get(other) {
                assert!(layer < own, "{name} must not import {other}: arrows point down");
            } else {
                assert!(!other.starts_with("affiant"), "{other} has no layer in tidy.rs");
            }
        }
    }
}

fn sources() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "git ls-files failed");
    let files: Vec<PathBuf> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| root().join(line))
        .filter(|path| path.is_file())
        .collect();
    assert!(files.len() > 20, "only {} source files found", files.len());
    files
}

#[test]
fn files_are_short_documented_and_plain() {
    let mut faults = Vec::new();
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.display();
        let lines = text.lines().count();
        if lines > 1_000 {
            faults.push(format!("{name}: {lines} lines; split it (1,000 at most)"));
        }
        if !text.trim_start().starts_with("//!") && !text.contains("\n//!") {
            faults.push(format!("{name}: no module documentation at its head"));
        }
        for (number, line) in text.lines().enumerate() {
            let number = number + 1;
            // Tests speak to applications in every script.
            if !line.is_ascii() && !path.components().any(|part| part.as_os_str() == "tests") {
                faults.push(format!("{name}:{number}: not plain ASCII"));
            }
            if line.chars().count() > 110 && !line.contains("http") && !line.contains('"') {
                faults.push(format!("{name}:{number}: longer than 110 columns"));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_replica_is_pure() {
    let forbidden =
        ["std::fs", "std::net", "std::time", "Instant::now", "SystemTime", "rand::", "getrandom"];
    let mut seen = 0;
    for path in sources() {
        let inside = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        let pure = ["kv/src/replica", "kv/src/consensus", "kv/src/history", "kv/proof/src"]
            .iter()
            .any(|prefix| inside.starts_with(prefix));
        if !pure {
            continue;
        }
        seen += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        let production = text.split("#[cfg(test)]").next().unwrap();
        for word in forbidden {
            assert!(!production.contains(word), "{inside} names {word}; the core is pure");
        }
    }
    assert!(seen > 5, "the pure modules were not found");
}

/// Names that a Rust host sees at the root of the crate, modules included.
const ROOT_NAMES_MAX: usize = 55;

/// What `runtime/src/lib.rs` exports, by name.
fn root_names() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("runtime/src/lib.rs")).unwrap();
    let mut names = Vec::new();
    for statement in text.split_inclusive(';') {
        let code: Vec<&str> =
            statement.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let code = code.join(" ");
        let Some(export) = code.trim().strip_prefix("pub ") else { continue };
        let export = export.trim_end_matches(';');
        if let Some(module) = export.strip_prefix("mod ") {
            names.push(module.to_owned());
            continue;
        }
        let tree =
            export.strip_prefix("use ").unwrap_or_else(|| panic!("{code}: declare it elsewhere"));
        let listed = tree.split_once('{').map_or(tree, |(_, list)| list.trim_end_matches('}'));
        for path in listed.split(',').map(str::trim).filter(|path| !path.is_empty()) {
            let name = path.rsplit(" as ").next().unwrap().rsplit("::").next().unwrap();
            assert_ne!(name, "*", "{path}: the root names what it exports");
            names.push(name.to_owned());
        }
    }
    names
}

#[test]
fn the_root_of_the_crate_fits_on_one_screen() {
    let mut names = root_names();
    assert!(names.contains(&"Runtime".to_owned()) && names.contains(&"hosting".to_owned()));
    assert!(
        names.len() <= ROOT_NAMES_MAX,
        "{} names at the root of affiant, {ROOT_NAMES_MAX} at most: put them into the module of their field",
        names.len()
    );
    names.sort();
    names.dedup_by(|one, other| {
        assert_ne!(one, other, "two exports have one name");
        false
    });
}

/// The sources of the crates whose items the root of `affiant` exports, its own first.
fn exported_sources() -> Vec<(String, String)> {
    let crates = ["runtime/src/", "kv/src/", "kv/proof/src/"];
    let rank = |file: &str| crates.iter().position(|source| file.starts_with(source));
    let inside = |path: &PathBuf| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    let mut found: Vec<(String, String)> = sources()
        .iter()
        .filter(|path| rank(&inside(path)).is_some())
        .map(|path| (inside(path), std::fs::read_to_string(path).unwrap()))
        .collect();
    found.sort_by_key(|(file, _)| rank(file));
    found
}

/// Whether the comment that ends above line `index` holds an example.
fn has_example(lines: &[&str], index: usize) -> bool {
    let above = lines[..index].iter().rev().map(|line| line.trim_start());
    above
        .take_while(|line| line.starts_with("///") || line.starts_with("#["))
        .any(|line| line.starts_with("/// ```"))
}

/// Whether `line` declares the item called `name`.
fn declares(line: &str, name: &str) -> bool {
    let Some(item) = line.strip_prefix("pub ") else { return false };
    ["struct ", "enum ", "trait ", "type ", "fn "].iter().any(|kind| {
        item.strip_prefix(kind).and_then(|rest| rest.strip_prefix(name)).is_some_and(|rest| {
            !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_')
        })
    })
}

#[test]
fn every_name_at_the_root_has_an_example() {
    let sources = exported_sources();
    // Crates that are handed on as modules; the READMEs are their documentation and are compiled.
    let handed_on = [("attest", "runtime/attest/README.md"), ("proof", "kv/proof/README.md")];
    let mut faults = Vec::new();
    for name in root_names() {
        if let Some((_, readme)) = handed_on.iter().find(|(module, _)| *module == name) {
            let text = std::fs::read_to_string(root().join(readme)).unwrap();
            assert!(text.contains("```rust"), "{readme} has no example");
            continue;
        }
        let files = [format!("runtime/src/{name}.rs"), format!("runtime/src/{name}/mod.rs")];
        let is_module = name.starts_with(|first: char| first.is_ascii_lowercase());
        let found = sources.iter().find_map(|(file, text)| {
            let lines: Vec<&str> = text.lines().collect();
            if is_module {
                let head = lines.iter().take_while(|line| line.starts_with("//!"));
                return files
                    .contains(file)
                    .then(|| head.into_iter().any(|l| l.starts_with("//! ```")));
            }
            let at = lines.iter().position(|line| declares(line, &name))?;
            Some(has_example(&lines, at))
        });
        match found {
            Some(true) => {}
            Some(false) => faults.push(format!("{name} has no example")),
            None => faults.push(format!("{name} was not found")),
        }
    }
    for (file, text) in &sources {
        let lines: Vec<&str> = text.lines().collect();
        for (at, _) in
            lines.iter().enumerate().filter(|(_, line)| line.starts_with("macro_rules! "))
        {
            let exported = at > 0 && lines[at - 1] == "#[macro_export]";
            if exported && !has_example(&lines, at) {
                faults.push(format!("{file}:{}: the macro has no example", at + 1));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The types whose every public method has an example.
const EXPLAINED: &[&str] = &[
    "Runtime",
    "RuntimeBuilder",
    "WantsStorage",
    "WantsSealing",
    "EndpointOptions",
    "Request",
    "Response",
    "Receipt",
    "Tx",
    "Snapshot",
    "MapName",
];

#[test]
fn every_method_of_the_nouns_has_an_example() {
    let mut methods: BTreeMap<&str, usize> = EXPLAINED.iter().map(|name| (*name, 0)).collect();
    let mut faults = Vec::new();
    for (file, text) in exported_sources() {
        // The verifier's receipt is another type.
        if file.starts_with("kv/proof/") {
            continue;
        }
        let lines: Vec<&str> = text.lines().collect();
        let mut of = None;
        for (at, line) in lines.iter().enumerate() {
            if let Some(block) = line.strip_prefix("impl ") {
                of = block.strip_suffix(" {").filter(|name| methods.contains_key(name));
            } else if *line == "}" {
                of = None;
            }
            let Some(name) = of else { continue };
            if !line.starts_with("    pub fn ") && !line.starts_with("    pub const fn ") {
                continue;
            }
            *methods.get_mut(name).unwrap() += 1;
            if !has_example(&lines, at) {
                faults.push(format!("{file}:{}: no example: {}", at + 1, line.trim()));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    let unseen: Vec<_> = methods.iter().filter(|(_, count)| **count == 0).collect();
    assert!(unseen.is_empty(), "no method was found of {unseen:?}");
}

#[test]
fn unsafe_code_stays_where_it_is_allowed() {
    for path in sources() {
        let inside = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        if inside.starts_with("bindings-js/")
            || inside.starts_with("runtime/capi/")
            || inside.starts_with("bindings-python/")
            // What a call through the C interface costs, measured outside the workspace.
            || inside.starts_with("benches/compare/")
            || inside.ends_with("tidy.rs")
        {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("unsafe {"), "{inside}: unsafe code belongs to the bindings only");
        if inside.ends_with("src/lib.rs") {
            assert!(text.contains("#![forbid(unsafe_code)]"), "{inside}: must forbid unsafe code");
        }
    }
}
