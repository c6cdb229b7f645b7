"""kill -9 at each file operation of a build: the old tree or the new one, and the same numbers."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.compiler.support import HEAD, TODAY
from threerc.compiler.build import Options, build

_OPERATIONS = {
    *(f"os.{name}" for name in ("chmod", "link", "mkdir", "remove", "rename", "rmdir", "symlink")),
    "open",
    "shutil.rmtree",
}
OLD = (
    HEAD
    + """\
physical_hosts:
  ph1: {address: 192.168.1.11, roles: [dns]}
  ph2: {address: 192.168.1.12}
volumes:
  b: {peers: [ph1, ph2], disk: /dev/vg0/b, size: 1GiB}
"""
)
NEW = (
    OLD
    + """\
  a: {peers: [ph1, ph2], disk: /dev/vg0/a, size: 1GiB}
service_hosts:
  s: {address: 192.168.1.2}
"""
)


class State(NamedTuple):
    """What a build leaves: the tree's manifest, and site.lock."""

    manifest: str
    lock: str

    @classmethod
    def of(cls, folder: Path) -> State:
        return cls((folder / "out/manifest.json").read_text(), (folder / "site.lock").read_text())


def build_in(folder: Path) -> None:
    build(folder / "site.yaml", Options(folder / "out", TODAY, verify=False))


def killed(count: int, work: Callable[[], None]) -> bool:
    """Do some work in a process that dies before its file operation of that number.

    False where it had fewer to do.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _die_before(count)
            work()
            status = 0
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0


def _die_before(count: int) -> None:
    left = count

    def hook(event: str, _arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in _OPERATIONS:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def is_whole(out: Path) -> bool:
    """Whether a tree holds what its manifest says."""
    for path, about in json.loads((out / "manifest.json").read_text()).items():
        if "link" in about:
            assert os.readlink(out / path) == about["link"]
        elif hashlib.sha256((out / path).read_bytes()).hexdigest() != about["sha256"]:
            return False
    return True


def look_after(folder: Path, old: State, new: State) -> tuple[bool, bool]:
    """Whether tree and lock are the new ones; nothing else than the old ones can they be."""
    now = State.of(folder)
    assert now.manifest in (old.manifest, new.manifest)
    assert now.lock in (old.lock, new.lock)
    assert is_whole(folder / "out")
    return now.manifest == new.manifest, now.lock == new.lock


def test_killed_before_any_operation_a_build_leaves_the_old_tree_or_the_new(tmp_path: Path) -> None:
    base, ready, folder = (tmp_path / name for name in ("base", "ready", "killed"))
    base.mkdir()
    (base / "site.yaml").write_text(OLD)
    build_in(base)
    old = State.of(base)
    (base / "site.yaml").write_text(NEW)
    shutil.copytree(base, ready, symlinks=True)
    build_in(ready)
    new = State.of(ready)
    assert old.manifest != new.manifest
    seen: set[tuple[bool, bool]] = set()
    died, count = True, 0
    while died:
        count += 1
        shutil.copytree(base, folder, symlinks=True)
        died = killed(count, lambda: build_in(folder))
        seen.add(look_after(folder, old, new))
        build_in(folder)
        assert State.of(folder) == new
        assert len(list((folder / ".out.generations").glob("g-*"))) == 1
        assert {each.name for each in folder.iterdir()} == {each.name for each in ready.iterdir()}
        shutil.rmtree(folder)
    # The lock always goes first: no tree has numbers that are not kept.
    assert seen == {(False, False), (False, True), (True, True)}
    assert count > 50
