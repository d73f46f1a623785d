//! One place of the table: an object, what it is, whose it is, and why calls with it have failed.

use std::any::Any;
use std::sync::atomic::AtomicU32;

use parking_lot::{Mutex, RwLock};

use super::Kind;
use crate::fault::Fault;
use crate::limits::{FAULT_TEXT_BYTES_MAX, FAULT_THREADS_COUNT_MAX};

/// Tells threads apart that exist at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Thread(usize);

impl Thread {
    pub(super) fn current() -> Self {
        thread_local! {
            static MARK: u8 = const { 0 };
        }
        Self(MARK.with(|mark| core::ptr::from_ref(mark).addr()))
    }
}

/// Each on a cache line of its own: threads with objects of their own do not slow each other down.
#[repr(align(64))]
#[derive(Default)]
pub(super) struct Place {
    /// [`crate::fork::generation`] when the object came, to be looked at before any lock.
    pub(super) fork: AtomicU32,
    /// [`Content::generation`], to be looked at before any lock: a handle of an object that is gone is no
    /// reason to wait for, or to speak of, the one that has its place.
    pub(super) generation: AtomicU32,
    pub(super) content: RwLock<Content>,
}

#[derive(Default)]
pub(super) struct Content {
    /// Of the object that is here, or was here last.
    pub(super) generation: u32,
    pub(super) object: Option<Held>,
}

pub(super) struct Held {
    pub(super) kind: Kind,
    /// The thread that it is lent to; none where it is the program's own.
    pub(super) lent_to: Option<Thread>,
    pub(super) object: Box<dyn Any + Send + Sync>,
    pub(super) faults: Faults,
}

/// By thread, why its last failed call failed; the oldest goes where there are too many.
#[derive(Default)]
pub(super) struct Faults(Mutex<Vec<(Thread, String)>>);

impl Faults {
    pub(super) fn note(&self, fault: &Fault) {
        let thread = Thread::current();
        let mut text = fault.text.clone().into_owned();
        text.truncate(text.floor_char_boundary(FAULT_TEXT_BYTES_MAX));
        let mut all = self.0.lock();
        all.retain(|(known, _)| *known != thread);
        if all.len() >= FAULT_THREADS_COUNT_MAX {
            all.remove(0);
        }
        all.push((thread, text));
    }

    pub(super) fn text(&self) -> Option<String> {
        let thread = Thread::current();
        let all = self.0.lock();
        all.iter().find(|(known, _)| *known == thread).map(|(_, text)| text.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::AFFIANT_TIMEOUT;

    #[test]
    fn a_thread_hears_of_its_own_failure_and_texts_are_bounded() {
        let faults = Faults::default();
        faults.note(&Fault::new(AFFIANT_TIMEOUT, "mine"));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(faults.text(), None);
                faults.note(&Fault::new(AFFIANT_TIMEOUT, "\u{e9}".repeat(FAULT_TEXT_BYTES_MAX)));
                assert_eq!(faults.text().map(|text| text.len()), Some(FAULT_TEXT_BYTES_MAX));
            });
        });
        assert_eq!(faults.text().as_deref(), Some("mine"));
        faults.note(&Fault::new(AFFIANT_TIMEOUT, "newer"));
        assert_eq!(faults.text().as_deref(), Some("newer"));
    }
}
