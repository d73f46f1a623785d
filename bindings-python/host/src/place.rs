//! Which environment Python runs in: where its standard library and its packages are.
//!
//! `PYTHONHOME` and what else Python reads from the process's environment means what it means to `python3`.
//! `VIRTUAL_ENV` names a virtual environment, as activating one sets it. Without it, the interpreter that
//! the running libpython belongs to is found from where that library lies, not by `PATH`: `python3` may be
//! of another version there.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::limits::ENVIRONMENT_BYTES_MAX;

/// Major and minor version of the running libpython.
pub(crate) type Version = (u8, u8);

/// The program that Python takes itself for, of which it finds everything else. `None`: `python3`, wherever
/// `PATH` has it.
///
/// # Errors
/// `virtual_env` is not usable; in a sentence that says what to do.
pub(crate) fn program(
    virtual_env: Option<OsString>,
    library: Option<&Path>,
    version: Version,
) -> Result<Option<PathBuf>, String> {
    match virtual_env {
        Some(environment) if !environment.is_empty() => {
            of_environment(Path::new(&environment), version).map(Some)
        }
        _ => Ok(library.and_then(|library| beside(library, version))),
    }
}

/// The interpreter of a virtual environment.
fn of_environment(environment: &Path, version: Version) -> Result<PathBuf, String> {
    let place = environment.display();
    let description = environment.join("pyvenv.cfg");
    let text = read(&description).map_err(|error| {
        format!(
            "VIRTUAL_ENV is {place}, which is no virtual environment ({}: {error}): unset it, or make one \
             there with python{}.{} -m venv",
            description.display(),
            version.0,
            version.1
        )
    })?;
    if let Some(found) = version_of(&text)
        && found != version
    {
        return Err(format!(
            "VIRTUAL_ENV is {place}, an environment of Python {}.{}, but this program runs Python {}.{} \
             (libpython, which it is linked with): make an environment with python{}.{} -m venv, or unset \
             VIRTUAL_ENV",
            found.0, found.1, version.0, version.1, version.0, version.1
        ));
    }
    let names = ["python3", "python"].map(|name| environment.join("bin").join(name));
    names.into_iter().find(|program| program.exists()).ok_or_else(|| {
        format!(
            "VIRTUAL_ENV is {place}, which has no bin/python3: make it anew, or unset VIRTUAL_ENV"
        )
    })
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(ENVIRONMENT_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// The version in a `pyvenv.cfg`: `version = 3.11.7` or `version_info = 3.11.7.final.0`.
fn version_of(description: &str) -> Option<Version> {
    description.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        matches!(name.trim(), "version" | "version_info").then(|| parse(value.trim())).flatten()
    })
}

/// Major and minor version at the start of a text.
pub(crate) fn parse(text: &str) -> Option<Version> {
    let mut parts = text.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The interpreter whose standard library lies above a libpython: `/usr/bin/python3.11` of
/// `/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0`.
fn beside(library: &Path, (major, minor): Version) -> Option<PathBuf> {
    let name = format!("python{major}.{minor}");
    let real = library.canonicalize().ok()?;
    let prefix = real.ancestors().skip(1).find(|above| {
        ["lib", "lib64"].iter().any(|lib| above.join(lib).join(&name).join("os.py").is_file())
    })?;
    Some(prefix.join("bin").join(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn environment(description: &str, program: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("bin")).unwrap();
        std::fs::write(root.path().join("pyvenv.cfg"), description).unwrap();
        std::fs::write(root.path().join("bin").join(program), "").unwrap();
        root
    }

    fn of(place: &Path) -> Result<Option<PathBuf>, String> {
        program(Some(place.as_os_str().to_owned()), None, (3, 11))
    }

    #[test]
    fn an_environment_of_the_same_version_is_used() {
        for description in [
            "home = /usr/bin\nversion = 3.11.2\n",
            "home=/usr/bin\nversion_info=3.11.7.final.0\n",
            "home = /usr/bin\n",
        ] {
            let root = environment(description, "python3");
            assert_eq!(of(root.path()), Ok(Some(root.path().join("bin/python3"))), "{description}");
        }
        let root = environment("version = 3.11", "python");
        assert_eq!(of(root.path()), Ok(Some(root.path().join("bin/python"))));
    }

    #[test]
    fn what_is_no_environment_of_ours_is_refused_in_plain_words() {
        let root = environment("version = 3.12.1\n", "python3");
        let reason = of(root.path()).unwrap_err();
        assert!(reason.contains("of Python 3.12, but") && reason.contains("python3.11 -m venv"));
        let root = environment("version = 3.11.1\n", "python2");
        assert!(of(root.path()).unwrap_err().contains("no bin/python3"));
        let nothing = tempfile::tempdir().unwrap();
        assert!(of(nothing.path()).unwrap_err().contains("no virtual environment"));
    }

    #[test]
    fn without_an_environment_the_library_tells_the_interpreter() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let library = root.join("lib/x86_64-linux-gnu/libpython3.11.so.1.0");
        for directory in ["lib/x86_64-linux-gnu", "lib/python3.11", "lib/python3.1"] {
            std::fs::create_dir_all(root.join(directory)).unwrap();
        }
        std::fs::write(&library, "").unwrap();
        std::fs::write(root.join("lib/python3.11/os.py"), "").unwrap();
        let found = |version| program(Some(OsString::new()), Some(&library), version).unwrap();
        assert_eq!(found((3, 11)), Some(root.join("bin/python3.11")));
        assert_eq!(found((3, 1)), None);
        assert_eq!(program(None, None, (3, 11)), Ok(None));
    }

    #[test]
    fn versions_are_read_from_the_start_of_a_text() {
        assert_eq!(parse("3.11.7 (main, Nov 1 2026)"), Some((3, 11)));
        assert_eq!(parse("3.14.0a1+"), Some((3, 14)));
        assert_eq!(parse("3"), None);
        assert_eq!(parse("none"), None);
    }
}
