//! `--watch`: whether the app's files have changed and come to rest.
//!
//! Looked at by polling, since an app has few files, and editors and bundlers replace files and whole
//! directories, which the system's notifications survive badly. What is compared is every file's
//! identity, size and times of change, so that a replaced file counts and an unread one does not.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::language::{AppLoader, Languages};

/// Inode, size, and the times of the last change of content and of anything, in nanoseconds.
type Mark = (u64, u64, i128, i128);
type Marks = BTreeMap<PathBuf, Mark>;

/// The files of one app.
pub(crate) struct Watch {
    app: PathBuf,
    languages: Languages,
    /// Whose app it is; asked again only when it has changed, since the answer may take reading.
    loader: Option<Arc<dyn AppLoader>>,
    /// As they were when the app was last loaded, or tried to be.
    loaded: Marks,
    /// As they were at the last look.
    seen: Marks,
}

impl Watch {
    /// Notes the files of the app at `app`, a directory or a file; to be called before it is loaded.
    pub(crate) fn new(app: &Path, languages: &Languages) -> Self {
        let mut watch = Self {
            app: app.to_owned(),
            languages: languages.clone(),
            loader: languages.of_app(app).ok().cloned(),
            loaded: Marks::new(),
            seen: Marks::new(),
        };
        watch.loaded = watch.look();
        watch.seen.clone_from(&watch.loaded);
        watch
    }

    /// Looks at the files. True once after each change, when they are as they were at the previous
    /// look: whoever writes several files is left to finish.
    pub(crate) fn due(&mut self) -> bool {
        let now = self.look();
        let at_rest = now == self.seen;
        let due = at_rest && now != self.loaded;
        self.seen = now;
        if due {
            self.loader = self.languages.of_app(&self.app).ok().cloned();
            self.loaded = self.look();
            self.seen.clone_from(&self.loaded);
        }
        due
    }

    fn look(&self) -> Marks {
        let files = self.loader.iter().flat_map(|loader| loader.files(&self.app));
        files.filter_map(|path| mark(&path).map(|mark| (path, mark))).collect()
    }
}

/// A file that is not there has no mark.
fn mark(path: &Path) -> Option<Mark> {
    let nanoseconds = |s: i64, ns: i64| i128::from(s) * 1_000_000_000 + i128::from(ns);
    let file = fs::metadata(path).ok()?;
    let modified = nanoseconds(file.mtime(), file.mtime_nsec());
    let changed = nanoseconds(file.ctime(), file.ctime_nsec());
    Some((file.ino(), file.size(), modified, changed))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn watch(app: &Path) -> Watch {
        Watch::new(app, &Languages::plain(&[]))
    }

    fn app() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("src/lib")).unwrap();
        fs::write(root.path().join("app.json"), "{}").unwrap();
        fs::write(root.path().join("src/lib/a.js"), "1").unwrap();
        root
    }

    #[test]
    fn a_change_is_due_once_and_only_at_rest() {
        let root = app();
        let at = |name: &str| root.path().join(name);
        let mut watch = watch(root.path());
        assert!(!watch.due());
        fs::write(at("src/lib/a.js"), "12").unwrap();
        assert!(!watch.due(), "not at rest yet");
        fs::write(at("src/lib/b.js"), "").unwrap();
        assert!(!watch.due(), "changed again");
        assert!(watch.due());
        assert!(!watch.due());
        fs::write(at("notes.txt"), "no part of the app").unwrap();
        assert!(!watch.due() && !watch.due());
    }

    #[test]
    fn replaced_removed_and_returned_files_count() {
        let root = app();
        let at = |name: &str| root.path().join(name);
        let mut watch = watch(root.path());
        let mut changes = |change: &dyn Fn()| {
            change();
            let due = [watch.due(), watch.due(), watch.due()];
            assert_eq!(due, [false, true, false]);
        };
        // As an editor does it: another file takes the name, of the same size.
        changes(&|| {
            fs::write(at("new"), "2").unwrap();
            fs::rename(at("new"), at("src/lib/a.js")).unwrap();
        });
        changes(&|| fs::remove_dir_all(at("src")).unwrap());
        changes(&|| {
            fs::create_dir(at("src")).and_then(|()| fs::write(at("src/c.js"), "")).unwrap()
        });
        changes(&|| fs::remove_file(at("app.json")).unwrap());
        changes(&|| fs::write(at("bundle.json"), "{}").unwrap());
    }

    #[test]
    fn each_language_says_what_is_watched() {
        let root = app();
        let at = |name: &str| root.path().join(name);
        let mut watch = watch(root.path());
        fs::write(at("notes.py"), "").unwrap();
        assert!(!watch.due() && !watch.due(), "no part of a JavaScript app");
        // It becomes a Python app, whose sources lie anywhere.
        fs::write(at("app.json"), r#"{"endpoints": {"/x": {"get": {"py_module": "a.py"}}}}"#)
            .unwrap();
        assert!(!watch.due() && watch.due());
        fs::write(at("notes.py"), "x = 1").unwrap();
        assert!(!watch.due() && watch.due());
        fs::write(at("src/lib/a.js"), "123").unwrap();
        assert!(!watch.due() && !watch.due());
    }

    #[test]
    fn a_single_file_is_watched_too() {
        let root = app();
        let file = root.path().join("app.json");
        let mut watch = watch(&file);
        fs::write(root.path().join("src/lib/a.js"), "123").unwrap();
        assert!(!watch.due() && !watch.due());
        fs::write(&file, "{ }").unwrap();
        assert!(!watch.due() && watch.due());
    }
}
