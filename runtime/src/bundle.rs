//! A CCF application bundle: endpoint metadata and module sources, from a directory
//! (`app.json` + `src/`), a `bundle.json`, or the governance tables of a running service.

use serde_json::Value as Json;

/// A bundle as loaded; endpoint metadata is validated by [`AppBundle::endpoints`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AppBundle {
    /// `app.json`'s `endpoints` object: path, then lower-case verb, then properties.
    pub metadata: Json,
    /// Module name with a leading slash (`/src/log.js` is stored as `/log.js` when `src/` is the
    /// bundle's module root) and its source.
    pub modules: Vec<(String, String)>,
    /// Where the metadata came from, for error messages: a path or `bundle`.
    pub origin: String,
}
