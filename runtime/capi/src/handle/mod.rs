//! Handles: what a C program holds of an object. They look like pointers and are none: a number, looked
//! up in a table that knows what was freed, what it was, and to which thread it was lent.
//!
//! Invariants
//! * A handle is given out once: the place that it names has a generation, which changes with each object
//!   in it; a place whose generations are used up is never used again.
//! * Nobody waits for a handle: whoever finds it in use by another thread is told so. The exception is
//!   the end of a callback, which waits for the moment that another thread takes to be refused.
//! * Objects are dropped outside of every lock: dropping one may call the program, which may come back here.

mod place;
mod table;

pub(crate) use table::{Lent, insert, lend, recall, remember, take, with_mut, with_ref};

use crate::fault::Fault;
use crate::status::{AFFIANT_INVALID_HANDLE, AFFIANT_WRONG_TYPE};

/// The kinds of objects. The numbers are part of handles and of nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Bytes = 1,
    Options = 2,
    Runtime = 3,
    Tx = 4,
    Iterator = 5,
    Snapshot = 6,
    Receipt = 7,
    Verdict = 8,
    Key = 9,
    Evidence = 10,
    Request = 11,
    Response = 12,
    #[cfg(test)]
    Other = 255,
}

impl Kind {
    /// Its type in C.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "affiant_bytes",
            Self::Options => "affiant_options",
            Self::Runtime => "affiant_runtime",
            Self::Tx => "affiant_tx",
            Self::Iterator => "affiant_iterator",
            Self::Snapshot => "affiant_snapshot",
            Self::Receipt => "affiant_receipt",
            Self::Verdict => "affiant_verdict",
            Self::Key => "affiant_key",
            Self::Evidence => "affiant_evidence",
            Self::Request => "affiant_request",
            Self::Response => "affiant_response",
            #[cfg(test)]
            Self::Other => "affiant_other",
        }
    }
}

/// A type that C programs know by its name only, and what is behind its handles.
pub(crate) trait Opaque {
    /// What is behind a handle. Used by any thread.
    type Object: Send + Sync + 'static;
    const KIND: Kind;
}

const PLACE_BITS: u32 = 24;
const KIND_SHIFT: u32 = PLACE_BITS;
const GENERATION_SHIFT: u32 = 32;

/// A handle taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts {
    place: usize,
    kind: u8,
    generation: u32,
}

impl Parts {
    fn of<H>(handle: *const H) -> Self {
        let bits = handle.addr() as u64;
        Self {
            place: (bits & ((1 << PLACE_BITS) - 1)) as usize,
            kind: (bits >> KIND_SHIFT) as u8,
            generation: (bits >> GENERATION_SHIFT) as u32,
        }
    }

    /// Never NULL, since generations begin with 1.
    fn handle<H>(self) -> *mut H {
        assert!(self.generation > 0 && self.place < 1 << PLACE_BITS, "a place of the table");
        let bits = self.place as u64
            | u64::from(self.kind) << KIND_SHIFT
            | u64::from(self.generation) << GENERATION_SHIFT;
        core::ptr::without_provenance_mut(bits as usize)
    }
}

fn invalid(kind: Kind) -> Fault {
    let name = kind.name();
    Fault::new(AFFIANT_INVALID_HANDLE, format!("this {name} was freed before, or never was one"))
}

fn wrong_type(wanted: Kind, found: Kind) -> Fault {
    let text = format!("{} was given where {} is wanted", found.name(), wanted.name());
    Fault::new(AFFIANT_WRONG_TYPE, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_comes_apart_as_it_was_made() {
        for (place, kind, generation) in [(0, 1, 1), ((1 << 24) - 1, 255, u32::MAX), (77, 3, 9)] {
            let parts = Parts { place, kind, generation };
            let handle: *mut u8 = parts.handle();
            assert!(!handle.is_null());
            assert_eq!(Parts::of(handle), parts);
        }
    }
}
