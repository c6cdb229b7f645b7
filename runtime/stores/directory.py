"""The shared state in a directory that all controllers see: local, over NFS, or on DRBD.

    FOLDER/state/vm/gridce/12.8d1f26b07c3a95e4        the token: version 12 is the newest
    FOLDER/state/vm/gridce/12.8d1f26b07c3a95e4.json   its value
    FOLDER/vm/gridce                                  the thesis's line
    FOLDER/log, FOLDER/log.json

A key is a folder with exactly one token, an empty file whose name says which version is the
newest; it is born with its token inside, by the rename of a folder, and never removed. A writer
puts its value beside, and then renames the token from the version that it has read to its own.
Of all who have read the same version one finds the token under that name, however late the others
come, and no name ever comes back. A deleted key keeps a token that says `gone`, so that versions
go on growing.

Rename is atomic and decided by the server on NFS too. Linux asks the server anew whenever a folder
is opened (unless mounted with `nocto`), which every read here does, by its path.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from threerc.runtime.errors import Conflict, Unwritable
from threerc.runtime.stores.encoding import encoded, versioned
from threerc.runtime.stores.files import create, make_folder, sync, told
from threerc.runtime.stores.keys import checked_key, checked_prefix, checked_vm, is_name
from threerc.runtime.stores.logs import Log
from threerc.runtime.world import Versioned

_STATE: Final = "state"
_PUBLISHED: Final = "vm"
_NEW: Final = ".new"
"""Below state/: what is being made, before it is renamed to where it belongs."""
_SINGLE: Final = "@"
"""Below state/: the folder of the keys without a group."""
_NAME: Final = re.compile(r"(\d+)\.([0-9a-f]{16})(\.gone|\.json)?")
_OF_ONE: Final = frozenset(
    {
        *(errno.ENOENT, errno.EACCES, errno.EIO, errno.EISDIR, errno.ENOTDIR),
        *(errno.EBADMSG, errno.EUCLEAN),  # what ext4 and XFS say of damaged inodes
    }
)
"""What may be wrong with a single file or folder, while all others can be read."""
_LEFT_BEHIND: Final = 3600.0
_LOOKS: Final = 5


class _Token(NamedTuple):
    """The name that says which version of a key is the newest."""

    version: int
    nonce: str
    gone: bool = False

    @property
    def name(self) -> str:
        return f"{self.version}.{self.nonce}{'.gone' if self.gone else ''}"

    @property
    def content(self) -> str:
        return f"{self.version}.{self.nonce}.json"

    @property
    def shown(self) -> int:
        """The version that the store's users see."""
        return 0 if self.gone else self.version

    @classmethod
    def of(cls, name: str) -> _Token | None:
        """The token of that name, if it is one's."""
        match = _NAME.fullmatch(name)
        if match is None or match[3] == ".json":
            return None
        return cls(int(match[1]), match[2], match[3] is not None)

    def next(self, *, gone: bool = False) -> _Token:
        """A name for the version after this one, which nobody else has."""
        return _Token(self.version + 1, secrets.token_hex(8), gone)


class DirectoryStore:
    """The state of all controllers in one directory. Every call may raise StoreLost.

    A directory without state is never filled, since it may be the mount point of one that has
    some: see `create`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._state = f"{folder}/{_STATE}"
        self._log = Log(folder)
        self._tidy_until = 0.0

    @classmethod
    def create(cls, folder: Path) -> DirectoryStore:
        """Make the directory, where there is none yet, and what belongs in it."""
        with told(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            for path in (folder, folder / _PUBLISHED, folder / _STATE, folder / _STATE / _NEW):
                with suppress(FileExistsError):
                    make_folder(str(path))
        return cls(folder)

    def get(self, key: str) -> Versioned | None:
        """A key's newest value, or None."""
        with told(self.folder):
            return self._newest(self._home(key))

    def list(self, prefix: str) -> Mapping[str, Versioned]:
        """All keys of a group; `prefix` is its name and a slash, such as `vm/`."""
        group = f"{self._state}/{checked_prefix(prefix).rstrip('/')}"
        found: dict[str, Versioned] = {}
        with told(self.folder):
            if not self._has(group):
                return found
            for name in sorted(filter(is_name, os.listdir(group))):
                newest = self._newest(f"{group}/{name}")
                if newest is not None:
                    found[prefix + name] = newest
        return found

    def put(self, key: str, value: Mapping[str, Any], expect: int) -> int:
        """Write a key whose version is still `expect`; returns the new one. Raises Conflict."""
        folder, data = self._home(key), encoded(value)
        with told(self.folder):
            old = self._token(folder)
            if old is None and expect == 0:
                old = self._begin(folder)
            if old is None or old.shown != expect:
                raise _conflict(key, expect)
            new = old.next()
            with self._only(folder):
                create(f"{folder}/{new.content}", data)
                self._advance(folder, old, new, key)
        return new.version

    def delete(self, key: str, expect: int) -> None:
        """Remove a key whose version is still `expect`. Raises Conflict."""
        folder = self._home(key)
        with told(self.folder):
            old = self._token(folder)
            if (old.shown if old else 0) != expect:
                raise _conflict(key, expect)
            if old is not None and not old.gone:
                with self._only(folder):
                    self._advance(folder, old, old.next(gone=True), key)

    def publish(self, vm: str, line: str) -> None:
        """Write the thesis's file `vm/<VM>`."""
        shown = f"{self.folder}/{_PUBLISHED}"
        target = f"{shown}/{checked_vm(vm)}"
        with told(self.folder):
            new = self._scratch()
            create(new, f"{line}\n".encode())
            os.replace(new, target)
            sync(shown)

    def published(self, vm: str) -> str | None:
        """The first line of the file `vm/<VM>`, or None where there is none that can be read."""
        path = self.folder / _PUBLISHED / checked_vm(vm)
        with told(self.folder):
            self._check()
            try:
                text = path.read_text(encoding="utf-8", errors="replace")
            except OSError as error:
                if error.errno not in _OF_ONE:
                    raise
                return None
        return text.partition("\n")[0] or None

    def log(self, lines: Sequence[str], events: Sequence[Mapping[str, Any]]) -> None:
        """Append to the files `log` and `log.json`."""
        with told(self.folder):
            self._check()
        self._log.append(lines, events)

    def events(self, vm: str | None = None, last: int = 1000) -> Sequence[Mapping[str, Any]]:
        """The newest events, oldest first: all, or those that concern one VM."""
        with told(self.folder):
            self._check()
        return self._log.events(vm, last)

    def _home(self, key: str) -> str:
        group, _, name = checked_key(key).rpartition("/")
        return f"{self._state}/{group or _SINGLE}/{name}"

    def _check(self) -> None:
        """Raises FileNotFoundError where there is no state at all."""
        os.stat(self._state)

    def _has(self, folder: str) -> bool:
        """Whether there is a folder below `state`, as the server knows it now.

        NFS remembers for a while what was not there, unless the folder around it is opened.
        """
        os.close(os.open(self._state, os.O_RDONLY | os.O_DIRECTORY))
        with suppress(FileNotFoundError):
            os.close(os.open(os.path.dirname(folder), os.O_RDONLY | os.O_DIRECTORY))
            os.stat(folder)
            return True
        return False

    @contextmanager
    def _only(self, folder: str) -> Iterator[None]:
        """A folder that is closed to us, where the state is not: somebody has made it as root."""
        try:
            yield
        except PermissionError as error:
            self._has(folder)
            raise Unwritable(f"{folder}: {error.strerror}") from None

    def _token(self, folder: str) -> _Token | None:
        """The token of a key, or None where there is no such folder. Raises Unwritable."""
        for _ in range(_LOOKS):
            try:
                names = os.listdir(folder)
            except FileNotFoundError:
                if self._has(folder):
                    continue
                return None
            except OSError as error:
                if error.errno not in _OF_ONE:
                    raise
                self._has(folder)  # or it is the whole state that cannot be read
                raise Unwritable(f"{folder}: {error.strerror}") from None
            tokens = [each for name in names if (each := _Token.of(name))]
            if tokens:
                return max(tokens)
        raise Unwritable(f"{folder} holds no file that says which version is the newest")

    def _newest(self, folder: str) -> Versioned | None:
        try:
            return self._read(folder)
        except Unwritable as error:
            return Versioned(0, {}, f"{error}; it can only be removed by hand")

    def _read(self, folder: str) -> Versioned | None:
        seen = None
        while (token := self._token(folder)) is not None and not token.gone:
            path = f"{folder}/{token.content}"
            try:
                with open(path, "rb") as file:
                    data = file.read()
            except OSError as error:
                if error.errno not in _OF_ONE:
                    raise
                # Swept away, since there have been two newer versions in between.
                if token == seen or error.errno != errno.ENOENT:
                    return Versioned(token.version, {}, f"{path}: {error.strerror}")
                seen = token
            else:
                return versioned(token.version, data, path)
        return None

    def _begin(self, folder: str) -> _Token | None:
        """Make the folder of a key that has never been there; its token, whoever was first."""
        group = os.path.dirname(folder)
        with suppress(FileExistsError):
            make_folder(group)
        token = _Token(0, secrets.token_hex(8), gone=True)
        new = self._scratch()
        make_folder(new)
        create(f"{new}/{token.name}", b"")
        sync(new)
        try:
            os.rename(new, folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            shutil.rmtree(new, ignore_errors=True)
            return self._token(folder)
        sync(group)
        return token

    def _advance(self, folder: str, old: _Token, new: _Token, key: str) -> None:
        """Move a key on from the version that was read, if it is still there. Raises Conflict."""
        try:
            os.rename(f"{folder}/{old.name}", f"{folder}/{new.name}")
        except FileNotFoundError:
            # By somebody else; or by ourselves, where a server did it but its answer was lost.
            if self._token(folder) != new:
                with suppress(OSError):
                    os.unlink(f"{folder}/{new.content}")
                raise _conflict(key, old.shown) from None
        sync(folder)
        with suppress(OSError):
            _sweep(folder, old, new)

    def _scratch(self) -> str:
        """A free path below `.new`; what killed controllers left there is removed now and then."""
        folder = f"{self._state}/{_NEW}"
        now = time.monotonic()
        if now >= self._tidy_until:
            self._tidy_until = now + _LEFT_BEHIND
            _tidy(folder)
        return f"{folder}/{secrets.token_hex(8)}"


def _sweep(folder: str, old: _Token, new: _Token) -> None:
    """Remove values older than `old`, and those of writers who came too late.

    That of `old` stays for those who are just about to read it.
    """
    for name in os.listdir(folder):
        match = _NAME.fullmatch(name)
        if match is None or match[3] != ".json" or int(match[1]) > new.version:
            continue
        if name not in (old.content, new.content):
            os.unlink(f"{folder}/{name}")


def _tidy(folder: str) -> None:
    """Remove what has been in `.new` for long.

    Its age is told by the folder's own time, so that nobody's clock but the server's counts.
    """
    limit = os.stat(folder).st_mtime - _LEFT_BEHIND
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.stat(follow_symlinks=False).st_mtime < limit:
                    _remove(entry)


def _remove(entry: os.DirEntry[str]) -> None:
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path)
    else:
        os.unlink(entry.path)


def _conflict(key: str, expect: int) -> Conflict:
    return Conflict(f"{key} is not at version {expect} any more")
