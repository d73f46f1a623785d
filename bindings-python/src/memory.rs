//! A bound on the memory of Python objects in the node's own process.
//!
//! Every object's memory comes either from an arena or, above 512 bytes, from the raw allocator; both are
//! wrapped to count, and refuse above the bound, which Python turns into `MemoryError`. What C libraries
//! take from the system themselves, such as NumPy's arrays, is not seen here: only the limits of a process
//! bound that, so an app that works on such data belongs into worker processes.
//!
//! CPython exports the functions for this without promising them to extension modules of its stable ABI;
//! they are looked up by name, and where they are missing there is no bound.

use core::ffi::{CStr, c_int, c_void};
use core::sync::atomic::{AtomicI64, Ordering};
use std::sync::OnceLock;

use pyo3::prelude::*;

/// `PYMEM_DOMAIN_RAW`.
const DOMAIN_RAW: c_int = 0;

/// `PyMemAllocatorEx`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Allocator {
    context: *mut c_void,
    malloc: unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void,
    calloc: unsafe extern "C" fn(*mut c_void, usize, usize) -> *mut c_void,
    realloc: unsafe extern "C" fn(*mut c_void, *mut c_void, usize) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void, *mut c_void),
}

/// `PyObjectArenaAllocator`.
#[derive(Clone, Copy)]
#[repr(C)]
struct ArenaAllocator {
    context: *mut c_void,
    alloc: unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void, *mut c_void, usize),
}

type RawAccess = unsafe extern "C" fn(c_int, *mut Allocator);
type ArenaAccess = unsafe extern "C" fn(*mut ArenaAllocator);

struct Wrapped {
    raw: Allocator,
    arena: ArenaAllocator,
}

// SAFETY: the contexts belong to CPython, whose allocators may be called from any thread.
unsafe impl Send for Wrapped {}
// SAFETY: as above.
unsafe impl Sync for Wrapped {}

/// What was wrapped; set before the wrappers are.
static WRAPPED: OnceLock<Wrapped> = OnceLock::new();
static ATTEMPT: OnceLock<bool> = OnceLock::new();
/// Since the wrapping; blocks from before that are freed may make it negative.
static IN_USE: AtomicI64 = AtomicI64::new(0);
static BOUND: AtomicI64 = AtomicI64::new(i64::MAX);

/// Bounds Python's objects to `bytes` more than there are now. Returns whether there is a bound.
pub(crate) fn bound(py: Python<'_>, bytes: u64) -> bool {
    let wrapped = *ATTEMPT.get_or_init(|| is_plain(py) && wrap().is_some());
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    BOUND.store(IN_USE.load(Ordering::Relaxed).saturating_add(bytes), Ordering::Relaxed);
    wrapped
}

/// Whether the allocators are CPython's own, not its debugging ones, whose blocks are not what the
/// system's allocator gave.
fn is_plain(py: Python<'_>) -> bool {
    let plain = || -> PyResult<bool> {
        let flags = py.import("sys")?.getattr("flags")?;
        let dev_mode: bool = flags.getattr("dev_mode")?.extract()?;
        let ignores: bool = flags.getattr("ignore_environment")?.is_truthy()?;
        Ok(!dev_mode && (ignores || std::env::var_os("PYTHONMALLOC").is_none()))
    };
    plain().unwrap_or(false)
}

fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name is terminated; the default handle covers the running interpreter.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

fn wrap() -> Option<()> {
    let get_raw = symbol(c"PyMem_GetAllocator")?;
    let set_raw = symbol(c"PyMem_SetAllocator")?;
    let get_arena = symbol(c"PyObject_GetArenaAllocator")?;
    let set_arena = symbol(c"PyObject_SetArenaAllocator")?;
    // SAFETY: these are CPython's functions of those names, with these signatures since 3.5.
    let (get_raw, set_raw, get_arena, set_arena) = unsafe {
        (
            core::mem::transmute::<*mut c_void, RawAccess>(get_raw),
            core::mem::transmute::<*mut c_void, RawAccess>(set_raw),
            core::mem::transmute::<*mut c_void, ArenaAccess>(get_arena),
            core::mem::transmute::<*mut c_void, ArenaAccess>(set_arena),
        )
    };
    let mut raw = core::mem::MaybeUninit::<Allocator>::uninit();
    let mut arena = core::mem::MaybeUninit::<ArenaAllocator>::uninit();
    // SAFETY: both functions fill what they are given.
    let wrapped = unsafe {
        get_raw(DOMAIN_RAW, raw.as_mut_ptr());
        get_arena(arena.as_mut_ptr());
        Wrapped { raw: raw.assume_init(), arena: arena.assume_init() }
    };
    let null = core::ptr::null_mut();
    let mut counting = Allocator { context: null, malloc, calloc, realloc, free };
    let mut counting_arena = ArenaAllocator { context: null, alloc: arena_alloc, free: arena_free };
    WRAPPED.set(wrapped).ok()?;
    // SAFETY: the structures are valid, and CPython copies them.
    unsafe {
        set_raw(DOMAIN_RAW, &raw mut counting);
        set_arena(&raw mut counting_arena);
    }
    Some(())
}

/// Whether so many bytes more are within the bound.
fn admits(bytes: usize) -> bool {
    let more = i64::try_from(bytes).unwrap_or(i64::MAX);
    IN_USE.load(Ordering::Relaxed).saturating_add(more) <= BOUND.load(Ordering::Relaxed)
}

/// Notes a block that was given or taken back.
fn note(block: *mut c_void, sign: i64) {
    if !block.is_null() {
        // SAFETY: the block is the system allocator's, and live.
        let bytes = unsafe { libc::malloc_usable_size(block) };
        IN_USE.fetch_add(sign * i64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
    }
}

fn given(block: *mut c_void) -> *mut c_void {
    note(block, 1);
    block
}

unsafe extern "C" fn malloc(_: *mut c_void, bytes: usize) -> *mut c_void {
    match WRAPPED.get() {
        Some(Wrapped { raw, .. }) if admits(bytes) => {
            // SAFETY: the wrapped function with its own context.
            given(unsafe { (raw.malloc)(raw.context, bytes) })
        }
        _ => core::ptr::null_mut(),
    }
}

unsafe extern "C" fn calloc(_: *mut c_void, count: usize, bytes: usize) -> *mut c_void {
    match WRAPPED.get() {
        Some(Wrapped { raw, .. }) if admits(count.saturating_mul(bytes)) => {
            // SAFETY: the wrapped function with its own context.
            given(unsafe { (raw.calloc)(raw.context, count, bytes) })
        }
        _ => core::ptr::null_mut(),
    }
}

unsafe extern "C" fn realloc(_: *mut c_void, block: *mut c_void, bytes: usize) -> *mut c_void {
    let Some(Wrapped { raw, .. }) = WRAPPED.get() else { return core::ptr::null_mut() };
    // SAFETY: a block that Python reallocates is null or live.
    let before = if block.is_null() { 0 } else { unsafe { libc::malloc_usable_size(block) } };
    if bytes > before && !admits(bytes - before) {
        return core::ptr::null_mut();
    }
    // SAFETY: the wrapped function with its own context.
    let moved = unsafe { (raw.realloc)(raw.context, block, bytes) };
    if !moved.is_null() {
        IN_USE.fetch_sub(i64::try_from(before).unwrap_or(0), Ordering::Relaxed);
        note(moved, 1);
    }
    moved
}

unsafe extern "C" fn free(_: *mut c_void, block: *mut c_void) {
    if let Some(Wrapped { raw, .. }) = WRAPPED.get() {
        note(block, -1);
        // SAFETY: the wrapped function with its own context.
        unsafe { (raw.free)(raw.context, block) };
    }
}

unsafe extern "C" fn arena_alloc(_: *mut c_void, bytes: usize) -> *mut c_void {
    match WRAPPED.get() {
        Some(Wrapped { arena, .. }) if admits(bytes) => {
            // SAFETY: the wrapped function with its own context.
            let block = unsafe { (arena.alloc)(arena.context, bytes) };
            if !block.is_null() {
                IN_USE.fetch_add(i64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
            }
            block
        }
        _ => core::ptr::null_mut(),
    }
}

unsafe extern "C" fn arena_free(_: *mut c_void, block: *mut c_void, bytes: usize) {
    if let Some(Wrapped { arena, .. }) = WRAPPED.get() {
        IN_USE.fetch_sub(i64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
        // SAFETY: the wrapped function with its own context.
        unsafe { (arena.free)(arena.context, block, bytes) };
    }
}
