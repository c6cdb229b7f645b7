"""The tree that is applied, as `3rc build` wrote it: what each host gets of it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from threerc.compiler.generation import MANIFEST
from threerc.compiler.plan.snapshot import HOST, SETTING, SNAPSHOT, Snapshot, read
from threerc.rollout.agent.disk import Entries, digest
from threerc.rollout.agent.state import digest_of
from threerc.rollout.errors import RolloutError

_WORDS: Final = ("artefact", "link", "sha256", "mode", "group")


@dataclass
class Tree:
    """A tree on the disk; `hosts` has the files of each host by their paths there."""

    folder: Path
    manifest: str
    hosts: dict[str, Entries] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Tree:
        """The tree at a folder. Raises RolloutError."""
        if not folder.exists():
            raise RolloutError(f"there is no tree {folder}: `3rc build` writes one")
        try:
            text = (folder / MANIFEST).read_text(encoding="utf-8")
            (folder / SNAPSHOT).stat()
        except OSError as error:
            raise RolloutError(
                f"{folder} is no tree of 3rc build: {error.strerror}: {error.filename}"
            ) from None
        tree = cls(folder, text)
        try:
            for full, about in json.loads(text).items():
                host, slash, path = full.partition("/")
                entry = {key: about[key] for key in _WORDS if key in about}
                tree.hosts.setdefault(host, {})[slash + path] = entry
        except (ValueError, AttributeError, TypeError) as error:
            raise RolloutError(f"{folder / MANIFEST} is damaged: {error}") from None
        return tree

    def digests(self) -> dict[str, str]:
        """The digest of each host's part."""
        return {host: digest_of(entries) for host, entries in self.hosts.items()}

    def site(self) -> str:
        """The site's name. Raises RolloutError."""
        name = json.loads(self.snapshot().lines.get(f"{SETTING}/site", "null"))
        if not name:
            raise RolloutError(f"{self.folder / SNAPSHOT} does not name its site")
        return str(name)

    def snapshot(self) -> Snapshot:
        """The site that it was compiled from. Raises RolloutError."""
        path = self.folder / SNAPSHOT
        try:
            return read(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RolloutError(f"{path}: {error}") from None

    def content(self, host: str, path: str) -> bytes:
        """A file's content. Raises RolloutError where it is not what was built."""
        file = self.folder / f"{host}{path}"
        try:
            if digest(str(file)) == self.hosts[host][path]["sha256"]:
                return file.read_bytes()
        except OSError as error:
            raise RolloutError(f"{file}: {error.strerror}") from None
        raise RolloutError(f"{file} was changed since it was built: 3rc build writes it anew")

    def copy(self, to: Path) -> None:
        """Write it to a new folder. Raises RolloutError, OSError."""
        links: dict[str, Path] = {}
        for host, entries in self.hosts.items():
            for path, entry in entries.items():
                place = to / f"{host}{path}"
                place.parent.mkdir(parents=True, exist_ok=True)
                if "link" in entry:
                    _link(place, entry["link"], links)
                else:
                    place.write_bytes(self.content(host, path))
                    place.chmod(int(entry["mode"], 8))
        for name in (MANIFEST, SNAPSHOT):
            shutil.copyfile(self.folder / name, to / name)


def _link(path: Path, target: str, links: dict[str, Path]) -> None:
    """A symlink; an equal one gets a further name, which is faster than an inode each."""
    try:
        os.link(links[target], path, follow_symlinks=False)
    except (KeyError, OSError):
        path.symlink_to(target)
        links[target] = path


@dataclass(frozen=True)
class Way:
    """How a host is reached: by which address, and by which host keys, if the site knows any."""

    address: str
    keys: tuple[str, ...]


class Ways:
    """How the hosts of a site are reached, by its own snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        domain: str = self._setting("domain") or ""
        self._domain = domain

    def to(self, host: str) -> Way:
        """The way to a host."""
        noun = self._snapshot.noun(f"{HOST}/{host}")
        address = noun.get("address") or f"{host}.{self._domain}"
        return Way(str(address), tuple(noun.get("ssh_host_keys", ())))

    def ssh(self) -> dict[str, Any]:
        """The site's settings for ssh: user, port, key, time to connect."""
        recovery = self._setting("recovery") or {}
        found: dict[str, Any] = recovery.get("ssh", {})
        return found

    def _setting(self, name: str) -> Any:
        line = self._snapshot.lines.get(f"{SETTING}/{name}")
        return None if line is None else json.loads(line)
