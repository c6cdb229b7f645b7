"""What was made once, by the digest of what it was made of."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Final, Protocol

import threerc.testbed
from threerc.testbed.images.packages import ImageError, Package, fetch, resolve

__all__ = ["Build", "Cache", "ImageError", "Recipe"]

_SOURCES: Final = ("images", "installer")
_UNDONE: Final = ".making-"
_LOCK: Final = "lock"
UNUSED_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Build:
    """What a recipe has to work with: packages, an empty folder, and the files to write there."""

    packages: list[Package]
    files: list[Path]
    """The packages' files, in the same order."""
    work: Path
    say: Callable[[str], None]


class Recipe(Protocol):
    """How something is made from packages."""

    @property
    def name(self) -> str:
        """What is made."""

    @property
    def packages(self) -> tuple[str, ...]:
        """The names of the packages that it is made of, without what they depend on."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """The endings of the files that are made."""

    def make(self, build: Build, outputs: tuple[Path, ...]) -> None:
        """Write the files."""


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of files `<name>-<digest>.<ending>`, and of the packages that were fetched.

    It may be deleted at any time that nobody uses it. The time of a file is when it was used last.
    """

    folder: Path
    say: Callable[[str], None]

    def get(self, recipe: Recipe) -> tuple[Path, ...]:
        """The files of a recipe; they are made when they are not there. Raises ImageError."""
        packages = resolve(recipe.packages)
        stem = f"{recipe.name}-{digest(packages)}"
        made = tuple(self.folder / f"{stem}.{ending}" for ending in recipe.outputs)
        if not all(file.exists() for file in made):
            with self._alone():
                if not all(file.exists() for file in made):
                    self._make(recipe, packages, made)
        _used(made)
        return made

    def size(self) -> int:
        """Bytes that are kept."""
        return sum(file.stat().st_size for file in self._files())

    def remove_unused(self) -> list[Path]:
        """Remove what nothing has used for so many days; which files. Raises OSError.

        What one that was killed has left goes too. Nothing is done while somebody makes images.
        """
        if not self.folder.is_dir():
            return []
        try:
            with self._alone(patient=False):
                since = time.time() - UNUSED_DAYS * 86400
                removed = [file for file in self._files() if file.stat().st_mtime < since]
                for file in removed:
                    file.unlink()
        except BlockingIOError:
            return []
        return removed

    def _files(self) -> list[Path]:
        """All that is kept, without what is only being made."""
        found = (*self.folder.glob("*"), *self.folder.glob("packages/**/*"))
        return sorted(file for file in found if file.is_file() and file.name != _LOCK)

    def _make(self, recipe: Recipe, packages: list[Package], made: tuple[Path, ...]) -> None:
        self.say(f"making {recipe.name} from {len(packages)} packages; the next time it is there")
        files = fetch(packages, self.folder / "packages")
        _used(files)
        work = Path(mkdtemp(prefix=_UNDONE, dir=self.folder))
        try:
            fresh = tuple(work / file.name for file in made)
            inner = work / "work"
            inner.mkdir()
            recipe.make(Build(packages, files, inner, self.say), fresh)
            for new, file in zip(fresh, made, strict=True):
                new.replace(file)
        finally:
            shutil.rmtree(work, ignore_errors=True)  # a builder that was killed may still write

    @contextmanager
    def _alone(self, *, patient: bool = True) -> Iterator[None]:
        """Keep others from making anything here; clear away what one that was killed left.

        BlockingIOError where somebody is at work, for who is not patient.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / _LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not patient:
                    raise
                self.say(f"waiting for another that makes images in {self.folder}")
                fcntl.flock(lock, fcntl.LOCK_EX)
            os.set_inheritable(lock.fileno(), True)  # see `builders.py`
            for left in self.folder.glob(f"{_UNDONE}*"):
                shutil.rmtree(left)
            yield


def _used(files: Iterable[Path]) -> None:
    """Note that files are used now, by their times: apt leaves a package's own."""
    for file in files:
        os.utime(file)


def digest(packages: list[Package]) -> str:
    """What a product depends on: the versions of all its packages, and our own source text."""
    total = hashlib.sha256()
    for package in packages:
        total.update(f"{package.name} {package.version} {package.arch}\n".encode())
    root = Path(threerc.testbed.__file__).parent
    for folder in _SOURCES:
        for file in sorted((root / folder).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                name, text = file.relative_to(root).as_posix(), file.read_bytes()
                total.update(f"{name} {os.access(file, os.X_OK)} {len(text)}\n".encode() + text)
    return total.hexdigest()[:12]
