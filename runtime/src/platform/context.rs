//! What the host hands to a guest beside the report: its chip's certificates, the container policy,
//! the endorsement of the utility VM. From files that are configured, from Azure's security context
//! directory, or from environment variables, in this order.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use affiant_attest::SecurityContextFiles;
use affiant_attest::limits::SECURITY_CONTEXT_FILE_BYTES_MAX;

use super::settings::{PlatformSettings, expand};
use crate::log_fail;

/// Set by Azure's launcher of confidential containers.
const DIRECTORY_VARIABLE: &str = "UVM_SECURITY_CONTEXT_DIR";
/// Begins the directory's name below the root, where the variable is not set.
const DIRECTORY_PREFIX: &str = "security-context-";
/// Where Kubernetes nodes of Azure have the one file that they hand on, below the root.
const KUBERNETES_DIRECTORY: &str = "opt/confidential-containers/share/kata-containers";

/// Looks up an environment variable.
pub(super) type Variable = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What is looked at: the process's environment and file system, or a test's.
pub(super) struct Surroundings {
    pub(super) variable: Variable,
    /// `/`, in earnest.
    pub(super) root: PathBuf,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self { variable: Box::new(|name| std::env::var(name).ok()), root: PathBuf::from("/") }
    }
}

impl Surroundings {
    fn directory(&self) -> Option<PathBuf> {
        if let Some(directory) = (self.variable)(DIRECTORY_VARIABLE) {
            return Some(directory.into());
        }
        let mut found: Vec<PathBuf> = fs::read_dir(&self.root)
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                let name = path.file_name().and_then(|name| name.to_str());
                name.is_some_and(|name| name.starts_with(DIRECTORY_PREFIX)) && path.is_dir()
            })
            .collect();
        // There is one. Of several, the choice at least is always the same.
        found.sort();
        found.into_iter().next().or_else(|| {
            let directory = self.root.join(KUBERNETES_DIRECTORY);
            directory.join(SecurityContextFiles::REFERENCE_INFO).is_file().then_some(directory)
        })
    }
}

/// What the host handed over, read when it is first asked for.
pub(super) struct Context {
    settings: PlatformSettings,
    surroundings: Surroundings,
    files: OnceLock<SecurityContextFiles>,
}

impl Context {
    pub(super) fn new(settings: &PlatformSettings, surroundings: Surroundings) -> Self {
        Self { settings: settings.clone(), surroundings, files: OnceLock::new() }
    }

    pub(super) fn files(&self) -> &SecurityContextFiles {
        self.files.get_or_init(|| read(&self.settings, &self.surroundings))
    }

    /// An environment variable.
    pub(super) fn variable(&self) -> &dyn Fn(&str) -> Option<String> {
        &*self.surroundings.variable
    }
}

/// Reads what is there. What is configured and cannot be read is said in the log: evidence without
/// it may still do, and a verifier says if it does not.
fn read(settings: &PlatformSettings, surroundings: &Surroundings) -> SecurityContextFiles {
    let directory = surroundings.directory();
    let one = |configured: &Option<String>, name: &str, variable: &str| {
        if let Some(configured) = configured {
            let read = expand(configured, &*surroundings.variable)
                .and_then(|path| read_file(Path::new(&path)));
            return match read {
                Ok(text) => Some(text),
                Err(error) => {
                    log_fail!("node", "Could not read {name} from {configured}: {error}");
                    None
                }
            };
        }
        let path = directory.as_ref().map(|directory| directory.join(name));
        match path.filter(|path| path.exists()).map(|path| (read_file(&path), path)) {
            Some((Ok(text), _)) => Some(text),
            Some((Err(error), path)) => {
                log_fail!("node", "Could not read {}: {error}", path.display());
                None
            }
            None => (surroundings.variable)(variable)
                .filter(|text| text.len() <= SECURITY_CONTEXT_FILE_BYTES_MAX),
        }
    };
    let variables = &settings.environment;
    SecurityContextFiles {
        host_certificates: one(
            &settings.endorsements_file,
            SecurityContextFiles::HOST_CERTIFICATES,
            &variables.report_endorsements,
        ),
        policy: one(
            &settings.security_policy_file,
            SecurityContextFiles::POLICY,
            &variables.security_policy,
        ),
        reference_info: one(
            &settings.uvm_endorsements_file,
            SecurityContextFiles::REFERENCE_INFO,
            &variables.uvm_endorsements,
        ),
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    fs::File::open(path)
        .and_then(|file| {
            file.take(SECURITY_CONTEXT_FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text)
        })
        .map_err(|error| error.to_string())?;
    if text.len() > SECURITY_CONTEXT_FILE_BYTES_MAX {
        return Err(format!("more than {SECURITY_CONTEXT_FILE_BYTES_MAX} bytes"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn surroundings(root: &Path, variables: &[(&str, &str)]) -> Surroundings {
        let variables: Vec<(String, String)> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let variable = move |name: &str| {
            variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
        };
        Surroundings { variable: Box::new(variable), root: root.to_owned() }
    }

    fn found(settings: &PlatformSettings, surroundings: &Surroundings) -> [Option<String>; 3] {
        let files = read(settings, surroundings);
        [files.host_certificates, files.policy, files.reference_info]
    }

    fn texts(texts: [&str; 3]) -> [Option<String>; 3] {
        texts.map(|text| (!text.is_empty()).then(|| text.to_owned()))
    }

    #[test]
    fn each_part_comes_from_the_first_place_that_has_it() {
        let root = tempfile::tempdir().unwrap();
        let nothing = found(&PlatformSettings::default(), &surroundings(root.path(), &[]));
        assert_eq!(nothing, texts(["", "", ""]));

        let variables = [
            ("UVM_HOST_AMD_CERTIFICATE", "v-host"),
            ("UVM_SECURITY_POLICY", "v-policy"),
            ("UVM_REFERENCE_INFO", "v-reference"),
        ];
        let from_variables =
            found(&PlatformSettings::default(), &surroundings(root.path(), &variables));
        assert_eq!(from_variables, texts(["v-host", "v-policy", "v-reference"]));

        // A directory without one of the files; a file of that name is no directory.
        fs::write(root.path().join("security-context-0"), "").unwrap();
        let directory = root.path().join("security-context-abc");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join(SecurityContextFiles::HOST_CERTIFICATES), "d-host\n").unwrap();
        fs::write(directory.join(SecurityContextFiles::REFERENCE_INFO), "d-reference").unwrap();
        let from_directory =
            found(&PlatformSettings::default(), &surroundings(root.path(), &variables));
        assert_eq!(from_directory, texts(["d-host\n", "v-policy", "d-reference"]));

        // The variable that names a directory, and a file that is configured below it.
        let named = root.path().join("named");
        fs::create_dir(&named).unwrap();
        fs::write(named.join(SecurityContextFiles::POLICY), "n-policy").unwrap();
        fs::write(named.join("mine"), "f-reference").unwrap();
        let named = named.display().to_string();
        let all = [&variables[..], &[(DIRECTORY_VARIABLE, named.as_str())]].concat();
        let settings = PlatformSettings {
            uvm_endorsements_file: Some("${UVM_SECURITY_CONTEXT_DIR}/mine".to_owned()),
            endorsements_file: Some("/a/fake/path".to_owned()),
            ..PlatformSettings::default()
        };
        let from_file = found(&settings, &surroundings(root.path(), &all));
        assert_eq!(from_file, texts(["", "n-policy", "f-reference"]));
    }

    #[test]
    fn kubernetes_nodes_have_the_endorsement_in_a_directory_of_their_own() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join(KUBERNETES_DIRECTORY);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(SecurityContextFiles::REFERENCE_INFO), "k-reference").unwrap();
        let from_node = found(&PlatformSettings::default(), &surroundings(root.path(), &[]));
        assert_eq!(from_node, texts(["", "", "k-reference"]));
    }

    #[test]
    fn files_are_bounded() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("large");
        fs::write(&path, "x".repeat(SECURITY_CONTEXT_FILE_BYTES_MAX)).unwrap();
        assert!(read_file(&path).is_ok());
        fs::write(&path, "x".repeat(SECURITY_CONTEXT_FILE_BYTES_MAX + 1)).unwrap();
        assert!(read_file(&path).unwrap_err().contains("more than"));
    }
}
