"""kill -9 at each file operation of an apply: the next one ends with the new tree, or the old."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, Final

from tests.rollout.rolling import MORE, SITE, Rolling, leftovers
from threerc.rollout.agent.host import Host

_OPERATIONS: Final = {
    *(f"os.{name}" for name in ("chmod", "link", "mkdir", "remove", "rename", "rmdir", "symlink")),
    "open",
    "shutil.rmtree",
}
ROUNDS: Final = 200


def killed(count: int, site: Rolling) -> bool:
    """Apply in a process that dies before its file operation of that number below the hosts.

    False where it had fewer to do.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _die_before(count, str(site.folder))
            status = site.apply().exit_code
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0


def _die_before(count: int, folder: str) -> None:
    left = count

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in _OPERATIONS and str(arguments[0]).startswith(folder):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def states(site: Rolling, old: Path) -> set[str]:
    """Which trees the hosts have after whoever comes next has cleared up after a killed apply."""
    found = set()
    for host in ("bibe", "bussolo"):
        agent = Host(str(site.root / host), host)
        agent.begin("a test", 1.0)
        agent.end()
        names = [name for name, tree in (("old", old), ("new", site.out)) if has(site, tree, host)]
        assert names, f"{host} has neither the old tree nor the new one"
        found.update(names[:1])
    assert leftovers(site.root) == []
    return found


def has(site: Rolling, tree: Path, host: str) -> bool:
    """Whether a host has its part of a tree, and no boot link more."""
    links = {path.name for path in (tree / host).rglob("pxelinux.cfg/*")}
    there = {path.name for path in (site.root / host).rglob("pxelinux.cfg/*")}
    part = Rolling(site.folder)
    only = site.folder / "only"
    shutil.rmtree(only, ignore_errors=True)
    shutil.copytree(tree / host, only / host, symlinks=True)
    return part.has(only) and links == there


def test_killed_at_random_an_apply_leaves_the_old_tree_or_the_new(tmp_path: Path) -> None:
    base = Rolling(tmp_path / "base")
    base.build(SITE)
    base.good()
    old = tmp_path / "old"
    shutil.copytree(base.out.resolve(), old, symlinks=True)
    base.build(SITE + MORE)
    site = Rolling(tmp_path / "site")
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # noqa: T201
    choose = random.Random(seed)  # noqa: S311
    most = operations(base, site)
    seen: set[str] = set()
    for _ in range(ROUNDS):
        shutil.copytree(base.folder, site.folder, symlinks=True)
        killed(choose.randint(1, most), site)
        seen |= states(site, old)
        site.good()
        assert site.is_applied()
        shutil.rmtree(site.folder)
    assert seen == {"old", "new"}


def operations(base: Rolling, site: Rolling) -> int:
    """How many file operations an apply has, about: doubled until one comes to its end."""
    most = 64
    died = True
    while died:
        most *= 2
        shutil.copytree(base.folder, site.folder, symlinks=True)
        died = killed(most, site)
        shutil.rmtree(site.folder)
    return most
