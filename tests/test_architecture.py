"""Who may import whom, and that the wheel holds what the tree holds."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compiler.support import ROOT

ROOMS = ("compiler", "rollout", "runtime", "templates", "testbed")

# What is sent to hosts together with the agent, where there is only Python itself.
GOES_WITH_THE_AGENT = ("base", "dhcpd", "drbd", "exports", "ganglia", "kea", "zones")

# Each room, and the rooms it may import; the longest matching name decides.
MAY_IMPORT = {
    "compiler.findings": (),
    "compiler.wording": (),
    "compiler.model": (),
    "compiler.source": (
        "compiler.cache",
        "compiler.findings",
        "compiler.model",
        "compiler.wording",
    ),
    "compiler.lock": ("compiler.findings", "compiler.source"),
    "compiler.tree": ("compiler.lock",),
    "compiler.templating": ("compiler.cache",),
    "compiler.floppy": (),
    "compiler.secrets": ("compiler.findings", "compiler.model"),
    "compiler.graph": ("compiler.model", "compiler.templating"),
    "compiler.starter": ("compiler.templating",),
    "compiler.schema": ("compiler.model",),
    "compiler.reference": ("compiler.model", "compiler.schema"),
    "compiler.rules": (
        "compiler.findings",
        "compiler.model",
        "compiler.source",
        "compiler.secrets",
        "compiler.wording",
    ),
    "compiler.artefacts": (
        "compiler.model",
        "compiler.tree",
        "compiler.lock",
        "compiler.templating",
        "compiler.floppy",
        "compiler.secrets",
    ),
    "compiler.artefacts.controller": ("compiler", "runtime.config"),
    "compiler.artefacts.domains": ("compiler", "runtime.config"),
    "compiler.artefacts.pxelinux": ("compiler", "runtime.bootlinks"),
    "compiler.verify": ("compiler.tree", "compiler.model"),
    "compiler.verify.controller": ("compiler", "runtime.config"),
    "compiler.generation": ("compiler.findings", "compiler.tree"),
    "compiler.importing": ("compiler",),
    "compiler.build": ("compiler",),
    "compiler.report": ("compiler",),
    "compiler.cli": ("compiler", "rollout.cli", "runtime", "testbed.cli"),
    "compiler": (),
    "rollout": (
        "compiler.findings",
        "compiler.generation",
        "compiler.plan",
        "compiler.services",
        "compiler.wording",
        "runtime.config",
        "runtime.errors",
        "runtime.remote",
        "runtime.threads",
    ),
    "rollout.agent": (
        "compiler.services",
        "compiler.wording",
        *(f"compiler.verify.{name}" for name in GOES_WITH_THE_AGENT),
    ),
    "rollout.cli": ("compiler", "rollout", "runtime"),
    "runtime": (),
    "templates": (),
    "testbed": ("compiler", "rollout.agent", "runtime"),
}

# The controller decides without a clock, network, disk or process: all of that is in the world.
DECIDING = (
    *("acting", "actions", "brake", "controller", "deciding", "drain", "journal"),
    *("leftovers", "memory"),
    *("observation", "ordering", "placement", "records", "recovery", "retelling"),
    *("round", "saving", "survey"),
    *("upkeep", "view", "world", "config", "errors", "wording"),
)
MAY_BE_ASKED = {
    "collections",
    "contextlib",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "math",
    "typing",
}


def modules() -> Iterator[tuple[str, Path]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (name.removeprefix("threerc.") for name in names if name.startswith("threerc."))


def below(name: str, rooms: tuple[str, ...]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


@pytest.mark.parametrize(("name", "path"), list(modules()))
def test_a_room_imports_only_what_it_may(name: str, path: Path) -> None:
    room = max((r for r in MAY_IMPORT if below(name, (r,))), key=len)
    allowed = (room, *MAY_IMPORT[room])
    if room.count(".") > 1:  # an exception within its room
        allowed = (*allowed, room.rpartition(".")[0])
    for imported in imports(path):
        if imported.count(".") == 0:
            continue
        assert below(imported, allowed), f"{name} may not import {imported}"


@pytest.mark.parametrize("name", DECIDING)
def test_decisions_touch_nothing(name: str) -> None:
    path = ROOT / "runtime" / f"{name}.py"
    ours = {imported.split(".")[1] for imported in imports(path) if "." in imported}
    assert ours <= set(DECIDING)
    if name not in {"config", "wording"}:  # which read their own file
        tree = ast.parse(path.read_text(encoding="utf-8"))
        modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        plain = [
            a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names
        ]
        tops = {str(module).split(".")[0] for module in (*modules, *plain)}
        assert tops <= {*MAY_BE_ASKED, "threerc", "__future__"}


def test_the_wheel_holds_the_rooms_and_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "source"
    ignore = shutil.ignore_patterns(
        ".venv", ".git", "*.egg-info", "out", ".out.*", "build", ".*_cache"
    )
    shutil.copytree(ROOT, source, symlinks=True, ignore=ignore)
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(source)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = {
        f"threerc/{path.relative_to(ROOT)}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert held == wanted
