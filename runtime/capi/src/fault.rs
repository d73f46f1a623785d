//! Why a call did not succeed: a status, and a sentence for whoever reads the log.

use std::borrow::Cow;

use affiant::RuntimeError;
use affiant_kv::KvError;

use crate::status::{
    AFFIANT_APPLICATION, AFFIANT_CORRUPT, AFFIANT_FAILED, AFFIANT_IN_USE, AFFIANT_INVALID_ARGUMENT,
    AFFIANT_NULL_ARGUMENT, AFFIANT_STORAGE, AFFIANT_TOO_LARGE, affiant_status,
};

/// A failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) status: affiant_status,
    /// What happened, where, and what to do.
    pub(crate) text: Cow<'static, str>,
}

impl Fault {
    pub(crate) fn new(status: affiant_status, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status, text: text.into() }
    }

    /// A pointer, called `what`, is NULL.
    pub(crate) fn null(what: &'static str) -> Self {
        Self::new(AFFIANT_NULL_ARGUMENT, format!("{what} is NULL"))
    }

    /// An argument is not what the function takes.
    pub(crate) fn argument(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(AFFIANT_INVALID_ARGUMENT, text)
    }
}

impl From<KvError> for Fault {
    fn from(error: KvError) -> Self {
        let status = match &error {
            KvError::TooLarge { .. } => AFFIANT_TOO_LARGE,
            KvError::MapName { .. } => AFFIANT_INVALID_ARGUMENT,
            KvError::Poisoned { .. } => AFFIANT_FAILED,
            KvError::Disk(_) => AFFIANT_STORAGE,
            _ => AFFIANT_CORRUPT,
        };
        Self::new(status, error.to_string())
    }
}

impl From<RuntimeError> for Fault {
    fn from(error: RuntimeError) -> Self {
        let status = match error {
            RuntimeError::Storage(error) => return error.into(),
            RuntimeError::Application(_) => AFFIANT_APPLICATION,
            RuntimeError::Stopped { .. } => AFFIANT_FAILED,
            RuntimeError::InUse { .. } => AFFIANT_IN_USE,
            RuntimeError::SealedIdentity { .. } => AFFIANT_CORRUPT,
            _ => AFFIANT_INVALID_ARGUMENT,
        };
        Self::new(status, error.to_string())
    }
}
