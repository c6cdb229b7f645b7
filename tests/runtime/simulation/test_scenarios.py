"""Every scenario folder is run, and what comes of it compared to the letter."""

from __future__ import annotations

from pathlib import Path

import pytest

from threerc.runtime.simulation.judging import judge
from threerc.runtime.simulation.run import run_scenario

FOLDER = Path(__file__).resolve().parents[2] / "scenarios"
SCENARIOS = sorted(path.parent for path in FOLDER.glob("*/scenario.yaml"))

# The log of the thesis, 8.11. Its line of 04:36:01 has the owner before the restart; the
# thesis's own code does not write it so.
THESIS = """\
>> Clear history
>> REBOOT VM gridce on PH alfa01
2008-12-14/04:31:01 -- gridce - alfa01 alfa01 - 2008-12-13/13:12:01 [1] REBOOT
2008-12-14/04:32:01 -- gridce - alfa01 alfa01 - 2008-12-14/04:31:01 [1] ..wait
2008-12-14/04:33:01 -- gridce - alfa01 alfa01 - 2008-12-14/04:31:01 [1] ..wait
2008-12-14/04:34:01 -- gridce - alfa01 alfa01 - 2008-12-14/04:31:01 [1] ..wait
>> RESTART VM gridce on PH alfa04 [from OLD PH alfa01]
2008-12-14/04:35:01 -- gridce - alfa01 alfa04 - 2008-12-14/04:31:01 [2] RESTART
2008-12-14/04:36:01 -- gridce - alfa01 alfa04 - 2008-12-14/04:35:01 [2] ..wait
2008-12-14/04:37:01 -- gridce - alfa04 alfa04 - 2008-12-14/04:35:01 [2] ..wait
2008-12-14/04:38:01 -- gridce - alfa04 alfa04 - 2008-12-14/04:35:01 [2] ..wait
"""


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda folder: folder.name)
def test_a_scenario_comes_out_as_it_is_written(folder: Path) -> None:
    wrong = judge(folder, run_scenario(folder))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", SCENARIOS, ids=lambda folder: folder.name)
def test_a_scenario_says_in_words_what_it_shows(folder: Path) -> None:
    assert (folder / "README.md").read_text(encoding="utf-8").startswith("# ")


def test_the_night_of_the_thesis_is_that_of_the_thesis() -> None:
    outcome = run_scenario(FOLDER / "gridce-2008-12-14")
    ours, thesis = outcome.log.splitlines(), THESIS.splitlines()
    assert len(ours) == len(thesis)
    differ = [(mine, its) for mine, its in zip(ours, thesis, strict=True) if mine != its]
    ((mine, its),) = differ
    assert its.startswith("2008-12-14/04:36:01 -- gridce - alfa01 alfa04 ")
    assert mine == its.replace("alfa01 alfa04", "alfa04 alfa04")
