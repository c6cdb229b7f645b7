"""What came of a scenario, compared with what its author has written down."""

from __future__ import annotations

import difflib
from pathlib import Path

from threerc.runtime.simulation.load import EXPECTED
from threerc.runtime.simulation.outcome import Outcome


def judge(folder: Path, outcome: Outcome) -> list[str]:
    """What is not as expected: the difference of the logs, then the other expectations."""
    path = folder / EXPECTED
    expected = path.read_text(encoding="utf-8") if path.exists() else ""
    diff = difflib.unified_diff(
        expected.splitlines(), outcome.log.splitlines(), EXPECTED, "simulated", lineterm=""
    )
    return [*diff, *outcome.wrong()]


def write_expected(folder: Path, outcome: Outcome) -> None:
    """Write expected.log anew; it is for its author to read whether that is right."""
    (folder / EXPECTED).write_text(outcome.log, encoding="utf-8")
