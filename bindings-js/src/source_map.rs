//! From places in a module that a bundler wrote to the source that its author knows: source maps,
//! revision 3 (ECMA-426), from a file beside the module or from the module's own last line. Read when
//! the first exception wants to be told; a map that makes no sense is as none.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

/// How a module names the map that it carries itself.
const INLINE: &str = "//# sourceMappingURL=data:application/json;";
const BASE64: &str = "base64,";

/// The map of one module.
pub(crate) struct SourceMap {
    text: String,
    read: OnceLock<Option<Mappings>>,
}

struct Mappings {
    sources: Vec<String>,
    /// By line of the module; ascending by column.
    lines: Vec<Vec<Segment>>,
}

/// From here on a line comes from there. All counted from 0.
struct Segment {
    column: i64,
    source: i64,
    line: i64,
}

impl SourceMap {
    pub(crate) fn new(text: String) -> Self {
        Self { text, read: OnceLock::new() }
    }

    /// The map that a module carries itself.
    pub(crate) fn of_module(source: &str) -> Option<Self> {
        let last = source.trim_end().rsplit('\n').next()?;
        let (_, encoded) = last.strip_prefix(INLINE)?.split_once(BASE64)?;
        let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        Some(Self::new(text))
    }

    /// `src/app.ts:12` for a line and column of the module, both from 1.
    pub(crate) fn place(&self, line: usize, column: usize) -> Option<String> {
        let mappings = self.read.get_or_init(|| Mappings::read(&self.text)).as_ref()?;
        let segments = mappings.lines.get(line.checked_sub(1)?)?;
        let column = i64::try_from(column.checked_sub(1)?).ok()?;
        let after = segments.partition_point(|segment| segment.column <= column);
        let segment = segments.get(after.checked_sub(1)?)?;
        let source = mappings.sources.get(usize::try_from(segment.source).ok()?)?;
        Some(format!("{source}:{}", segment.line.checked_add(1)?))
    }
}

impl Mappings {
    fn read(text: &str) -> Option<Self> {
        let map: Json = serde_json::from_str(text).ok()?;
        let root = map.get("sourceRoot").and_then(Json::as_str).unwrap_or_default();
        let sources = map.get("sources")?.as_array()?.iter();
        let sources = sources.map(|source| shown(root, source.as_str().unwrap_or("?"))).collect();
        let (mut source, mut original_line) = (0, 0);
        let mut lines = Vec::new();
        for line in map.get("mappings")?.as_str()?.split(';') {
            let mut column = 0_i64;
            let mut segments = Vec::new();
            for segment in line.split(',').filter(|segment| !segment.is_empty()) {
                // The fields: column, source, line, column there, name; each relative to the one before.
                let mut fields = Numbers(segment.bytes());
                column = column.checked_add(fields.next()??)?;
                let Some(change) = fields.next() else { continue };
                source = i64::checked_add(source, change?)?;
                original_line = i64::checked_add(original_line, fields.next()??)?;
                segments.push(Segment { column, source, line: original_line });
            }
            segments.sort_by_key(|segment| segment.column);
            lines.push(segments);
        }
        Some(Self { sources, lines })
    }
}

/// Sources are named relative to the map; what leads out of its directory tells an author nothing.
fn shown(root: &str, source: &str) -> String {
    let joined = format!("{root}{source}");
    let mut rest = joined.as_str();
    while let Some(inner) = rest.strip_prefix("../").or_else(|| rest.strip_prefix("./")) {
        rest = inner;
    }
    rest.to_owned()
}

/// Numbers in base 64 with a variable length; an inner `None` for what is none.
struct Numbers<'a>(core::str::Bytes<'a>);

impl Iterator for Numbers<'_> {
    type Item = Option<i64>;

    fn next(&mut self) -> Option<Option<i64>> {
        const MORE: u8 = 32;
        const SHIFT_MAX: u32 = 30;
        let (mut number, mut shift) = (0_i64, 0);
        let mut digit = digit(self.0.next()?);
        while let Some(value) = digit.filter(|_| shift <= SHIFT_MAX) {
            number |= i64::from(value & (MORE - 1)) << shift;
            if value & MORE == 0 {
                let magnitude = number >> 1;
                return Some(Some(if number & 1 == 1 { -magnitude } else { magnitude }));
            }
            shift += 5;
            digit = self.0.next().and_then(self::digit);
        }
        Some(None)
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Two sources; the module's line 2 begins with line 4 of the first, and has line 17 of the
    /// second from column 10 on.
    fn map() -> String {
        let sources = ["../../src/app.ts", "../../node_modules/x/index.js"];
        json!({"version": 3, "sources": sources, "names": [], "mappings": ";AAGA,UCaA;A"})
            .to_string()
    }

    #[test]
    fn numbers_have_a_variable_length() {
        for (text, number) in
            [("A", 0), ("C", 1), ("D", -1), ("gB", 16), ("hB", -16), ("+/B", 1023)]
        {
            assert_eq!(Numbers(text.bytes()).collect::<Vec<_>>(), [Some(number)], "{text}");
        }
        assert_eq!(Numbers("ACgB".bytes()).collect::<Vec<_>>(), [Some(0), Some(1), Some(16)]);
        for nonsense in ["?", "g", "g?", "ggggggggggggB"] {
            assert_eq!(Numbers(nonsense.bytes()).next(), Some(None), "{nonsense}");
        }
    }

    #[test]
    fn places_lead_to_their_source() {
        let map = SourceMap::new(map());
        assert_eq!(map.place(2, 1).unwrap(), "src/app.ts:4");
        assert_eq!(map.place(2, 10).unwrap(), "src/app.ts:4");
        assert_eq!(map.place(2, 11).unwrap(), "node_modules/x/index.js:17");
        assert_eq!(map.place(2, 999).unwrap(), "node_modules/x/index.js:17");
        for (line, column) in [(1, 1), (3, 1), (4, 1), (0, 0), (2, 0)] {
            assert_eq!(map.place(line, column), None, "{line}:{column}");
        }
    }

    #[test]
    fn a_module_may_carry_its_map() {
        let module = format!("run();\n{INLINE}{BASE64}{}\n", STANDARD.encode(map()));
        assert_eq!(SourceMap::of_module(&module).unwrap().place(2, 1).unwrap(), "src/app.ts:4");
        for none in ["", "run();", "//# sourceMappingURL=app.js.map\n"] {
            assert!(SourceMap::of_module(none).is_none());
        }
    }

    proptest! {
        #[test]
        fn nonsense_is_no_map(mappings in "[A-Za-z0-9+/,;?]{0,80}", line in 0..9_usize, column in 0..99_usize) {
            let text = json!({"sources": ["a"], "mappings": mappings}).to_string();
            let _no_panic = SourceMap::new(text).place(line, column);
            let _no_panic = SourceMap::new(mappings).place(line, column);
        }
    }
}
