"""Trees on the disk: written beside the old one, then switched to by one symlink.

OUT is a symlink into `.OUT.generations/` in the same folder. A killed command leaves the old
tree or the new one, and what it left half-written is removed by the next.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from threerc.compiler.findings import ThreeRcError
from threerc.compiler.tree import Entry

MANIFEST = "manifest.json"
_UNESCAPED = re.compile(r"[A-Za-z0-9 !#-/:;<=>?@^_{|}*-]*")


class OutputError(ThreeRcError):
    """The output cannot be written; the text says why and what to do."""


def manifest(entries: Mapping[str, Entry]) -> str:
    """The text of manifest.json: a line for each path, sorted.

    Each has its artefact, the hosts that it concerns (`*`: all), and either SHA-256, mode and the
    group (root's is left out), or the link's target.
    """
    return "{\n" + ",\n".join(manifest_lines(dict(sorted(entries.items())))) + "\n}\n"


def manifest_lines(entries: Mapping[str, Entry]) -> Iterator[str]:
    """The lines of manifest.json, without commas, in the order of the entries."""
    digests: dict[int, str] = {}
    for path, entry in entries.items():
        about = f'"artefact": {_quoted(entry.artefact)}, "hosts": [{_listed(entry.concerns)}]'
        if entry.target is not None:
            yield f'{_quoted(path)}: {{{about}, "link": {_quoted(entry.target)}}}'
            continue
        key = id(entry.content)
        if key not in digests:
            digests[key] = hashlib.sha256(entry.content).hexdigest()
        group = f', "group": {_quoted(entry.group)}' if entry.group != "root" else ""
        mode = f'"mode": "{entry.mode:04o}"{group}'
        yield f'{_quoted(path)}: {{{about}, {mode}, "sha256": "{digests[key]}"}}'


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(_quoted, names))


def _quoted(text: str) -> str:
    """A JSON string; most need no escaping, and are a hundred thousand."""
    return f'"{text}"' if _UNESCAPED.fullmatch(text) else json.dumps(text, ensure_ascii=False)


class Generations:
    """The generations behind one output path."""

    def __init__(self, out: Path) -> None:
        self.out = Path(os.path.abspath(out))
        self.store = self.out.parent / f".{self.out.name}.generations"

    def check_ours(self) -> None:
        """Raises OutputError where OUT is something that we did not make."""
        if self.out.is_symlink():
            if self._current() is None:
                raise OutputError(f"{self.out} is a link that 3rc did not make; choose another -o")
        elif self.out.exists() and not (self.out.is_dir() and not any(self.out.iterdir())):
            raise OutputError(f"{self.out} exists and 3rc did not make it; choose another -o")

    def _current(self) -> str | None:
        """Name of the generation that OUT shows."""
        if not self.out.is_symlink():
            return None
        folder, _, name = os.readlink(self.out).rpartition("/")
        return name if folder == self.store.name else None

    @contextmanager
    def staged(
        self, entries: Mapping[str, Entry], beside: Mapping[str, str] | None = None
    ) -> Iterator[Path]:
        """A new generation on the disk, to be checked and then switched to.

        `beside` are texts of files at its top, beside the manifest.

        It is removed again unless `switch` was called with it. Two at once exclude each other.
        Raises OutputError.
        """
        self.check_ours()
        try:
            self.store.mkdir(parents=True, exist_ok=True)
            with self._exclusive():
                stage = Path(tempfile.mkdtemp(prefix="g-", dir=self.store))
                try:
                    stage.chmod(0o755)
                    _write(stage, entries)
                    for name, text in (beside or {}).items():
                        _write_file(f"{stage}/{name}", text.encode(), 0o644)
                    yield stage
                finally:
                    self._prune()
        except OSError as error:
            raise OutputError(f"cannot write {self.out}: {error.strerror or error}") from error

    def switch(self, stage: Path) -> None:
        """Show a staged generation at OUT, in one step."""
        link = self.store / "next"
        link.unlink(missing_ok=True)
        link.symlink_to(f"{self.store.name}/{stage.name}")
        if self.out.is_dir() and not self.out.is_symlink():
            self.out.rmdir()
        link.replace(self.out)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        with (self.store / "lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OutputError(f"another 3rc is writing {self.out} just now") from None
            yield

    def _prune(self) -> None:
        """Remove every generation but the one shown: old ones, and what killed runs left."""
        current = self._current()
        for path in self.store.glob("g-*"):
            if path.name != current:
                shutil.rmtree(path, ignore_errors=True)
        if current is None:
            with suppress(OSError):
                (self.store / "lock").unlink()
                self.store.rmdir()


def _write(root: Path, entries: Mapping[str, Entry]) -> None:
    """Write all entries and the manifest below a new folder."""
    made: set[str] = set()
    links: dict[str, str] = {}
    base = str(root)
    for path, entry in entries.items():
        full = f"{base}/{path}"
        folder = full.rpartition("/")[0]
        if folder not in made:
            _make_folder(folder)
            made.add(folder)
        if entry.target is not None:
            _write_link(full, entry.target, links)
        else:
            _write_file(full, entry.content, entry.mode)
    _write_file(f"{base}/{MANIFEST}", manifest(entries).encode(), 0o644)


def _write_link(path: str, target: str, links: dict[str, str]) -> None:
    """A symlink, as one more name of an equal one: a new inode each is ten times as slow."""
    first = links.get(target)
    if first is not None:
        try:
            os.link(first, path, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP):
                raise
        else:
            return
    os.symlink(target, path)
    links[target] = path


def _make_folder(path: str) -> None:
    """Folders that everyone may enter, whatever the umask."""
    missing: list[str] = []
    while not os.path.isdir(path):
        missing.append(path)
        path = path.rpartition("/")[0]
    for folder in reversed(missing):
        os.mkdir(folder)
        os.chmod(folder, 0o755)


def _write_file(path: str, content: bytes, mode: int) -> None:
    # Created closed: a secret must not be readable for even a moment.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(handle, view) :]
        os.fchmod(handle, mode)
    finally:
        os.close(handle)


def replace_file(path: Path, text: str) -> None:
    """Write a file beside and rename it over the old one. Raises OutputError."""
    beside = f".{path.name}."
    try:
        for left in path.parent.glob(f"{glob.escape(beside)}????????"):
            left.unlink()  # by a killed command
        handle, name = tempfile.mkstemp(prefix=beside, dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                os.fchmod(handle, 0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
