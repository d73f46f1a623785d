//! The memory of one interpreter: an allocator whose every block lies in memory that this module
//! owns, so that the whole interpreter can be put back to an earlier state by copying bytes.
//!
//! Invariants:
//! * Blocks up to [`SMALL_BYTES_MAX`] are carved from chunks and keep their address for ever; larger
//!   ones have a chunk to themselves while the state to keep is built ([`Heap::build`]), and come
//!   from the system otherwise ([`Heap::settle`]), when they are on the `large` list.
//! * After [`Heap::restore`] every byte below the watermark of [`Heap::keep`] and all bookkeeping
//!   are what they were then, and everything allocated since is gone.
//! * Only the engine's C code and this module touch the memory; one thread at a time.
#![allow(unsafe_code, reason = "an allocator for the C engine deals in raw memory")]

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr::{self, NonNull};
use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};

use rquickjs::qjs;

use super::guard::shield;
use crate::limits::{HEAP_CHUNK_BYTES, HEAP_SPARE_CHUNK_COUNT_MAX};

/// Largest block that is carved from a chunk, in bytes.
const SMALL_BYTES_MAX: usize = 64 * 1024;
/// Every block starts at a multiple of this.
const ALIGN: usize = 16;
/// Steps of 16 bytes up to 1 KiB, then four steps per doubling up to [`SMALL_BYTES_MAX`].
const CLASS_COUNT: usize = 64 + 6 * 4;
/// The class of blocks that come from the system.
const CLASS_LARGE: usize = usize::MAX;
/// The class of blocks that have a chunk to themselves.
const CLASS_ALONE: usize = usize::MAX - 1;

/// Precedes every block.
#[repr(C, align(16))]
struct Header {
    /// Usable bytes after this header.
    capacity: usize,
    class: usize,
}

/// Precedes the [`Header`] of a large block.
#[repr(C, align(16))]
struct LargeLink {
    previous: *mut LargeLink,
    next: *mut LargeLink,
}

const HEADER: usize = size_of::<Header>();
const LARGE_PREFIX: usize = size_of::<LargeLink>() + HEADER;

struct Chunk {
    start: NonNull<u8>,
    size: usize,
    /// Bytes handed out so far.
    used: usize,
}

/// What [`Heap::restore`] goes back to.
struct Kept {
    /// A copy of the used part of the first chunks.
    bytes: Vec<Box<[MaybeUninit<u8>]>>,
    /// A copy of the first blocks that stand alone.
    alone: Vec<Box<[MaybeUninit<u8>]>>,
    current: usize,
    free: [*mut u8; CLASS_COUNT],
    in_use: usize,
}

struct State {
    chunks: Vec<Chunk>,
    /// The chunk that new blocks are carved from.
    current: usize,
    /// Chunks that hold one large block each.
    alone: Vec<Chunk>,
    /// Freed blocks per class; the first word of a free block points to the next.
    free: [*mut u8; CLASS_COUNT],
    large: *mut LargeLink,
    /// Bytes in live blocks, headers included.
    in_use: usize,
    /// `in_use` may not exceed this.
    limit: usize,
    /// An allocation was refused since the limit was set.
    refused: bool,
    /// Large blocks come from the system, not from chunks of their own.
    large_from_system: bool,
    kept: Option<Kept>,
}

/// The memory of one interpreter.
pub(crate) struct Heap {
    // Boxed by hand: the C engine holds this address while Rust uses it too.
    state: NonNull<State>,
}

impl Heap {
    /// An empty heap without a limit.
    pub(crate) fn new() -> Self {
        let state = Box::new(State {
            chunks: Vec::new(),
            alone: Vec::new(),
            current: 0,
            free: [ptr::null_mut(); CLASS_COUNT],
            large: ptr::null_mut(),
            in_use: 0,
            limit: usize::MAX,
            refused: false,
            large_from_system: false,
            kept: None,
        });
        Self { state: NonNull::from(Box::leak(state)) }
    }

    /// The functions and their argument for `JS_NewRuntime2`.
    pub(super) fn functions(&self) -> (qjs::JSMallocFunctions, *mut c_void) {
        let functions = qjs::JSMallocFunctions {
            js_calloc: Some(heap_calloc),
            js_malloc: Some(heap_malloc),
            js_free: Some(heap_free),
            js_realloc: Some(heap_realloc),
            js_malloc_usable_size: Some(heap_usable_size),
        };
        (functions, self.state.as_ptr().cast())
    }

    fn with<R>(&self, run: impl FnOnce(&mut State) -> R) -> R {
        // SAFETY: `state` is live until drop, one thread uses it, and neither `run` nor the C
        // callbacks re-enter.
        run(unsafe { &mut *self.state.as_ptr() })
    }

    /// Bytes in live blocks.
    pub(crate) fn in_use(&self) -> usize {
        self.with(|state| state.in_use)
    }

    /// Lets the heap grow by `growth_bytes` from here; forgets earlier refusals.
    pub(crate) fn limit_growth(&self, growth_bytes: usize) {
        self.with(|state| {
            state.limit = state.in_use.saturating_add(growth_bytes);
            state.refused = false;
        });
    }

    /// Whether an allocation was refused since [`Heap::limit_growth`].
    pub(crate) fn refused(&self) -> bool {
        self.with(|state| state.refused)
    }

    /// Lifts the limit.
    pub(crate) fn unlimit(&self) {
        self.with(|state| state.limit = usize::MAX);
    }

    /// From now on large blocks come from the system, which is faster; [`Heap::keep`] is over.
    pub(crate) fn settle(&self) {
        self.with(|state| state.large_from_system = true);
    }

    /// From now on what is allocated may be kept.
    pub(crate) fn build(&self) {
        self.with(|state| state.large_from_system = false);
    }

    /// Remembers the present contents for [`Heap::restore`]; replaces what was kept before.
    pub(crate) fn keep(&self) {
        self.with(State::keep);
    }

    /// Goes back to what [`Heap::keep`] saw. The caller sees to it that nothing refers to newer
    /// blocks.
    pub(super) fn restore(&self) {
        self.with(State::restore);
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `Box::leak` in `new`; the engine that used it is gone
        // (`Engine` drops its runtime, or abandons it for good, before its heap).
        let mut state = unsafe { Box::from_raw(self.state.as_ptr()) };
        state.free_large();
        for chunk in state.chunks.iter().chain(&state.alone) {
            chunk.free();
        }
    }
}

impl Chunk {
    /// Straight from the system, so that what a greedy request took goes back there when it is freed,
    /// whatever the process's allocator keeps.
    fn new(size: usize) -> Option<Self> {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, which touches no other.
        let start = unsafe { libc::mmap(ptr::null_mut(), size, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return None;
        }
        Some(Self { start: NonNull::new(start.cast())?, size, used: 0 })
    }

    fn free(&self) {
        // SAFETY: the whole of a mapping of `new`, unmapped once.
        let done = unsafe { libc::munmap(self.start.as_ptr().cast(), self.size) };
        assert!(done == 0, "a mapping that is there can be unmapped");
    }
}

/// The class of a block of `size` bytes and its capacity.
fn class_of(size: usize) -> (usize, usize) {
    if size <= 1024 {
        let class = size.div_ceil(16).max(1);
        return (class - 1, class * 16);
    }
    // The doubling that `size` lies in: 1024 < size <= 2048 is 0.
    let doubling = (size - 1).ilog2() as usize - 10;
    let step = 256 << doubling;
    let quarter = (size - (1024 << doubling)).div_ceil(step);
    (64 + doubling * 4 + quarter - 1, (1024 << doubling) + quarter * step)
}

impl State {
    fn allocate(&mut self, size: usize, zeroed: bool) -> *mut c_void {
        if size > SMALL_BYTES_MAX {
            return self.allocate_large(size, zeroed);
        }
        let (class, capacity) = class_of(size);
        if !self.admit(capacity + HEADER) {
            return ptr::null_mut();
        }
        let free = self.free[class];
        let payload = if free.is_null() {
            let Some(payload) = self.carve(class, capacity) else {
                self.in_use -= capacity + HEADER;
                self.refused = true;
                return ptr::null_mut();
            };
            payload
        } else {
            // SAFETY: a free block's first word is the next free block of its class.
            self.free[class] = unsafe { free.cast::<*mut u8>().read() };
            free
        };
        if zeroed {
            // SAFETY: the block has at least `size` usable bytes.
            unsafe { ptr::write_bytes(payload, 0, size) };
        }
        payload.cast()
    }

    /// Accounts for `bytes` more, unless that is too much.
    fn admit(&mut self, bytes: usize) -> bool {
        if self.in_use.saturating_add(bytes) > self.limit {
            self.refused = true;
            return false;
        }
        self.in_use += bytes;
        true
    }

    /// A new block from the current chunk or the next.
    fn carve(&mut self, class: usize, capacity: usize) -> Option<*mut u8> {
        let need = capacity + HEADER;
        loop {
            let count = self.chunks.len();
            match self.chunks.get_mut(self.current) {
                Some(chunk) if chunk.size - chunk.used >= need => {
                    // SAFETY: `used + need <= size`, so the header and block lie in the chunk.
                    let header = unsafe { chunk.start.as_ptr().add(chunk.used) };
                    chunk.used += need;
                    // SAFETY: as above; chunks are page-aligned and `used` a multiple of 16.
                    unsafe { header.cast::<Header>().write(Header { capacity, class }) };
                    // SAFETY: as above.
                    return Some(unsafe { header.add(HEADER) });
                }
                Some(_) if self.current + 1 < count => self.current += 1,
                _ => {
                    self.chunks.push(Chunk::new(HEAP_CHUNK_BYTES)?);
                    self.current = self.chunks.len() - 1;
                }
            }
        }
    }

    fn allocate_large(&mut self, size: usize, zeroed: bool) -> *mut c_void {
        let Some(capacity) = size.checked_next_multiple_of(ALIGN) else {
            self.refused = true;
            return ptr::null_mut();
        };
        if !self.admit(capacity.saturating_add(HEADER)) {
            return ptr::null_mut();
        }
        let payload = if self.large_from_system {
            self.system_block(capacity, zeroed)
        } else {
            self.block_alone(capacity, zeroed)
        };
        match payload {
            Some(payload) => payload.cast(),
            None => {
                self.in_use -= capacity + HEADER;
                self.refused = true;
                ptr::null_mut()
            }
        }
    }

    fn block_alone(&mut self, capacity: usize, zeroed: bool) -> Option<*mut u8> {
        let need = capacity.checked_add(HEADER)?;
        let mut chunk = Chunk::new(need)?;
        chunk.used = need;
        // SAFETY: the chunk has room for the header and `capacity` bytes.
        let payload = unsafe {
            let header = chunk.start.as_ptr();
            header.cast::<Header>().write(Header { capacity, class: CLASS_ALONE });
            header.add(HEADER)
        };
        if zeroed {
            // SAFETY: as above.
            unsafe { ptr::write_bytes(payload, 0, capacity) };
        }
        self.alone.push(chunk);
        Some(payload)
    }

    /// Releases a block that stands alone, unless it is part of the kept state, which has to find
    /// its memory where it was.
    fn free_alone(&mut self, payload: *mut u8) {
        let kept = self.kept.as_ref().map_or(0, |kept| kept.alone.len());
        // SAFETY: the block's header is the start of its chunk.
        let start = unsafe { payload.sub(HEADER) };
        let position = self.alone.iter().position(|chunk| chunk.start.as_ptr() == start);
        if let Some(position) = position.filter(|position| *position >= kept) {
            self.alone.remove(position).free();
        }
    }

    fn system_block(&mut self, capacity: usize, zeroed: bool) -> Option<*mut u8> {
        let layout = large_layout(capacity)?;
        // SAFETY: the layout's size is not zero.
        let start = unsafe { if zeroed { alloc_zeroed(layout) } else { alloc(layout) } };
        if start.is_null() {
            return None;
        }
        self.link(start.cast());
        // SAFETY: the allocation has room for both prefixes before the block.
        unsafe {
            let header = start.add(size_of::<LargeLink>());
            header.cast::<Header>().write(Header { capacity, class: CLASS_LARGE });
            Some(header.add(HEADER))
        }
    }

    fn link(&mut self, link: *mut LargeLink) {
        // SAFETY: `link` is the start of a large block, `large` null or another live one.
        unsafe {
            link.write(LargeLink { previous: ptr::null_mut(), next: self.large });
            if !self.large.is_null() {
                (*self.large).previous = link;
            }
        }
        self.large = link;
    }

    fn unlink(&mut self, link: *mut LargeLink) {
        // SAFETY: `link` is on the list, whose neighbours are live blocks.
        unsafe {
            let LargeLink { previous, next } = link.read();
            if previous.is_null() {
                self.large = next;
            } else {
                (*previous).next = next;
            }
            if !next.is_null() {
                (*next).previous = previous;
            }
        }
    }

    fn free(&mut self, payload: *mut u8) {
        let (capacity, class) = header_of(payload);
        self.in_use -= capacity + HEADER;
        if class < CLASS_COUNT {
            // SAFETY: the block is ours, no longer used and at least 16 bytes long.
            unsafe { payload.cast::<*mut u8>().write(self.free[class]) };
            self.free[class] = payload;
        } else if class == CLASS_LARGE {
            // SAFETY: a system block's link precedes its header.
            let link = unsafe { payload.sub(LARGE_PREFIX) };
            self.unlink(link.cast());
            let layout = large_layout(capacity).expect("checked when it was made");
            // SAFETY: allocated with this layout, freed once.
            unsafe { dealloc(link, layout) };
        } else {
            self.free_alone(payload);
        }
    }

    fn reallocate(&mut self, payload: *mut u8, size: usize) -> *mut c_void {
        let (capacity, class) = header_of(payload);
        if class == CLASS_LARGE && size > SMALL_BYTES_MAX {
            return self.reallocate_large(payload, capacity, size);
        }
        if size <= capacity && (class < CLASS_COUNT || size > capacity / 2) {
            return payload.cast();
        }
        let new = self.allocate(size, false);
        if !new.is_null() {
            // SAFETY: both blocks have at least that many bytes and do not overlap.
            unsafe { ptr::copy_nonoverlapping(payload, new.cast(), capacity.min(size)) };
            self.free(payload);
        }
        new
    }

    fn reallocate_large(
        &mut self,
        payload: *mut u8,
        old_capacity: usize,
        size: usize,
    ) -> *mut c_void {
        let layouts = size.checked_next_multiple_of(ALIGN).and_then(|capacity| {
            Some((capacity, large_layout(capacity)?, large_layout(old_capacity)?))
        });
        let Some((capacity, new_layout, old_layout)) = layouts else {
            self.refused = true;
            return ptr::null_mut();
        };
        if self.in_use - old_capacity + capacity > self.limit {
            self.refused = true;
            return ptr::null_mut();
        }
        // SAFETY: a system block's link precedes its header.
        let link = unsafe { payload.sub(LARGE_PREFIX) };
        self.unlink(link.cast());
        // SAFETY: allocated with `old_layout`; the new size is not zero.
        let moved = unsafe { realloc(link, old_layout, new_layout.size()) };
        if moved.is_null() {
            self.link(link.cast());
            self.refused = true;
            return ptr::null_mut();
        }
        self.link(moved.cast());
        self.in_use = self.in_use - old_capacity + capacity;
        // SAFETY: the allocation has room for both prefixes before the block.
        unsafe {
            let header = moved.add(size_of::<LargeLink>());
            (*header.cast::<Header>()).capacity = capacity;
            header.add(HEADER).cast()
        }
    }

    fn keep(&mut self) {
        assert!(self.large.is_null(), "a kept heap has no system blocks");
        // SAFETY: a chunk's first `used` bytes lie in its allocation.
        let copies = |chunks: &[Chunk]| chunks.iter().map(|c| unsafe { copy_of(c) }).collect();
        self.kept = Some(Kept {
            bytes: copies(&self.chunks[..self.chunks.len().min(self.current + 1)]),
            alone: copies(&self.alone),
            current: self.current,
            free: self.free,
            in_use: self.in_use,
        });
    }

    fn restore(&mut self) {
        self.free_large();
        let Some(kept) = &self.kept else { return };
        let chunks = self.chunks.iter_mut().zip(&kept.bytes);
        for (chunk, bytes) in chunks.chain(self.alone.iter_mut().zip(&kept.alone)) {
            // SAFETY: `bytes` is a copy of the chunk's first bytes; the two do not overlap.
            unsafe {
                let start = chunk.start.as_ptr().cast::<MaybeUninit<u8>>();
                ptr::copy_nonoverlapping(bytes.as_ptr(), start, bytes.len());
            }
            chunk.used = bytes.len();
        }
        let spare = kept.bytes.len() + HEAP_SPARE_CHUNK_COUNT_MAX;
        let surplus = self.chunks.drain(spare.min(self.chunks.len())..);
        for chunk in surplus.chain(self.alone.drain(kept.alone.len()..)) {
            chunk.free();
        }
        for chunk in &mut self.chunks[kept.bytes.len()..] {
            chunk.used = 0;
        }
        self.current = kept.current;
        self.free = kept.free;
        self.in_use = kept.in_use;
    }

    fn free_large(&mut self) {
        let mut link = self.large;
        self.large = ptr::null_mut();
        while !link.is_null() {
            // SAFETY: every link on the list starts a live system block with its header behind.
            let (next, capacity) = unsafe {
                let header = link.cast::<u8>().add(size_of::<LargeLink>()).cast::<Header>();
                ((*link).next, (*header).capacity)
            };
            let layout = large_layout(capacity).expect("checked when it was made");
            // SAFETY: allocated with this layout, freed once.
            unsafe { dealloc(link.cast(), layout) };
            link = next;
        }
    }
}

/// A copy of a chunk's used bytes.
///
/// # Safety
/// The chunk's first `used` bytes are readable.
unsafe fn copy_of(chunk: &Chunk) -> Box<[MaybeUninit<u8>]> {
    let mut copy = Box::<[u8]>::new_uninit_slice(chunk.used);
    let start = chunk.start.as_ptr().cast::<MaybeUninit<u8>>();
    // SAFETY: the caller's promise, and `copy` has that length.
    unsafe { ptr::copy_nonoverlapping(start, copy.as_mut_ptr(), chunk.used) };
    copy
}

fn large_layout(capacity: usize) -> Option<Layout> {
    Layout::from_size_align(capacity.checked_add(LARGE_PREFIX)?, ALIGN).ok()
}

fn header_of(payload: *const u8) -> (usize, usize) {
    // SAFETY: every block given out is preceded by its header.
    let header = unsafe { &*payload.sub(HEADER).cast::<Header>() };
    (header.capacity, header.class)
}

/// The heap behind the engine's opaque pointer.
fn state<'a>(opaque: *mut c_void) -> &'a mut State {
    // SAFETY: the pointer is the one `Heap::functions` gave, the heap outlives the engine, and the
    // callbacks neither nest nor leave their thread.
    unsafe { &mut *opaque.cast::<State>() }
}

/// The C engine's `size_t` as a length; as wide as `usize` wherever this crate builds.
const fn length(size: qjs::size_t) -> usize {
    size as usize
}

unsafe extern "C" fn heap_malloc(opaque: *mut c_void, size: qjs::size_t) -> *mut c_void {
    shield(|| state(opaque).allocate(length(size), false))
}

unsafe extern "C" fn heap_calloc(
    opaque: *mut c_void,
    count: qjs::size_t,
    size: qjs::size_t,
) -> *mut c_void {
    match length(count).checked_mul(length(size)) {
        Some(bytes) => shield(|| state(opaque).allocate(bytes, true)),
        None => ptr::null_mut(),
    }
}

unsafe extern "C" fn heap_free(opaque: *mut c_void, payload: *mut c_void) {
    if !payload.is_null() {
        shield(|| state(opaque).free(payload.cast()));
    }
}

unsafe extern "C" fn heap_realloc(
    opaque: *mut c_void,
    payload: *mut c_void,
    size: qjs::size_t,
) -> *mut c_void {
    shield(|| {
        if payload.is_null() {
            return state(opaque).allocate(length(size), false);
        }
        state(opaque).reallocate(payload.cast(), length(size))
    })
}

unsafe extern "C" fn heap_usable_size(payload: *const c_void) -> qjs::size_t {
    if payload.is_null() { 0 } else { header_of(payload.cast()).0 as qjs::size_t }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn classes_cover_every_small_size_without_waste() {
        let mut previous = 0;
        for size in 1..=SMALL_BYTES_MAX {
            let (class, capacity) = class_of(size);
            assert!(class < CLASS_COUNT && capacity >= size && capacity.is_multiple_of(ALIGN));
            assert!(class == previous || class == previous + 1, "size {size} skips a class");
            assert!(capacity <= size + 16 || capacity <= size + size / 4, "size {size} wastes");
            previous = class;
        }
        assert_eq!(previous, CLASS_COUNT - 1);
    }

    const _: () = assert!(SMALL_BYTES_MAX + HEADER <= HEAP_CHUNK_BYTES);

    #[test]
    fn restore_brings_back_bytes_and_bookkeeping() {
        let heap = Heap::new();
        let (_, opaque) = heap.functions();
        let write = |block: *mut c_void, byte: u8, size: usize| {
            // SAFETY: the block has at least `size` bytes.
            unsafe { ptr::write_bytes(block.cast::<u8>(), byte, size) };
        };
        // SAFETY: a block of this heap.
        let byte_of = |block: *mut c_void| unsafe { block.cast::<u8>().read() };
        let small = state(opaque).allocate(100, false);
        let big = state(opaque).allocate(1 << 20, true);
        write(small, 7, 100);
        write(big, 8, 1 << 20);
        heap.keep();
        heap.settle();
        let in_use = heap.in_use();
        for round in 0..3 {
            write(small, 1, 100);
            write(big, 2, 1 << 20);
            state(opaque).free(small.cast());
            let grown = state(opaque).reallocate(big.cast(), 3 << 20);
            assert_eq!(byte_of(grown), 2);
            let grown = state(opaque).reallocate(grown.cast(), 5 << 20);
            for size in [16, 5000, 70_000, 200_000, 1 << 21] {
                write(state(opaque).allocate(size, false), 3, size);
            }
            state(opaque).free(grown.cast());
            if round == 1 {
                heap.build();
                let block = state(opaque).allocate(1 << 22, true);
                state(opaque).free(block.cast());
                state(opaque).allocate(1 << 22, true);
            }
            heap.restore();
            assert_eq!((byte_of(small), byte_of(big)), (7, 8), "round {round}");
            assert_eq!(heap.in_use(), in_use);
        }
    }

    #[test]
    fn the_limit_refuses_and_is_remembered() {
        let heap = Heap::new();
        let (_, opaque) = heap.functions();
        heap.settle();
        heap.limit_growth(100_000);
        let block = state(opaque).allocate(90_000, false);
        assert!(!block.is_null() && !heap.refused());
        assert!(state(opaque).reallocate(block.cast(), 120_000).is_null());
        assert!(heap.refused());
        state(opaque).free(block.cast());
        assert!(!state(opaque).allocate(90_000, false).is_null());
        heap.unlimit();
        assert!(!state(opaque).allocate(900_000, false).is_null());
    }

    /// One step of a script that uses a heap as the engine does.
    #[derive(Clone, Debug)]
    enum Step {
        Allocate(usize, bool),
        Free(usize),
        Reallocate(usize, usize),
        Restore,
    }

    fn step() -> impl Strategy<Value = Step> {
        let size = || prop_oneof![1_usize..2000, 2000_usize..70_000, 60_000_usize..400_000];
        prop_oneof![
            4 => (size(), any::<bool>()).prop_map(|(size, zeroed)| Step::Allocate(size, zeroed)),
            3 => any::<usize>().prop_map(Step::Free),
            3 => (any::<usize>(), size()).prop_map(|(block, size)| Step::Reallocate(block, size)),
            1 => Just(Step::Restore),
        ]
    }

    /// Blocks that the script holds: where, how long, and the byte they are filled with.
    type Blocks = Vec<(*mut u8, usize, u8)>;

    fn check(blocks: &Blocks) {
        for (start, size, byte) in blocks {
            // SAFETY: a live block of that size.
            let bytes = unsafe { core::slice::from_raw_parts(*start, *size) };
            assert!(bytes == vec![*byte; *size], "a block was overwritten");
        }
    }

    fn run(opaque: *mut c_void, blocks: &mut Blocks, step: &Step, byte: u8) {
        let fill = |start: *mut u8, size: usize| {
            // SAFETY: a live block of that size.
            unsafe { ptr::write_bytes(start, byte, size) };
            (start, size, byte)
        };
        match *step {
            Step::Allocate(size, zeroed) => {
                let start = state(opaque).allocate(size, zeroed).cast::<u8>();
                assert!(start.addr().is_multiple_of(ALIGN) && !start.is_null());
                if zeroed {
                    check(&vec![(start, size, 0)]);
                }
                blocks.push(fill(start, size));
            }
            Step::Free(which) if !blocks.is_empty() => {
                let (start, ..) = blocks.swap_remove(which % blocks.len());
                state(opaque).free(start);
            }
            Step::Reallocate(which, size) if !blocks.is_empty() => {
                let index = which % blocks.len();
                let (old, old_size, old_byte) = blocks[index];
                let start = state(opaque).reallocate(old, size).cast::<u8>();
                check(&vec![(start, old_size.min(size), old_byte)]);
                blocks[index] = fill(start, size);
            }
            _ => {}
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn blocks_never_overlap_and_restore_is_exact(
            built in proptest::collection::vec(step(), 0..40),
            used in proptest::collection::vec(step(), 0..120),
        ) {
            let heap = Heap::new();
            let (_, opaque) = heap.functions();
            let mut kept = Blocks::new();
            for (number, step) in built.iter().enumerate() {
                run(opaque, &mut kept, step, number as u8);
                check(&kept);
            }
            heap.keep();
            heap.settle();
            let in_use = heap.in_use();
            let mut blocks = kept.clone();
            for (number, step) in used.iter().enumerate() {
                if matches!(step, Step::Restore) {
                    heap.restore();
                    blocks = kept.clone();
                    prop_assert_eq!(heap.in_use(), in_use);
                } else {
                    run(opaque, &mut blocks, step, number as u8);
                }
                check(&blocks);
            }
        }
    }
}
