"""The machine's file systems, whatever they are, under a capsule."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compiler.support import ROOT
from tests.lab import requires_real
from tests.testbed import tiny, traces
from tests.testbed.tiny import FIRST
from threerc.testbed import runs
from threerc.testbed.client import Testbed
from threerc.testbed.lab import _unescaped

PLACE = "/mnt"
"""A folder of every Debian that is empty, and in which the lab looks for disks."""
STACKED = f"""
set -eu
mkdir one
mount -t overlay -o lowerdir=lower:other overlay one
mount -t overlay -o lowerdir=one:other overlay {PLACE}
exec "$@"
"""
"""As high as the kernel stacks overlays: it refuses a third one as it does refuse one over vfat."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / f"lab-{secrets.token_hex(4)}"
    for name in ("lower", "other"):
        (folder / name).mkdir(parents=True)
    (folder / "lower/file").write_text("of the machine")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    tiny.spec(folder)
    yield folder
    assert traces.left(folder.name) == []


@requires_real()
def test_a_disk_that_takes_no_overlay_is_seen_as_it_is(folder: Path) -> None:
    up = [sys.executable, "-m", "tests.testbed.tiny", str(folder)]
    apart = ["unshare", "--mount", "--", "sh", "-c", f"cd {folder}; {STACKED}", "sh"]
    with subprocess.Popen(
        [*apart, "env", f"--chdir={ROOT}", *up], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"up\n"
            testbed = Testbed(runs.find())
            shown = testbed.execute(FIRST, "sh", "-c", f"cat {PLACE}/file; touch {PLACE}/new")
            assert shown.out == "of the machine"
            assert "Read-only file system" in shown.err
            testbed.down()
        finally:
            process.kill()


def test_names_in_the_mount_table_are_read() -> None:
    assert _unescaped(rb"/mnt/a\040b\134") == "/mnt/a b\\"
    assert _unescaped("/mnt/café".encode()) == "/mnt/café"
    assert _unescaped(rb"/mnt/caf\303\251") == "/mnt/café"
    assert os.fsencode(_unescaped(b"/mnt/\xff")) == b"/mnt/\xff"
