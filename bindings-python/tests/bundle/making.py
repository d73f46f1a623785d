"""Makes wheels and apps to test with."""

from __future__ import annotations

import base64
import hashlib
import pathlib
import zipfile

SOURCES = str(pathlib.Path(__file__).parents[2] / "python")


def record_line(path: str, content: bytes) -> str:
    """A line of RECORD."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(content)}\n"


def wheel(
    directory: pathlib.Path,
    name: str = "adder",
    version: str = "1.0",
    files: dict[str, str] | None = None,
    *,
    tags: str = "py3-none-any",
    requires: tuple[str, ...] = (),
    extra: dict[str, bytes] | None = None,
    unlisted: dict[str, bytes] | None = None,
    changed: dict[str, bytes] | None = None,
    attributes: dict[str, int] | None = None,
) -> pathlib.Path:
    """A wheel; `extra` are listed in RECORD, `unlisted` are not, `changed` differ from what is listed."""
    directory.mkdir(parents=True, exist_ok=True)
    contents = {
        path: text.encode()
        for path, text in (files or {f"{name}.py": "def add(a, b): return a + b\n"}).items()
    }
    home = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    contents[f"{home}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}".encode()
    )
    contents[f"{home}/WHEEL"] = f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tags}\n".encode()
    contents.update(extra or {})
    record = "".join(record_line(path, content) for path, content in contents.items())
    contents[f"{home}/RECORD"] = (record + f"{home}/RECORD,,\n").encode()
    contents.update(unlisted or {})
    contents.update(changed or {})
    path = directory / f"{name}-{version}-{tags}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in contents.items():
            info = zipfile.ZipInfo(member, (2020, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (attributes or {}).get(member, 0o100644) << 16
            archive.writestr(info, content)
    return path


APP = """
import adder


def handle_request(request):
    return {"sum": adder.add(1, 2)}
"""


def app(
    directory: pathlib.Path, source: str = APP, requirements: str = "adder\n", project: str = ""
) -> pathlib.Path:
    """An app of plain handlers."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "app.py").write_text(source)
    (directory / "requirements.txt").write_text(requirements)
    (directory / "pyproject.toml").write_text(project or '[tool.affiant]\napp = "app.py"\n')
    return directory
