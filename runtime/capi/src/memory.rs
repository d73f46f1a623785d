//! Memory of the caller: slices, outputs and structs. The only place where a pointer that is no handle is
//! followed.
//!
//! What can be checked is: NULL, alignment, sizes, UTF-8. That a pointer leads to as many bytes as its
//! size says is the caller's part.

use core::mem::{MaybeUninit, align_of, size_of};
use core::slice;

use crate::fault::Fault;
use crate::limits::STRUCT_BYTES_MAX;

/// Bytes that lie somewhere else: `size` bytes from `data` on. Text is UTF-8 and needs no NUL at its end.
/// Empty is any `data`, NULL too, with the size 0. In the header, `affiant_text("...")` and
/// `affiant_data(pointer, size)` make one.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct affiant_slice {
    /// The first byte.
    pub data: *const u8,
    /// How many bytes.
    pub size: usize,
}

impl affiant_slice {
    /// No bytes.
    pub const EMPTY: Self = Self { data: core::ptr::null(), size: 0 };

    /// A view of bytes that the library holds; what it promises of their life is the caller's to know.
    pub(crate) const fn of(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), size: bytes.len() }
    }

    /// The bytes; `what` names them in messages.
    ///
    /// # Safety
    /// Unless the size is 0 or `data` is NULL, `data` leads to `size` bytes that nobody changes during `'a`.
    pub(crate) unsafe fn bytes<'a>(self, what: &'static str) -> Result<&'a [u8], Fault> {
        if self.size == 0 {
            return Ok(&[]);
        }
        if self.data.is_null() {
            return Err(Fault::null(what));
        }
        if isize::try_from(self.size).is_err() {
            return Err(Fault::argument(format!("{what} is said to have {} bytes", self.size)));
        }
        // SAFETY: not NULL, of a possible size, and the rest is what the caller promises.
        Ok(unsafe { slice::from_raw_parts(self.data, self.size) })
    }

    /// The text; `what` names it in messages.
    ///
    /// # Safety
    /// As [`Self::bytes`].
    pub(crate) unsafe fn text<'a>(self, what: &'static str) -> Result<&'a str, Fault> {
        // SAFETY: as promised to this function.
        let bytes = unsafe { self.bytes(what)? };
        core::str::from_utf8(bytes).map_err(|error| {
            Fault::argument(format!("{what} is not UTF-8 at byte {}", error.valid_up_to()))
        })
    }
}

/// Structs that lie one after the other; `what` names them in messages.
///
/// # Safety
/// Unless the count is 0, or `first` is NULL or not aligned, it leads to `count` of them that nobody changes
/// during `'a`, and any bytes make one.
pub(crate) unsafe fn slices<'a, T: Copy>(
    first: *const T,
    count: usize,
    what: &'static str,
) -> Result<&'a [T], Fault> {
    if count == 0 {
        return Ok(&[]);
    }
    if first.is_null() {
        return Err(Fault::null(what));
    }
    if !first.is_aligned() {
        return Err(Fault::argument(format!("{what} is not aligned to {} bytes", align_of::<T>())));
    }
    if count.checked_mul(size_of::<T>()).is_none_or(|bytes| isize::try_from(bytes).is_err()) {
        return Err(Fault::argument(format!("{what} is said to have {count} elements")));
    }
    // SAFETY: not NULL, aligned, of a possible size, and the rest is what the caller promises.
    Ok(unsafe { slice::from_raw_parts(first, count) })
}

/// Where a function's result goes: checked before the work, written after it.
pub(crate) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// Takes the pointer; `what` names it in messages.
    ///
    /// # Safety
    /// Unless it is NULL or not aligned, `pointer` leads to room for a `T` that is the library's until the
    /// function returns.
    pub(crate) unsafe fn new(pointer: *mut T, what: &'static str) -> Result<Self, Fault> {
        if pointer.is_null() {
            return Err(Fault::null(what));
        }
        if !pointer.is_aligned() {
            return Err(Fault::argument(format!(
                "{what} is not aligned to {} bytes",
                align_of::<T>()
            )));
        }
        Ok(Self(pointer))
    }

    pub(crate) fn write(self, value: T) {
        // SAFETY: `new` has checked the pointer, and its caller has promised the room. What was there is
        // plain data or nothing, so it is overwritten without being dropped.
        unsafe { self.0.write(value) }
    }
}

impl<T> Out<T> {
    /// As [`Self::new`]; none where the program does not want it and passes NULL.
    ///
    /// # Safety
    /// As [`Self::new`].
    pub(crate) unsafe fn optional(
        pointer: *mut T,
        what: &'static str,
    ) -> Result<Option<Self>, Fault> {
        if pointer.is_null() {
            return Ok(None);
        }
        // SAFETY: as promised to this function.
        unsafe { Self::new(pointer, what).map(Some) }
    }
}

impl<H> Out<*mut H> {
    /// As [`Self::handle`]; none where the program does not want it and passes NULL.
    ///
    /// # Safety
    /// As [`Self::new`].
    pub(crate) unsafe fn optional_handle(
        pointer: *mut *mut H,
        what: &'static str,
    ) -> Result<Option<Self>, Fault> {
        if pointer.is_null() {
            return Ok(None);
        }
        // SAFETY: as promised to this function.
        unsafe { Self::handle(pointer, what).map(Some) }
    }

    /// As [`Self::new`] for a handle, which is NULL unless something comes of the call.
    ///
    /// # Safety
    /// As [`Self::new`].
    pub(crate) unsafe fn handle(pointer: *mut *mut H, what: &'static str) -> Result<Self, Fault> {
        // SAFETY: as promised to this function.
        let out = unsafe { Self::new(pointer, what)? };
        // SAFETY: checked just now.
        unsafe { out.0.write(core::ptr::null_mut()) };
        Ok(out)
    }
}

/// A struct whose first field is its size, so that it can grow in later versions.
///
/// # Safety
/// `repr(C)`, its first field is a `usize`, and it is valid where all its bytes are zero, and whatever
/// bytes its other fields have: no `bool`, no enum, no reference.
pub(crate) unsafe trait Versioned: Copy {
    /// Its name in C.
    const NAME: &'static str;
    /// Its size in the first version that had it.
    const SIZE_MIN: usize;
}

/// A copy of a struct of this or another version: what an older caller does not know is zero, and what
/// a newer caller says must be zero where this library does not know it.
///
/// # Safety
/// Unless it is NULL or not aligned, `pointer` leads to a struct of as many bytes as its first field says.
pub(crate) unsafe fn versioned<T: Versioned>(pointer: *const T) -> Result<T, Fault> {
    let name = T::NAME;
    // SAFETY: as promised to this function.
    let size = unsafe { size_of_struct(pointer, name, T::SIZE_MIN)? };
    // SAFETY: as many bytes as the struct says of itself, which its caller has promised.
    let given = unsafe { slice::from_raw_parts(pointer.cast::<u8>(), size) };
    let (known, unknown) = given.split_at(size.min(size_of::<T>()));
    if unknown.iter().any(|byte| *byte != 0) {
        return Err(Fault::argument(format!(
            "{name} has {size} bytes, of which this version knows {}, and the others are not zero: \
             the program asks for what only a newer library has",
            size_of::<T>()
        )));
    }
    let mut copy = MaybeUninit::<T>::zeroed();
    // SAFETY: `known` is no longer than a `T`, and lies elsewhere.
    unsafe { copy.as_mut_ptr().cast::<u8>().copy_from(known.as_ptr(), known.len()) };
    // SAFETY: every byte is set, and by the trait's contract any bytes will do.
    Ok(unsafe { copy.assume_init() })
}

/// A struct that the library fills in, whose first field, its size, the program has set.
///
/// # Safety
/// `repr(C)`, and its first field is a `usize`.
pub(crate) unsafe trait VersionedOut: Copy {
    /// Its name in C.
    const NAME: &'static str;
    /// Its size in the first version that had it.
    const SIZE_MIN: usize;
}

/// Room for a struct of this or another version.
pub(crate) struct StructOut<T> {
    pointer: *mut T,
    size: usize,
}

/// Takes the pointer to a struct that is to be filled in.
///
/// # Safety
/// Unless it is NULL or not aligned, `pointer` leads to a struct of as many bytes as its first field says,
/// which is the library's until the function returns.
pub(crate) unsafe fn versioned_out<T: VersionedOut>(
    pointer: *mut T,
) -> Result<StructOut<T>, Fault> {
    // SAFETY: as promised to this function.
    let size = unsafe { size_of_struct(pointer, T::NAME, T::SIZE_MIN)? };
    Ok(StructOut { pointer, size })
}

impl<T: VersionedOut> StructOut<T> {
    /// Writes what the program knows of it; what only the program knows becomes zero. The size stays as it
    /// is.
    pub(crate) fn write(self, value: T) {
        let known = self.size.min(size_of::<T>());
        let own = size_of::<usize>();
        // SAFETY: there is room for `size` bytes, which `versioned_out` was promised, and `known` is no more
        // than either struct has.
        unsafe {
            let bytes = self.pointer.cast::<u8>();
            let from = core::ptr::from_ref(&value).cast::<u8>();
            bytes.add(own).copy_from_nonoverlapping(from.add(own), known - own);
            bytes.add(known).write_bytes(0, self.size - known);
        }
    }
}

/// The size that a struct says of itself.
///
/// # Safety
/// Unless it is NULL or not aligned, `pointer` leads to a struct whose first field is a `usize`.
unsafe fn size_of_struct<T>(
    pointer: *const T,
    name: &'static str,
    size_min: usize,
) -> Result<usize, Fault> {
    if pointer.is_null() {
        return Err(Fault::null(name));
    }
    if !pointer.is_aligned() {
        return Err(Fault::argument(format!("{name} is not aligned to {} bytes", align_of::<T>())));
    }
    // SAFETY: not NULL, aligned, and the first field is a `usize` by the promise to this function.
    let size = unsafe { pointer.cast::<usize>().read() };
    if size < size_min || size > STRUCT_BYTES_MAX {
        return Err(Fault::argument(format!(
            "{name}.size is {size}; set it to sizeof({name}), which is {} here",
            size_of::<T>()
        )));
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::status::{AFFIANT_INVALID_ARGUMENT, AFFIANT_NULL_ARGUMENT};

    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Sample {
        size: usize,
        first: u64,
        later: u64,
    }

    // SAFETY: repr(C), begins with its size, integers only.
    unsafe impl Versioned for Sample {
        const NAME: &'static str = "sample";
        const SIZE_MIN: usize = 16;
    }

    fn read(words: &[u64]) -> Result<Sample, Fault> {
        // SAFETY: the words are aligned, and each test gives as many as the first one says.
        unsafe { versioned(words.as_ptr().cast()) }
    }

    #[test]
    fn structs_of_older_and_newer_versions_are_read() {
        assert_eq!(read(&[16, 7]).unwrap().later, 0);
        assert_eq!(read(&[24, 7, 8]).unwrap().later, 8);
        assert_eq!(read(&[32, 7, 8, 0]).unwrap().first, 7);
        let newer = read(&[32, 7, 8, 1]).err().unwrap();
        assert!(newer.status == AFFIANT_INVALID_ARGUMENT && newer.text.contains("newer library"));
        for size in [0, 8, 1 << 40] {
            let fault = read(&[size, 0, 0]).err().unwrap();
            assert!(fault.text.contains("sizeof(sample), which is 24"), "{}", fault.text);
        }
        // SAFETY: NULL is allowed.
        let null = unsafe { versioned::<Sample>(core::ptr::null()) };
        assert_eq!(null.err().unwrap().status, AFFIANT_NULL_ARGUMENT);
    }

    #[test]
    fn slices_are_checked() {
        let null = core::ptr::null();
        // SAFETY: NULL, and a size of 0, are allowed with any pointer; the last has its bytes.
        unsafe {
            assert_eq!(affiant_slice::EMPTY.bytes("x").unwrap(), b"");
            let missing = affiant_slice { data: null, size: 3 };
            assert_eq!(missing.bytes("key").err().unwrap().text, "key is NULL");
            let text = affiant_slice::of(b"caf\xe9").text("name").err().unwrap();
            assert_eq!(text.text, "name is not UTF-8 at byte 3");
            let one = [1_u8];
            let huge = affiant_slice { data: one.as_ptr(), size: usize::MAX };
            assert_eq!(huge.bytes("key").err().unwrap().status, AFFIANT_INVALID_ARGUMENT);
        }
    }
}
