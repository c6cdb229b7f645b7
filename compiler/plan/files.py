"""Two trees compared, path by path."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from threerc.compiler.plan.errors import PlanError
from threerc.compiler.services import BELOW, Order, orders, reader

_MOST_LINES: Final = 400
"""Of one file's diff."""
_HEAD, _FOOT = "{\n", "\n}\n"
_EMPTY: Final = _HEAD + _FOOT
_FILE: Final = re.compile(r'"([^"/]+)(/[^"]+)":')
"""A host and a path on it, in a line of a manifest."""
Read = Callable[[str], bytes | None]
"""The content of a path of a tree: None where there is none, a link's target as a line."""


@dataclass(frozen=True)
class FileChanges:
    """The paths that are new, gone, and changed, each `<host>/<path on that host>`, sorted.

    `lines` are the manifest's of the tree that is changed to.
    """

    new: tuple[str, ...]
    gone: tuple[str, ...]
    changed: tuple[str, ...]
    lines: Sequence[str] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(sorted((*self.new, *self.gone, *self.changed)))

    @property
    def daemons(self) -> dict[str, list[Order]]:
        """What the daemons of each host are told; a host that is gone is left as it is."""
        paths = _by_host(self.paths)
        concerned = {host for host, files in paths.items() if any(map(reader, files))}
        after: dict[str, set[str]] = {host: set() for host in concerned if self._has(host)}
        for line in self.lines:
            found_at = _FILE.match(line) if BELOW in line else None
            if found_at and found_at[1] in after:
                after[found_at[1]].add(found_at[2])
        gone, new = _by_host(self.gone), _by_host(self.new)
        found: dict[str, list[Order]] = {}
        for host, there in sorted(after.items()):
            before = (there - new.get(host, set())) | gone.get(host, set())
            found[host] = orders(paths[host], before, there)
        return {host: given for host, given in found.items() if given}

    def _has(self, host: str) -> bool:
        return any(line.startswith(f'"{host}/') for line in self.lines)


def _by_host(paths: Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for full in paths:
        host, slash, path = full.partition("/")
        found.setdefault(host, set()).add(slash + path)
    return found


def compare(old: Sequence[str], new: Sequence[str]) -> FileChanges:
    """The changes from one manifest's lines to another's. Most are the same, and are not read.

    Raises PlanError.
    """
    before, after = set(old), set(new)
    gone = {_path(line) for line in before - after}
    come = {_path(line) for line in after - before}
    return FileChanges(
        tuple(sorted(come - gone)), tuple(sorted(gone - come)), tuple(sorted(gone & come)), new
    )


def lines(manifest: str) -> list[str]:
    """The lines of a manifest's text, a path each. Raises ValueError where it is none.

    That is also what is no longer as it was written: cut off, or the same JSON in another form.
    """
    if manifest == _EMPTY:
        return []
    found = manifest[len(_HEAD) : -len(_FOOT)].split(",\n")
    whole = manifest.startswith(f'{_HEAD}"') and manifest.endswith(f'"}}{_FOOT}')
    if not whole or not manifest.count("\n") - 1 == manifest.count('"},\n"') + 2 == len(found) + 1:
        raise ValueError("no manifest as 3rc build writes it")
    return found


def _path(line: str) -> str:
    """The path that a line is about. Raises PlanError."""
    try:
        path, _ = json.JSONDecoder().raw_decode(line)
    except ValueError:
        path = ""
    if "/" not in path:
        raise PlanError(f"no line of a manifest: {line[:60]}")
    return str(path)


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
