"""Files and folders of the shared state: on the disk when they are there, with fixed modes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from threerc.runtime.errors import StoreLost

FILE: Final = 0o640
FOLDER: Final = 0o750


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """Errors of the file system, told as StoreLost in one line."""
    try:
        yield
    except FileNotFoundError as error:
        # An empty mount point looks like this; to fill it with fresh state would be the worst.
        raise StoreLost(
            f"{error.filename} is not there; is it mounted? On a new site, once it is: "
            "`3rc controller --create-state`"
        ) from error
    except OSError as error:
        where = "" if error.filename is None else f" ({error.filename})"
        raise StoreLost(f"{folder}: {error.strerror or error}{where}") from error


def create(path: str, data: bytes) -> None:
    """Write a new file; leaves none behind when it cannot. Raises OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE)
    try:
        with open(handle, "wb") as file:
            os.fchmod(handle, FILE)  # whatever the umask
            hand_over(handle, path)
            file.write(data)
            file.flush()
            os.fsync(handle)
    except OSError as error:
        with suppress(OSError):
            os.unlink(path)
        error.filename = error.filename or path
        raise


def make_folder(path: str) -> None:
    """Make a folder, of the group that its parent hands down. Raises OSError."""
    os.mkdir(path, FOLDER)
    os.chmod(path, FOLDER | os.stat(path).st_mode & stat.S_ISGID)
    hand_over(path, path)


def hand_over(made: int | str, path: str) -> None:
    """Give what root has just made at `path` to the owner of the folder around it.

    An operator who is root must not lock the controllers out of their state. Raises OSError.
    """
    if os.geteuid() == 0:
        around = os.stat(os.path.dirname(path))
        if around.st_uid or around.st_gid:
            os.chown(made, around.st_uid, around.st_gid)


def sync(folder: str) -> None:
    """Wait until the names in a folder are on the disk. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
