//! Which library this is, and which header goes with it.

use core::ffi::c_char;

use crate::boundary;
use crate::fault::Fault;
use crate::memory::affiant_slice;
use crate::status::{AFFIANT_VERSION_MISMATCH, affiant_status};

/// The major version of this header.
pub const AFFIANT_VERSION_MAJOR: u32 = 0;
/// The minor version of this header.
pub const AFFIANT_VERSION_MINOR: u32 = 1;
/// The patch of this header.
pub const AFFIANT_VERSION_PATCH: u32 = 0;
/// The version of this header as one number: major * 1000000 + minor * 1000 + patch.
pub const AFFIANT_VERSION: u32 = 1000;

const MAJOR: u32 = 1_000_000;
const MINOR: u32 = 1_000;

const _: () = assert!(
    AFFIANT_VERSION
        == AFFIANT_VERSION_MAJOR * MAJOR + AFFIANT_VERSION_MINOR * MINOR + AFFIANT_VERSION_PATCH
);

/// The version of the library that runs, as `AFFIANT_VERSION` has that of the header.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_version() -> u32 {
    AFFIANT_VERSION
}

/// The version of the library that runs, such as "0.1.0". Lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_version_text() -> *const c_char {
    const TEXT: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    TEXT.as_ptr().cast()
}

/// Whether a program that was compiled with the header of version `header` (pass `AFFIANT_VERSION`) can use
/// this library: both have the same major version, while that is 0 also the same minor version, and the
/// library is not older than the header. `AFFIANT_VERSION_MISMATCH` if not.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_check_version(header: u32) -> affiant_status {
    boundary::plain(|| check(header, AFFIANT_VERSION))
}

/// Whether the library was built with a feature: "js", "python". Unknown names: false.
///
/// # Safety
/// `name` leads to as many bytes as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_has_feature(name: affiant_slice) -> bool {
    // SAFETY: as promised to this function.
    let name = unsafe { name.text("name") };
    let features = [("js", cfg!(feature = "js")), ("python", cfg!(feature = "python"))];
    name.is_ok_and(|name| features.contains(&(name, true)))
}

/// The rule of [`affiant_check_version`].
pub(crate) fn check(header: u32, library: u32) -> Result<(), Fault> {
    let same_major = header / MAJOR == library / MAJOR;
    let same_minor = header / MINOR == library / MINOR;
    if same_major && (library >= MAJOR || same_minor) && header <= library {
        return Ok(());
    }
    let text = |version: u32| {
        format!("{}.{}.{}", version / MAJOR, version % MAJOR / MINOR, version % MINOR)
    };
    let text = format!(
        "the program was compiled with the header of version {}, and the library is {}: compile it with the \
         header of the library that it runs with",
        text(header),
        text(library)
    );
    Err(Fault::new(AFFIANT_VERSION_MISMATCH, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_libraries_go_together_by_the_rule() {
        for (header, library, fits) in [
            (1_000, 1_000, true),
            (1_000, 1_007, true),
            (1_007, 1_000, false),
            (1_000, 2_000, false),
            (2_000, 1_000, false),
            (1_002_003, 1_002_003, true),
            (1_002_003, 1_005_000, true),
            (1_005_000, 1_002_003, false),
            (1_000_000, 2_000_000, false),
            (1_000, 1_001_000, false),
            (0, 1_000, false),
            (u32::MAX, 1_000, false),
        ] {
            assert_eq!(check(header, library).is_ok(), fits, "{header} {library}");
        }
        let said = check(2_000, 1_000).err().map(|fault| fault.text.into_owned());
        assert!(said.is_some_and(|said| said.contains("0.2.0") && said.contains("is 0.1.0")));
        let parts = [AFFIANT_VERSION_MAJOR, AFFIANT_VERSION_MINOR, AFFIANT_VERSION_PATCH];
        assert_eq!(parts.map(|part| part.to_string()).join("."), env!("CARGO_PKG_VERSION"));
    }
}
