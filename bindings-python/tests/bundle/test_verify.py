"""Opening bundles and wheels that somebody made or changed."""

from __future__ import annotations

import io
import json
import os
import pathlib
import stat
import struct
import sys
import zipfile

import making
import pytest

from affiant._bundle import BundleError, archive, listing, open_bundle, tags, wheel
from affiant._bundle.lock import wheel_at


def bundle(
    path: pathlib.Path,
    wheels: list[pathlib.Path] = (),
    *,
    change=lambda content: None,
    resign: bool = True,
    more: dict[str, bytes] | None = None,
) -> pathlib.Path:
    """A bundle of these wheels; `change` alters its bundle.json."""
    items = [wheel_at(str(each)) for each in wheels]
    manifest = {
        "language": "python",
        "requires_python": ">=3.11",
        "policy": {},
        "wheels": [{"file": item.file, "sha256": item.sha256, "size": item.size} for item in items],
        "entry": "app.py",
    }
    content = {
        "metadata": {"endpoints": {}},
        "modules": [{"name": "/app.py", "module": "x = 1\n"}],
        "manifest": manifest,
    }
    manifest["digest"] = listing.digest(content["metadata"], content["modules"], manifest)
    change(content)
    if resign:
        manifest["digest"] = listing.digest(content["metadata"], content["modules"], manifest)
    raw = json.dumps(content).encode()
    files = [("bundle.json", raw)] + [(f"wheels/{each.name}", each.read_bytes()) for each in wheels]
    files += list((more or {}).items())
    with open(path, "wb") as out:
        archive.write(out, [(name, len(data), [data]) for name, data in files])
    return path


def refused(path: pathlib.Path, into: pathlib.Path, digest: str | None = None) -> str:
    """The text with which a bundle is refused; nothing may be left of it."""
    before = sorted(into.iterdir())
    with pytest.raises(BundleError) as caught:
        open_bundle(str(path), digest, str(into))
    assert sorted(into.iterdir()) == before
    return str(caught.value)


@pytest.fixture
def into(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "into").mkdir()
    return tmp_path / "into"


def test_each_byte_of_a_bundle_counts(tmp_path, into) -> None:
    path = bundle(tmp_path / "b", [making.wheel(tmp_path / "w")])
    with open_bundle(str(path), into=str(into)) as opened:
        digest = opened.digest
    raw = path.read_bytes()
    step = 97
    for at in [*range(0, len(raw), step), len(raw) - 1]:
        changed = bytearray(raw)
        changed[at] ^= 1
        (tmp_path / "c").write_bytes(changed)
        try:
            with open_bundle(str(tmp_path / "c"), digest, str(into)) as opened:
                # White space of bundle.json, and the padding of files, mean nothing.
                assert opened.digest == digest
                other = opened
        except BundleError:
            continue
        same = json.loads(raw[512 : raw.index(b"\0", 512)])
        assert {
            "metadata": other.metadata,
            "modules": other.modules,
            "manifest": other.manifest,
        } == same
    assert "is cut short" in refused_raw(tmp_path, into, raw[: len(raw) // 2])
    assert "goes on after its end" in refused_raw(tmp_path, into, raw + bytes(512))


def refused_raw(tmp_path: pathlib.Path, into: pathlib.Path, raw: bytes) -> str:
    (tmp_path / "raw").write_bytes(raw)
    return refused(tmp_path / "raw", into)


def test_another_digest_is_told(tmp_path, into) -> None:
    path = bundle(tmp_path / "b")
    with open_bundle(str(path)) as opened:
        digest = opened.digest
    text = refused(path, into, "0" * 64)
    assert f"expected {'0' * 64}, found {digest}" in text

    def change(content):
        content["modules"][0]["module"] = "x = 2\n"

    assert "is not what its digest says: expected" in refused(
        bundle(tmp_path / "c", change=change, resign=False), into
    )


def test_a_changed_wheel_is_refused_by_name(tmp_path, into) -> None:
    first = making.wheel(tmp_path / "w")
    listed = wheel_at(str(first))
    path = bundle(tmp_path / "b", [first])
    raw = path.read_bytes()
    changed = raw.replace(b"adder-1.0.dist-info/METADATA", b"adder-1.0.dist-info/METADATB")
    assert changed != raw
    text = refused_raw(tmp_path, into, changed)
    assert (
        "adder-1.0-py3-none-any.whl is not the wheel it lists: expected sha256 " + listed.sha256
        in text
    )


WHEELS = {
    "a path out": ({"extra": {"../evil.py": b"x"}}, "leads out of its directory"),
    "an absolute path": ({"extra": {"/evil.py": b"x"}}, "leads out of its directory"),
    "a dot": ({"extra": {"a/./evil.py": b"x"}}, "leads out of its directory"),
    "a backslash": ({"extra": {"a\\evil.py": b"x"}}, "has a character"),
    "a deep path": ({"extra": {"a/" * 60 + "x.py": b"x"}}, "too long or too deep"),
    "a link": (
        {"extra": {"link": b"/etc/passwd"}, "attributes": {"link": stat.S_IFLNK | 0o777}},
        "is no plain file",
    ),
    "a device": (
        {"extra": {"d": b""}, "attributes": {"d": stat.S_IFCHR | 0o600}},
        "is no plain file",
    ),
    "two of one name": ({"extra": {"ADDER.py": b"x"}}, "two files 'ADDER.py'"),
    "not listed": ({"unlisted": {"more.py": b"x"}}, "it has 'more.py', which RECORD does not list"),
    "changed": (
        {"changed": {"adder.py": b"x"}},
        "'adder.py' is not what RECORD says: expected sha256",
    ),
    "not there": (
        {"changed": {"adder-1.0.dist-info/RECORD": b"gone.py,sha256=" + b"A" * 43 + b",1\n"}},
        "RECORD lists 'gone.py', which is not in it",
    ),
    "without a hash": (
        {"changed": {"adder-1.0.dist-info/RECORD": b"adder.py,,\n"}},
        "gives 'adder.py' no hash that counts",
    ),
    "a weak hash": (
        {"changed": {"adder-1.0.dist-info/RECORD": b"adder.py,md5=AAAAAAAAAAAAAAAAAAAAAA,\n"}},
        "gives 'adder.py' no hash that counts",
    ),
    "a file and a directory": ({"extra": {"adder.py/x.py": b"x"}}, "cannot be unpacked"),
}


@pytest.mark.parametrize("name", WHEELS)
def test_a_hostile_wheel_is_refused(name: str, tmp_path, into) -> None:
    made, part = WHEELS[name]
    text = refused(bundle(tmp_path / "b", [making.wheel(tmp_path / "w", **made)]), into)
    assert part in text and "adder-1.0-py3-none-any.whl" in text
    assert not (tmp_path / "evil.py").exists()


def test_a_wheel_that_unpacks_to_too_much_is_refused(tmp_path, into, monkeypatch) -> None:
    from affiant._bundle import verify

    monkeypatch.setattr(verify, "BYTES_UNPACKED_MAX", 1 << 20)
    path = bundle(tmp_path / "b", [making.wheel(tmp_path / "w", extra={"zeros": bytes(2 << 20)})])
    assert path.stat().st_size < 1 << 16
    assert "more than a bundle may hold" in refused(path, into)


def test_a_size_that_lies_is_refused(tmp_path, into) -> None:
    path = making.wheel(tmp_path / "w", extra={"zeros": bytes(1 << 20)})
    raw = bytearray(path.read_bytes())
    # In the directory of the archive: the size unpacked of the last large file.
    raw = bytes(raw).replace(struct.pack("<L", 1 << 20), struct.pack("<L", 1 << 10))
    path.write_bytes(raw)
    text = refused(bundle(tmp_path / "b", [path]), into)
    assert "'zeros'" in text


def test_zip_archives_with_something_behind_are_refused(tmp_path, into) -> None:
    for tail in (b"x", b"PK\x05\x06" + bytes(17)):
        path = making.wheel(tmp_path / "w")
        path.write_bytes(path.read_bytes() + tail)
        assert "cut short or padded" in refused(bundle(tmp_path / "b", [path]), into)
    path = making.wheel(tmp_path / "w")
    with zipfile.ZipFile(path, "a") as opened:
        opened.comment = b"hello"
    assert "cut short or padded" in refused(bundle(tmp_path / "b", [path]), into)


def test_two_wheels_of_one_file_clash_unless_it_is_the_same(tmp_path, into) -> None:
    first = making.wheel(tmp_path / "w", "one", "1", {"space/__init__.py": "", "space/one.py": ""})
    second = making.wheel(tmp_path / "w", "two", "1", {"space/__init__.py": "", "space/two.py": ""})
    with open_bundle(str(bundle(tmp_path / "b", [first, second])), into=str(into)) as opened:
        assert len(list(pathlib.Path(opened.packages[0], "space").iterdir())) == 3
    other = making.wheel(tmp_path / "w", "two", "1", {"space/__init__.py": "x", "space/two.py": ""})
    text = refused(bundle(tmp_path / "b", [first, other]), into)
    assert "both bring 'space/__init__.py'" in text and "one-1-" in text and "two-1-" in text


def test_data_of_a_wheel_goes_where_it_belongs(tmp_path, into) -> None:
    extra = {
        "adder-1.0.data/purelib/inner.py": b"y = 2\n",
        "adder-1.0.data/scripts/tool": b"#!python\n",
    }
    with open_bundle(
        str(bundle(tmp_path / "b", [making.wheel(tmp_path / "w", extra=extra)])), into=str(into)
    ) as opened:
        assert sorted(os.listdir(opened.packages[0])) == [
            "adder-1.0.dist-info",
            "adder.py",
            "inner.py",
        ]


CHANGES = {
    "other keys": (lambda c: c.update(more=1), "other keys"),
    "another language": (
        lambda c: c["manifest"].update(language="js"),
        "the language is not python",
    ),
    "a module out": (lambda c: c["modules"][0].update(name="/../x.py"), "the module name"),
    "a module twice": (lambda c: c["modules"].append(dict(c["modules"][0])), "is in it twice"),
    "a newer Python": (
        lambda c: c["manifest"].update(requires_python=">=3.99"),
        "wants Python >=3.99",
    ),
    "a line in the entry": (lambda c: c["manifest"].update(entry="a\nb"), "entry is not a string"),
    "a wheel that is not there": (
        lambda c: c["manifest"]["wheels"].append(
            {"file": "a-1-py3-none-any.whl", "sha256": "0" * 64, "size": 1}
        ),
        "lacks 'wheels/a-1-py3-none-any.whl'",
    ),
    "a wheel's name out": (
        lambda c: c["manifest"]["wheels"].append(
            {"file": "../a-1-py3-none-any.whl", "sha256": "0" * 64, "size": 1}
        ),
        "is not the file name of a wheel",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_hostile_bundle_json_is_refused(name: str, tmp_path, into) -> None:
    change, part = CHANGES[name]
    assert part in refused(bundle(tmp_path / "b", change=change), into)


def test_a_file_that_is_not_listed_is_refused(tmp_path, into) -> None:
    path = bundle(tmp_path / "b", more={"wheels/more-1-py3-none-any.whl": b"x"})
    assert "has, but does not list, 'wheels/more-1-py3-none-any.whl'" in refused(path, into)


def test_archives_that_are_more_than_files_are_refused(tmp_path, into) -> None:
    import tarfile

    for kind in (
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.DIRTYPE,
        tarfile.XHDTYPE,
        tarfile.FIFOTYPE,
    ):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as opened:
            info = tarfile.TarInfo("bundle.json")
            info.type, info.linkname = kind, "/etc/passwd"
            opened.addfile(info)
        assert "more than plain files" in refused_raw(tmp_path, into, out.getvalue())
    header = archive._header("x", 8 << 20)
    assert "ends within 'x'" in refused_raw(tmp_path, into, header + bytes(1024))
    twice = archive._header("bundle.json", 0) + archive._header("BUNDLE.json", 0) + bytes(1024)
    assert "two files 'BUNDLE.json'" in refused_raw(tmp_path, into, twice)
    assert "is no bundle" in refused_raw(tmp_path, into, b"")
    assert "is no file" in refused(pathlib.Path("/dev/null"), into)
    deep = b"[" * 200_000
    nested = (
        archive._header("bundle.json", len(deep)) + deep + bytes(-len(deep) % 512) + bytes(1024)
    )
    assert "bundle.json cannot be read" in refused_raw(tmp_path, into, nested)


def test_a_bundle_is_a_tar_archive_that_others_read(tmp_path) -> None:
    import tarfile

    long = "py3-none-" + "any.manylinux_2_17_x86_64." * 4 + "manylinux_2_28_x86_64"
    wheels = [making.wheel(tmp_path / "w"), making.wheel(tmp_path / "w", "other", tags=long)]
    path = bundle(tmp_path / "b", wheels)
    with tarfile.open(path) as opened:
        assert opened.getnames() == ["bundle.json", *(f"wheels/{each.name}" for each in wheels)]
        assert opened.extractfile(f"wheels/{wheels[1].name}").read() == wheels[1].read_bytes()
    with open_bundle(str(path), into=str(tmp_path)) as opened:
        assert os.path.exists(opened.packages[0] + "/other.py")


def test_names_have_the_length_they_may_have(tmp_path) -> None:
    for length in (1, 99, 100, 101, 102, 199, 200):
        path = tmp_path / str(length)
        with open(path, "wb") as out:
            archive.write(out, [("n" * length, 3, [b"abc"]), ("after", 0, [])])
        with open(path, "rb") as file:
            first, second = archive.entries(file, "x")
            assert (first.name, second.name) == ("n" * length, "after")
            file.seek(first.offset)
            assert file.read(first.size) == b"abc"
    with pytest.raises(BundleError):
        archive._header("n" * 201, 0)


def test_what_is_on_disk_is_never_used(tmp_path, into) -> None:
    path = str(bundle(tmp_path / "b", [making.wheel(tmp_path / "w")]))
    with open_bundle(path, into=str(into)) as first, open_bundle(path, into=str(into)) as second:
        assert first.packages != second.packages


THIS = tags.Target((3, 12), "x86_64", (2, 31))
FITS = {
    "a-1-py3-none-any.whl": True,
    "a-1-py2.py3-none-any.whl": True,
    "a-1-py311-none-any.whl": True,
    "a-1-py313-none-any.whl": False,
    "a-1-py2-none-any.whl": False,
    "a-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl": True,
    "a-1-cp312-cp312-manylinux_2_31_x86_64.whl": True,
    "a-1-cp312-cp312-manylinux_2_35_x86_64.whl": False,
    "a-1-cp312-cp312-manylinux_2_28_aarch64.whl": False,
    "a-1-cp312-cp312-musllinux_1_2_x86_64.whl": False,
    "a-1-cp312-cp312-linux_x86_64.whl": True,
    "a-1-cp312-cp312-win_amd64.whl": False,
    "a-1-cp312-cp312-macosx_11_0_x86_64.whl": False,
    "a-1-cp311-cp311-manylinux1_x86_64.whl": False,
    "a-1-cp311-abi3-manylinux1_x86_64.whl": True,
    "a-1-cp313-abi3-manylinux1_x86_64.whl": False,
    "a-1-cp312-none-manylinux1_x86_64.whl": True,
    "a-1-cp313-cp313t-manylinux1_x86_64.whl": False,
    "a-1-7-py3-none-any.whl": True,
}


@pytest.mark.parametrize("file", FITS)
def test_tags_say_what_a_wheel_runs_on(file: str) -> None:
    if FITS[file]:
        tags.check(tags.parse(file), THIS)
    else:
        with pytest.raises(BundleError, match="CPython 3.12 on x86_64 with glibc 2.31"):
            tags.check(tags.parse(file), THIS)


@pytest.mark.parametrize(
    "file", ["a.whl", "a-1-py3-none-any.zip", "../a-1-py3-none-any.whl", "a-1-py3-none-any.whl\n"]
)
def test_what_is_no_wheels_name(file: str) -> None:
    with pytest.raises(BundleError):
        tags.parse(file)


def test_a_wheel_of_another_python_is_refused_with_both(tmp_path, into) -> None:
    path = bundle(
        tmp_path / "b", [making.wheel(tmp_path / "w", tags="cp37-cp37m-manylinux1_x86_64")]
    )
    text = refused(path, into)
    assert "is for cp37 (cp37m), this is CPython %d.%d" % sys.version_info[:2] in text


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (">=3.11", True),
        (">=3.11,<3.12", False),
        ("==3.12.*", True),
        ("!=3.12.4", False),
        ("~=3.11", True),
        (">3.12", True),
    ],
)
def test_versions_of_python(wanted: str, fits: bool) -> None:
    if fits:
        tags.check_python(wanted, (3, 12, 4), "x")
    else:
        with pytest.raises(BundleError, match="this is 3.12.4"):
            tags.check_python(wanted, (3, 12, 4), "x")


def test_the_listing_is_as_documented() -> None:
    manifest = {"requires_python": ">=3.11", "entry": None, "policy": {}, "wheels": []}
    text = listing.listing({"endpoints": {}}, [{"name": "/a.py", "module": "\u00e9"}], manifest)
    assert text.decode() == (
        "affiant-bundle 1\nrequires-python >=3.11\nentry \n"
        "endpoints 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n"
        "policy 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n"
        "module 4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c 2 /a.py\n"
    )


def test_wheels_are_bounded_before_they_are_read() -> None:
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 60_000, 60_000, 1, 0, 0)
    with pytest.raises(BundleError, match="60000 files"):
        wheel.open_wheel(io.BytesIO(end), "w")


def test_what_a_killed_process_left_is_removed_and_what_is_used_is_not(tmp_path, into) -> None:
    path = str(bundle(tmp_path / "b", [making.wheel(tmp_path / "w")]))
    used = open_bundle(path, into=str(into))
    left = open_bundle(path, into=str(into))
    # As when the process that holds it is gone.
    left.held.close()
    with open_bundle(path, into=str(into)) as third:
        there = {each.name for each in into.iterdir()}
        assert there == {os.path.basename(used.directory), os.path.basename(third.directory)}
    used.close()
    assert list(into.iterdir()) == []
