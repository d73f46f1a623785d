"""Where modules may come from, and tricks to get them from elsewhere."""

from __future__ import annotations

import pytest
from guarded import run

STRAY = {"data/stray.py": "print('stray ran')", "data/pkg/__init__.py": "print('stray ran')"}

# Each tries to run a module of a place that is none of the app's.
OUTSIDE = {
    "sys.path": "import sys\nsys.path.insert(0, PLACE)\nimport stray",
    "sys.path, package": "import sys\nsys.path.insert(0, PLACE)\nimport pkg",
    "meta_path cleared": "import sys\nsys.meta_path.clear()\nsys.path.insert(0, PLACE)\nimport stray",
    "meta_path replaced": (
        "import sys, importlib.machinery as m\nsys.path.insert(0, PLACE)\n"
        "sys.meta_path = (m.PathFinder,)\nimport stray"
    ),
    "meta_path of PathFinder, import_module": (
        "import sys, importlib.machinery as m, importlib\nsys.path.insert(0, PLACE)\n"
        "sys.meta_path[:] = [m.PathFinder]\nimportlib.import_module('stray')"
    ),
    "SourceFileLoader": (
        "import importlib.machinery as m\nm.SourceFileLoader('stray', PLACE + '/stray.py').load_module()"
    ),
    "spec_from_file_location": (
        "import importlib.util as u\ns = u.spec_from_file_location('stray', PLACE + '/stray.py')\n"
        "s.loader.exec_module(u.module_from_spec(s))"
    ),
    "ExtensionFileLoader": (
        "import importlib.machinery as m, importlib.util as u\n"
        "u.module_from_spec(u.spec_from_file_location('stray', PLACE + '/stray.so'))"
    ),
    "runpy": "import runpy\nrunpy.run_path(PLACE + '/stray.py')",
    "exec of a file": "exec(open(PLACE + '/stray.py').read())",
    "path_hooks": (
        "import sys\nsys.path_importer_cache.clear()\nsys.path_hooks.clear()\n"
        "import importlib.machinery as m\n"
        "sys.path_hooks.append(m.FileFinder.path_hook((m.SourceFileLoader, ['.py'])))\n"
        "sys.path.insert(0, PLACE)\nimport stray"
    ),
    "__path__": "import json\njson.__path__.append(PLACE)\nimport json.stray",
    "finder of the app": (
        "import sys, importlib.util as u\n"
        "class F:\n    def find_spec(self, name, path=None, target=None):\n"
        "        return u.spec_from_file_location(name, PLACE + '/stray.py') if name == 'stray' else None\n"
        "sys.meta_path.insert(0, F())\nimport stray"
    ),
    "zip": "import zipimport\nzipimport.zipimporter(PLACE + '/stray.py')\nimport stray",
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_module_of_elsewhere_never_runs(name: str) -> None:
    # The directory above the app's is outside; a file of the app's own directory would be the app's.
    source = "PLACE = 'DIRECTORY'[:-4] + '/outside'\n" + OUTSIDE[name]
    done = run(source, files={f"../outside/{key[5:]}": text for key, text in STRAY.items()})
    assert "stray ran" not in done.out
    if name == "meta_path of PathFinder, import_module":
        assert done.code != 0 and "ModuleNotFoundError: No module named 'stray'" in done.err
    elif name == "zip":
        assert done.code != 0 and "the app may not open" in done.err
    else:
        assert "the app may not" in done.refusal


# Native code made anew would have the functions that were replaced.
AGAIN = {
    "posix": "import sys\ndel sys.modules['posix']\nimport os\n__import__('posix')._exit(3)",
    "create_builtin": (
        "import _imp, importlib.util as u, importlib.machinery as m\n"
        "_imp.create_builtin(u.spec_from_loader('posix', m.BuiltinImporter))._exit(3)"
    ),
    "create_module": (
        "import importlib.util as u, importlib.machinery as m\n"
        "m.BuiltinImporter.create_module(u.spec_from_loader('_imp', m.BuiltinImporter))"
    ),
    "interpreters": (
        "import importlib\n"
        "for name in ('_xxsubinterpreters', '_interpreters'):\n"
        "    try:\n        importlib.import_module(name)\n        print('made')\n"
        "    except ModuleNotFoundError:\n        pass\n"
        "raise PermissionError('the app may not find one')"
    ),
}


@pytest.mark.parametrize("name", AGAIN)
def test_a_module_of_the_system_is_not_made_again(name: str) -> None:
    done = run(AGAIN[name])
    assert "the app may not" in done.refusal and "made" not in done.out


@pytest.mark.parametrize("name", ["ccf", "affiant", "random", "secrets"])
def test_the_app_has_no_module_of_a_reserved_name(name: str) -> None:
    text = run("import " + name, files={f"{name}.py": "print('shadow ran')"}).refusal
    assert f"a name that belongs to Python or to Affiant: '{name}'" in text and "rename it" in text


@pytest.mark.parametrize("name", ["random", "wave"])
def test_a_library_does_not_shadow_the_standard_library(name: str) -> None:
    text = run(f"import {name}", library={f"{name}.py": "print('shadow ran')"}).refusal
    assert f"a name that belongs to Python or to Affiant: '{name}'" in text


def test_the_apps_own_modules_and_packages_are_imported() -> None:
    files = {
        "parts/__init__.py": "",
        "parts/one.py": "X = 7",
        "two.py": "from parts.one import X\nY = X + 1",
    }
    assert "8" in run("import two\nprint(two.Y)", files=files).passed().out.split("\n")


def test_a_library_imports_what_an_app_may_not() -> None:
    library = {"lib.py": "import ctypes, subprocess, multiprocessing, pwd\nprint('library ran')"}
    assert "library ran" in run("import lib", library=library).passed().out


def test_native_code_comes_from_libraries_alone() -> None:
    text = run("import native", files={"native.so": "no library"}).refusal
    assert "native code from its own directory" in text


def test_a_finder_of_a_library_brings_modules_from_memory() -> None:
    library = {
        "memory.py": (
            "import importlib.machinery as m, sys\n"
            "class Finder:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            "        if name == 'held':\n"
            "            spec = m.ModuleSpec(name, None, is_package=True)\n"
            "            spec.submodule_search_locations = ['/no-such-place/held']\n"
            "            return spec\n"
            "        return m.ModuleSpec(name, self) if name in ('held.one', 'random') else None\n"
            "    def create_module(self, spec):\n        return None\n"
            "    def exec_module(self, module):\n        module.X = 'from memory'\n"
            "sys.meta_path.insert(0, Finder())\n"
        )
    }
    done = run("import memory\nimport held.one\nprint(held.one.X)", library=library).passed()
    assert "from memory" in done.out


def test_packages_beside_affiant_are_not_the_apps_unless_they_are_given() -> None:
    beside = {
        "neighbour.py": "print('neighbour ran')",
        "pack/__init__.py": "print('neighbour ran')",
    }
    for name in ("neighbour", "pack"):
        text = run(f"import {name}", beside=beside).refusal
        assert "from its installed requirements" in text and f"import '{name}'" in text
    text = run("import pytest", beside=beside).refusal
    assert "import 'pytest' from" in text and "from its installed requirements" in text
    assert "No module named 'nowhere'" in run("import nowhere", beside=beside).err


def test_a_library_does_without_what_is_not_the_apps() -> None:
    library = {
        "lib.py": "try:\n    import neighbour\nexcept ImportError:\n    print('does without')\n"
    }
    done = run(
        "import lib", library=library, beside={"neighbour.py": "print('neighbour ran')"}
    ).passed()
    assert "does without" in done.out and "neighbour ran" not in done.out
