//! Apps of the languages that this library was built with.

use std::path::Path;
use std::sync::Arc;

use affiant::hosting::{AppBundle, Frontend, RuntimeOptions, python};

use crate::fault::Fault;
#[cfg(any(feature = "python", feature = "js"))]
use crate::status::AFFIANT_APPLICATION;

/// An app that is ready to be served.
pub(crate) struct LoadedApp {
    /// What is deployed of it.
    pub(crate) bundle: AppBundle,
    /// What serves it.
    pub(crate) frontend: Arc<dyn Frontend>,
    /// What will fail when it is called; a sentence each.
    pub(crate) warnings: Vec<String>,
}

/// Loads the app at `path`, in whichever language it is: that is told from names and metadata, as on the
/// command line. May block for as long as an app's modules take to be evaluated.
pub(crate) fn load(path: &Path, options: &RuntimeOptions) -> Result<LoadedApp, Fault> {
    if python::is_app(path) { load_python(path, options) } else { load_javascript(path, options) }
}

#[cfg(any(feature = "python", feature = "js"))]
fn failed(reason: impl ToString) -> Fault {
    Fault::new(AFFIANT_APPLICATION, reason.to_string())
}

#[cfg(feature = "python")]
fn load_python(path: &Path, options: &RuntimeOptions) -> Result<LoadedApp, Fault> {
    let loaded = affiant_python_host::load(path, options).map_err(failed)?;
    let affiant_python_host::Loaded { bundle, frontend, warnings } = loaded;
    Ok(LoadedApp { bundle, frontend, warnings })
}

#[cfg(not(feature = "python"))]
fn load_python(path: &Path, _options: &RuntimeOptions) -> Result<LoadedApp, Fault> {
    Err(unsupported(path, "Python", "python"))
}

#[cfg(feature = "js")]
fn load_javascript(path: &Path, options: &RuntimeOptions) -> Result<LoadedApp, Fault> {
    let bundle = AppBundle::load(path).map_err(failed)?;
    let endpoints = bundle.endpoints().map_err(failed)?;
    let frontend = affiant_js::JsFrontend::load(&bundle, endpoints, options.clone())
        .map_err(|error| failed(format!("{}: {error}", bundle.origin)))?;
    let warnings = frontend.warnings().to_vec();
    Ok(LoadedApp { bundle, frontend: Arc::new(frontend), warnings })
}

#[cfg(not(feature = "js"))]
fn load_javascript(path: &Path, _options: &RuntimeOptions) -> Result<LoadedApp, Fault> {
    Err(unsupported(path, "JavaScript", "js"))
}

#[cfg(not(all(feature = "python", feature = "js")))]
fn unsupported(path: &Path, language: &str, feature: &str) -> Fault {
    let text = format!(
        "{}: an app in {language}, and this library was built without it (feature {feature}): link one \
         that has it, as affiant_has_feature tells",
        path.display()
    );
    Fault::new(crate::status::AFFIANT_UNSUPPORTED, text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn fault(path: &Path) -> Fault {
        load(path, &RuntimeOptions::default()).err().unwrap()
    }

    #[test]
    #[cfg(not(feature = "python"))]
    fn a_python_app_is_known_as_such_by_a_library_without_python() {
        let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps/python");
        let refused = fault(&app);
        assert_eq!(refused.status, crate::status::AFFIANT_UNSUPPORTED);
        assert!(refused.text.contains("an app in Python"), "{}", refused.text);
    }

    #[test]
    #[cfg(feature = "python")]
    fn a_python_app_is_loaded_or_its_fault_is_told() {
        let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps/python");
        let loaded = load(&app, &RuntimeOptions::default()).unwrap();
        assert_eq!(loaded.frontend.language(), "python");
        assert_eq!((loaded.warnings, loaded.bundle.modules.len()), (Vec::new(), 3));
        let missing = fault(&app.join("ledger_of"));
        assert_eq!(missing.status, AFFIANT_APPLICATION, "{}", missing.text);
    }

    #[test]
    #[cfg(feature = "js")]
    fn a_javascript_app_is_loaded_or_its_fault_is_told() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("src")).unwrap();
        let metadata = r#"{"endpoints": {"/x": {"get": {
            "js_module": "a.js", "js_function": "get", "forwarding_required": "never", "redirection_strategy": "none",
            "authn_policies": ["no_auth"], "mode": "readonly", "openapi": {}}}}}"#;
        std::fs::write(root.path().join("app.json"), metadata).unwrap();
        let missing = fault(root.path());
        assert_eq!(missing.status, AFFIANT_APPLICATION, "{}", missing.text);
        std::fs::write(root.path().join("src/a.js"), "export function get() { return {}; }")
            .unwrap();
        let loaded = load(root.path(), &RuntimeOptions::default()).unwrap();
        assert_eq!(loaded.frontend.language(), "javascript");
        assert_eq!((loaded.warnings, loaded.bundle.modules.len()), (Vec::new(), 1));
    }
}
