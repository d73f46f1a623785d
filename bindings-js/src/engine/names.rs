//! Property names that every request needs, interned once per interpreter.

use core::cell::Cell;
use core::ffi::CStr;

/// A name of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name(usize);

/// The engine's number for each name; set when the interpreter is made.
pub(crate) type Atoms = [Cell<u32>; TABLE.len()];

macro_rules! names {
    ($($name:ident = $text:literal),+ $(,)?) => {
        impl Name {
            names!(@consts 0usize; $($name,)+);
        }
        /// The names by position.
        pub(super) const TABLE: &[&CStr] = &[$($text),+];
    };
    (@consts $position:expr; $name:ident, $($rest:ident,)*) => {
        pub(crate) const $name: Self = Self($position);
        names!(@consts $position + 1; $($rest,)*);
    };
    (@consts $position:expr;) => {};
}

names! {
    HEADERS = c"headers",
    QUERY = c"query",
    PATH = c"path",
    METHOD = c"method",
    HOSTNAME = c"hostname",
    ROUTE = c"route",
    URL = c"url",
    PARAMS = c"params",
    BODY = c"body",
    CALLER = c"caller",
    POLICY = c"policy",
    ID = c"id",
    DATA = c"data",
    CERT = c"cert",
    TEXT = c"text",
    JSON = c"json",
    ARRAY_BUFFER = c"arrayBuffer",
    STATUS_CODE = c"statusCode",
}

/// Header names that nearly every request has: interned so that making the request object does not
/// make and drop them each time.
pub(super) const COMMON_HEADERS: &[&CStr] = &[
    c"host",
    c"accept",
    c"accept-encoding",
    c"authorization",
    c"connection",
    c"content-length",
    c"content-type",
    c"user-agent",
];

impl Name {
    pub(super) const fn position(self) -> usize {
        self.0
    }
}
