"""What a plan is compared with: an applied tree, another site file, or a git revision."""

from __future__ import annotations

import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from threerc.compiler.build import check, compile_tree
from threerc.compiler.findings import ThreeRcError
from threerc.compiler.generation import MANIFEST, manifest
from threerc.compiler.lock import Lock
from threerc.compiler.plan.files import Read
from threerc.compiler.plan.snapshot import SNAPSHOT, Snapshot, read, snapshot
from threerc.compiler.source.load import folder_of
from threerc.compiler.tree import Entry

_GIT_SECONDS: Final = 60


class PlanError(ThreeRcError):
    """There is nothing to compare with; the text says why."""


@dataclass(frozen=True)
class Side:
    """One of the two that are compared; `name` is for people."""

    name: str
    snapshot: Snapshot
    manifest: str
    read: Read


def compiled(path: Path, today: date, name: str = "") -> Side:
    """A site file, compiled in memory. Raises Rejected."""
    checked = check(path)
    lock = Lock(today, checked.lock)
    tree = compile_tree(checked.site, lock, checked.folder)

    def read_entry(full: str) -> bytes | None:
        return _content(tree.entries.get(full))

    taken = snapshot(checked.site, lock.data)
    return Side(name or str(path), taken, manifest(tree.entries), read_entry)


def _content(entry: Entry | None) -> bytes | None:
    if entry is None:
        return None
    return entry.content if entry.target is None else f"-> {entry.target}\n".encode()


def applied(out: Path) -> Side:
    """A tree on the disk, as `3rc build` wrote it. Raises PlanError."""
    try:
        taken = read((out / SNAPSHOT).read_text(encoding="utf-8"))
        text = (out / MANIFEST).read_text(encoding="utf-8")
    except OSError as error:
        raise PlanError(
            f"{out} is no tree of 3rc build: {error.strerror}: {error.filename}"
        ) from None
    except ValueError as error:
        raise PlanError(f"{out / SNAPSHOT}: {error}") from None

    def read_path(full: str) -> bytes | None:
        path = out / full
        if path.is_symlink():
            return f"-> {os.readlink(path)}\n".encode()
        return path.read_bytes() if path.is_file() else None

    return Side(str(out), taken, text, read_path)


def built(site: Path) -> str:
    """The tree that a site is compared with if nobody says otherwise. Raises PlanError."""
    out = site.parent / "out"
    if not out.exists():
        raise PlanError(
            f"no `out` beside {site}: run `3rc build` first, or name something with --against"
        )
    return str(out)


@contextmanager
def other(site: Path, against: str, today: date) -> Iterator[Side]:
    """What `--against` names: a tree, a site file, or else a git revision of `site`.

    Raises PlanError, Rejected.
    """
    path = Path(against)
    if path.is_dir():
        yield applied(path)
    elif path.is_file():
        yield compiled(path, today)
    else:
        with tempfile.TemporaryDirectory(prefix="3rc-plan-") as work:
            then = _checkout(site, against, Path(work))
            yield compiled(then, today, f"{site} of {against}")


def _checkout(site: Path, revision: str, work: Path) -> Path:
    """The folder of a site as it was in a revision; where its site file is now."""
    folder = folder_of(site).resolve()
    if revision.startswith("-"):
        raise PlanError(f"{revision} is neither a tree, a file nor a git revision")
    top = Path(_git(folder, "rev-parse", "--show-toplevel").decode().strip())
    wanted = f"{revision}^{{commit}}"
    commit = _git(folder, "rev-parse", "--verify", "--quiet", wanted, about=revision)
    inside = folder.relative_to(top.resolve())
    packed = _git(top, "archive", "--format=tar", commit.decode().strip(), "--", f"{inside}/")
    archive = work / "site.tar"
    archive.write_bytes(packed)
    with tarfile.open(archive) as tar:
        tar.extractall(work, filter="data")
    found = work / inside / site.resolve().name
    if not found.is_file():
        raise PlanError(f"{revision} has no {inside / site.name}")
    return found


def _git(folder: Path, *arguments: str, about: str = "") -> bytes:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PlanError(f"git: {error}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        what = f"{about} is neither a tree, a file nor a git revision here" if about else ""
        raise PlanError(what or (said[-1] if said else f"git {arguments[0]} failed"))
    return done.stdout
