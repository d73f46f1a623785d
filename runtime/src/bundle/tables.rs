//! Bundles in the governance tables (reference G.2): written as the actions `set_js_app` (CCF's) and
//! `set_python_app` write them, read back from any snapshot. Bytecode tables stay empty: they belong
//! to one engine's version, and interpreters here compile when they load.

use std::collections::BTreeMap;

use affiant_kv::{Snapshot, Tx};
use affiant_proof::entry::SINGLETON_KEY;
use serde_json::{Map, Value as Json};

use super::{AppBundle, BundleError, module_field, slashed};
use crate::endpoint::Language;
use crate::genesis::store_bundle;
use crate::limits::MANIFEST_BYTES_MAX;
use crate::tables::{APP_MANIFEST, ENDPOINTS, INTERPRETER_FLUSH, MODULES};

impl AppBundle {
    /// Replaces the application in the tables by this one.
    ///
    /// # Errors
    /// The metadata does not validate, or a module exceeds the bounds of a value.
    pub fn store(&self, tx: &mut Tx) -> Result<(), BundleError> {
        self.endpoints()?;
        if let Some(manifest) = &self.manifest {
            check_manifest(manifest, &self.origin, "")?;
        }
        store_bundle(tx, self).map_err(|error| BundleError::one(error.to_string()))
    }

    /// The application in the tables, `None` if there is none.
    ///
    /// # Errors
    /// A row is malformed.
    pub fn read(snapshot: &Snapshot) -> Result<Option<Self>, BundleError> {
        let mut metadata = Map::new();
        let mut modules = Vec::new();
        for (key, value, _) in snapshot.entries(ENDPOINTS.as_str()) {
            let fail = |why: &str| row(ENDPOINTS.as_str(), key, why);
            let key_text = core::str::from_utf8(key).map_err(|_| fail("the key is not UTF-8"))?;
            let (verb, path) =
                key_text.split_once(' ').ok_or_else(|| fail("the key is no verb, space, path"))?;
            let properties: Json = serde_json::from_slice(value)
                .map_err(|error| fail(&format!("the value is not JSON: {error}")))?;
            let verbs = metadata.entry(path.to_owned()).or_insert_with(|| Json::Object(Map::new()));
            if let Some(verbs) = verbs.as_object_mut() {
                verbs.insert(verb.to_ascii_lowercase(), properties);
            }
        }
        for (key, value, _) in snapshot.entries(MODULES.as_str()) {
            let text = |bytes: &[u8]| {
                String::from_utf8(bytes.to_vec())
                    .map_err(|_| row(MODULES.as_str(), key, "name or source is not UTF-8"))
            };
            modules.push((text(key)?, text(value)?));
        }
        if metadata.is_empty() && modules.is_empty() {
            return Ok(None);
        }
        let manifest = match snapshot.get(APP_MANIFEST.as_str(), &SINGLETON_KEY) {
            Some(bytes) => Some(serde_json::from_slice(&bytes).map_err(|error| {
                let why = format!("the value is not JSON: {error}");
                row(APP_MANIFEST.as_str(), &SINGLETON_KEY, &why)
            })?),
            None => None,
        };
        Ok(Some(Self {
            metadata: Json::Object(metadata),
            modules,
            manifest,
            origin: ENDPOINTS.as_str().to_owned(),
            ..Self::default()
        }))
    }

    /// Whether deploying this bundle or `other` gives the same tables.
    #[must_use]
    pub fn is_same_app(&self, other: &Self) -> bool {
        let modules = |bundle: &Self| -> BTreeMap<String, String> {
            bundle.modules.iter().map(|(name, source)| (slashed(name), source.clone())).collect()
        };
        match (self.rows(), other.rows()) {
            (Ok(own), Ok(others)) => {
                own == others && modules(self) == modules(other) && self.manifest == other.manifest
            }
            _ => false,
        }
    }

    /// The rows of the endpoints table: `VERB /path`, and the properties.
    pub(crate) fn rows(&self) -> Result<BTreeMap<String, Json>, BundleError> {
        let fail = |why: String| BundleError::one(format!("{}: {why}", self.origin));
        let Some(paths) = self.metadata.as_object() else {
            return Err(fail("endpoints must be an object of path templates".to_owned()));
        };
        let mut rows = BTreeMap::new();
        for (path, verbs) in paths {
            let Some(verbs) = verbs.as_object() else {
                return Err(fail(format!("endpoint {path} must be an object of verbs")));
            };
            for (verb, properties) in verbs {
                let mut properties = properties.clone();
                for field in [Language::JavaScript, Language::Python].map(module_field) {
                    let module = properties.get(field).and_then(Json::as_str).map(slashed);
                    if let (Some(module), Some(map)) = (module, properties.as_object_mut()) {
                        map.insert(field.to_owned(), Json::String(module));
                    }
                }
                let key = format!("{} {}", verb.to_ascii_uppercase(), slashed(path));
                rows.insert(key, properties);
            }
        }
        Ok(rows)
    }

    /// A number that changes whenever the application in the tables is replaced.
    #[must_use]
    pub fn stamp(snapshot: &Snapshot) -> u64 {
        let flush = snapshot.version_of_map(INTERPRETER_FLUSH.as_str());
        flush.max(snapshot.version_of_map(ENDPOINTS.as_str()))
    }
}

/// A manifest is an object of bounded size; `field` leads to it.
pub(super) fn check_manifest(
    manifest: &Json,
    origin: &str,
    field: &str,
) -> Result<(), BundleError> {
    let fail = |why: &str| Err(BundleError::one(format!("{origin}: field {field}manifest {why}")));
    if !manifest.is_object() {
        return fail(
            "is no object; it says what the app needs, such as {\"language\": \"python\"}",
        );
    }
    let size = manifest.to_string().len();
    if size > MANIFEST_BYTES_MAX {
        return fail(&format!("has {size} bytes; at most {MANIFEST_BYTES_MAX} are taken"));
    }
    Ok(())
}

fn row(table: &str, key: &[u8], why: &str) -> BundleError {
    BundleError::one(format!("table {table}, key {:?}: {why}", String::from_utf8_lossy(key)))
}
