//! A CCF application bundle: endpoint metadata and module sources, from a directory
//! (`app.json` + `src/`), a `bundle.json`, or the governance tables of a running service
//! (reference B.1, B.2, G.2).

mod load;
mod tables;
mod validate;

use core::fmt;

use serde_json::Value as Json;

/// A bundle as loaded; endpoint metadata is validated by [`AppBundle::endpoints`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AppBundle {
    /// `app.json`'s `endpoints` object: path, then lower-case verb, then properties.
    pub metadata: Json,
    /// Module name with a leading slash (`src/log.js` is stored as `/log.js`) and its source,
    /// ascending by name.
    pub modules: Vec<(String, String)>,
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
    /// The source of a module; the leading slash of `name` is optional.
    #[must_use]
    pub fn module(&self, name: &str) -> Option<&str> {
        let bare = name.trim_start_matches('/');
        self.modules
            .iter()
            .find(|(known, _)| known.trim_start_matches('/') == bare)
            .map(|(_, source)| source.as_str())
    }
}

/// `name` with exactly one leading slash.
fn slashed(name: &str) -> String {
    format!("/{}", name.trim_start_matches('/'))
}
