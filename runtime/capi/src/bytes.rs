//! Bytes that a function has made.

use zeroize::Zeroizing;

use crate::boundary;
use crate::handle::{Kind, Opaque};
use crate::memory::{Out, affiant_slice};
use crate::status::affiant_status;

/// Bytes that belong to the program: made by a function of the library, to be freed with
/// `affiant_bytes_free`, which overwrites them.
pub struct affiant_bytes {
    _opaque: [u8; 0],
}

impl Opaque for affiant_bytes {
    type Object = Zeroizing<Vec<u8>>;
    const KIND: Kind = Kind::Bytes;
}

/// Shows the bytes, which stay where they are until they are freed. Any number of threads at once.
///
/// # Safety
/// `view` leads to room for an `affiant_slice`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_bytes_view(
    bytes: *const affiant_bytes,
    view: *mut affiant_slice,
) -> affiant_status {
    boundary::shared(bytes, |bytes| {
        // SAFETY: as promised to this function.
        let view = unsafe { Out::new(view, "view")? };
        view.write(affiant_slice::of(bytes));
        Ok(())
    })
}

/// Overwrites the bytes and frees them. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_bytes_free(bytes: *mut affiant_bytes) -> affiant_status {
    boundary::free(bytes)
}
