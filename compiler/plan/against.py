"""What a plan is compared with: an applied tree, another site file, or a git revision."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final, TypeVar

from threerc.compiler.build import check, compile_tree
from threerc.compiler.findings import Rejected
from threerc.compiler.generation import MANIFEST, manifest_lines
from threerc.compiler.lock import Lock
from threerc.compiler.plan.errors import PlanError
from threerc.compiler.plan.files import Read, lines
from threerc.compiler.plan.git import git
from threerc.compiler.plan.snapshot import SNAPSHOT, Snapshot, read, snapshot
from threerc.compiler.source.load import folder_of
from threerc.compiler.tree import Entry

_GIT_SECONDS: Final = 60
_T = TypeVar("_T")


@dataclass(frozen=True)
class Side:
    """One of the two that are compared; `name` is for people."""

    name: str
    snapshot: Snapshot
    manifest: Sequence[str]
    read: Read


def compiled(path: Path, today: date, name: str = "") -> Side:
    """A site file, compiled in memory. Raises Rejected."""
    checked = check(path)
    lock = Lock(today, checked.lock)
    tree = compile_tree(checked.site, lock, checked.folder)

    def read_entry(full: str) -> bytes | None:
        return _content(tree.entries.get(full))

    taken = snapshot(checked.site, lock.data)
    return Side(name or str(path), taken, list(manifest_lines(tree.entries)), read_entry)


def _content(entry: Entry | None) -> bytes | None:
    if entry is None:
        return None
    return entry.content if entry.target is None else f"-> {entry.target}\n".encode()


def applied(out: Path) -> Side:
    """A tree on the disk, as `3rc build` wrote it. Raises PlanError."""
    taken = _read(out, SNAPSHOT, read)
    manifest = _read(out, MANIFEST, lines)

    def read_path(full: str) -> bytes | None:
        path = out / full
        if path.is_symlink():
            return f"-> {os.readlink(path)}\n".encode()
        return path.read_bytes() if path.is_file() else None

    return Side(str(out), taken, manifest, read_path)


def _read(out: Path, name: str, parse: Callable[[str], _T]) -> _T:
    """What a file of a tree says. Raises PlanError."""
    try:
        return parse((out / name).read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanError(
            f"{out} is no tree of 3rc build: {error.strerror}: {error.filename}"
        ) from None
    except ValueError as error:
        raise PlanError(f"{out / name} is damaged: {error}") from None


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
    if against and path.is_dir():
        yield applied(path)
    elif path.is_file():
        yield compiled(path, today)
    else:
        with tempfile.TemporaryDirectory(prefix="3rc-plan-") as work:
            yield _of_revision(site, against, Path(work).resolve(), today)


def _of_revision(site: Path, revision: str, work: Path, today: date) -> Side:
    """A site as it was; its findings are at places as git calls them: `HEAD~1:site.yaml`."""
    then = _checkout(site, revision, work)
    try:
        return compiled(then, today, f"{site} of {revision}")
    except Rejected as rejected:
        places = [(each, each.place.file.removeprefix(f"{work}/")) for each in rejected.findings]
        there = [
            replace(each, place=each.place._replace(file=f"{revision}:{file}"))
            for each, file in places
        ]
        raise Rejected(there) from None


def _checkout(site: Path, revision: str, work: Path) -> Path:
    """The folder of a site as it was in a revision; where its site file is now."""
    import tarfile  # noqa: PLC0415 - only who compares with a revision needs it

    folder = folder_of(site).resolve()
    if not revision or revision.startswith("-"):
        raise PlanError(f"`{revision}` is neither a tree, a file nor a git revision")
    top = _top(folder, revision)
    commit = _commit(folder, revision)
    inside = folder.relative_to(top.resolve())
    name = inside / site.resolve().name
    text = git(top, "cat-file", "blob", f"{commit}:{name}", failing=f"{revision} has no {name}")
    needed = "." if b"../" in text else f"{inside}/"  # an inventory may be shared by several sites
    packed = git(top, "archive", "--format=tar", commit, "--", needed)
    archive = work / "site.tar"
    archive.write_bytes(packed)
    with tarfile.open(archive) as tar:
        tar.extractall(work, filter="data")
    return work / name


def _top(folder: Path, revision: str) -> Path:
    """The top of the repository."""
    try:
        return Path(git(folder, "rev-parse", "--show-toplevel").decode().strip())
    except PlanError as error:
        if "not a git repository" not in str(error):
            raise
        none = f"{revision} is neither a tree nor a file, and {folder} is in no git repository"
        raise PlanError(none) from None


def _commit(folder: Path, revision: str) -> str:
    """The commit of a revision. CI systems tend to fetch the last one only."""
    unknown = f"{revision} is neither a tree, a file nor a git revision here"
    if git(folder, "rev-parse", "--is-shallow-repository").strip() == b"true":
        unknown += "; the clone is shallow: `git fetch --unshallow`, or fetch all when it is made"
    wanted = f"{revision}^{{commit}}"
    found = git(folder, "rev-parse", "--verify", "--quiet", wanted, failing=unknown)
    return found.decode().strip()
