//! What is a Python app, told from names and metadata alone: hosts without an interpreter, and loaders
//! inside one, must agree on it.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::bundle::AppBundle;
use crate::endpoint::Language;
use crate::limits::{BUNDLE_METADATA_BYTES_MAX, MODULE_DEPTH_MAX, MODULES_COUNT_MAX};

/// Largest `pyproject.toml` that is looked into, in bytes.
const PROJECT_BYTES_MAX: u64 = 1 << 20;
/// Directory entries looked at to find an app's files.
const ENTRIES_COUNT_MAX: usize = 20_000;
/// Stands in every member's header of a tar archive, and so at the start of the file.
const TAR_MARK: &[u8] = b"ustar";
const TAR_MARK_OFFSET: usize = 257;
/// What the names of all properties start with that belong to Python.
const MARK: &str = "\"py_";

/// The path and the attribute of `app.py:attribute`; of everything else the path alone.
#[must_use]
pub fn entry(app: &Path) -> (PathBuf, Option<&str>) {
    match app.to_str().and_then(|text| text.rsplit_once(':')) {
        Some((file, attribute)) if file.ends_with(".py") && !attribute.contains('/') => {
            (PathBuf::from(file), Some(attribute))
        }
        _ => (app.to_owned(), None),
    }
}

/// Whether `app` is a Python app: `X.py`, `X.py:attribute`; a directory whose `pyproject.toml` has a
/// table `[tool.affiant]`, one with `app.py` and no `app.json`, one whose `app.json` or `bundle.json`
/// names Python modules; a `bundle.json` or a proposal that does; an archive as `affiant bundle`
/// writes it.
#[must_use]
pub fn is_app(app: &Path) -> bool {
    let (path, _) = entry(app);
    if !path.is_dir() {
        let source = path.extension().is_some_and(|extension| extension == "py");
        return source || is_archive(&path) || serves_python(&path);
    }
    if read(&path.join("pyproject.toml"), PROJECT_BYTES_MAX).is_some_and(|text| has_table(&text)) {
        return true;
    }
    let metadata = path.join("app.json");
    if metadata.exists() {
        return serves_python(&metadata);
    }
    path.join("app.py").is_file() || serves_python(&path.join("bundle.json"))
}

/// Whether a bundle's endpoints name Python modules; without endpoints, whether it has what only
/// Python apps have.
#[must_use]
pub fn is_bundle(bundle: &AppBundle) -> bool {
    match bundle.language() {
        Some(language) => language == Language::Python,
        None => bundle.manifest.is_some(),
    }
}

/// The files of a Python app: its sources and what describes it. Of an environment, of caches and of a
/// sandbox's workspace nothing is listed.
#[must_use]
pub fn files(app: &Path) -> Vec<PathBuf> {
    let (path, _) = entry(app);
    let directory = match path.extension() {
        Some(extension) if extension == "py" => match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
            Some(parent) => parent.to_owned(),
            None => PathBuf::from("."),
        },
        _ if path.is_dir() => path.clone(),
        _ => return vec![path],
    };
    let mut files: Vec<PathBuf> = ["app.json", "bundle.json", "pyproject.toml"]
        .into_iter()
        .map(|name| directory.join(name))
        .filter(|file| file.exists())
        .collect();
    let mut entries_left = ENTRIES_COUNT_MAX;
    descend(&directory, 0, &mut entries_left, &mut files);
    files
}

fn descend(directory: &Path, depth: usize, entries_left: &mut usize, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if *entries_left == 0 || files.len() > MODULES_COUNT_MAX {
            return;
        }
        *entries_left -= 1;
        let path = entry.path();
        if path.is_dir() {
            if depth < MODULE_DEPTH_MAX && !is_foreign(&path) {
                descend(&path, depth + 1, entries_left, files);
            }
        } else if path.extension().is_some_and(|extension| extension == "py") {
            files.push(path);
        }
    }
}

/// Whether a directory below an app holds nothing of it.
fn is_foreign(directory: &Path) -> bool {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.')
        || ["__pycache__", "node_modules"].contains(&&*name)
        || directory.join("pyvenv.cfg").exists()
        || directory.join("sandbox_common").exists()
}

/// Whether a file is a tar archive, whatever its name.
fn is_archive(path: &Path) -> bool {
    let mut head = [0; TAR_MARK_OFFSET + TAR_MARK.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head.ends_with(TAR_MARK)
}

/// Whether the text of a `pyproject.toml` has the table, however its header is spaced and quoted.
fn has_table(text: &str) -> bool {
    text.lines().any(|line| {
        let line: String = line.chars().filter(|c| !c.is_whitespace() && *c != '"').collect();
        line.starts_with("[tool.affiant]") || line.starts_with("[tool.affiant.")
    })
}

/// Whether an `app.json`, a `bundle.json` or a proposal names Python modules. What is no JSON is not
/// Python's to complain about.
fn serves_python(path: &Path) -> bool {
    // Most files are told apart without parsing megabytes.
    let text = read(path, BUNDLE_METADATA_BYTES_MAX).filter(|text| text.contains(MARK));
    let Some(document) = text.and_then(|text| serde_json::from_str::<Json>(&text).ok()) else {
        return false;
    };
    let actions = document.get("actions").and_then(Json::as_array);
    let proposed = actions.into_iter().flatten();
    let proposed = proposed.filter_map(|action| action.pointer("/args/bundle/metadata"));
    let metadata = [Some(&document), document.get("metadata")].into_iter().flatten();
    metadata.chain(proposed).filter_map(|metadata| metadata.get("endpoints")).any(|endpoints| {
        is_bundle(&AppBundle { metadata: endpoints.clone(), ..AppBundle::default() })
    })
}

fn read(path: &Path, bytes_max: u64) -> Option<String> {
    let mut text = String::new();
    let read = File::open(path).ok()?.take(bytes_max + 1).read_to_string(&mut text).ok()?;
    (read as u64 <= bytes_max).then_some(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const PYTHON: &str = r#"{"endpoints": {"/x": {"get": {"py_module": "a.py"}}}}"#;
    const JAVASCRIPT: &str = r#"{"endpoints": {"/py_module": {"get": {"js_module": "a.js"}}}}"#;

    #[test]
    fn files_are_told_by_their_names() {
        for (app, wanted) in [
            ("app.py", true),
            ("app.py:api", true),
            ("deep/app.py:factory.api", true),
            ("none.tar", false),
            ("app.js", false),
            ("apply", false),
            ("odd:py/app", false),
        ] {
            assert_eq!(is_app(Path::new(app)), wanted, "{app}");
        }
        let (path, attribute) = entry(Path::new("a:b/app.py:api"));
        assert_eq!((path.to_str(), attribute), (Some("a:b/app.py"), Some("api")));
        assert_eq!(entry(Path::new("app.py")).1, None);
        assert_eq!(entry(Path::new("app.py:x/app")), (PathBuf::from("app.py:x/app"), None));
    }

    #[test]
    fn directories_are_told_by_what_describes_them() {
        for (files, wanted) in [
            (&[("app.py", "")][..], true),
            (&[("app.py", ""), ("app.json", JAVASCRIPT)], false),
            (&[("app.json", PYTHON), ("src/a.py", "")], true),
            (&[("app.json", JAVASCRIPT), ("src/a.js", "")], false),
            (&[("pyproject.toml", "[project]\nname = 'x'\n[ tool.\"affiant\" ] # here\n")], true),
            (&[("pyproject.toml", "[tool.affiant.policy]\n"), ("app.json", "{")], true),
            (&[("pyproject.toml", "[tool.affiants]\n")], false),
            (&[("bundle.json", &format!(r#"{{"metadata": {PYTHON}, "modules": []}}"#))], true),
            (&[("bundle.json", "py_module")], false),
            (&[], false),
        ] {
            assert_eq!(is_app(directory(files).path()), wanted, "{files:?}");
        }
    }

    #[test]
    fn bundles_and_proposals_are_told_by_their_content() {
        let bundle = format!(r#"{{"metadata": {PYTHON}, "modules": []}}"#);
        let proposal =
            format!(r#"{{"actions": [{{}}, {{"name": "x", "args": {{"bundle": {bundle}}}}}]}}"#);
        let other = format!(r#"{{"metadata": {JAVASCRIPT}, "modules": []}}"#);
        let root = directory(&[("a.json", &bundle), ("b", &proposal), ("c.json", &other)]);
        assert!(is_app(&root.path().join("a.json")) && is_app(&root.path().join("b")));
        assert!(!is_app(&root.path().join("c.json")));
        let mut archive = vec![0; 512];
        archive[TAR_MARK_OFFSET..TAR_MARK_OFFSET + 5].copy_from_slice(TAR_MARK);
        for (length, wanted) in [(512, true), (TAR_MARK_OFFSET + 4, false)] {
            fs::write(root.path().join("d.affiant"), &archive[..length]).unwrap();
            assert_eq!(is_app(&root.path().join("d.affiant")), wanted);
        }
        assert!(is_bundle(&AppBundle::from_json(&bundle, "x").unwrap()));
        assert!(!is_bundle(&AppBundle::from_json(&other, "x").unwrap()));
    }

    #[test]
    fn the_files_of_an_app_are_its_own() {
        let root = directory(&[
            ("app.py", ""),
            ("pyproject.toml", ""),
            ("notes.txt", ""),
            ("lib/store.py", ""),
            ("lib/__pycache__/store.py", ""),
            (".git/hook.py", ""),
            ("env/pyvenv.cfg", ""),
            ("env/lib/six.py", ""),
            ("workspace/sandbox_common/x.py", ""),
        ]);
        for app in [root.path().to_owned(), root.path().join("app.py:api")] {
            let mut found = files(&app);
            found.sort();
            let wanted = ["app.py", "lib/store.py", "pyproject.toml"];
            assert_eq!(found, wanted.map(|name| root.path().join(name)));
        }
        assert_eq!(files(Path::new("a.affiant")), [Path::new("a.affiant")]);
    }
}
