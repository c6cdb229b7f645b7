"""A host's file system: what its files are like, and the rename by which one becomes another.

A file is known by the words of the manifest: SHA-256, mode and group, or a link's target.
"""

from __future__ import annotations

import grp
import hashlib
import os
import shutil
import stat
from contextlib import suppress
from typing import Optional

from threerc.rollout.agent.errors import AgentError

Entry = dict[str, str]
"""A file by its `sha256`, `mode` and `group`, a link by its `link`, all else as `other`."""
Entries = dict[str, Entry]
Found = Optional[Entry]


def digest(path: str) -> str:
    """The SHA-256 of a file's content."""
    with open(path, "rb") as stream:
        found = hashlib.sha256()
        while block := stream.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def beside(path: str, what: str) -> str:
    """Where a file waits for its rename, by a name that cron, logrotate and editors pass over."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.3rc-{what}~"


def sync_folder(folder: str) -> None:
    """Let the names in a folder outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Disk:
    """The file system of a host, at `root`."""

    def __init__(self, root: str) -> None:
        self.root = "" if root == "/" else os.path.realpath(root)
        self._own = os.geteuid() == 0
        self._inside: set[str] = set()
        self._groups: dict[str, int | None] = {"root": 0}

    def at(self, path: str) -> str:
        """Where a path of the host is. Raises AgentError where that would lead out of it."""
        full = self.root + path
        folder = os.path.dirname(full)
        if self.root and folder not in self._inside:
            if not f"{os.path.realpath(folder)}/".startswith(f"{self.root}/"):
                raise AgentError(f"{path} leads out of {self.root}")
            self._inside.add(folder)
        return full

    def look(self, path: str) -> Found:
        """What is there now; None where nothing is."""
        full = self.at(path)
        try:
            found = os.lstat(full)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISLNK(found.st_mode):
            return {"link": os.readlink(full)}
        if not stat.S_ISREG(found.st_mode):
            return {"other": "neither a file nor a link"}
        about = {"sha256": digest(full), "mode": f"{stat.S_IMODE(found.st_mode):04o}"}
        return {**about, "gid": str(found.st_gid)}

    def same(self, wanted: Found, live: Found) -> bool:
        """Whether what is there is what is wanted. The group counts only for root."""
        if wanted is None or live is None:
            return wanted is live
        if "link" in wanted:
            return wanted["link"] == live.get("link")
        if wanted["sha256"] != live.get("sha256") or wanted["mode"] != live["mode"]:
            return False
        if "gid" in wanted:
            return wanted["gid"] == live["gid"]
        gid = self.group(wanted.get("group", "root"))
        return not self._own or gid is None or str(gid) == live["gid"]

    def group(self, name: str) -> int | None:
        """The number of a group of this host; None where it has no such group."""
        if name not in self._groups:
            self._groups[name] = self._find_group(name)
        return self._groups[name]

    def _find_group(self, name: str) -> int | None:
        if not self.root:
            with suppress(KeyError):
                return grp.getgrnam(name).gr_gid
            return None
        with suppress(OSError), open(f"{self.root}/etc/group", encoding="utf-8") as lines:
            for line in lines:
                fields = line.split(":")
                if fields[0] == name:
                    return int(fields[2])
        return None

    def missing_folders(self, path: str) -> list[str]:
        """The folders above a path that are not there yet, the outermost first."""
        missing: list[str] = []
        folder = os.path.dirname(path)
        while not os.path.isdir(self.root + folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        return missing[::-1]

    def make_folder(self, path: str) -> None:
        """A folder that everyone may enter, whatever the umask."""
        with suppress(FileExistsError):
            os.mkdir(self.at(path))
            os.chmod(self.root + path, 0o755)  # noqa: S103 - daemons read it under other users

    def ready(self, path: str, entry: Entry, content: str) -> None:
        """Put a new file or link beside its place; `content` is the file that it is a copy of.

        Raises AgentError, OSError.
        """
        new = beside(self.at(path), "new")
        _remove(new)
        if "link" in entry:
            os.symlink(entry["link"], new)
            return
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "wb") as stream, open(content, "rb") as source:
            shutil.copyfileobj(source, stream, 1 << 20)
            stream.flush()
            if self._own:
                os.fchown(handle, 0, self._gid(path, entry))
            os.fchmod(handle, int(entry["mode"], 8))
            os.fsync(handle)

    def _gid(self, path: str, entry: Entry) -> int:
        name = entry.get("group", "root")
        gid = self.group(name)
        if gid is None and not self.root:
            raise AgentError(f"{path} is for the group {name}, which is not here")
        return gid or 0

    def save(self, path: str) -> None:
        """Give what is there a second name beside, under which it comes back as it was."""
        full = self.at(path)
        old = beside(full, "old")
        _remove(old)
        try:
            os.link(full, old, follow_symlinks=False)
        except OSError:  # a file system without hard links
            if os.path.islink(full):
                os.symlink(os.readlink(full), old)
            else:
                shutil.copy2(full, old)

    def switch(self, path: str, new: Found) -> None:
        """Let the new one take its place, or nothing at all."""
        full = self.at(path)
        if new is None:
            _remove(full)
        else:
            os.replace(beside(full, "new"), full)

    def bring_back(self, path: str, old: Found) -> None:
        """Let what was saved take its place again, as if just written; without it, nothing."""
        full = self.at(path)
        if old is None:
            _remove(full)
        elif os.path.lexists(beside(full, "old")):
            # named reads no file again that is older than what it has read.
            os.utime(beside(full, "old"), follow_symlinks=False)
            os.replace(beside(full, "old"), full)

    def clear(self, path: str) -> None:
        """Remove what is left beside a file."""
        full = self.at(path)
        _remove(beside(full, "new"))
        _remove(beside(full, "old"))


def _remove(path: str) -> None:
    with suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(path)
