//! Globals of the web platform that libraries count on and CCF's engine lacks: `TextEncoder`,
//! `TextDecoder`, `URL`, `URLSearchParams`, `structuredClone` (WHATWG Encoding, URL, HTML).
//!
//! They are a script ([`SOURCE`]) on the natives below. It is evaluated when one of them is first
//! used, so that apps that do not use them pay nothing; where a module's source mentions one, it is
//! evaluated before the pristine state is kept, so that requests do not pay either.

use url::{Url, form_urlencoded, quirks};

use super::{WEB, namespace};
use crate::engine::{Args, Arity, Native, Scope, Script, Value};

/// The script that makes the globals.
pub(crate) const SOURCE: &str = include_str!("web.js");

/// What the script needs.
pub(super) static NATIVES: &[Native] = &[
    Native { name: c"encode", arity: Arity::Exactly(1), run: encode },
    Native { name: c"decode", arity: Arity::Exactly(4), run: decode },
    Native { name: c"formParse", arity: Arity::Exactly(1), run: form_parse },
    Native { name: c"formSerialize", arity: Arity::Exactly(1), run: form_serialize },
    Native { name: c"urlResolve", arity: Arity::Exactly(2), run: url_resolve },
    Native { name: c"urlSet", arity: Arity::Exactly(3), run: url_set },
];

/// The accessors by which the globals are loaded: getter and setter of each name. The script knows
/// the getters by their names.
macro_rules! lazy {
    ($($name:literal),+ $(,)?) => {
        /// The globals.
        pub(crate) const NAMES: &[&str] = &[$($name),+];
        pub(super) static LAZY: &[Native] = &[$({
            fn get<'js>(scope: Scope<'js>, _: Args<'js>) -> Script<Value<'js>> {
                scope.get_named(&load(scope)?, $name)
            }
            Native { name: terminated(concat!("affiant:", $name, "\0")), arity: Arity::Any, run: get }
        }, {
            fn set<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
                scope.set_named(&scope.global(), $name, args.get(0))?;
                Ok(scope.undefined())
            }
            Native { name: terminated(concat!("set ", $name, "\0")), arity: Arity::Any, run: set }
        }),+];
    };
}

lazy!("TextDecoder", "TextEncoder", "URL", "URLSearchParams", "structuredClone");

const fn terminated(name: &'static str) -> &'static core::ffi::CStr {
    match core::ffi::CStr::from_bytes_with_nul(name.as_bytes()) {
        Ok(name) => name,
        Err(_) => panic!("terminated by the macro"),
    }
}

/// Puts the accessors in place, or the globals where the app's modules mention one.
pub(super) fn install<'js>(scope: Scope<'js>, global: &Value<'js>) -> Script<()> {
    for (position, name) in NAMES.iter().enumerate() {
        let accessor = |index| super::function(scope, super::WEB_LAZY, index);
        let (getter, setter) = (accessor(2 * position)?, accessor(2 * position + 1)?);
        scope.set_accessor(global, name, getter, setter)?;
    }
    if scope.host().program.mentions_web { load(scope).map(drop) } else { Ok(()) }
}

/// Evaluates the script, which replaces the accessors that are left; returns all of the globals.
fn load(scope: Scope<'_>) -> Script<Value<'_>> {
    let program = scope.host().program.clone();
    let make = scope.run_script(&program.web)?;
    scope.call(&make, &[&namespace(scope, &[WEB])?])
}

fn encode<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let bytes = scope.with_text(&args.get(0), <[u8]>::to_vec)?;
    scope.array_buffer(&bytes)
}

/// `decode(encoding, bytes, fatal, stream)`: the text and how many bytes it took, or undefined where
/// the bytes are wrong and `fatal` is set. With `stream` an incomplete end is left for later.
fn decode<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let encoding = scope.text(&args.get(0))?;
    let bytes = scope.bytes_of_view(&args.get(1))?.unwrap_or_default();
    let (fatal, stream) = (scope.truthy(&args.get(2)), scope.truthy(&args.get(3)));
    let complete = if stream { complete_length(&encoding, &bytes) } else { bytes.len() };
    match decoded(&encoding, bytes.get(..complete).unwrap_or_default(), fatal) {
        Some(text) => {
            let parts = vec![scope.string(&text)?, scope.integer(complete as u64)];
            scope.array(parts)
        }
        None => Ok(scope.undefined()),
    }
}

/// Bytes up to the last whole character.
fn complete_length(encoding: &str, bytes: &[u8]) -> usize {
    match encoding {
        "utf-8" => {
            // A character has at most four bytes, so an incomplete one at most three.
            let tail = bytes.len().saturating_sub(3);
            let start = (tail..bytes.len()).find(|at| {
                let rest = bytes.get(*at..).unwrap_or_default();
                let error = core::str::from_utf8(rest).err();
                error.is_some_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
            });
            start.unwrap_or(bytes.len())
        }
        "utf-16le" | "utf-16be" => {
            let even = bytes.len() & !1;
            let last = even.checked_sub(2).and_then(|at| bytes.get(at..even));
            let high = usize::from(encoding == "utf-16le");
            let unfinished = last.is_some_and(|unit| matches!(unit.get(high), Some(0xd8..=0xdb)));
            if unfinished { even - 2 } else { even }
        }
        _ => bytes.len(),
    }
}

fn decoded(encoding: &str, bytes: &[u8], fatal: bool) -> Option<String> {
    match encoding {
        "utf-8" if fatal => core::str::from_utf8(bytes).ok().map(str::to_owned),
        "utf-8" => Some(String::from_utf8_lossy(bytes).into_owned()),
        "utf-16le" => utf16(bytes, u16::from_le_bytes, fatal),
        "utf-16be" => utf16(bytes, u16::from_be_bytes, fatal),
        _ => Some(bytes.iter().map(|byte| windows_1252(*byte)).collect()),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16, fatal: bool) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    if fatal {
        return if rest.is_empty() { String::from_utf16(&units).ok() } else { None };
    }
    let mut text = String::from_utf16_lossy(&units);
    if !rest.is_empty() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    Some(text)
}

/// Latin-1 but for the letters and signs that the web reads at 0x80 to 0x9f (Encoding standard,
/// index windows-1252).
fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}',
        '\u{2021}', '\u{2c6}', '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}',
        '\u{8f}', '\u{90}', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}',
        '\u{2014}', '\u{2dc}', '\u{2122}', '\u{161}', '\u{203a}', '\u{153}', '\u{9d}', '\u{17e}',
        '\u{178}',
    ];
    match byte {
        0x80..=0x9f => HIGH.get(usize::from(byte - 0x80)).copied().unwrap_or_default(),
        _ => char::from(byte),
    }
}

/// `application/x-www-form-urlencoded` to a flat array of names and values.
fn form_parse<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let text = scope.with_text(&args.get(0), <[u8]>::to_vec)?;
    let items: Script<Vec<Value<'js>>> = form_urlencoded::parse(&text)
        .flat_map(|(name, value)| [name, value])
        .map(|item| scope.string(&item))
        .collect();
    scope.array(items?)
}

fn form_serialize<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let flat = args.get(0);
    let count = scope.to_number(&scope.get(&flat, c"length")?)?;
    let mut form = form_urlencoded::Serializer::new(String::new());
    let mut index = 0.0;
    while index + 1.0 < count {
        let item = |offset: f64| {
            let item = scope.get_named(&flat, &(index + offset).to_string())?;
            scope.text(&item)
        };
        form.append_pair(&item(0.0)?, &item(1.0)?);
        index += 2.0;
    }
    scope.string(&form.finish())
}

/// `urlResolve(input, base)`: the parts of the URL, or undefined.
fn url_resolve<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let input = scope.text(&args.get(0))?;
    let base = match args.get(1) {
        none if none.is_undefined() => None,
        base => match Url::parse(&scope.text(&base)?) {
            Ok(base) => Some(base),
            Err(_) => return Ok(scope.undefined()),
        },
    };
    match Url::options().base_url(base.as_ref()).parse(&input) {
        Ok(url) => parts(scope, &url),
        Err(_) => Ok(scope.undefined()),
    }
}

/// `urlSet(href, part, value)`: the parts after the change, or undefined if it is refused.
fn url_set<'js>(scope: Scope<'js>, args: Args<'js>) -> Script<Value<'js>> {
    let (href, value) = (scope.text(&args.get(0))?, scope.text(&args.get(2))?);
    let part = scope.to_number(&args.get(1))?;
    let Ok(mut url) = Url::parse(&href) else { return Ok(scope.undefined()) };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part's number")]
    let changed = match part as usize {
        0 => quirks::set_href(&mut url, &value).map_err(|_| ()),
        2 => quirks::set_protocol(&mut url, &value),
        3 => quirks::set_username(&mut url, &value),
        4 => quirks::set_password(&mut url, &value),
        5 => quirks::set_host(&mut url, &value),
        6 => quirks::set_hostname(&mut url, &value),
        7 => quirks::set_port(&mut url, &value),
        8 => {
            quirks::set_pathname(&mut url, &value);
            Ok(())
        }
        9 => {
            quirks::set_search(&mut url, &value);
            Ok(())
        }
        10 => {
            quirks::set_hash(&mut url, &value);
            Ok(())
        }
        _ => Err(()),
    };
    match changed {
        Ok(()) => parts(scope, &url),
        Err(()) => Ok(scope.undefined()),
    }
}

fn parts<'js>(scope: Scope<'js>, url: &Url) -> Script<Value<'js>> {
    let origin = quirks::origin(url);
    let parts = [
        quirks::href(url),
        &origin,
        quirks::protocol(url),
        quirks::username(url),
        quirks::password(url),
        quirks::host(url),
        quirks::hostname(url),
        quirks::port(url),
        quirks::pathname(url),
        quirks::search(url),
        quirks::hash(url),
    ];
    let parts: Script<Vec<Value<'js>>> = parts.iter().map(|part| scope.string(part)).collect();
    scope.array(parts?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_keeps_what_is_incomplete() {
        let cases: [(&str, &[u8], usize); 9] = [
            ("utf-8", b"abc", 3),
            ("utf-8", b"ab\xe2\x82", 2),
            ("utf-8", b"ab\xf0\x9f\x98", 2),
            ("utf-8", b"ab\xff", 3),
            ("utf-8", b"\xe2\x82\xac", 3),
            ("utf-16le", b"a\0b", 2),
            ("utf-16le", b"a\0\x3d\xd8", 2),
            ("utf-16be", b"\0a\xd8\x3d", 2),
            ("windows-1252", b"\x80", 1),
        ];
        for (encoding, bytes, complete) in cases {
            assert_eq!(complete_length(encoding, bytes), complete, "{encoding} {bytes:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_replaced_or_refused() {
        assert_eq!(
            decoded("utf-8", b"a\xe2\x82b\xff", false).as_deref(),
            Some("a\u{fffd}b\u{fffd}")
        );
        assert_eq!(decoded("utf-8", b"a\xff", true), None);
        assert_eq!(decoded("utf-16le", b"\x3d\xd8a", false).as_deref(), Some("\u{fffd}\u{fffd}"));
        assert_eq!(decoded("utf-16be", b"\0", true), None);
        assert_eq!(decoded("windows-1252", b"\x80\xe9", true).as_deref(), Some("\u{20ac}\u{e9}"));
    }
}
