"""What a host remembers of what was applied to it, in /var/lib/3rc/applied."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from typing import Any

from threerc.rollout.agent import locks
from threerc.rollout.agent.disk import Entries, sync_folder
from threerc.rollout.agent.errors import AgentError

FOLDER = "/var/lib/3rc/applied"
CURRENT, NEXT, JOURNAL = "current.json", "next.json", "journal.json"
Record = dict[str, Any]


def digest_of(entries: Entries) -> str:
    """The one word that tells a host's generation from others."""
    text = json.dumps(entries, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class State:
    """The folder, and the right to change the host: one at a time has it."""

    def __init__(self, root: str) -> None:
        self.folder = ("" if root == "/" else os.path.realpath(root)) + FOLDER
        self._lock: int | None = None

    @property
    def staged(self) -> str:
        """Where the new generation is, as a tree, until it is switched to."""
        return f"{self.folder}/staged"

    @property
    def exists(self) -> bool:
        """Whether anything was ever applied here."""
        return os.path.isdir(self.folder)

    def lock(self, who: str) -> None:
        """Take the right to change this host. Raises AgentError where somebody else has it."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        handle = os.open(f"{self.folder}/lock", os.O_RDWR | os.O_CREAT, 0o600)
        if not locks.take(handle):
            other = os.read(handle, 200).decode(errors="replace").strip()
            os.close(handle)
            raise AgentError(f"another apply is under way, by {other or 'somebody'}")
        self._lock = handle
        with suppress(OSError):  # a full disk: the lock itself is what counts
            os.ftruncate(handle, 0)
            os.pwrite(handle, who.encode(), 0)

    def unlock(self) -> None:
        """Give it back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def read(self, name: str) -> Record | None:
        """A file of the folder, or None. Raises AgentError where it cannot be understood."""
        try:
            with open(f"{self.folder}/{name}", encoding="utf-8") as stream:
                found: Record = json.load(stream)
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise AgentError(f"{self.folder}/{name}: {error}") from None
        return found

    def write(self, name: str, value: Record) -> None:
        """Write a file of the folder: the old one or the new one is there, after a crash too."""
        new = f"{self.folder}/{name}.new"
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(json.dumps(value, separators=(",", ":")).encode())
            stream.flush()
            os.fsync(stream.fileno())
        self.rename(f"{name}.new", name)

    def rename(self, old: str, new: str) -> None:
        """Let a file of the folder take the place of another. Raises OSError."""
        os.replace(f"{self.folder}/{old}", f"{self.folder}/{new}")
        sync_folder(self.folder)

    def forget(self, name: str) -> None:
        """Remove a file of the folder."""
        with suppress(FileNotFoundError):
            os.unlink(f"{self.folder}/{name}")
            sync_folder(self.folder)

    def clear_staged(self) -> None:
        """Remove the staged generation."""
        shutil.rmtree(self.staged, ignore_errors=True)

    def keep_staged(self, paths: set[str]) -> None:
        """Remove all else that is staged, by an apply that was killed."""
        for folder, _, files in os.walk(self.staged):
            for name in files:
                full = f"{folder}/{name}"
                if full[len(self.staged) :] not in paths:
                    os.unlink(full)

    def keep(self, run: str, path: str, file: str) -> None:
        """Keep a copy of a file that somebody else wrote and that is replaced. Raises OSError."""
        copy = f"{self._kept(run)}{path}"
        os.makedirs(os.path.dirname(copy), mode=0o700, exist_ok=True)
        if os.path.islink(file):
            with suppress(FileExistsError):
                os.symlink(os.readlink(file), copy)
        else:
            shutil.copy2(file, copy)

    def drop_kept(self, run: str) -> None:
        """Remove these copies, where nothing was replaced after all."""
        shutil.rmtree(self._kept(run), ignore_errors=True)

    def _kept(self, run: str) -> str:
        return f"{self.folder}/replaced/{run}"
