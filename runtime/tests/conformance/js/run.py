"""Runs the sections against services of their own; see js.sh.

run.py [--write-counts] [--page FILE] [SECTION...]

Prints a line per section, every failure with what was expected and what came, and the sums. Fails if
a check failed, or if the counts in docs/compatibility.md are out of date; --write-counts puts the
counts there, unless a check failed.
"""

import argparse
import importlib
import pathlib
import re
import sys
import traceback

import apps
import kit

PAGE = kit.ROOT / "docs" / "compatibility.md"
COUNT = re.compile(r"^(\| ([A-E]\.\d+) \|.*\| )(\d+)( \|)$", re.MULTILINE)


def modules(wanted):
    """Every section file in order: a1, a2, ..., e6."""
    names = [path.stem for path in kit.HERE.glob("[a-e][0-9]*.py")]
    names.sort(key=lambda name: (name[0], int(name[1:])))
    chosen = [name for name in names if not wanted or row_of(name) in wanted]
    unknown = set(wanted) - {row_of(name) for name in chosen}
    if unknown:
        sys.exit(f"no such section: {', '.join(sorted(unknown))}")
    return chosen


def row_of(name):
    return f"{name[0].upper()}.{name[1:]}"


def run(name, world, main):
    section = kit.Section(row_of(name), world, main)
    try:
        importlib.import_module(name).run(section)
    except Exception:
        section.failures.append(("the section ends", "normally", traceback.format_exc()))
    failed = len(section.failures)
    print(f"{section.row:5} {section.passed:4} passed, {failed:3} failed", flush=True)
    for check, expected, got in section.failures:
        print(f"  FAILED {section.row} {check}\n    expected {expected!r}\n    got      {got!r}")
    return section


def check_page(page, sections, write):
    """Compares or replaces the last column of the page's tables; the rows that are wrong."""
    text = page.read_text()
    counts = {section.row: section.count for section in sections}
    found = {match[2]: int(match[3]) for match in COUNT.finditer(text)}
    if write:
        text = COUNT.sub(lambda m: f"{m[1]}{counts.get(m[2], m[3])}{m[4]}", text)
        page.write_text(text)
        found = {row: counts.get(row, count) for row, count in found.items()}
    wrong = [f"{row}: {count} checks ran, the page says {found.get(row, 'nothing')}"
             for row, count in counts.items() if found.get(row) != count]
    wrong += [f"{row}: the page says {count} checks, no such section ran"
              for row, count in found.items() if row not in counts and count]
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write-counts", action="store_true")
    parser.add_argument("--page", type=pathlib.Path, default=PAGE)
    parser.add_argument("sections", nargs="*")
    arguments = parser.parse_args()
    with kit.World() as world:
        service = apps.main(world)
        sections = [run(name, world, service) for name in modules(arguments.sections)]
    passed = sum(section.passed for section in sections)
    failed = sum(len(section.failures) for section in sections)
    wrong = []
    if not arguments.sections:
        # Sections that failed may have ended early, so their counts are no counts.
        wrong = check_page(arguments.page, sections, arguments.write_counts and not failed)
        for line in wrong:
            print(f"docs/compatibility.md is out of date (--write-counts): {line}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or wrong else 0)


if __name__ == "__main__":
    main()
