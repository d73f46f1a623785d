//! The table of all handles of the process.

use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::{Mutex, RwLockWriteGuard};

use super::place::{Content, Faults, Held, Place, Thread};
use super::{Opaque, Parts, invalid, wrong_type};
use crate::fault::Fault;
use crate::fork;
use crate::limits::{HANDLES_CHUNK_COUNT, HANDLES_COUNT_MAX, PLACES_WAIT_MS_MAX};
use crate::status::{
    AFFIANT_BUSY, AFFIANT_FORKED, AFFIANT_REENTRANT, AFFIANT_TOO_MANY, AFFIANT_WRONG_THREAD,
};

const CHUNKS: usize = HANDLES_COUNT_MAX / HANDLES_CHUNK_COUNT;

static TABLE: [OnceLock<Box<[Place]>>; CHUNKS] = [const { OnceLock::new() }; CHUNKS];
static FREE: Mutex<Free> = Mutex::new(Free { places: Vec::new(), made: 0 });

/// Places without an object.
struct Free {
    places: Vec<usize>,
    /// Places that were ever used.
    made: usize,
}

impl Free {
    fn take(&mut self) -> Option<usize> {
        self.places.pop().or_else(|| {
            let next = Some(self.made).filter(|made| *made < HANDLES_COUNT_MAX)?;
            self.made += 1;
            Some(next)
        })
    }
}

fn place(index: usize) -> Option<&'static Place> {
    TABLE.get(index / HANDLES_CHUNK_COUNT)?.get()?.get(index % HANDLES_CHUNK_COUNT)
}

/// The place, made if it is the first of its chunk that is used.
fn place_made(index: usize) -> Option<&'static Place> {
    TABLE.get(index / HANDLES_CHUNK_COUNT)?.get_or_init(|| {
        core::iter::repeat_with(Place::default).take(HANDLES_CHUNK_COUNT).collect()
    });
    place(index)
}

/// Puts an object into the table.
pub(crate) fn insert<H: Opaque>(object: H::Object) -> Result<*mut H, Fault> {
    put(object, None)
}

fn put<H: Opaque>(object: H::Object, lent_to: Option<Thread>) -> Result<*mut H, Fault> {
    fork::watch();
    let too_many = || {
        let text = format!("{HANDLES_COUNT_MAX} handles exist: free some");
        Fault::new(AFFIANT_TOO_MANY, text)
    };
    // Held for moments only, except in a process that was forked just then.
    let free = FREE.try_lock_for(Duration::from_millis(PLACES_WAIT_MS_MAX));
    let index = free.ok_or_else(forked)?.take().ok_or_else(too_many)?;
    let place = place_made(index).ok_or_else(too_many)?;
    let object = Box::new(object);
    let mut content = place.content.write();
    assert!(content.object.is_none(), "a free place is empty");
    content.generation += 1;
    content.object = Some(Held { kind: H::KIND, lent_to, object, faults: Faults::default() });
    let parts = Parts { place: index, kind: H::KIND as u8, generation: content.generation };
    place.fork.store(fork::generation(), Ordering::Relaxed);
    place.generation.store(content.generation, Ordering::Release);
    Ok(parts.handle())
}

/// Uses an object that other threads may use meanwhile. A failure is kept for [`recall`].
pub(crate) fn with_ref<H: Opaque, R>(
    handle: *const H,
    work: impl FnOnce(&H::Object) -> Result<R, Fault>,
) -> Result<R, Fault> {
    let (place, parts) = find::<H>(handle)?;
    let content = place.content.try_read().ok_or_else(busy::<H>)?;
    let held = held::<H>(&content, parts)?;
    let object = held.object.downcast_ref().ok_or_else(|| wrong_type(H::KIND, held.kind))?;
    work(object).inspect_err(|fault| held.faults.note(fault))
}

/// Uses an object that nobody else uses meanwhile. A failure is kept for [`recall`].
pub(crate) fn with_mut<H: Opaque, R>(
    handle: *mut H,
    work: impl FnOnce(&mut H::Object) -> Result<R, Fault>,
) -> Result<R, Fault> {
    let (place, parts) = find::<H>(handle)?;
    let mut content = place.content.try_write().ok_or_else(busy::<H>)?;
    held::<H>(&content, parts)?;
    let Some(held) = &mut content.object else { return Err(invalid(H::KIND)) };
    let kind = held.kind;
    let object = held.object.downcast_mut().ok_or_else(|| wrong_type(H::KIND, kind))?;
    work(object).inspect_err(|fault| held.faults.note(fault))
}

/// Takes an object out of the table: its handle is invalid from now on. `allowed` may refuse.
pub(crate) fn take<H: Opaque>(
    handle: *mut H,
    allowed: impl FnOnce(&H::Object) -> Result<(), Fault>,
) -> Result<H::Object, Fault> {
    let (place, parts) = find::<H>(handle)?;
    let content = place.content.try_write().ok_or_else(busy::<H>)?;
    let held = held::<H>(&content, parts)?;
    if held.lent_to.is_some() {
        let text = format!("this {} was lent to the callback, and ends with it", H::KIND.name());
        return Err(Fault::new(AFFIANT_REENTRANT, text));
    }
    let object = held.object.downcast_ref().ok_or_else(|| wrong_type(H::KIND, held.kind))?;
    allowed(object).inspect_err(|fault| held.faults.note(fault))?;
    empty(content, parts.place).ok_or_else(|| invalid(H::KIND))
}

/// Why the last failed call of this thread with this handle failed.
pub(crate) fn recall<H>(handle: *const H) -> Option<String> {
    let parts = Parts::of(handle);
    let place = place(parts.place)?;
    if place.fork.load(Ordering::Relaxed) != fork::generation() {
        return None;
    }
    let content = place.content.try_read()?;
    let held = content.object.as_ref().filter(|_| content.generation == parts.generation)?;
    (held.kind as u8 == parts.kind).then(|| held.faults.text()).flatten()
}

/// Keeps the reason of a failure that came before the object was used.
pub(crate) fn remember<H: Opaque>(handle: *const H, fault: &Fault) {
    let Ok((place, parts)) = find::<H>(handle) else { return };
    let Some(content) = place.content.try_read() else { return };
    if let Ok(held) = held::<H>(&content, parts) {
        held.faults.note(fault);
    }
}

/// An object in the hands of a callback on this thread.
pub(crate) struct Lent<H: Opaque> {
    handle: *mut H,
}

/// Lends an object to a callback on this thread, until what is returned is dropped.
pub(crate) fn lend<H: Opaque>(object: H::Object) -> Result<Lent<H>, Fault> {
    Ok(Lent { handle: put(object, Some(Thread::current()))? })
}

impl<H: Opaque> Lent<H> {
    pub(crate) fn handle(&self) -> *mut H {
        self.handle
    }

    /// Takes the object back: the callback has returned.
    pub(crate) fn reclaim(self) -> Option<H::Object> {
        self.end()
    }

    fn end(&self) -> Option<H::Object> {
        let parts = Parts::of(self.handle);
        // Waits at most for a thread that is being refused: others may not use it.
        let content = place(parts.place)?.content.write();
        if content.generation != parts.generation { None } else { empty(content, parts.place) }
    }
}

impl<H: Opaque> Drop for Lent<H> {
    fn drop(&mut self) {
        drop(self.end());
    }
}

/// Empties a place, which then is free for another object.
fn empty<T: 'static>(mut content: RwLockWriteGuard<'_, Content>, index: usize) -> Option<T> {
    let held = content.object.take()?;
    let usable = content.generation < u32::MAX;
    drop(content);
    if usable {
        FREE.lock().places.push(index);
    }
    held.object.downcast().ok().map(|object| *object)
}

fn find<H: Opaque>(handle: *const H) -> Result<(&'static Place, Parts), Fault> {
    if handle.is_null() {
        return Err(Fault::null(H::KIND.name()));
    }
    let parts = Parts::of(handle);
    let place = place(parts.place).ok_or_else(|| invalid(H::KIND))?;
    match place.fork.load(Ordering::Relaxed) {
        0 => Err(invalid(H::KIND)),
        // Before any lock: one that was held at the fork is held for ever.
        other if other != fork::generation() => Err(forked()),
        _ if place.generation.load(Ordering::Acquire) != parts.generation => Err(invalid(H::KIND)),
        _ => Ok((place, parts)),
    }
}

fn held<H: Opaque>(content: &Content, parts: Parts) -> Result<&Held, Fault> {
    let held = content.object.as_ref().filter(|_| content.generation == parts.generation);
    let held = held.filter(|held| held.kind as u8 == parts.kind).ok_or_else(|| invalid(H::KIND))?;
    if held.kind != H::KIND {
        return Err(wrong_type(H::KIND, held.kind));
    }
    if held.lent_to.is_some_and(|thread| thread != Thread::current()) {
        let name = H::KIND.name();
        let text = format!("this {name} was lent to a callback on another thread");
        return Err(Fault::new(AFFIANT_WRONG_THREAD, text));
    }
    Ok(held)
}

fn busy<H: Opaque>() -> Fault {
    let name = H::KIND.name();
    Fault::new(AFFIANT_BUSY, format!("another call is using this {name} at this moment"))
}

fn forked() -> Fault {
    Fault::new(
        AFFIANT_FORKED,
        "this object belongs to the process that this one was forked from, whose threads are not here: \
         open runtimes after the fork",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::atomic::AtomicUsize;
    use std::sync::{Arc, mpsc};

    use super::*;
    use crate::handle::Kind;
    use crate::status::{
        AFFIANT_INVALID_HANDLE, AFFIANT_NULL_ARGUMENT, AFFIANT_WRONG_TYPE, affiant_status,
    };

    struct Thing;
    impl Opaque for Thing {
        type Object = Vec<u32>;
        const KIND: Kind = Kind::Bytes;
    }

    struct Other;
    impl Opaque for Other {
        type Object = Arc<AtomicUsize>;
        const KIND: Kind = Kind::Other;
    }

    fn status<R>(result: Result<R, Fault>) -> affiant_status {
        result.err().map_or(0, |fault| fault.status)
    }

    fn look(handle: *const Thing) -> Result<usize, Fault> {
        with_ref(handle, |thing| Ok(thing.len()))
    }

    #[test]
    fn what_was_freed_is_known_to_be() {
        let first = insert::<Thing>(vec![1]).unwrap();
        assert_eq!(look(first).unwrap(), 1);
        assert_eq!(take(first, |_| Ok(())).unwrap(), [1]);
        assert_eq!(status(look(first)), AFFIANT_INVALID_HANDLE);
        assert_eq!(status(take(first, |_| Ok(()))), AFFIANT_INVALID_HANDLE);
        let second = insert::<Thing>(vec![1, 2]).unwrap();
        assert!(second != first, "also where it has the place of the first");
        assert_eq!(status(look(first)), AFFIANT_INVALID_HANDLE);
        take(second, |_| Ok(())).unwrap();
    }

    #[test]
    fn what_is_no_handle_of_that_type_is_refused() {
        let other = insert::<Other>(Arc::default()).unwrap();
        assert_eq!(status(look(other.cast())), AFFIANT_WRONG_TYPE);
        assert_eq!(status(take(other.cast::<Thing>(), |_| Ok(()))), AFFIANT_WRONG_TYPE);
        assert_eq!(status(look(core::ptr::null())), AFFIANT_NULL_ARGUMENT);
        let word = 7_u64;
        for forged in [core::ptr::from_ref(&word).addr(), 1, usize::MAX, 1 << 40] {
            let forged = core::ptr::without_provenance::<Thing>(forged);
            assert_eq!(status(look(forged)), AFFIANT_INVALID_HANDLE);
        }
        take(other, |_| Ok(())).unwrap();
    }

    #[test]
    fn nobody_waits_for_another_thread() {
        let handle = insert::<Thing>(Vec::new()).unwrap();
        let address = handle.addr();
        let (entered, is_entered) = mpsc::channel();
        let (leave, is_left) = mpsc::channel::<()>();
        let user = std::thread::spawn(move || {
            with_mut(core::ptr::without_provenance_mut::<Thing>(address), |_| {
                entered.send(()).unwrap();
                is_left.recv().unwrap();
                Ok(())
            })
        });
        is_entered.recv().unwrap();
        assert_eq!(status(look(handle)), AFFIANT_BUSY);
        assert_eq!(status(take(handle, |_| Ok(()))), AFFIANT_BUSY);
        leave.send(()).unwrap();
        user.join().unwrap().unwrap();
        take(handle, |_| Ok(())).unwrap();
    }

    #[test]
    fn what_is_lent_belongs_to_one_thread_and_ends() {
        let lent = lend::<Thing>(vec![5]).unwrap();
        let handle = lent.handle();
        let address = handle.addr();
        let elsewhere =
            std::thread::spawn(move || status(look(core::ptr::without_provenance(address))));
        assert_eq!(elsewhere.join().unwrap(), AFFIANT_WRONG_THREAD);
        assert_eq!(status(take(handle, |_| Ok(()))), AFFIANT_REENTRANT);
        with_mut(handle, |thing| {
            thing.push(6);
            Ok(())
        })
        .unwrap();
        assert_eq!(lent.reclaim().unwrap(), [5, 6]);
        assert_eq!(status(look(handle)), AFFIANT_INVALID_HANDLE);
    }

    #[test]
    fn an_object_may_use_the_table_while_it_is_dropped() {
        struct Frees(usize);
        impl Drop for Frees {
            fn drop(&mut self) {
                let inner = core::ptr::without_provenance_mut::<Thing>(self.0);
                take(inner, |_| Ok(())).unwrap();
            }
        }
        struct Outer;
        impl Opaque for Outer {
            type Object = Frees;
            const KIND: Kind = Kind::Other;
        }
        let inner = insert::<Thing>(vec![1]).unwrap();
        let outer = insert::<Outer>(Frees(inner.addr())).unwrap();
        drop(take(outer, |_| Ok(())).unwrap());
        assert_eq!(status(look(inner)), AFFIANT_INVALID_HANDLE);
    }

    #[test]
    fn failures_are_kept_for_who_asks() {
        let handle = insert::<Thing>(Vec::new()).unwrap();
        assert_eq!(recall(handle), None);
        let failed = with_ref(handle, |_| Err::<(), _>(Fault::argument("a reason")));
        assert_eq!(failed.err().unwrap().text, "a reason");
        assert_eq!(recall(handle).as_deref(), Some("a reason"));
        remember(handle, &Fault::argument("another"));
        assert_eq!(recall(handle).as_deref(), Some("another"));
        take(handle, |_| Ok(())).unwrap();
        assert_eq!(recall(handle), None);
    }
}
