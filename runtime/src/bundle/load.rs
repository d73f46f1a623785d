//! Bundles from files: what CCF's sandbox takes as `--js-app-bundle` and what `ccf-build-bundle`
//! writes.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use super::{AppBundle, BundleError, slashed};
use crate::limits::{
    BUNDLE_METADATA_BYTES_MAX, MODULE_BYTES_MAX, MODULE_DEPTH_MAX, MODULES_COUNT_MAX,
};

impl AppBundle {
    /// Loads a bundle from a directory (with `app.json` and `src/`) or from a `bundle.json`.
    ///
    /// # Errors
    /// A file is missing, unreadable, too large or malformed.
    pub fn load(path: &Path) -> Result<Self, BundleError> {
        if path.is_dir() { Self::from_directory(path) } else { Self::from_file(path) }
    }

    /// Loads `app.json` and every file below `src/`. A directory that holds a `bundle.json` and no
    /// `app.json` is loaded from that.
    ///
    /// # Errors
    /// A file is missing, unreadable, too large or malformed.
    pub fn from_directory(directory: &Path) -> Result<Self, BundleError> {
        let metadata_path = directory.join("app.json");
        let built = directory.join("bundle.json");
        if !metadata_path.exists() && built.exists() {
            return Self::from_file(&built);
        }
        let metadata =
            parse(&read_text(&metadata_path, BUNDLE_METADATA_BYTES_MAX)?, &metadata_path)?;
        let source = directory.join("src");
        if !source.is_dir() {
            return Err(BundleError::one(format!(
                "{}: no such directory; an application's modules lie in src/ beside app.json",
                source.display()
            )));
        }
        let mut modules = Vec::new();
        collect(&source, "", 0, &mut modules)?;
        modules.sort();
        Ok(Self {
            metadata: endpoints_of(metadata, &metadata_path)?,
            modules,
            origin: metadata_path.display().to_string(),
        })
    }

    fn from_file(path: &Path) -> Result<Self, BundleError> {
        let text = read_text(path, BUNDLE_METADATA_BYTES_MAX)?;
        Self::from_json(&text, &path.display().to_string())
    }

    /// Takes a `bundle.json`: `{"metadata": {"endpoints"}, "modules": [{"name", "module"}]}`.
    /// `origin` names it in error messages.
    ///
    /// # Errors
    /// It is not JSON or lacks a part.
    pub fn from_json(text: &str, origin: &str) -> Result<Self, BundleError> {
        let path = Path::new(origin);
        let mut bundle = parse(text, path)?;
        let metadata = bundle.get_mut("metadata").map(Json::take).ok_or_else(|| {
            BundleError::one(format!(
                "{origin}: field metadata is missing; a bundle.json has metadata and modules (an \
                 app.json is loaded by the directory that holds it)"
            ))
        })?;
        let listed = bundle.get("modules").and_then(Json::as_array).ok_or_else(|| {
            BundleError::one(format!(
                "{origin}: field modules is missing or no array; it lists objects with name and \
                 module"
            ))
        })?;
        if listed.len() > MODULES_COUNT_MAX {
            return Err(BundleError::one(format!(
                "{origin}: {} modules; at most {MODULES_COUNT_MAX} are taken",
                listed.len()
            )));
        }
        let mut modules = Vec::with_capacity(listed.len());
        for (index, module) in listed.iter().enumerate() {
            let text = |field: &str| {
                module.get(field).and_then(Json::as_str).ok_or_else(|| {
                    BundleError::one(format!(
                        "{origin}: field modules[{index}].{field} is missing or no string"
                    ))
                })
            };
            modules.push((slashed(text("name")?), text("module")?.to_owned()));
        }
        modules.sort();
        Ok(Self { metadata: endpoints_of(metadata, path)?, modules, origin: origin.to_owned() })
    }
}

fn endpoints_of(mut metadata: Json, path: &Path) -> Result<Json, BundleError> {
    match metadata.get_mut("endpoints").map(Json::take) {
        Some(endpoints @ Json::Object(_)) => Ok(endpoints),
        Some(_) => Err(BundleError::one(format!(
            "{}: field endpoints is no object; it maps paths to verbs to properties",
            path.display()
        ))),
        None => Err(BundleError::one(format!(
            "{}: field endpoints is missing; it maps paths to verbs to properties",
            path.display()
        ))),
    }
}

fn parse(text: &str, path: &Path) -> Result<Json, BundleError> {
    serde_json::from_str(text)
        .map_err(|error| BundleError::one(format!("{}: not JSON: {error}", path.display())))
}

fn read_text(path: &Path, bytes_max: u64) -> Result<String, BundleError> {
    let fail = |why: String| BundleError::one(format!("{}: {why}", path.display()));
    let size = fs::metadata(path).map_err(|error| fail(error.to_string()))?.len();
    if size > bytes_max {
        return Err(fail(format!("{size} bytes; at most {bytes_max} are taken")));
    }
    let bytes = fs::read(path).map_err(|error| fail(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| {
        fail(format!(
            "not UTF-8 after {} bytes; only text belongs here",
            error.utf8_error().valid_up_to()
        ))
    })
}

fn collect(
    directory: &Path,
    prefix: &str,
    depth: usize,
    modules: &mut Vec<(String, String)>,
) -> Result<(), BundleError> {
    let fail = |why: String| BundleError::one(format!("{}: {why}", directory.display()));
    if depth > MODULE_DEPTH_MAX {
        return Err(fail(format!("more than {MODULE_DEPTH_MAX} directories deep")));
    }
    let entries = fs::read_dir(directory).map_err(|error| fail(error.to_string()))?;
    for entry in entries {
        let entry = entry.map_err(|error| fail(error.to_string()))?;
        let Ok(name) = entry.file_name().into_string() else {
            return Err(fail(format!("the name {:?} is not UTF-8", entry.file_name())));
        };
        let path = entry.path();
        let full = format!("{prefix}/{name}");
        if path.is_dir() {
            collect(&path, &full, depth + 1, modules)?;
        } else {
            if modules.len() >= MODULES_COUNT_MAX {
                return Err(fail(format!("more than {MODULES_COUNT_MAX} modules")));
            }
            modules.push((full, read_text(&path, MODULE_BYTES_MAX)?));
        }
    }
    Ok(())
}
