"""The git commit that a tree was built from."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from threerc.compiler.findings import ThreeRcError
from threerc.compiler.plan.against import other
from threerc.compiler.plan.files import lines
from threerc.rollout.tree import Tree

_GIT_SECONDS: Final = 20


def commit_of(tree: Tree) -> str:
    """The last commit of the repository that a tree is in; nothing outside a repository.

    It has a `+` unless its site file builds this very tree: whatever has been edited or committed
    since the tree was built says nothing of the tree.
    """
    folder = tree.folder.absolute().parent
    head = _git(folder, "rev-parse", "--short=12", "HEAD")
    if head is None:
        return ""
    built = set(lines(tree.manifest))
    return head if any(built == each for each in _builds(folder, head, tree.site())) else f"{head}+"


def _builds(folder: Path, commit: str, name: str) -> Iterator[set[str]]:
    """The manifests of what a commit's site files of that name build, the folder's own first."""
    pattern = rf"site[\"']? *: *[\"']?{re.escape(name)}"
    files = (":/*.yaml", ":/*.yml")
    told = _git(folder, "grep", "-lzE", "--full-name", pattern, commit, "--", *files) or ""
    top = Path(_git(folder, "rev-parse", "--show-toplevel") or folder)
    found = [top / each.partition(":")[2] for each in told.split("\0") if each]
    for site in sorted(found, key=lambda each: (each.parent != folder.resolve(), each)):
        with suppress(ThreeRcError), other(site, commit, datetime.now(UTC).date()) as side:
            yield set(side.manifest)


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_GIT_SECONDS, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else None
    return None
