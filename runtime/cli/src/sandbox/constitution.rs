//! The constitution of a new sandbox: the built-in one, in which whatever is proposed is accepted, or
//! files in its place.

use std::fs;
use std::path::{Path, PathBuf};

use affiant::governance::{Constitution as _, SANDBOX_RESOLVE, constitution_fragments};
use affiant_js::JsConstitution;

/// Largest file of a constitution, in bytes.
const FRAGMENT_BYTES_MAX: u64 = 4 << 20;
/// The file that more actions follow.
const ACTIONS: &str = "actions.js";

/// The source: `files` if there are any, joined in their order; else the files of `directory`, with
/// built-in ones where it has none. Checked as `ccf.gov.validateConstitution` does.
pub(crate) fn assemble(directory: Option<&Path>, files: &[PathBuf]) -> Result<String, String> {
    let fragments = match (directory, files) {
        (None, []) => built_in().map(|(name, source)| Fragment::built_in(name, source)).to_vec(),
        (_, files @ [_, ..]) => files.iter().map(|file| read(file)).collect::<Result<_, _>>()?,
        (Some(directory), []) => from_directory(directory)?,
    };
    let sources: Vec<_> = fragments.iter().map(|fragment| fragment.source.as_str()).collect();
    let source = sources.join("\n");
    JsConstitution::default().check(&source).map_err(|fault| {
        let fault = located(&fault, &fragments);
        match (directory, files) {
            (_, [_, ..]) => format!("--constitution: {fault}"),
            (Some(directory), _) => format!("--constitution-dir {}: {fault}", directory.display()),
            _ => fault,
        }
    })?;
    Ok(source)
}

/// A part of the constitution.
#[derive(Clone)]
struct Fragment {
    /// The file, in an author's terms.
    name: String,
    source: String,
}

impl Fragment {
    fn built_in(name: &str, source: &str) -> Self {
        Self { name: format!("the built-in {name}"), source: source.to_owned() }
    }
}

/// The fault with its line counted in the file that it is in, not in the whole.
fn located(fault: &str, fragments: &[Fragment]) -> String {
    let whole = || fault.to_owned();
    let Some((before, after)) = fault.rsplit_once("constitution:") else { return whole() };
    let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = after.strip_suffix(rest).unwrap_or_default();
    let Ok(mut line) = number.parse::<usize>() else { return whole() };
    for Fragment { name, source } in fragments {
        let lines = source.split('\n').count();
        if line <= lines {
            return format!("{before}{name}:{line}{rest}");
        }
        line -= lines;
    }
    whole()
}

fn built_in() -> [(&'static str, &'static str); 4] {
    constitution_fragments()
        .map(|(name, source)| (name, if name == "resolve.js" { SANDBOX_RESOLVE } else { source }))
}

/// `actions.js`, the directory's other scripts by name, `validate.js`, `resolve.js`, `apply.js`.
fn from_directory(directory: &Path) -> Result<Vec<Fragment>, String> {
    let failed = |error| {
        format!(
            "--constitution-dir {}: {error}; name a directory with any of actions.js, validate.js, \
             resolve.js and apply.js",
            directory.display()
        )
    };
    let mut others = Vec::new();
    let mut found = 0;
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !name.ends_with(".js") {
            continue;
        }
        found += 1;
        if !built_in().iter().any(|(known, _)| *known == name) {
            others.push(path);
        }
    }
    if found == 0 {
        return Err(format!(
            "--constitution-dir {}: there is none of actions.js, validate.js, resolve.js and apply.js",
            directory.display()
        ));
    }
    others.sort();
    let mut fragments = Vec::new();
    for (name, source) in built_in() {
        let path = directory.join(name);
        fragments.push(if path.exists() { read(&path)? } else { Fragment::built_in(name, source) });
        if name == ACTIONS {
            for other in &others {
                fragments.push(read(other)?);
            }
        }
    }
    Ok(fragments)
}

fn read(path: &Path) -> Result<Fragment, String> {
    let source = read_bounded(path, FRAGMENT_BYTES_MAX)?;
    Ok(Fragment { name: path.display().to_string(), source })
}

/// A text file of a bounded size.
pub(crate) fn read_bounded(path: &Path, bytes_max: u64) -> Result<String, String> {
    let failed = |why: String| format!("cannot read {}: {why}", path.display());
    let size = fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if size > bytes_max {
        return Err(failed(format!("it has {size} bytes; at most {bytes_max} are taken")));
    }
    fs::read_to_string(path).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_directory_replaces_what_it_has_and_adds_the_rest() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        let refusal = assemble(Some(directory.path()), &[]).unwrap_err();
        assert!(refusal.contains("actions.js"), "{refusal}");
        write("notes.txt", "not this");
        write("more.js", "actions.set('mine', new Action((args) => {}, (args) => {}));");
        write("resolve.js", "export function resolve(a, b, c) { return 'Rejected'; }");
        let source = assemble(Some(directory.path()), &[]).unwrap();
        let at = |needle: &str| source.find(needle).unwrap();
        assert!(at("const actions = new Map") < at("actions.set('mine'"));
        assert!(at("actions.set('mine'") < at("function validate(input)"));
        assert!(at("function validate(input)") < at("'Rejected'"));
        assert!(at("'Rejected'") < at("function apply(proposal"));
        assert!(!source.contains("not this"));
        write("apply.js", "export function apply(proposal) {}");
        let refusal = assemble(Some(directory.path()), &[]).unwrap_err();
        assert!(refusal.contains("apply(proposal, proposalId)"), "{refusal}");
    }

    #[test]
    fn a_fault_is_told_by_file_and_line() {
        let directory = tempfile::tempdir().unwrap();
        let more = directory.path().join("more.js");
        let place = |text: &str| {
            fs::write(&more, text).unwrap();
            assemble(Some(directory.path()), &[]).unwrap_err()
        };
        let refusal = place("// mine\n\nactions.set(here, 1);\n");
        assert!(refusal.contains(&format!("{}:3", more.display())), "{refusal}");
        let refusal = place("actions.set('a' 'b');");
        assert!(refusal.contains(&format!("{}:1", more.display())), "{refusal}");
        let refusal = assemble(Some(&more), &[]).unwrap_err();
        assert!(refusal.contains("name a directory"), "{refusal}");
    }

    #[test]
    fn files_are_joined_as_they_are_given() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("all.js");
        fs::write(&file, "export const validate = (a) => ({}), resolve = (a, b, c, d) => 'Open',\n  apply = (a, b) => {};").unwrap();
        assert!(assemble(None, std::slice::from_ref(&file)).unwrap().starts_with("export const"));
        let missing = directory.path().join("missing.js");
        assert!(assemble(None, &[missing]).unwrap_err().contains("missing.js"));
        assert!(assemble(None, &[]).unwrap().contains("\"Accepted\""));
    }
}
