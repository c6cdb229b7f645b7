"""Write docs/reference/recovery.md, the state machine drawn from its table (`make docs`)."""

from __future__ import annotations

from pathlib import Path

from threerc.runtime.records import FLAGS, State
from threerc.runtime.recovery import ROWS, Outcome, Row

PAGE = Path(__file__).resolve().parents[1] / "docs/reference/recovery.md"
HEAD = """\
# The recovery of a virtual machine

Written by `make docs` from the table in `runtime/recovery.py`; do not edit.

A machine that is down is brought back by steps: REBOOT (ssh), RESTART (switched off and on, on the
same physical host or another), SNAPSHOT (restarted from its last snapshot, where it has any),
REINSTALL (from scratch over PXE, only where INST is 1). After each step the controllers stand
still for a while. What was done is remembered, so that the same failure is answered differently
the second time (hysteresis, thesis 8.2); it is forgotten after `history` seconds without an
action. The flag is the third column of the thesis's `vm/<VM>`.

```mermaid
stateDiagram-v2
"""


def page() -> str:
    """The text of the page."""
    lines = [HEAD.rstrip("\n"), "    [*] --> normal"]
    lines += [f"    {source} --> {then}: {label}" for (source, then), label in _arrows().items()]
    lines += ["```", "", "| state | flag |", "|---|---|"]
    lines += [f"| {state} | {FLAGS[state]} |" for state in State]
    lines += ["", "The table, read from the top; the first row that holds decides:", ""]
    lines += ["| in state | if | then | and the state is |", "|---|---|---|---|"]
    lines += [_line(row) for row in ROWS]
    return "\n".join([*lines, ""])


def _arrows() -> dict[tuple[State, State], str]:
    """One arrow from a state to another, whatever leads there; with all of that on it."""
    labels: dict[tuple[State, State], list[str]] = {}
    for row in ROWS:
        for state in State:
            if row.then is not None and state in row.states and _drawn(row, state):
                labels.setdefault((state, row.then), []).append(row.step or row.outcome.value)
    return {arrow: ", ".join(dict.fromkeys(found)) for arrow, found in labels.items()}


def _drawn(row: Row, state: State) -> bool:
    """Clearing what is clear already is no arrow."""
    return not (row.outcome is not Outcome.ACT and state is row.then)


def _line(row: Row) -> str:
    every = len(row.states) == len(State)
    states = "any" if every else ", ".join(state for state in State if state in row.states)
    then = str(row.then) if row.then else "as before"
    if row.outcome is Outcome.CLEAR:
        then += "; read on from the top"
    return f"| {states} | {row.guard} | {row.step or row.outcome} | {then} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
