"""The hooks for pre-commit: what they run, in a repository with two sites."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.compiler.support import ROOT

HOOKS = {each["id"]: each for each in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
SITES = ("minimal", "infn-pisa")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    generated = shutil.ignore_patterns("out", ".out.generations")
    for name in SITES:
        shutil.copytree(ROOT / "examples" / name, folder / name / "a b", ignore=generated)
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def told(repository: Path, hook: str) -> tuple[int, str]:
    """How a hook ends, and what it says; nothing of it may be left."""
    places = repository.parent / "tmp"
    places.mkdir(exist_ok=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        shlex.split(HOOKS[hook]["entry"]),
        cwd=repository,
        env=os.environ | {"PATH": path, "TMPDIR": str(places)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert [*places.iterdir()] == []
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("hook", HOOKS)
def test_good_sites_pass(repository: Path, hook: str) -> None:
    assert told(repository, hook)[0] == 0


def test_an_inventory_that_has_changed_is_looked_at(repository: Path) -> None:
    nodes = repository / "infn-pisa/a b/nodes.csv"
    comment, header, _, *rest = nodes.read_text().splitlines(keepends=True)
    nodes.write_text("".join([comment, header, *rest]))
    status, said = told(repository, "3rc-locked")
    assert status != 0
    assert "infn-pisa/a b/site.lock:1:1: the lock would change" in said
    assert told(repository, "3rc-check")[0] == 0
    nodes.write_text("".join([comment, *rest]))
    assert told(repository, "3rc-check")[0] != 0
