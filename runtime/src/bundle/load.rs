//! Bundles from files: what CCF's sandbox takes as `--js-app-bundle`, what `ccf-build-bundle` writes,
//! and the proposals that deploy such a bundle.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use super::tables::check_manifest;
use super::{AppBundle, BundleError, slashed};
use crate::endpoint::Language;
use crate::limits::{
    BUNDLE_METADATA_BYTES_MAX, MODULE_BYTES_MAX, MODULE_DEPTH_MAX, MODULES_COUNT_MAX,
};

/// The actions that set an app.
const SET_APP: [&str; 2] = ["set_js_app", "set_python_app"];
/// What bundlers write beside a module for debuggers; no module.
const SOURCE_MAP: &str = ".map";

impl AppBundle {
    /// Loads a bundle from a directory (with `app.json` and `src/`), from a `bundle.json`, or from a
    /// proposal whose action `set_js_app` or `set_python_app` holds one; of a file, the content tells which.
    ///
    /// # Errors
    /// A file is missing, unreadable, too large or malformed.
    pub fn load(path: &Path) -> Result<Self, BundleError> {
        if path.is_dir() { Self::from_directory(path) } else { Self::from_file(path) }
    }

    /// Loads `app.json` and every file below `src/` but source maps (`*.map`). A directory that holds
    /// a `bundle.json` and no `app.json` is loaded from that.
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
        let (mut modules, mut source_maps) = (Vec::new(), Vec::new());
        collect(&source, "", 0, &mut |name, path| {
            if let Some(module) = name.strip_suffix(SOURCE_MAP) {
                if source_maps.len() >= MODULES_COUNT_MAX {
                    return Ok(());
                }
                // A map that cannot be read is as none.
                source_maps
                    .extend(read_text(path, MODULE_BYTES_MAX).map(|map| (module.to_owned(), map)));
                return Ok(());
            }
            if modules.len() >= MODULES_COUNT_MAX {
                let why = format!("{}: more than {MODULES_COUNT_MAX} modules", source.display());
                return Err(BundleError::one(why));
            }
            modules.push((name, read_text(path, MODULE_BYTES_MAX)?));
            Ok(())
        })?;
        modules.sort();
        let origin = metadata_path.display().to_string();
        let metadata = endpoints_of(metadata, &origin, "")?;
        Ok(Self { metadata, modules, source_maps, origin, ..Self::default() })
    }

    fn from_file(path: &Path) -> Result<Self, BundleError> {
        let text = read_text(path, BUNDLE_METADATA_BYTES_MAX)?;
        Self::from_json(&text, &path.display().to_string())
    }

    /// Takes a `bundle.json`: `{"metadata": {"endpoints"}, "modules": [{"name", "module"}]}`, of a
    /// Python app also with `"manifest": {}`, or a proposal: `{"actions": [{"name": "set_js_app",
    /// "args": {"bundle": <the same>}}]}`, or `set_python_app`. `origin` names it in error messages.
    ///
    /// # Errors
    /// It is not JSON, lacks a part, or is a proposal of something else.
    pub fn from_json(text: &str, origin: &str) -> Result<Self, BundleError> {
        let mut document = parse(text, Path::new(origin))?;
        let (mut bundle, field) = match document.get_mut("actions") {
            Some(actions) => proposed(actions, origin)?,
            None => (document, String::new()),
        };
        let fail = |what: String| BundleError::one(format!("{origin}: field {field}{what}"));
        let Some(metadata) = bundle.get_mut("metadata").map(Json::take) else {
            let cure = if bundle.get("endpoints").is_some() {
                "this looks like an app.json: name the directory that holds it and src/"
            } else {
                "a bundle.json has metadata and modules, a proposal has actions"
            };
            return Err(fail(format!("metadata is missing; {cure}")));
        };
        let listed = bundle.get_mut("modules").and_then(Json::as_array_mut).ok_or_else(|| {
            fail("modules is missing or no array; it lists objects with name and module".to_owned())
        })?;
        if listed.len() > MODULES_COUNT_MAX {
            let count = listed.len();
            return Err(fail(format!(
                "modules has {count}; at most {MODULES_COUNT_MAX} are taken"
            )));
        }
        let mut modules = Vec::with_capacity(listed.len());
        for (index, module) in listed.iter_mut().enumerate() {
            let mut text = |part: &str| match module.get_mut(part).map(Json::take) {
                Some(Json::String(text)) => Ok(text),
                _ => Err(fail(format!("modules[{index}].{part} is missing or no string"))),
            };
            modules.push((slashed(&text("name")?), text("module")?));
        }
        modules.sort();
        let metadata = endpoints_of(metadata, origin, &format!("{field}metadata."))?;
        let manifest = bundle.get_mut("manifest").map(Json::take).filter(|given| !given.is_null());
        let origin = origin.to_owned();
        let mut bundle = Self { metadata, modules, origin, ..Self::default() };
        // A JavaScript app has none, and what else a file holds is nobody's business.
        if bundle.language() == Some(Language::Python)
            && let Some(manifest) = manifest
        {
            check_manifest(&manifest, &bundle.origin, &field)?;
            bundle.manifest = Some(manifest);
        }
        Ok(bundle)
    }
}

/// The bundle of a proposal's action that sets an app, and the path to it for error messages.
fn proposed(actions: &mut Json, origin: &str) -> Result<(Json, String), BundleError> {
    let fail = |what: String| Err(BundleError::one(format!("{origin}: field {what}")));
    let Some(actions) = actions.as_array_mut() else {
        return fail("actions is no array; a proposal lists its actions there".to_owned());
    };
    let is_app = |action: &Json| {
        let name = action.get("name").and_then(Json::as_str);
        name.is_some_and(|name| SET_APP.contains(&name))
    };
    let mut found = actions.iter_mut().enumerate().filter(|(_, action)| is_app(action));
    let (first, second) = (found.next(), found.next());
    match (first, second) {
        (Some((index, action)), None) => {
            let bundle = action.pointer_mut("/args/bundle").map(Json::take);
            match bundle {
                Some(bundle @ Json::Object(_)) => {
                    Ok((bundle, format!("actions[{index}].args.bundle.")))
                }
                _ => fail(format!(
                    "actions[{index}].args.bundle is missing or no object; it has metadata and \
                     modules"
                )),
            }
        }
        (None, _) => fail(
            "actions has no action set_js_app or set_python_app, so this proposal holds no app; name \
             a directory with app.json and src/, or a bundle.json"
                .to_owned(),
        ),
        (Some(_), Some((index, action))) => fail(format!(
            "actions[{index}] is a second {}; one app is served, so keep one of them",
            action.get("name").and_then(Json::as_str).unwrap_or_default()
        )),
    }
}

/// The object `endpoints` of `metadata`; `field` leads to it.
fn endpoints_of(mut metadata: Json, origin: &str, field: &str) -> Result<Json, BundleError> {
    let why = match metadata.get_mut("endpoints").map(Json::take) {
        Some(endpoints @ Json::Object(_)) => return Ok(endpoints),
        Some(_) => "is no object",
        None => "is missing",
    };
    Err(BundleError::one(format!(
        "{origin}: field {field}endpoints {why}; it maps paths to verbs to properties"
    )))
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

/// Calls `file` with the name below `src/` and the path of every file.
fn collect(
    directory: &Path,
    prefix: &str,
    depth: usize,
    file: &mut impl FnMut(String, &Path) -> Result<(), BundleError>,
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
            collect(&path, &full, depth + 1, file)?;
        } else {
            file(full, &path)?;
        }
    }
    Ok(())
}
