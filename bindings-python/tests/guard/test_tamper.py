"""An app that turns against the guard itself: what is in reach gives nothing."""

from __future__ import annotations

import pytest
from guarded import run

READ = "open('/etc/passwd').read(1)\nprint('got it')\n"

# Each changes something first, then reads a file it may not.
TRICKS = {
    "the package": (
        "import affiant._guard as g, sys\n"
        "for module in list(sys.modules.values()):\n"
        "    if getattr(module, '__name__', '').startswith('affiant._guard'):\n"
        "        for name in list(vars(module)):\n"
        "            if not name.startswith('__') or name == '__builtins__':\n"
        "                setattr(module, name, lambda *a, **k: None)\n"
    ),
    "classes": (
        "def all_of(kind):\n"
        "    for below in type.__subclasses__(kind):\n"
        "        yield below\n        yield from all_of(below)\n"
        "for kind in set(all_of(object)):\n"
        "    for value in list(vars(kind).values()):\n"
        "        known = getattr(value, '__globals__', {})\n"
        "        if '_guard' in str(known.get('__name__')):\n"
        "            for name in list(known):\n"
        "                if not name.startswith('__'): known[name] = lambda *a, **k: True\n"
    ),
    "tables": (
        "import affiant._guard.audit as a\n"
        "for table in (a._CHANGES, a._NEVER, a._PROGRAMS, a._LOOKS): table.clear()\n"
    ),
    "built-in names": (
        "import builtins\nwere = dict(vars(builtins))\n"
        "for name in ('len', 'any', 'isinstance', 'issubclass', 'type', 'frozenset', 'tuple'):\n"
        "    setattr(builtins, name, lambda *a: None)\n"
        "try:\n    open('/etc/passwd')\n    print('got it')\n"
        "finally:\n    vars(builtins).update(were)\n"
    ),
    "paths": (
        "import os.path\n"
        "os.path.realpath = os.path.abspath = os.path.normpath = lambda p: '/usr/share/zoneinfo'\n"
        "import sys\nsys.modules['posix'].readlink = lambda p: '/usr/share/zoneinfo'\n"
    ),
    "text that lies": (
        "class Text(str):\n"
        "    def startswith(self, *a): return True\n"
        "    def __getitem__(self, i): return '/usr/share/zoneinfo'[i]\n"
        "    def split(self, *a): return ['', 'usr', 'share', 'zoneinfo']\n"
        "    def __eq__(self, other): return True\n"
        "    __hash__ = str.__hash__\n"
        "open(Text('/etc/passwd')).read(1)\n"
    ),
    "traceback": (
        "import sys\n"
        "def walk(frame):\n"
        "    for value in list(frame.f_locals.values()) + list(frame.f_globals.values()):\n"
        "        for cell in getattr(value, '__closure__', None) or ():\n"
        "            if 'guard' in getattr(getattr(value, '__code__', None), 'co_filename', ''):\n"
        "                print('reached', value)\n"
        "try:\n    open('/etc/passwd')\n"
        "except PermissionError as error:\n"
        "    tb = error.__traceback__\n"
        "    while tb:\n"
        "        if 'audit' in tb.tb_frame.f_code.co_filename: walk(tb.tb_frame)\n"
        "        tb = tb.tb_next\n"
    ),
    "audit by hand": (
        "import sys\n"
        "for event in ('open', 'import', 'compile', 'ctypes.dlsym', 'socket.connect', 'os.rename'):\n"
        "    for args in ((), (1,), (object(),) * 3, ('x',) * 5):\n"
        "        try:\n            sys.audit(event, *args)\n"
        "        except PermissionError as error:\n"
        "            tb = error.__traceback__\n"
        "            while tb.tb_next: tb = tb.tb_next\n"
        "            names = set(tb.tb_frame.f_locals) - {'event', 'args', 'error', 'decide', 'watched'}\n"
        "            names -= set(globals())\n"
        "            if names: print('reached', names)\n"
    ),
    "recursion": (
        "import sys\n"
        "def deep():\n"
        "    try:\n        deep()\n"
        "    except RecursionError:\n"
        "        try:\n            open('/etc/passwd')\n"
        "        except (RecursionError, PermissionError) as error:\n"
        "            tb = error.__traceback__\n"
        "            while tb:\n"
        "                frame = tb.tb_frame\n"
        "                if 'audit' in frame.f_code.co_filename and frame.f_locals.get('decide'):\n"
        "                    print('reached', frame.f_locals['decide'])\n"
        "                tb = tb.tb_next\n"
        "        raise\n"
        "try:\n    deep()\nexcept RecursionError:\n    pass\n"
    ),
    "the finder": (
        "import sys\nfinder = sys.meta_path[0]\n"
        "for cell in type(finder).find_spec.__closure__:\n"
        "    try:\n        cell.cell_contents = lambda *a: None\n    except Exception:\n        pass\n"
    ),
    "__import__": (
        "import builtins\n"
        "for cell in builtins.__import__.__closure__:\n"
        "    if isinstance(cell.cell_contents, (frozenset, tuple)): cell.cell_contents = ()\n"
    ),
    "modules": (
        "import sys\n"
        "for name in [n for n in sys.modules if n.startswith('affiant')]: del sys.modules[name]\n"
    ),
}


@pytest.mark.parametrize("name", TRICKS)
def test_changing_the_guard_gives_nothing(name: str) -> None:
    done = run(TRICKS[name] + READ)
    assert "got it" not in done.out and "reached" not in done.out
    assert "/etc/passwd" in done.refusal


def test_the_code_of_the_guards_functions_cannot_be_changed() -> None:
    for line in (
        "paths.inside.__code__ = (lambda path, directories: True).__code__",
        "paths.resolve.__kwdefaults__ = {'readlink': print, 'getcwd': print}",
        "del paths.inside.__defaults__",
        "object.__setattr__(paths.inside, '__code__', (lambda path, directories: True).__code__)",
    ):
        text = run("from affiant._guard import paths\n" + line).refusal
        assert "of a function of the guard" in text


def test_a_second_guard_is_refused() -> None:
    done = run(
        "from affiant import _guard\n_guard.install(_guard.Policy(read=('/',)), roots=[], place='x')\n"
    )
    assert "the guard is in place already" in done.err and done.code != 0


def test_a_false_ccf_is_the_apps_alone() -> None:
    source = (
        "import sys, types\nsys.modules['ccf'] = types.ModuleType('ccf')\n"
        "import ccf\nopen('/etc/passwd')"
    )
    assert "/etc/passwd" in run(source).refusal
