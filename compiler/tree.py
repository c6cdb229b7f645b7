"""The output as data: paths to contents. Artefacts add to it; nothing here touches a disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from threerc.compiler.lock import Lock

EVERYONE = ("*",)
"""What an entry concerns that is about the site as a whole."""


class Entry(NamedTuple):
    """A file (content, mode and group) or a symlink (target) of the tree."""

    artefact: str
    concerns: tuple[str, ...]
    content: bytes = b""
    mode: int = 0o644
    target: str | None = None
    group: str = "root"


class Missing(NamedTuple):
    """Something that a host needs and that the tree does not hold."""

    artefact: str
    path: str
    reason: str


@dataclass
class Tree:
    """`<host>/<path on that host>` to entries, and what is left for people to provide."""

    entries: dict[str, Entry] = field(default_factory=dict)
    to_provide: list[Missing] = field(default_factory=list)
    left_out: list[Missing] = field(default_factory=list)


class Output:
    """Where one artefact puts what it makes."""

    def __init__(self, artefact: str, tree: Tree, lock: Lock, folder: Path | None = None) -> None:
        self.lock = lock
        self._folder = folder or Path()
        self._artefact = artefact
        self._tree = tree

    def file(
        self,
        host: str,
        path: str,
        content: str | bytes,
        *,
        concerns: Iterable[str] = EVERYONE,
        group: str | None = None,
    ) -> None:
        """Add a file. `path` is absolute on `host`; `concerns` names the hosts it is about.

        With a `group` of that host nobody else but root may read it.
        """
        data = content.encode() if isinstance(content, str) else content
        entry = Entry(self._artefact, tuple(concerns), data)
        if group is not None:
            entry = entry._replace(mode=0o640, group=group)
        self._add(host, path, entry)

    def link(self, host: str, path: str, target: str, *, concerns: Iterable[str]) -> None:
        """Add a symlink; a relative target is relative to the link's folder."""
        self._add(host, path, Entry(self._artefact, tuple(concerns), target=target))

    def links(self, host: str, folder: str, links: Iterable[tuple[str, str, str]]) -> None:
        """Add many symlinks in a folder: name, target, and the host that each is about."""
        entries, artefact, start = self._tree.entries, self._artefact, f"{host}{folder}/"
        for name, target, concerned in links:
            full, entry = start + name, Entry(artefact, (concerned,), target=target)
            if entries.setdefault(full, entry) is not entry:
                self._refuse(full)

    def side_file(self, relative: str) -> bytes:
        """Contents of a file beside site.yaml. Raises FileNotFoundError."""
        return (self._folder / relative).read_bytes()

    def provide(self, host: str, path: str, reason: str) -> None:
        """Say that somebody has to put a file there, once for each path."""
        missing = Missing(self._artefact, f"{host}{path}", reason)
        if missing not in self._tree.to_provide:
            self._tree.to_provide.append(missing)

    def leave_out(self, host: str, path: str, reason: str) -> None:
        """Say that a file could not be made here, and why."""
        self._tree.left_out.append(Missing(self._artefact, f"{host}{path}", reason))

    def _add(self, host: str, path: str, entry: Entry) -> None:
        full = f"{host}{path}"
        if self._tree.entries.setdefault(full, entry) is not entry:
            self._refuse(full)

    def _refuse(self, full: str) -> None:
        other = self._tree.entries[full].artefact
        raise ValueError(f"{full} is made by {other} and by {self._artefact}")
