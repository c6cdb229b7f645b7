"""The git commit that a tree was built from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from threerc.compiler.findings import ThreeRcError
from threerc.compiler.plan.against import other
from threerc.compiler.plan.errors import PlanError
from threerc.compiler.plan.files import lines
from threerc.compiler.plan.git import git
from threerc.rollout.tree import Tree


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
    with suppress(PlanError):
        return git(folder, *arguments, literal=False).decode().strip()
    return None
