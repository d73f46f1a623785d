//! `affiant new`: a project to start from. Its files are those of `runtime/cli/templates`, which
//! `make examples-js` installs, checks, tests, builds and serves; the Python project's are tried by the
//! tests of the wheel.
//!
//! Invariant: nothing that exists is written over, and a directory with files in it is refused before
//! anything is written.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::args::{NewArgs, ProjectKind};
use crate::exit::{self, Failure};
use crate::output::Output;

macro_rules! template {
    ($folder:literal: $($file:literal),+ $(,)?) => {
        &[
            (".gitignore", include_str!(concat!("../templates/", $folder, "/gitignore"))),
            $(($file, include_str!(concat!("../templates/", $folder, "/", $file)))),+
        ]
    };
}

type Files = &'static [(&'static str, &'static str)];

const JAVASCRIPT: Files = template!("js":
    "README.md", "app.json", "ccf.d.ts", "package.json", "src/notes.js", "test/notes.test.js",
    "tsconfig.json",
);
const TYPESCRIPT: Files = template!("ts":
    "README.md", "app.json", "package.json", "src/app.ts", "test/app.test.ts", "tsconfig.json",
);

const PYTHON: Files =
    template!("python": "README.md", "app.py", "pyproject.toml", "tests/test_app.py");

const NPM: &[&str] = &["npm install", "npm run check && npm test", "npm start"];
const PIP: &[&str] = &[
    "python3 -m venv .venv && . .venv/bin/activate",
    "pip install affiant pytest",
    "pytest",
    "affiant sandbox --app . --watch",
];

/// Stands for the project's name in a template.
const NAME: &str = "{{name}}";
/// A package's name has at most this many characters, says npm.
const NAME_CHARS_MAX: usize = 214;

pub(crate) fn run(arguments: &NewArgs) -> Result<u8, Failure> {
    let failed = |message: String| Failure::new(exit::FAILURE, message);
    let directory = &arguments.dir;
    let (files, what, next) = match arguments.kind {
        ProjectKind::Js => (JAVASCRIPT, "JavaScript", NPM),
        ProjectKind::Ts => (TYPESCRIPT, "TypeScript", NPM),
        ProjectKind::Python => (PYTHON, "Python", PIP),
    };
    require_empty(directory).map_err(failed)?;
    let name = package_name(directory);
    for (file, text) in files {
        write_new(&directory.join(file), &text.replace(NAME, &name)).map_err(failed)?;
    }
    let mut output = Output::new();
    if directory == Path::new(".") {
        output.line(format!("A {what} application is here. Next:"));
    } else {
        output.line(format!("A {what} application is in {}. Next:", directory.display()));
        output.line(format!("  cd {}", directory.display()));
    }
    for command in next {
        output.line(format!("  {command}"));
    }
    Ok(exit::SUCCESS)
}

/// An empty directory, one that holds a Git repository and nothing else, or none at all.
fn require_empty(directory: &Path) -> Result<(), String> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(format!(
                "cannot make a project in {}: {error}. Name a new directory.",
                directory.display()
            ));
        }
    };
    for entry in entries {
        let name = entry.map_err(|error| failed("read", directory, &error))?.file_name();
        if name != ".git" {
            return Err(format!(
                "{} is not empty: it holds {}. Name a new or an empty directory; nothing was written.",
                directory.display(),
                PathBuf::from(name).display()
            ));
        }
    }
    Ok(())
}

fn write_new(path: &Path, text: &str) -> Result<(), String> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| failed("create", parent, &error))?;
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| failed("write", path, &error))
}

fn failed(what: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot {what} {}: {error}", path.display())
}

/// The directory's name, as far as npm and pip take it for a package.
fn package_name(directory: &Path) -> String {
    let whole = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let name = whole.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' })
        .take(NAME_CHARS_MAX)
        .collect();
    // At both ends, since pip wants a letter or a digit there.
    match name.trim_matches(['.', '_', '-']) {
        "" => "affiant-app".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_such_as_npm_and_pip_take() {
        for (directory, name) in [
            ("/x/my-app", "my-app"),
            ("/x/My App!", "my-app"),
            ("/x/.hidden", "hidden"),
            ("/x/_", "affiant-app"),
            ("/", "affiant-app"),
        ] {
            assert_eq!(package_name(Path::new(directory)), name);
        }
    }

    #[test]
    fn templates_name_every_file_that_they_have() {
        for (folder, files) in [("js", JAVASCRIPT), ("ts", TYPESCRIPT), ("python", PYTHON)] {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates").join(folder);
            let mut found = Vec::new();
            for directory in ["", "src", "test", "tests"] {
                let entries = fs::read_dir(root.join(directory)).into_iter().flatten().flatten();
                for path in entries.map(|entry| entry.path()).filter(|path| path.is_file()) {
                    let name = path.strip_prefix(&root).map(|p| p.display().to_string());
                    found.push(name.unwrap_or_default().replace("gitignore", ".gitignore"));
                }
            }
            found.sort();
            let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
            assert_eq!(found, names);
        }
    }
}
