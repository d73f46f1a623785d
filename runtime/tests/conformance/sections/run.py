"""Runs the sections against services of their own; see js.sh and python.sh.

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
import language

PAGE = kit.ROOT / "docs" / "compatibility.md"
# Row, subject, comparison; checks in JavaScript, in Python.
COUNT = re.compile(r"^(\| ([A-EP]\.\d+) \|.*\| )(\d+)( \| )(\d+)( \|)$", re.MULTILINE)
# Row, number of JavaScript's checks that have no meaning in Python, reason.
LEFT = re.compile(r"^(\| ([A-E]\.\d+) \| )(\d+)( \| [^|]+\|)$", re.MULTILINE)


def modules(wanted):
    """Every section file of this run's language in order: a1, a2, ..., e6, p1, ..."""
    names = [path.stem for path in kit.HERE.glob("[a-ep][0-9]*.py")]
    names = [name for name in names if language.NAME in languages(name)]
    names.sort(key=lambda name: (name[0], int(name[1:])))
    chosen = [name for name in names if not wanted or row_of(name) in wanted]
    unknown = set(wanted) - {row_of(name) for name in chosen}
    if unknown:
        sys.exit(f"no such section: {', '.join(sorted(unknown))}")
    return chosen


def languages(name):
    """A section that is about one language says so; most are about both."""
    return getattr(importlib.import_module(name), "LANGUAGES", ("js", "python"))


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
    """Compares or replaces this run's column of the page's tables, and in Python the number of
    JavaScript's checks that were left out; the rows that are wrong."""
    text = page.read_text()
    column = language.either(3, 5)
    counts = {section.row: section.count for section in sections}
    if write:
        text = COUNT.sub(lambda found: replaced(found, column, counts.get(found[2], 0)), text)
    rows = {found[2]: found for found in COUNT.finditer(text)}
    wrong = [f"{row}: {count} checks ran, the page has no such row"
             for row, count in counts.items() if row not in rows]
    wrong += [f"{row}: {counts.get(row, 0)} checks ran, the page says {found[column]}"
              for row, found in rows.items() if counts.get(row, 0) != int(found[column])]
    if language.PYTHON:
        own = {section.row: section.own for section in sections}
        left = {row: int(found[3]) - counts.get(row, 0) + own.get(row, 0)
                for row, found in rows.items() if not row.startswith("P.")}
        if write:
            text = LEFT.sub(lambda found: replaced(found, 3, left.get(found[2], 0)), text)
        told = {found[2]: int(found[3]) for found in LEFT.finditer(text)}
        wrong += [f"{row}: {count} of JavaScript's checks were left out, the page says "
                  f"{told.get(row, 0)}" for row, count in left.items() if count != told.get(row, 0)]
    if write:
        page.write_text(text)
    return wrong


def replaced(found, group, number):
    """The text of a match with another number in that group."""
    start, end = (place - found.start() for place in found.span(group))
    return f"{found[0][:start]}{number}{found[0][end:]}"


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
