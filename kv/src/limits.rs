//! Every bound of this crate, with its unit in its name.

/// Longest map name, in bytes.
pub const MAP_NAME_BYTES_MAX: usize = 1024;
/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 1 << 20;
/// Longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 1 << 28;
/// Bytes that the writes of one transaction may take in the ledger; a `clear` that exceeds it is refused
/// at commit as [`crate::CommitOutcome::TooManyPending`].
pub const TX_BYTES_MAX: usize = 1 << 29;
/// Largest ledger entry, in bytes; the readers of CCF 7 refuse more than 2^30.
pub const ENTRY_BYTES_MAX: usize = 1 << 30;
/// Default bound on sequenced but uncommitted transactions; beyond it the store refuses with
/// [`crate::CommitOutcome::TooManyPending`].
pub const UNCOMMITTED_COUNT_MAX_DEFAULT: usize = 10_000;
/// Default bound on the bytes that sequenced but uncommitted transactions have written.
pub const UNCOMMITTED_BYTES_MAX_DEFAULT: usize = 1 << 28;
/// Default number of entries after which a signature is due.
pub const SIGNATURE_ENTRIES_MAX_DEFAULT: u64 = 5_000;
/// Default age of the oldest unsigned entry at which a signature is due, in milliseconds.
pub const SIGNATURE_DELAY_MS_DEFAULT: u64 = 1_000;
/// Bytes of unsigned entries at which a signature is due.
pub const SIGNATURE_BYTES_MAX: u64 = 64 << 20;
/// Default size at which a chunk ends with the next signature, in bytes.
pub const CHUNK_BYTES_DEFAULT: u64 = 5_000_000;
/// Largest chunk, in bytes: positions are 32 bits wide.
pub const CHUNK_BYTES_MAX: u64 = u32::MAX as u64 - ENTRY_BYTES_MAX as u64;
/// Largest entry that is copied into a buffer with others instead of travelling by itself, in bytes.
pub const GATHERED_ENTRY_BYTES_MAX: usize = 1 << 14;
/// Size of the buffers that small entries are gathered in, in bytes.
pub const BUFFER_BYTES: usize = 1 << 18;
/// Such buffers whose memory is used again, in the queue and in the ledger's writer each.
pub const RECYCLED_COUNT_MAX: usize = 8;
/// Time for which what is synced need not be on the consensus record, in milliseconds: within it the
/// next batch mostly says it.
pub const SYNCED_RECORD_DELAY_MS: u64 = 20;
/// Bytes of entries at which a batch is handed to the disk even while another one is written.
pub const BATCH_BYTES_MAX: usize = 1 << 20;
/// Batches on their way to the disk at which a full batch waits.
pub const BATCHES_IN_FLIGHT_MAX: usize = 4;
/// Size at which the consensus record is written anew, in bytes.
pub const SIDECAR_BYTES_MAX: u64 = 1 << 20;
/// Bytes of a chunk that a restart reads and checks at once.
pub const RECOVERY_WINDOW_BYTES: usize = 2 << 20;
/// Threads that check entries at a restart.
pub const RECOVERY_THREADS_MAX: usize = 2;
/// Signature entries whose parsed form a ledger reader keeps.
pub const READER_SIGNATURES_MAX: usize = 16;
/// Bytes that a ledger reader takes from a chunk at once while it looks for a signature.
pub const READER_WINDOW_BYTES: usize = 1 << 18;

const _: () = assert!(VALUE_BYTES_MAX + KEY_BYTES_MAX + MAP_NAME_BYTES_MAX + 56 < TX_BYTES_MAX);
const _: () = assert!(GATHERED_ENTRY_BYTES_MAX < BUFFER_BYTES);
const _: () = assert!(TX_BYTES_MAX < ENTRY_BYTES_MAX / 2 + 1);
const _: () = assert!(SIGNATURE_ENTRIES_MAX_DEFAULT < UNCOMMITTED_COUNT_MAX_DEFAULT as u64);
/// Most file handles that the disk keeps open.
pub const OPEN_FILES_COUNT_MAX: usize = 64;
