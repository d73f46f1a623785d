//! What functions return.

/// How a call ended: `AFFIANT_OK`, or why not. `affiant_status_name` and `affiant_status_text` put it
/// into words; `affiant_error_text` has what is known of this very failure.
pub type affiant_status = u32;

/// It was done.
pub const AFFIANT_OK: affiant_status = 0;
/// A pointer that must not be NULL is.
pub const AFFIANT_NULL_ARGUMENT: affiant_status = 8001;
/// The handle was freed before, or never was one.
pub const AFFIANT_INVALID_HANDLE: affiant_status = 8002;
/// The handle is of another type.
pub const AFFIANT_WRONG_TYPE: affiant_status = 8003;
/// The handle was lent to a callback on another thread.
pub const AFFIANT_WRONG_THREAD: affiant_status = 8004;
/// Another thread is using the object at this moment.
pub const AFFIANT_BUSY: affiant_status = 8005;
/// It cannot be done from inside a callback, or to what was lent to one.
pub const AFFIANT_REENTRANT: affiant_status = 8006;
/// The object belongs to the process that this one was forked from.
pub const AFFIANT_FORKED: affiant_status = 8007;
/// The runtime has stopped.
pub const AFFIANT_CLOSED: affiant_status = 8008;
/// The header that the program was compiled with does not fit this library.
pub const AFFIANT_VERSION_MISMATCH: affiant_status = 8009;
/// An argument is not what the function takes.
pub const AFFIANT_INVALID_ARGUMENT: affiant_status = 8010;
/// Something is larger than its bound.
pub const AFFIANT_TOO_LARGE: affiant_status = 8011;
/// There is no such key, header, parameter, address or feature.
pub const AFFIANT_NOT_FOUND: affiant_status = 8012;
/// Another transaction changed what this one read; nothing of it was kept. Run it again.
pub const AFFIANT_CONFLICT: affiant_status = 8013;
/// It was not done in time; it may still be.
pub const AFFIANT_TIMEOUT: affiant_status = 8014;
/// A write where only reading is allowed.
pub const AFFIANT_READ_ONLY: affiant_status = 8015;
/// Too many transactions wait for commit; wait a little, or call `affiant_runtime_sync`.
pub const AFFIANT_TOO_MANY_PENDING: affiant_status = 8016;
/// This node does not take transactions now.
pub const AFFIANT_NOT_PRIMARY: affiant_status = 8017;
/// The node has failed and accepts nothing more; open the runtime anew.
pub const AFFIANT_FAILED: affiant_status = 8018;
/// The disk cannot be read or written.
pub const AFFIANT_STORAGE: affiant_status = 8019;
/// Data on disk is damaged.
pub const AFFIANT_CORRUPT: affiant_status = 8020;
/// The directory is open already, here or in another process.
pub const AFFIANT_IN_USE: affiant_status = 8021;
/// The ledger has no such transaction, or it was rolled back.
pub const AFFIANT_NO_SUCH_TRANSACTION: affiant_status = 8022;
/// A receipt, evidence or signature was checked and refused.
pub const AFFIANT_NOT_VERIFIED: affiant_status = 8023;
/// A receipt, evidence, key, certificate or policy cannot be read.
pub const AFFIANT_UNREADABLE: affiant_status = 8024;
/// An app could not be loaded.
pub const AFFIANT_APPLICATION: affiant_status = 8025;
/// This library was built without it, or this machine does not have it.
pub const AFFIANT_UNSUPPORTED: affiant_status = 8026;
/// A callback threw an exception.
pub const AFFIANT_CALLBACK_FAILED: affiant_status = 8027;
/// A defect of the library. The object that was called may be of no further use; please report it.
pub const AFFIANT_PANIC: affiant_status = 8028;
/// A bound on the number of handles or of other objects is reached.
pub const AFFIANT_TOO_MANY: affiant_status = 8029;
/// The iteration has come to its end.
pub const AFFIANT_END: affiant_status = 8030;

/// Its name.
pub(crate) fn name_of(status: affiant_status) -> &'static core::ffi::CStr {
    let known = WORDS.iter().find(|(number, ..)| *number == status);
    known.map_or(c"AFFIANT_UNKNOWN_STATUS", |(_, name, _)| name)
}

/// Each status: its name and what it means, for `affiant_status_name` and `affiant_status_text`.
pub(crate) const WORDS: &[(affiant_status, &core::ffi::CStr, &core::ffi::CStr)] = &[
    (AFFIANT_OK, c"AFFIANT_OK", c"it was done"),
    (AFFIANT_NULL_ARGUMENT, c"AFFIANT_NULL_ARGUMENT", c"a pointer that must not be NULL is"),
    (
        AFFIANT_INVALID_HANDLE,
        c"AFFIANT_INVALID_HANDLE",
        c"the handle was freed before, or never was one",
    ),
    (AFFIANT_WRONG_TYPE, c"AFFIANT_WRONG_TYPE", c"the handle is of another type"),
    (
        AFFIANT_WRONG_THREAD,
        c"AFFIANT_WRONG_THREAD",
        c"the handle was lent to a callback on another thread",
    ),
    (AFFIANT_BUSY, c"AFFIANT_BUSY", c"another thread is using the object at this moment"),
    (
        AFFIANT_REENTRANT,
        c"AFFIANT_REENTRANT",
        c"it cannot be done from inside a callback, or to what was lent to one",
    ),
    (
        AFFIANT_FORKED,
        c"AFFIANT_FORKED",
        c"the object belongs to the process that this one was forked from: open runtimes after the fork",
    ),
    (AFFIANT_CLOSED, c"AFFIANT_CLOSED", c"the runtime has stopped"),
    (
        AFFIANT_VERSION_MISMATCH,
        c"AFFIANT_VERSION_MISMATCH",
        c"the header that the program was compiled with does not fit this library",
    ),
    (
        AFFIANT_INVALID_ARGUMENT,
        c"AFFIANT_INVALID_ARGUMENT",
        c"an argument is not what the function takes",
    ),
    (AFFIANT_TOO_LARGE, c"AFFIANT_TOO_LARGE", c"something is larger than its bound"),
    (AFFIANT_NOT_FOUND, c"AFFIANT_NOT_FOUND", c"there is no such thing"),
    (
        AFFIANT_CONFLICT,
        c"AFFIANT_CONFLICT",
        c"another transaction changed what this one read, and nothing of it was kept: run it again",
    ),
    (AFFIANT_TIMEOUT, c"AFFIANT_TIMEOUT", c"it was not done in time; it may still be"),
    (AFFIANT_READ_ONLY, c"AFFIANT_READ_ONLY", c"a write where only reading is allowed"),
    (
        AFFIANT_TOO_MANY_PENDING,
        c"AFFIANT_TOO_MANY_PENDING",
        c"too many transactions wait for commit: wait a little and run it again",
    ),
    (AFFIANT_NOT_PRIMARY, c"AFFIANT_NOT_PRIMARY", c"this node does not take transactions now"),
    (
        AFFIANT_FAILED,
        c"AFFIANT_FAILED",
        c"the node has failed and accepts nothing more: open the runtime anew",
    ),
    (AFFIANT_STORAGE, c"AFFIANT_STORAGE", c"the disk cannot be read or written"),
    (AFFIANT_CORRUPT, c"AFFIANT_CORRUPT", c"data on disk is damaged"),
    (
        AFFIANT_IN_USE,
        c"AFFIANT_IN_USE",
        c"the directory is open already, here or in another process",
    ),
    (
        AFFIANT_NO_SUCH_TRANSACTION,
        c"AFFIANT_NO_SUCH_TRANSACTION",
        c"the ledger has no such transaction, or it was rolled back",
    ),
    (
        AFFIANT_NOT_VERIFIED,
        c"AFFIANT_NOT_VERIFIED",
        c"a receipt, evidence or signature was checked and refused",
    ),
    (
        AFFIANT_UNREADABLE,
        c"AFFIANT_UNREADABLE",
        c"a receipt, evidence, key, certificate or policy cannot be read",
    ),
    (AFFIANT_APPLICATION, c"AFFIANT_APPLICATION", c"an app could not be loaded"),
    (
        AFFIANT_UNSUPPORTED,
        c"AFFIANT_UNSUPPORTED",
        c"this library was built without it, or this machine does not have it",
    ),
    (AFFIANT_CALLBACK_FAILED, c"AFFIANT_CALLBACK_FAILED", c"a callback threw an exception"),
    (AFFIANT_PANIC, c"AFFIANT_PANIC", c"a defect of the library: please report it"),
    (AFFIANT_TOO_MANY, c"AFFIANT_TOO_MANY", c"a bound on the number of objects is reached"),
    (AFFIANT_END, c"AFFIANT_END", c"the iteration has come to its end"),
];
