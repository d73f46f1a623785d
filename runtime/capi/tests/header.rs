//! The header is what the crate says: generated anew and compared. `AFFIANT_WRITE_HEADER=1` writes it
//! instead (`make header`).

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::Path;

/// What stands at the head of the header, and what C cannot have from Rust.
const PREAMBLE: &str = include_str!("../header/preamble.h");
const TRAILER: &str = include_str!("../header/inline.h");

/// Sections of the documentation that speak to Rust programmers only.
const RUST_ONLY: [&str; 2] = ["# Safety", "# Panics"];

fn generated() -> String {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut config = cbindgen::Config::from_file(crate_dir.join("cbindgen.toml")).unwrap();
    config.header = Some(PREAMBLE.trim_end().to_owned());
    let bindings =
        cbindgen::Builder::new().with_crate(crate_dir).with_config(config).generate().unwrap();
    let mut text = Vec::new();
    bindings.write(&mut text);
    let text = without_rust(&String::from_utf8(text).unwrap());
    // What is inline must be within the guard too.
    let (guarded, end) = text.split_at(text.rfind("#endif").unwrap());
    format!("{guarded}{}\n\n{end}", TRAILER.trim_end())
}

/// Drops the sections of comments that are no concern of C's.
fn without_rust(text: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut dropping = false;
    for line in text.lines() {
        let said = line.trim_start().trim_start_matches("* ").trim();
        if line.trim_start().starts_with('*') && RUST_ONLY.contains(&said) {
            dropping = true;
            // And the empty line above it.
            if kept.last().is_some_and(|last| last.trim() == "*") {
                kept.pop();
            }
        }
        if line.trim_end().ends_with("*/") {
            dropping = false;
        }
        if !dropping {
            kept.push(line.trim_end());
        }
    }
    kept.join("\n") + "\n"
}

#[test]
fn the_header_is_what_the_crate_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include/affiant.h");
    let wanted = generated();
    if std::env::var_os("AFFIANT_WRITE_HEADER").is_some() {
        std::fs::write(&path, wanted).unwrap();
        return;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = wanted.lines().zip(found.lines()).position(|(wanted, found)| wanted != found);
    assert!(
        wanted == found,
        "include/affiant.h is not what runtime/capi says (from line {}): run `make header`",
        differs.unwrap_or_else(|| wanted.lines().count().min(found.lines().count())) + 1
    );
}

#[test]
fn everything_in_the_header_is_documented() {
    let text = generated();
    let lines: Vec<&str> = text.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        let declares = line.starts_with("affiant_")
            || line.starts_with("bool affiant_")
            || line.starts_with("size_t affiant_")
            || line.starts_with("uint32_t affiant_")
            || line.starts_with("const char *affiant_")
            || (line.starts_with("#define AFFIANT_") && !line.contains("AFFIANT_H"))
            || line.starts_with("typedef struct");
        if declares {
            let above = number.checked_sub(1).and_then(|above| lines.get(above));
            let documented = above.is_some_and(|above| above.trim_end().ends_with("*/"));
            assert!(documented, "include/affiant.h:{}: no documentation: {line}", number + 1);
        }
    }
}
