"""Zones and named.conf, by `named-checkzone` and `named-checkconf -z`.

named.conf calls its files by the paths that they have on their host. The check reads a copy below
a temporary folder, so that it needs neither chroot nor root; the distribution's own zones are
left out of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from threerc.compiler.verify.base import Checker, Failure, Staged

_ORIGIN = re.compile(r"^\$ORIGIN (\S+)\.$", re.MULTILINE)
_PATH = re.compile(r'"/([^"\n]+)"')
_COMPLAINT = re.compile(r"^(?:\w+: )?(/.*?):(\d+): (.*)$")
_MAIN = re.compile(r"etc/(?:bind/)?named\.conf")
_CONFIGURATION = re.compile(r"etc/(?:bind/|named/)?named\.conf(?:\.options|\.local)?")
_THEIRS = ("etc/bind/named.conf.default-zones", "etc/named.rfc1912.zones")
_FOLDERS = ("var/cache/bind", "var/named/dynamic")
# Only `local` checks ask no name server. By default most of these would be warnings.
_STRICT = ["-i", "local", *(word for check in "kmMnr" for word in (f"-{check}", "fail"))]


def _check_zones(staged: Staged) -> Iterator[Failure]:
    """Each zone file once, however many servers have it."""
    seen: set[bytes] = set()
    for path, file in staged.files("zones"):
        content = file.read_bytes()
        origin = _ORIGIN.search(content.decode(errors="replace"))
        if origin is None or content in seen:
            continue
        seen.add(content)
        result = staged.run(*_STRICT, origin[1], file)
        if result.returncode:
            yield from _failures(result.stdout + result.stderr, {str(file): path}, path)


def _check_configurations(staged: Staged) -> Iterator[Failure]:
    """Each server's named.conf, with all that it includes and serves."""
    hosts: dict[str, dict[str, Path]] = {}
    for path, file in staged.files("zones"):
        host, _, rest = path.partition("/")
        hosts.setdefault(host, {})[rest] = file
    for host, files in hosts.items():
        with TemporaryDirectory(prefix="3rc-named-") as folder:
            root = Path(folder)
            _copy(files, root)
            main = next(filter(_MAIN.fullmatch, files))
            result = staged.run("-z", root / main)
            if result.returncode:
                names = {str(root / path): f"{host}/{path}" for path in files}
                yield from _failures(result.stdout + result.stderr, names, f"{host}/{main}")


def _copy(files: Mapping[str, Path], root: Path) -> None:
    """A host's files below `root`: zones as links, configuration with its paths moved there."""
    for folder in _FOLDERS:
        (root / folder).mkdir(parents=True)
    for path in _THEIRS:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    for path, file in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(file)
    for path, file in files.items():
        if _CONFIGURATION.fullmatch(path):
            text = file.read_text(encoding="utf-8")
            (root / path).unlink()
            (root / path).write_text(_PATH.sub(rf'"{root}/\1"', text), encoding="utf-8")


def _failures(output: str, names: Mapping[str, str], whole: str) -> Iterator[Failure]:
    """What BIND's tools print, at the lines that they name; else all of it, of the `whole` file."""
    found = [match for line in output.splitlines() if (match := _COMPLAINT.match(line))]
    for match in found:
        yield Failure(names.get(match[1], whole), int(match[2]), match[3])
    if not found:
        yield Failure(whole, 0, output.strip())


CHECKERS = (
    Checker("zones", "named-checkzone", "bind9-utils", _check_zones),
    Checker("zones", "named-checkconf", "bind9-utils", _check_configurations),
)
