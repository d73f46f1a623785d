//! Failures in words.

use core::ffi::{c_char, c_void};
use std::panic::catch_unwind;

use crate::handle;
use crate::status::{WORDS, affiant_status, name_of};

/// Why the last failed call with `object` on this thread failed: what happened, where, what to do.
///
/// `object` is a handle of any type: the first one that the failed function was given. Copies at most
/// `capacity` bytes into `buffer`, the last of which is NUL, and returns the length of the whole text in
/// bytes without NUL, as snprintf does; 0 if there is no such text. `buffer` may be NULL if `capacity` is 0.
/// From any thread.
///
/// # Safety
/// `buffer` leads to `capacity` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_error_text(
    object: *const c_void,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    let text = catch_unwind(|| handle::recall(object)).ok().flatten().unwrap_or_default();
    // SAFETY: as promised to this function.
    unsafe { copy_text(&text, buffer, capacity) };
    text.len()
}

/// The name of a status, such as "AFFIANT_CONFLICT"; "AFFIANT_UNKNOWN_STATUS" for other numbers. Lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_status_name(status: affiant_status) -> *const c_char {
    name_of(status).as_ptr()
}

/// What a status means, in a sentence. Lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_status_text(status: affiant_status) -> *const c_char {
    let known = WORDS.iter().find(|(number, ..)| *number == status);
    known.map_or(c"this library has no such status", |(.., text)| text).as_ptr()
}

/// Copies what fits of `text`, whole characters, and ends it with NUL.
///
/// # Safety
/// `buffer` leads to `capacity` bytes, or is NULL.
pub(crate) unsafe fn copy_text(text: &str, buffer: *mut c_char, capacity: usize) {
    if buffer.is_null() || capacity == 0 {
        return;
    }
    let fits = text.get(..text.floor_char_boundary(capacity - 1)).unwrap_or_default();
    // SAFETY: there is room for `capacity` bytes, of which the text takes one less at most.
    unsafe {
        buffer.cast::<u8>().copy_from_nonoverlapping(fits.as_ptr(), fits.len());
        buffer.add(fits.len()).write(0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use core::ffi::CStr;

    use super::*;

    #[test]
    fn texts_are_cut_to_the_room_there_is() {
        let mut room = [1 as c_char; 8];
        for (capacity, wanted) in
            [(0, None), (1, Some("")), (3, Some("ab")), (8, Some("ab\u{e9}c"))]
        {
            room.fill(1);
            // SAFETY: the room has as many bytes.
            unsafe { copy_text("ab\u{e9}c", room.as_mut_ptr(), capacity) };
            let Some(wanted) = wanted else {
                assert_eq!(room[0], 1);
                continue;
            };
            // SAFETY: it ends with NUL.
            assert_eq!(unsafe { CStr::from_ptr(room.as_ptr()) }.to_str().unwrap(), wanted);
        }
    }

    #[test]
    fn every_status_has_its_own_words() {
        for (number, name, text) in WORDS {
            assert!(name.to_str().unwrap().starts_with("AFFIANT_") && !text.is_empty());
            assert_eq!(WORDS.iter().filter(|(other, ..)| other == number).count(), 1);
        }
        // SAFETY: a constant.
        let unknown = unsafe { CStr::from_ptr(affiant_status_name(77)) };
        assert_eq!(unknown, c"AFFIANT_UNKNOWN_STATUS");
    }
}
