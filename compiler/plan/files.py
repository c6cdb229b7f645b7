"""Two trees compared, path by path."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from threerc.compiler.services import Order, orders, reader

_MOST_LINES: Final = 400
"""Of one file's diff."""
_FILE: Final = re.compile(r'^"([^"/]+)(/[^"]+)":', re.MULTILINE)
"""A host and a path on it, in a manifest."""
Read = Callable[[str], bytes | None]
"""The content of a path of a tree: None where there is none, a link's target as a line."""


@dataclass(frozen=True)
class FileChanges:
    """The paths that are new, gone, and changed, each `<host>/<path on that host>`, sorted.

    `manifest` is that of the tree that is changed to.
    """

    new: tuple[str, ...]
    gone: tuple[str, ...]
    changed: tuple[str, ...]
    manifest: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(sorted((*self.new, *self.gone, *self.changed)))

    @property
    def daemons(self) -> dict[str, list[Order]]:
        """What the daemons of each host are told; a host that is gone is left as it is."""
        paths = _by_host(self.paths)
        concerned = {host for host, files in paths.items() if any(map(reader, files))}
        after: dict[str, set[str]] = {}
        for host, path in _FILE.findall(self.manifest):
            if host in concerned:
                after.setdefault(host, set()).add(path)
        gone, new = _by_host(self.gone), _by_host(self.new)
        found: dict[str, list[Order]] = {}
        for host, there in sorted(after.items()):
            before = (there - new.get(host, set())) | gone.get(host, set())
            found[host] = orders(paths[host], before, there)
        return {host: given for host, given in found.items() if given}


def _by_host(paths: Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for full in paths:
        host, slash, path = full.partition("/")
        found.setdefault(host, set()).add(slash + path)
    return found


def compare(old: str, new: str) -> FileChanges:
    """The changes from one manifest to another. Most lines are the same, and are not read."""
    before, after = _lines(old), _lines(new)
    gone = {_path(line) for line in before - after}
    come = {_path(line) for line in after - before}
    return FileChanges(
        tuple(sorted(come - gone)), tuple(sorted(gone - come)), tuple(sorted(gone & come)), new
    )


def _lines(manifest: str) -> set[str]:
    return {line.removesuffix(",") for line in manifest.splitlines()[1:-1] if line}


def _path(line: str) -> str:
    path: str = json.JSONDecoder().raw_decode(line)[0]
    return path


def diffs(changes: FileChanges, old: Read, new: Read) -> Iterator[str]:
    """The lines of all changed files' unified diffs, each file's bounded."""
    for path in changes.paths:
        yield from _diff(path, old(path), new(path))


def _diff(path: str, before: bytes | None, after: bytes | None) -> Iterator[str]:
    texts = [_text(content) for content in (before, after)]
    if texts[0] is None or texts[1] is None:
        yield f"Binary file {path} changed"
        return
    names = [f"a/{path}" if before is not None else "/dev/null", f"b/{path}"]
    names[1] = names[1] if after is not None else "/dev/null"
    yield from _bounded(
        difflib.unified_diff(
            texts[0].splitlines(), texts[1].splitlines(), names[0], names[1], lineterm=""
        )
    )


def _bounded(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number == _MOST_LINES:
            yield "... and more of this file"
            return
        yield line


def _text(content: bytes | None) -> str | None:
    if content is None:
        return ""
    if b"\0" in content:
        return None
    return content.decode("utf-8", errors="replace")
