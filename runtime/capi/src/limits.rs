//! Bounds of the C interface.

/// Handles of one process at a time.
pub(crate) const HANDLES_COUNT_MAX: usize = 1 << 20;
/// Handles whose places are made at once.
pub(crate) const HANDLES_CHUNK_COUNT: usize = 1 << 10;
/// Threads of which one object remembers why their last call failed.
pub(crate) const FAULT_THREADS_COUNT_MAX: usize = 64;
/// Bytes of such a reason.
pub(crate) const FAULT_TEXT_BYTES_MAX: usize = 4 << 10;
/// How long a new handle waits for a place, which others hold for moments only.
pub(crate) const PLACES_WAIT_MS_MAX: u64 = 1_000;
/// Bytes of a struct of a later version of this interface.
pub(crate) const STRUCT_BYTES_MAX: usize = 4 << 10;
/// Longest wait that can be asked for: a year.
pub(crate) const WAIT_MS_MAX: u64 = 365 * 86_400_000;
/// How long freeing a runtime waits for calls that are under way with what belongs to it.
pub(crate) const FREE_WAIT_MS_MAX: u64 = 30_000;
/// Addresses, names, members or users of one set of options.
pub(crate) const ADDRESSES_COUNT_MAX: usize = 1_000;
/// Threads of a kind.
pub(crate) const THREADS_COUNT_MAX: usize = 1_024;
/// Entries that an iterator looks ahead.
pub(crate) const ITERATOR_CHUNK_COUNT: usize = 128;
/// Random bytes that are made at once.
pub(crate) const RANDOM_BYTES_MAX: usize = 1 << 20;
/// Endpoints of one set of options.
pub(crate) const ENDPOINTS_COUNT_MAX: usize = 1_000;
/// Policies of one endpoint.
pub(crate) const POLICIES_COUNT_MAX: usize = 16;
/// Bytes of an exception's text that are kept.
pub(crate) const EXCEPTION_TEXT_BYTES_MAX: usize = 1 << 10;
/// Headers of one answer, or of one call in process.
pub(crate) const HEADERS_COUNT_MAX: usize = 256;
/// Bytes of a header's name, or of an error's code.
pub(crate) const HEADER_NAME_BYTES_MAX: usize = 256;
/// Bytes of a header's value.
pub(crate) const HEADER_VALUE_BYTES_MAX: usize = 16 << 10;
/// Bytes of an error's message.
pub(crate) const MESSAGE_BYTES_MAX: usize = 16 << 10;
/// Calls in process within calls in process, on one thread.
pub(crate) const NESTED_CALLS_COUNT_MAX: usize = 8;

const _: () = assert!(HANDLES_COUNT_MAX.is_multiple_of(HANDLES_CHUNK_COUNT));
