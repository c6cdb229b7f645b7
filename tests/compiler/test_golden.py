"""Golden trees: what the examples compile to, to the byte.

`pytest tests/compiler/test_golden.py --golden-update` writes them anew. Boot loaders and dual-boot
images are left out: their bytes are those of the machine's packages.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.compiler.support import ROOT, TODAY
from threerc.compiler import lock as locking
from threerc.compiler.build import check, compile_tree
from threerc.compiler.generation import manifest
from threerc.compiler.tree import Entry

GOLDEN = ROOT / "tests/golden"
FROM_PACKAGES = {"loaders", "dualboot"}
WHOLE = ("minimal", "sns-pisa")
MANIFEST_ONLY = ("ci", "infn-pisa")


def compiled(name: str) -> dict[str, Entry]:
    """The tree of an example, with the lock that is committed beside it."""
    site = ROOT / "examples" / name / "site.yaml"
    checked = check(site)
    lock = locking.load(site.parent / "site.lock", TODAY)
    tree = compile_tree(checked.site, lock, checked.folder)
    assert lock.changes == [], "examples/*/site.lock is not current"
    return {p: e for p, e in tree.entries.items() if e.artefact not in FROM_PACKAGES}


def on_disk(folder: Path) -> dict[str, bytes | str]:
    """A golden tree: contents by path, and targets of links."""
    found: dict[str, bytes | str] = {}
    for base, folders, files in os.walk(folder):
        for file in [*files, *(f for f in folders if (Path(base) / f).is_symlink())]:
            path = Path(base) / file
            name = str(path.relative_to(folder))
            found[name] = os.readlink(path) if path.is_symlink() else path.read_bytes()
    return found


def update(folder: Path, entries: dict[str, Entry]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for path, entry in entries.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if entry.target is None:
            (folder / path).write_bytes(entry.content)
        else:
            (folder / path).symlink_to(entry.target)


@pytest.mark.parametrize("name", WHOLE)
def test_the_whole_tree(name: str, pytestconfig: pytest.Config) -> None:
    entries = compiled(name)
    if pytestconfig.getoption("--golden-update"):
        update(GOLDEN / name, entries)
    golden = on_disk(GOLDEN / name)
    assert sorted(golden) == sorted(entries)
    for path, entry in entries.items():
        assert golden[path] == (entry.target if entry.target is not None else entry.content), path


@pytest.mark.parametrize("name", [*WHOLE, *MANIFEST_ONLY])
def test_the_manifest(name: str, pytestconfig: pytest.Config) -> None:
    path = GOLDEN / f"{name}.manifest.json"
    text = manifest(compiled(name))
    if pytestconfig.getoption("--golden-update"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
