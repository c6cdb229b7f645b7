"""docs/reference/recovery.md is what the state machine's table says."""

from __future__ import annotations

import runpy

from tests.compiler.support import ROOT


def test_it_is_current() -> None:
    page = runpy.run_path(str(ROOT / "dev/recovery.py"))["page"]()
    written = (ROOT / "docs/reference/recovery.md").read_text(encoding="utf-8")
    assert written == page, "run `make docs`"


def test_between_two_states_there_is_one_arrow() -> None:
    page = runpy.run_path(str(ROOT / "dev/recovery.py"))["page"]()
    arrows = [line.partition(":")[0].strip() for line in page.splitlines() if "-->" in line]
    assert len(arrows) == len(set(arrows))
    assert "reinstalled --> normal: clear history\n" in page
    assert "rebooted --> normal: clear history, begin again\n" in page
