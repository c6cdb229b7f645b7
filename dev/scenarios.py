"""Write docs/reference/scenarios.md, the scenario format, from its model (`make docs`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from threerc.runtime.simulation.faults import FAULTS
from threerc.runtime.simulation.invariants import KINDS
from threerc.runtime.simulation.operators import COMMANDS
from threerc.runtime.simulation.scenario import (
    CommandEntry,
    ControllerEntry,
    Expected,
    ExpectedVm,
    FaultEntry,
    Scenario,
)
from threerc.runtime.simulation.timing import Timing
from threerc.testbed.scenarios import UNREAL

PAGE = Path(__file__).resolve().parents[1] / "docs/reference/scenarios.md"
EXAMPLE = PAGE.parents[2] / "tests/scenarios/gridce-2008-12-14/scenario.yaml"
HEAD = """\
<!-- Written by `make docs` from runtime/simulation/: do not edit. -->
# Scenarios

A scenario is a folder that says what happens to a site, and what its controllers make of it:

| file | |
|---|---|
| `README.md` | what happens, what is expected, and why |
| `scenario.yaml` | the site, the faults with their times, what operators do |
| `expected.log` | what the controllers have to write, to the letter |

    3rc simulate --scenario tests/scenarios/gridce-2008-12-14
    3rc simulate --scenario DIR --update      # writes expected.log anew, to be reviewed
    3rc simulate --scenario DIR --json        # per VM: host, state, moves, down times, reasons

The real controller code runs, in virtual time; the same seed gives the same bytes. The faults say
what happens, not how it is simulated, so that the same file can be tried on a real site. The test
cases of other tools can be written down as well: many hosts and VMs, power or network that goes
and comes, starts that fail, maintenance, capacities, affinity, priorities.

"""
SITE = """\

## The site itself

`site` may be the path of a compiled controller.yaml, or a mapping with the same keys, in which
everything has a default: two controllers on `bibe` (even minutes, with gmetad, a collector and the
TFTP server) and `bussolo` (odd minutes, with a collector), the thesis's steps and waits, hosts with
8 CPUs, 16 GiB and a MAXL of 10, VMs with one CPU, 1 GiB, INST 0 and a boot link. `host[1-3]` stands
for several; sizes may be written `4GiB`; `power: true` gives a host a management board.

```yaml
site:
  recovery: {steps: {reboot: 0}}
  physical_hosts:
    alfa[01-03]: {power: true}
  virtual_machines:
    gridce: {home: alfa01, inst: 1, priority: 10}
    pbs[01-02]: {home: alfa02, memory: 4GiB}
```
"""
FAULTS_HEAD = """\

## faults

"""
LIST = """\

What can strike whom, and how. A host is a physical or a service host; those of "site" need no
`of`, but for `switch`.

| fault | of | | other keys | ends |
|---|---|---|---|---|
"""
LOG = """\

## expected.log

Without `reasons` it is the thesis's log, character by character. With `reasons` it tells more, and
what is said again as it was before is only counted:

- lines that begin with `*` are what truly happens: faults, operators, VMs that go down, move and
  come back, invariants that are broken;
- those with `>>` or a date are the log's, `...` counts lines that differ in their date only;
- the indented ones are the controllers' reasons, each told when it changes.
"""
REAL = """\

## For real

    3rc testbed play DIR --compare

plays it on the site of a running testbed, once all machines there are up: the same faults and
commands, at the same point of the controllers' schedule. The simulator's site is then that one too,
with the times that were seen there, where `timing` gives none. What really happened is held against
`expect`, as the simulator holds its own against it, and shown beside what was simulated. It exits 1
where `expect` does not hold and, with `--compare`, where the two went otherwise. Of the invariants
two copies alone are seen, whose policy nobody looks at: either of the two kinds may be expected,
and no other. What cannot be done for real is refused by its name before anything is done:
names that the testbed does not have, some faults, modes and keys of faults, the command `move`, and

| key | |
|---|---|
"""


def page() -> str:
    """The text of the page."""
    parts = [HEAD, *_table(Scenario), "\n```yaml\n", EXAMPLE.read_text(encoding="utf-8"), "```\n"]
    parts += [SITE, FAULTS_HEAD, *_table(FaultEntry), LIST, *_faults()]
    parts += ["\n## operator\n\n", *_table(CommandEntry), *_commands()]
    parts += ["\n## controllers\n\n", *_table(ControllerEntry)]
    parts += ["\n## timing\n\nIn seconds; with the thesis's times (7.13) where it has any.\n\n"]
    parts += _table(Timing)
    parts += ["\n## expect\n\n", *_table(Expected), "\nOf each VM:\n\n", *_table(ExpectedVm), LOG]
    parts.append("\n## Invariants\n\nWatched in every run, by what is done, not by what is said.\n")
    parts.append("\n| | |\n|---|---|\n")
    parts += [f"| `{kind}` | {meaning} |\n" for kind, meaning in KINDS.items()]
    parts += [REAL, *(f"| `{key}` | {why} |\n" for key, why in UNREAL.items())]
    return "".join(parts)


def _table(model: type[BaseModel]) -> Iterator[str]:
    yield "| key | default | |\n|---|---|---|\n"
    for key, field in model.model_fields.items():
        default = "**required**" if field.is_required() else _shown(field.get_default())
        yield f"| `{key}` | {default} | {_cell(field.description or '')} |\n"


def _shown(default: object) -> str:
    if isinstance(default, (str, float, int)) and default != "":
        return f"`{str(default).lower() if isinstance(default, bool) else default}`"
    return ""


def _faults() -> Iterator[str]:
    for fault in FAULTS.values():
        keys = ", ".join(f"`{key}`" for key in (*("mode",) * bool(fault.modes), *fault.options))
        ends = "with `until`" if fault.end else ""
        yield f"| `{fault.name}` | {fault.of} | {_cell(fault.about)} | {keys} | {ends} |\n"


def _commands() -> Iterator[str]:
    yield "\n| command | of | | other keys |\n|---|---|---|---|\n"
    for name, command in COMMANDS.items():
        keys = ", ".join(f"`{key}`" for key in command.options)
        yield f"| `{name}` | {command.of} | {_cell(command.about)} | {keys} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
