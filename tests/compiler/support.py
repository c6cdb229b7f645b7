"""What the compiler's tests share: sites from text, and one artefact's entries."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

from threerc.compiler.lock import Lock
from threerc.compiler.model import Site
from threerc.compiler.source.load import Loaded, load
from threerc.compiler.tree import Entry, Output, Tree
from threerc.compiler.verify.base import Checker, Failure, Staged

ROOT = Path(__file__).resolve().parents[2]
SNS_PISA = ROOT / "examples/sns-pisa/site.yaml"
TODAY = date(2026, 11, 23)

HEAD = """\
site: test
domain: example.org
networks:
  lan: {prefix: 192.168.1.0/24, gateway: 192.168.1.254, boot: true}
"""
"""The least that a site says; tests append their hosts to it."""


def site_of(folder: Path, text: str) -> Loaded:
    """What becomes of a site file with this text (dedented) in that folder."""
    path = folder / "site.yaml"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return load(path)


def good_site(folder: Path, text: str) -> Site:
    """The site of a text without findings."""
    loaded = site_of(folder, text)
    assert loaded.findings == []
    assert loaded.site is not None
    return loaded.site


def compiled(
    compile_one: Callable[[Site, Output], None],
    site: Site,
    lock: Lock | None = None,
    folder: Path | None = None,
) -> Tree:
    """The tree that one artefact makes of a site; `folder` is where its side files are."""
    tree = Tree()
    compile_one(site, Output("test", tree, lock or Lock(TODAY), folder))
    return tree


def text_of(tree: Tree, path: str) -> str:
    """The text of a file of a tree."""
    return tree.entries[path].content.decode()


def staged(folder: Path, tree: Tree, checker: Checker) -> Iterator[Failure]:
    """What a checker says of a tree, with the real program; fails where it is missing."""
    entries: dict[str, Entry] = {}
    for path, entry in tree.entries.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if entry.target is None:
            file.write_bytes(entry.content)
        else:
            file.symlink_to(entry.target)
        entries[path] = entry._replace(artefact=checker.artefact)
    return checker.run(Staged(folder, entries, checker))
