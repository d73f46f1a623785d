"""`affiant bundle`: resolves, locks, writes the same bytes for the same app, and opens what it wrote."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import making
import pytest

from affiant._bundle import BundleError, open_bundle
from affiant._bundle.build import build
from affiant._bundle.command import main


@pytest.fixture
def place(tmp_path: pathlib.Path) -> pathlib.Path:
    making.wheel(tmp_path / "wheels", requires=("under_it>=1",))
    making.wheel(tmp_path / "wheels", "under_it", "2.1", {"under_it/__init__.py": "X = 1\n"})
    making.app(tmp_path / "app")
    return tmp_path


def test_an_app_with_its_wheels_is_bundled_and_opened(place: pathlib.Path, capsys) -> None:
    out = place / "out.affiant"
    code = main([str(place / "app"), "--output", str(out), "--wheels", str(place / "wheels")])
    said = capsys.readouterr()
    assert code == 0, said.err
    assert "1 modules, 2 wheels" in said.out
    digest = said.out.split("digest ")[1].strip()
    with open_bundle(str(out), digest, str(place)) as bundle:
        assert bundle.digest == digest == bundle.manifest["digest"]
        assert [item["file"] for item in bundle.manifest["wheels"]] == [
            "adder-1.0-py3-none-any.whl",
            "under_it-2.1-py3-none-any.whl",
        ]
        assert list(bundle.sources) == ["/app.py"] and bundle.metadata["endpoints"]
        (packages,) = bundle.packages
        code = "import sys; sys.path.insert(0, sys.argv[1]); import adder, under_it; print(adder.add(1, 2))"
        done = subprocess.run(
            [sys.executable, "-I", "-c", code, packages], capture_output=True, text=True
        )
        assert done.stdout == "3\n"
        mode = pathlib.Path(bundle.directory).stat().st_mode
        assert mode & 0o777 == 0o700
    assert not pathlib.Path(packages).exists()


def test_the_same_app_is_the_same_bytes(place: pathlib.Path) -> None:
    wheels = str(place / "wheels")
    first = build(str(place / "app"), str(place / "one"), wheels=wheels)
    making.app(place / "other" / "app")
    second = build(str(place / "other" / "app"), str(place / "two"), wheels=wheels)
    assert (place / "one").read_bytes() == (place / "two").read_bytes()
    assert first.digest == second.digest
    (place / "app" / "app.py").write_text(making.APP + "# changed\n")
    assert build(str(place / "app"), str(place / "three"), wheels=wheels).digest != first.digest


def test_the_lock_is_written_and_holds(place: pathlib.Path) -> None:
    wheels = place / "wheels"
    build(str(place / "app"), str(place / "one"), wheels=str(wheels))
    lock = json.loads((place / "app" / "affiant.lock").read_text())
    assert [item["name"] for item in lock["wheels"]] == ["adder", "under-it"]
    assert "http" not in json.dumps(lock) and str(place) not in json.dumps(lock)
    # A newer version does not come in by itself.
    making.wheel(wheels, "under_it", "3.0", {"under_it/__init__.py": "X = 2\n"})
    assert (
        build(str(place / "app"), str(place / "two"), wheels=str(wheels)).wheels[1].version == "2.1"
    )
    newer = build(str(place / "app"), str(place / "three"), wheels=str(wheels), update=True)
    assert newer.wheels[1].version == "3.0"


def test_a_wheel_that_is_not_the_locks_is_refused_by_name(place: pathlib.Path) -> None:
    wheels = place / "wheels"
    built = build(str(place / "app"), str(place / "one"), wheels=str(wheels))
    making.wheel(
        wheels, files={"adder.py": "def add(a, b): return 666\n"}, requires=("under_it>=1",)
    )
    with pytest.raises(BundleError) as caught:
        build(str(place / "app"), str(place / "two"), wheels=str(wheels))
    text = str(caught.value)
    assert text.startswith("adder-1.0-py3-none-any.whl is not the wheel of")
    assert f"expected sha256 {built.wheels[0].sha256}" in text and "found " in text
    assert not (place / "two").exists()
    (wheels / "adder-1.0-py3-none-any.whl").unlink()
    with pytest.raises(BundleError, match="which was not found"):
        build(str(place / "app"), str(place / "two"), wheels=str(wheels))


def test_a_lock_of_other_requirements_is_told(place: pathlib.Path) -> None:
    wheels = str(place / "wheels")
    build(str(place / "app"), str(place / "one"), wheels=wheels)
    (place / "app" / "requirements.txt").write_text("adder\nunder_it<3\n")
    with pytest.raises(BundleError, match="other requirements .* --update"):
        build(str(place / "app"), str(place / "two"), wheels=wheels)
    build(str(place / "app"), str(place / "two"), wheels=wheels, update=True)


def test_requirements_with_hashes_and_included_files(place: pathlib.Path) -> None:
    import hashlib

    def line(file: str, name: str) -> str:
        raw = (place / "wheels" / file).read_bytes()
        return f"{name} --hash=sha256:{hashlib.sha256(raw).hexdigest()}\n"

    (place / "app" / "more.txt").write_text(
        "# one more\n" + line("under_it-2.1-py3-none-any.whl", "under_it==2.1")
    )
    good = line("adder-1.0-py3-none-any.whl", "adder==1.0 \\\n ")
    (place / "app" / "requirements.txt").write_text(
        good + "affiant>=0.1  # of the node\n-r more.txt\n"
    )
    assert (
        len(build(str(place / "app"), str(place / "one"), wheels=str(place / "wheels")).wheels) == 2
    )
    (place / "app" / "affiant.lock").unlink()
    (place / "app" / "requirements.txt").write_text(good[:-3] + "00\n-r more.txt\n")
    with pytest.raises(BundleError, match="HASH"):
        build(str(place / "app"), str(place / "two"), wheels=str(place / "wheels"))


def test_dependencies_of_the_project_file(place: pathlib.Path) -> None:
    (place / "app" / "requirements.txt").unlink()
    project = place / "app" / "pyproject.toml"
    project.write_text(
        '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.11,<4"\n'
        'dependencies = ["adder", "affiant"]\n'
        '[tool.affiant]\napp = "app.py"\n[tool.affiant.policy]\nread = ["/etc/app"]\n'
    )
    build(str(place / "app"), str(place / "one"), wheels=str(place / "wheels"))
    with open_bundle(str(place / "one"), into=str(place)) as bundle:
        assert bundle.manifest["requires_python"] == ">=3.11,<4"
        assert bundle.manifest["policy"] == {"read": ["/etc/app"]}
        assert len(bundle.manifest["wheels"]) == 2
    project.write_text(project.read_text().replace(">=3.11,<4", ">=4.1"))
    with pytest.raises(BundleError, match="wants Python >=4.1, this is 3"):
        build(str(place / "app"), str(place / "two"), wheels=str(place / "wheels"))


def test_what_pip_cannot_find_is_told_in_its_words(place: pathlib.Path) -> None:
    (place / "app" / "requirements.txt").write_text("no_such_package_here\n")
    with pytest.raises(BundleError, match="(?s)no_such_package_here.*pip wheel"):
        build(str(place / "app"), str(place / "one"), wheels=str(place / "wheels"))


def test_an_app_without_requirements_needs_no_pip(tmp_path: pathlib.Path) -> None:
    making.app(tmp_path / "app", "def handle_request(request):\n    return 1\n", "# none\n")
    built = build(str(tmp_path / "app"), str(tmp_path / "one"))
    assert built.wheels == () and not (tmp_path / "app" / "affiant.lock").exists()
    with open_bundle(str(tmp_path / "one"), built.digest) as bundle:
        assert bundle.packages == [] and bundle.directory is None


def test_the_app_is_loaded_under_the_guard(place: pathlib.Path) -> None:
    making.app(place / "app", "open('/etc/passwd')\n" + making.APP)
    with pytest.raises(BundleError, match=r"may not open '/etc/passwd' for reading.*read = "):
        build(str(place / "app"), str(place / "one"), wheels=str(place / "wheels"))
    making.app(place / "app", "import pytest\n" + making.APP)
    with pytest.raises(BundleError, match="pytest"):
        build(str(place / "app"), str(place / "one"), wheels=str(place / "wheels"))


def test_a_wheel_may_not_take_a_name_of_python_or_affiant(place: pathlib.Path) -> None:
    for name in ("random", "affiant"):
        making.wheel(place / "bad", files={"adder.py": "", f"{name}.py": ""})
        (place / "app" / "affiant.lock").unlink(missing_ok=True)
        with pytest.raises(BundleError, match=f"belongs to Python or to Affiant: '{name}'"):
            build(str(place / "app"), str(place / "one"), wheels=str(place / "bad"))


def test_a_real_environment_bundles_what_pip_gives(tmp_path: pathlib.Path) -> None:
    source = tmp_path / "src"
    (source / "greeter").mkdir(parents=True)
    (source / "greeter" / "__init__.py").write_text(
        "def hello(name):\n    return 'hello ' + name\n"
    )
    making.wheel(
        tmp_path / "wheels",
        "greeter",
        "0.1",
        {"greeter/__init__.py": "def hello(n):\n    return n\n"},
    )
    making.app(
        tmp_path / "app",
        "import greeter\ndef handle_request(r):\n    return greeter.hello('x')\n",
        "greeter\n",
    )
    built = build(
        str(tmp_path / "app" / "app.py"), str(tmp_path / "one"), wheels=str(tmp_path / "wheels")
    )
    assert built.modules == ("/app.py",)
