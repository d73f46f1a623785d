//! An application bundle as CCF's: endpoint metadata and module sources, from a directory
//! (`app.json` + `src/`), a `bundle.json`, a proposal, or the governance tables of a running service
//! (reference B.1, B.2, G.2).

mod deploy;
mod load;
pub mod python;
mod tables;
mod validate;

use core::fmt;
use std::path::Path;

use serde_json::Value as Json;

use crate::endpoint::Language;

/// A bundle as loaded; endpoint metadata is validated by [`AppBundle::endpoints`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AppBundle {
    /// `app.json`'s `endpoints` object: path, then lower-case verb, then properties.
    pub metadata: Json,
    /// Module name with a leading slash (`src/log.js` is stored as `/log.js`) and its source,
    /// ascending by name.
    pub modules: Vec<(String, String)>,
    /// Module name and source map (ECMA-426), where a bundler wrote one beside the module. Not deployed.
    pub source_maps: Vec<(String, String)>,
    /// What a Python app says about itself: needs, policy, packages. An object.
    pub manifest: Option<Json>,
    /// Where the metadata came from, for error messages: a path, or the endpoints table.
    pub origin: String,
}

/// Why a bundle cannot be used: every problem found, each naming file, field, fault and cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleError {
    /// The problems, in the order found; never empty.
    pub problems: Vec<String>,
}

impl BundleError {
    pub(crate) fn one(problem: String) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.problems {
            [only] => f.write_str(only),
            all => {
                write!(f, "{} problems in the application bundle:", all.len())?;
                for problem in all {
                    write!(f, "\n  - {problem}")?;
                }
                Ok(())
            }
        }
    }
}

impl core::error::Error for BundleError {}

impl AppBundle {
    /// The language of the endpoints, as far as the first that says so tells; one bundle has one, which
    /// [`Self::endpoints`] checks. `None` where no endpoint names a handler.
    #[must_use]
    pub fn language(&self) -> Option<Language> {
        let paths = self.metadata.as_object().into_iter().flatten();
        let verbs = paths.flat_map(|(_, verbs)| verbs.as_object().into_iter().flatten());
        verbs.filter_map(|(_, properties)| language_of(properties)).next()
    }

    /// The source of a module; the leading slash of `name` is optional.
    #[must_use]
    pub fn module(&self, name: &str) -> Option<&str> {
        let bare = name.trim_start_matches('/');
        self.modules
            .iter()
            .find(|(known, _)| known.trim_start_matches('/') == bare)
            .map(|(_, source)| source.as_str())
    }

    /// Where a module's source is, for messages to its author: the file below `src/`, or the module
    /// of the file or table that the bundle came from.
    #[must_use]
    pub fn place_of(&self, module: &str) -> String {
        let bare = module.trim_start_matches('/');
        let origin = Path::new(&self.origin);
        match origin.parent() {
            Some(directory) if origin.ends_with("app.json") => {
                directory.join("src").join(bare).display().to_string()
            }
            None => format!("/{bare}"),
            Some(_) => format!("{}: /{bare}", self.origin),
        }
    }
}

/// What names the handler of an endpoint in JavaScript.
const JAVASCRIPT_FIELDS: &[&str] = &["js_module", "js_function"];
/// The same in Python.
const PYTHON_FIELDS: &[&str] = &["py_module", "py_function", "py_interface"];

/// The property of an endpoint that names its module.
pub(crate) const fn module_field(language: Language) -> &'static str {
    match language {
        Language::JavaScript => "js_module",
        Language::Python => "py_module",
    }
}

/// The language in which an endpoint's properties name a handler; JavaScript where they name two.
fn language_of(properties: &Json) -> Option<Language> {
    let has = |fields: &[&str]| fields.iter().any(|field| properties.get(field).is_some());
    if has(JAVASCRIPT_FIELDS) {
        return Some(Language::JavaScript);
    }
    has(PYTHON_FIELDS).then_some(Language::Python)
}

/// `name` with exactly one leading slash.
pub(crate) fn slashed(name: &str) -> String {
    format!("/{}", name.trim_start_matches('/'))
}
