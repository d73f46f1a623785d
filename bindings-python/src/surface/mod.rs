//! What module `ccf` finds behind it: one running request, here or, in a worker process, at the other
//! end of a socket.
//!
//! Rules for callers
//! * Nothing here calls Python, so that a lock around it is never held while Python runs.
//! * Where [`Surface::waits`], a call may wait for another process: let go of the GIL first, then lock.

mod local;
mod past;
mod remote;

use affiant::MapName;
use affiant_kv::KvError;
use affiant_proof::TxId;

pub(crate) use local::Local;
pub(crate) use past::Past;
pub(crate) use remote::Remote;

/// A key and its value.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// Why something that is asked of the node cannot be had.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The store refuses a key, a value or a name.
    Store(KvError),
    /// Anything else, in a sentence.
    Other(String),
}

impl From<KvError> for Failure {
    fn from(error: KvError) -> Self {
        Self::Store(error)
    }
}

pub(crate) type Outcome<T> = Result<T, Failure>;

/// A half-open range of keys, and how many entries of it at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span<'a> {
    pub(crate) from: Option<&'a [u8]>,
    pub(crate) to: Option<&'a [u8]>,
    pub(crate) count_max: usize,
}

/// The running request's side of the node.
pub(crate) trait Surface: Send {
    /// Whether calls may wait for another process.
    fn waits(&self) -> bool;
    /// The transaction of this process behind it, if there is one.
    fn into_local(self: Box<Self>) -> Option<Local>;
    /// The way to another process behind it, if there is one.
    fn into_remote(self: Box<Self>) -> Option<Remote>;

    fn get(&mut self, map: &MapName, key: &[u8]) -> Outcome<Option<Value>>;
    fn has(&mut self, map: &MapName, key: &[u8]) -> Outcome<bool>;
    fn version_of_previous_write(&mut self, map: &MapName, key: &[u8]) -> Outcome<Option<u64>>;
    fn put(&mut self, map: &MapName, key: &[u8], value: &[u8]) -> Outcome<()>;
    fn remove(&mut self, map: &MapName, key: &[u8]) -> Outcome<()>;
    fn clear(&mut self, map: &MapName) -> Outcome<()>;
    fn len(&mut self, map: &MapName) -> Outcome<usize>;
    fn range(&mut self, map: &MapName, span: Span<'_>) -> Outcome<Vec<Pair>>;

    fn set_claims_digest(&mut self, digest: [u8; 32]) -> Outcome<()>;
    fn set_apply_writes(&mut self, apply: bool) -> Outcome<()>;

    fn last_committed(&mut self) -> Outcome<TxId>;
    fn status(&mut self, txid: TxId) -> Outcome<&'static str>;
    fn view_of(&mut self, seqno: u64) -> Outcome<Option<u64>>;

    /// The past transaction that the request names, in mode `historical`.
    fn historical_state(&mut self) -> Outcome<Option<Past>>;
    fn state_range(
        &mut self,
        handle: u64,
        first: u64,
        last: u64,
        expiry_s: u64,
    ) -> Outcome<Option<Vec<Past>>>;
    fn drop_cached_states(&mut self, handle: u64) -> Outcome<bool>;

    /// Fresh evidence of the platform, as JSON.
    fn attestation(&mut self, bound: &[u8]) -> Outcome<String>;
}

/// A value as the store holds it, or as it came over a socket.
pub(crate) enum Value {
    Shared(affiant_kv::Value),
    Owned(Vec<u8>),
}

impl core::ops::Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Shared(value) => value,
            Self::Owned(value) => value,
        }
    }
}
