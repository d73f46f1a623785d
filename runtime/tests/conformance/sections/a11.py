"""A.11: console. A sandbox prints an app's lines as they come, with tag and level."""

from kit import UNDEFINED, threw

LANGUAGES = ("js",)

# Call, line.
LINES = [
    ("console.log('a11 one')", "[app] a11 one"),
    ("console.info('a11 two')", "[app] a11 two"),
    ("console.warn('a11 three')", "[app] fail a11 three"),
    ("console.error('a11 four')", "[app] fatal a11 four"),
    ("console.log('a11 five', 1, true, null, undefined)", "[app] a11 five 1 true null undefined"),
    ("console.log('a11 six', { b: [2] })", '[app] a11 six {"b":[2]}'),
    ("console.log('a11 seven', new TypeError('e'))", "[app] a11 seven TypeError: e"),
    ("console.log('a11 eight', [1, 'x'])", '[app] a11 eight [1,"x"]'),
]


def run(t):
    for call, line in LINES:
        t.value(call)
        mark = line[line.index("a11"):].split(" ")[1]
        written = t.main.log.read_text().splitlines()
        t.equal(f"{call} is a line", [seen for seen in written if f"a11 {mark}" in seen], [line])
    for name in ("debug", "trace", "table", "time"):
        t.do(f"console.{name} does not exist", f"return console.{name}", UNDEFINED)
    t.do("calling what does not exist", "console.debug('x')", threw("TypeError: not a function"))
    t.do("console.log gives undefined", "return console.log()", UNDEFINED)
