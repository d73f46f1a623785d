//! Why a transaction of the embedding host did not end as it should. Each says what to do.

use core::fmt;
use std::error::Error;
use std::time::Duration;

use affiant_kv::{CommitOutcome, KvError};
use affiant_proof::TxId;

use crate::core::CommitNotice;
use crate::error::RuntimeError;

/// Why a transaction did not commit, or what was asked of one cannot be had.
///
/// ```
/// # use affiant::{LedgerError, MapName, Runtime};
/// # let runtime = Runtime::builder().in_memory().start()?;
/// let counters = MapName::new("counters")?;
/// let mut tx = runtime.begin();
/// let before = tx.get(&counters, b"visits");
/// # assert!(before.is_none());
/// tx.put(&counters, b"visits", b"1")?;
/// // Meanwhile, somebody else does the same.
/// let mut other = runtime.begin();
/// other.put(&counters, b"visits", b"1")?;
/// runtime.commit(other)?;
///
/// let refused = runtime.commit(tx).unwrap_err();
/// assert!(matches!(refused, LedgerError::Conflict));
/// assert!(refused.is_transient());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum LedgerError {
    /// Another transaction changed what this one read; nothing of it was kept.
    Conflict,
    /// Too much waits to be committed; nothing of it was kept.
    TooManyPending,
    /// The node does not number transactions now; nothing of it was kept.
    NotPrimary,
    /// The transaction was begun on another ledger.
    OtherLedger,
    /// The node has failed or was stopped, and accepts nothing more.
    Closed {
        /// The first failure, or that it was stopped.
        reason: String,
    },
    /// Not committed in time; it may still be.
    Timeout {
        /// The transaction.
        txid: TxId,
        /// How long it was waited for.
        waited: Duration,
    },
    /// This ledger has not heard of the transaction.
    Unknown {
        /// The transaction.
        txid: TxId,
    },
    /// It was rolled back before it was committed, or never was: another one has its number.
    Invalid {
        /// The transaction.
        txid: TxId,
    },
    /// The store refuses a name, a key, a value or the size of the transaction.
    Refused(KvError),
    /// The ledger cannot be read.
    Runtime(RuntimeError),
    /// What [`crate::Runtime::run`] called gave up, for reasons of its own.
    Aborted(Box<dyn Error + Send + Sync>),
}

impl LedgerError {
    /// The host's own reason to give up inside of [`crate::Runtime::run`].
    ///
    /// ```
    /// # use affiant::{LedgerError, Runtime};
    /// # let runtime = Runtime::builder().in_memory().start()?;
    /// let ended = runtime.run(|_| Err::<(), _>(LedgerError::aborted("the account is empty")));
    /// assert_eq!(ended.unwrap_err().to_string(), "the account is empty");
    /// # Ok::<(), affiant::RuntimeError>(())
    /// ```
    pub fn aborted(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Aborted(reason.into())
    }

    /// What the outcome of a commit comes to: the transaction's id, if it did anything at all, and whether
    /// it wrote. For hosts that hold a [`crate::node::Node`]; [`crate::Runtime::commit`] asks by itself.
    ///
    /// # Errors
    /// Nothing of it was kept.
    ///
    /// ```
    /// # use affiant::LedgerError;
    /// use affiant::CommitOutcome;
    ///
    /// let written = LedgerError::of_commit(CommitOutcome::Sequenced("2.17".parse()?))?;
    /// assert_eq!(written, (Some("2.17".parse()?), true));
    /// let refused = LedgerError::of_commit(CommitOutcome::Conflict);
    /// assert!(matches!(refused, Err(LedgerError::Conflict)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_commit(outcome: CommitOutcome) -> Result<(Option<TxId>, bool), Self> {
        match outcome {
            CommitOutcome::Sequenced(txid) => Ok((Some(txid), true)),
            CommitOutcome::ReadOnly(txid) => Ok((txid, false)),
            CommitOutcome::Conflict => Err(Self::Conflict),
            CommitOutcome::TooManyPending => Err(Self::TooManyPending),
            CommitOutcome::NotPrimary => Err(Self::NotPrimary),
            CommitOutcome::Poisoned(reason) => Err(Self::Closed { reason }),
        }
    }

    /// What a wait of `waited` for the commit of `txid` comes to; without a notice it was in vain.
    ///
    /// # Errors
    /// The transaction is not committed.
    ///
    /// ```
    /// # use affiant::LedgerError;
    /// use std::time::Duration;
    ///
    /// use affiant::CommitNotice;
    ///
    /// let (txid, waited) = ("2.17".parse()?, Duration::from_secs(1));
    /// let heard = Some(CommitNotice::Committed { receipt: None });
    /// assert!(LedgerError::of_wait(txid, waited, heard).is_ok());
    /// let in_vain = LedgerError::of_wait(txid, waited, None);
    /// assert!(matches!(in_vain, Err(LedgerError::Timeout { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_wait(txid: TxId, waited: Duration, notice: Option<CommitNotice>) -> Result<(), Self> {
        match notice {
            Some(CommitNotice::Committed { .. }) => Ok(()),
            Some(CommitNotice::Invalid) => Err(Self::Invalid { txid }),
            Some(CommitNotice::Failed(reason)) => Err(Self::Closed { reason }),
            None => Err(Self::Timeout { txid, waited }),
        }
    }

    /// Whether the same again, soon, may succeed, and nothing of this attempt was kept.
    ///
    /// ```
    /// # use affiant::LedgerError;
    /// assert!(LedgerError::TooManyPending.is_transient());
    /// ```
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Conflict | Self::TooManyPending | Self::NotPrimary)
    }
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict => f.write_str(
                "another transaction changed what this one read; nothing of it was kept: run it again, \
                 or let Runtime::run do so",
            ),
            Self::TooManyPending => f.write_str(
                "too much waits to be committed, and nothing of this transaction was kept: wait \
                 (Runtime::sync) and run it again",
            ),
            Self::NotPrimary => f.write_str("this node does not take transactions now"),
            Self::OtherLedger => f.write_str(
                "this transaction was begun on another ledger: commit it to the runtime that began it",
            ),
            Self::Closed { reason } => write!(f, "the ledger accepts nothing more: {reason}"),
            Self::Timeout { txid, waited } => write!(
                f,
                "transaction {txid} was not committed within {} s; it may still be: wait again, or ask \
                 for its status",
                waited.as_secs_f64()
            ),
            Self::Unknown { txid } => write!(f, "this ledger has not heard of transaction {txid}"),
            Self::Invalid { txid } => write!(
                f,
                "transaction {txid} never was, or was rolled back before it was committed: another one \
                 has its number"
            ),
            Self::Refused(error) => write!(f, "{error}"),
            Self::Runtime(error) => write!(f, "{error}"),
            Self::Aborted(reason) => write!(f, "{reason}"),
        }
    }
}

impl Error for LedgerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(error) => Some(error),
            Self::Runtime(error) => Some(error),
            Self::Aborted(reason) => Some(&**reason),
            _ => None,
        }
    }
}

impl From<KvError> for LedgerError {
    fn from(error: KvError) -> Self {
        Self::Refused(error)
    }
}

impl From<RuntimeError> for LedgerError {
    fn from(error: RuntimeError) -> Self {
        match error {
            RuntimeError::Stopped { reason } => Self::Closed { reason },
            other => Self::Runtime(other),
        }
    }
}
