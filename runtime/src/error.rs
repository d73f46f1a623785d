//! What can go wrong while a node starts, runs and stops. Outcomes of requests are values, and HTTP
//! errors are built where HTTP is: neither is here.
//!
//! Every message says what happened, where, and what the operator can do. The command line chooses
//! the process's exit code by the variant.

use core::fmt;

use affiant_kv::{DiskError, KeyError, KvError};

use crate::bundle::BundleError;

/// A failure of the runtime.
///
/// ```
/// use affiant::RuntimeError;
/// use affiant::config::Configuration;
///
/// let error = Configuration::parse("{}").unwrap_err();
/// assert!(matches!(error, RuntimeError::ConfigInvalid { .. }));
/// println!("{error}"); // what happened, where, and what to do
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The configuration is not acceptable.
    ConfigInvalid {
        /// Where in the JSON, as `ledger.chunk_size`; empty for the whole document.
        location: String,
        /// What is wrong there, and what would be right.
        reason: String,
    },
    /// The configuration file, or a file that it names, cannot be read.
    FileUnreadable {
        /// What the file is for.
        what: &'static str,
        /// Its path, as configured.
        path: String,
        /// The system's words.
        reason: String,
    },
    /// A file that the node must write cannot be written.
    FileUnwritable {
        /// What the file is for.
        what: &'static str,
        /// Its path, as configured.
        path: String,
        /// The system's words.
        reason: String,
    },
    /// A new service was asked for, but the ledger directory holds files.
    LedgerNotEmpty {
        /// The directory, as configured.
        directory: String,
    },
    /// A service was to be resumed, but there is none.
    NothingToResume {
        /// The ledger directory, as configured.
        directory: String,
    },
    /// Another node has the ledger, in this process or in another one.
    InUse {
        /// The ledger directory, as configured.
        directory: String,
        /// The process that has it, where it has said so.
        process: Option<u32>,
    },
    /// Another node's process identifier file is there.
    PidFileExists {
        /// The file.
        path: String,
    },
    /// More shares would be needed than there are members to hold them.
    RecoveryThreshold {
        /// Shares needed to recover.
        threshold: usize,
        /// Members who would hold one.
        participants: usize,
    },
    /// An address cannot be listened on.
    AddressUnavailable {
        /// The interface's name.
        interface: String,
        /// The address.
        address: String,
        /// The system's words.
        reason: String,
    },
    /// The sealed identity file is missing, damaged, or was sealed under another key.
    SealedIdentity {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store, the ledger or the replica failed.
    Storage(KvError),
    /// A key operation failed.
    Key(KeyError),
    /// The host's own means failed: threads, sockets, TLS.
    Host {
        /// What failed, and the system's words.
        reason: String,
    },
    /// The application cannot be used.
    Application(BundleError),
    /// A proposal cannot be applied.
    Proposal {
        /// What the constitution says of it.
        reason: String,
        /// Where its script threw, a frame a line.
        trace: Option<String>,
    },
    /// Something that this version does not do.
    Unsupported {
        /// What was asked for.
        what: String,
    },
    /// The node has failed or was stopped, and accepts nothing more.
    Stopped {
        /// The first failure, or that it was stopped.
        reason: String,
    },
}

/// Result of a runtime call.
///
/// ```
/// use affiant::{MapName, RuntimeResult, Tx};
///
/// fn put(tx: &mut Tx, note: &str) -> RuntimeResult<()> {
///     tx.put(&MapName::new("notes")?, b"latest", note.as_bytes())?;
///     Ok(())
/// }
/// ```
pub type RuntimeResult<T> = Result<T, RuntimeError>;

impl RuntimeError {
    /// The data directory holds something that no node wrote, or that was changed since.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Storage(KvError::Damaged { .. }) | Self::SealedIdentity { .. })
    }

    pub(crate) fn config(location: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::ConfigInvalid { location: location.into(), reason: reason.into() }
    }
}

impl fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConfigInvalid { location, reason } if location.is_empty() => {
                write!(f, "Configuration: {reason}")
            }
            Self::ConfigInvalid { location, reason } => {
                write!(f, "Configuration at {location}: {reason}")
            }
            Self::FileUnreadable { what, path, reason } => {
                write!(f, "The {what} {path} cannot be read: {reason}")
            }
            Self::FileUnwritable { what, path, reason } => {
                write!(f, "The {what} {path} cannot be written: {reason}")
            }
            Self::LedgerNotEmpty { directory } => {
                write!(f, "On start, ledger directory should not exist or be empty ({directory})")
            }
            Self::NothingToResume { directory } => write!(
                f,
                "There is no service to resume in {directory}: start a new one, or point the \
                 ledger directory to the existing one"
            ),
            Self::InUse { directory, process } if *process == Some(std::process::id()) => write!(
                f,
                "{directory} is open in this process already: use the ledger that has it, or close \
                 that first"
            ),
            Self::InUse { directory, process } => {
                let who = process.map(|id| format!(" (process {id})")).unwrap_or_default();
                write!(
                    f,
                    "{directory} is open in another process{who}: one process at a time has a \
                     ledger; stop that one, or have it listen and talk to it over HTTPS"
                )
            }
            Self::PidFileExists { path } => {
                write!(f, "PID file {path} already exists. Exiting.")
            }
            Self::RecoveryThreshold { threshold, participants } => write!(
                f,
                "Recovery threshold ({threshold}) is greater than the number of recovery \
                 participants ({participants}): lower it, or give more members an encryption key"
            ),
            Self::AddressUnavailable { interface, address, reason } => {
                write!(f, "Interface {interface} cannot listen on {address}: {reason}")
            }
            Self::SealedIdentity { path, reason } => write!(f, "Sealed identity {path}: {reason}"),
            Self::Storage(error) => write!(f, "{error}"),
            Self::Key(error) => write!(f, "key operation failed: {error}"),
            Self::Host { reason } => f.write_str(reason),
            Self::Application(error) => write!(f, "{error}"),
            Self::Proposal { reason, .. } => f.write_str(reason),
            Self::Unsupported { what } => write!(f, "This version does not support {what}"),
            Self::Stopped { reason } => write!(f, "the node accepts nothing more: {reason}"),
        }
    }
}

impl core::error::Error for RuntimeError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Storage(error) => Some(error),
            Self::Key(error) => Some(error),
            Self::Application(error) => Some(error),
            _ => None,
        }
    }
}

impl From<BundleError> for RuntimeError {
    fn from(error: BundleError) -> Self {
        Self::Application(error)
    }
}

impl From<KvError> for RuntimeError {
    fn from(error: KvError) -> Self {
        Self::Storage(error)
    }
}

impl From<KeyError> for RuntimeError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<DiskError> for RuntimeError {
    fn from(error: DiskError) -> Self {
        Self::Storage(KvError::Disk(error))
    }
}
