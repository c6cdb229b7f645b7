"""What a sysadmin asks before it happens."""

from __future__ import annotations

import pytest

from tests.runtime.simulation.support import small
from threerc.runtime.simulation.what_if import WhatIfError, lines, what_if


def test_a_host_is_killed() -> None:
    answer = what_if(small(power=True), "kill alfa01")
    assert list(answer["virtual_machines"]) == ["vrt1"]
    moved = answer["virtual_machines"]["vrt1"]
    assert moved["from"] == "alfa01"
    assert moved["to"] in ("alfa02", "alfa03")
    assert 140 < moved["down"] < 300
    assert moved["steps"] == ["RESTART"]
    assert "alfa01 -> " in lines(answer)[1]


def test_without_power_control_it_waits_and_says_why() -> None:
    answer = what_if(small(), "cut alfa01")
    waits = answer["virtual_machines"]["vrt1"]
    assert (waits["to"], waits["down"]) == (None, None)
    assert "alfa01 does not answer and nothing can cut its power" in waits["why"]
    assert lines(answer)[1].startswith("  vrt1            alfa01: down for good: RESTART waits")


def test_a_vm_is_killed_and_another_one_hangs() -> None:
    answer = what_if(small(), "kill vrt1, hang vrt2")
    assert {vm: each["to"] for vm, each in answer["virtual_machines"].items()} == {
        "vrt1": "alfa01",
        "vrt2": "alfa02",
    }
    assert answer["violations"] == []


def test_too_much_at_once() -> None:
    answer = what_if(small(), "kill alfa[01-02]")
    assert "hosts went silent within" in answer["standstills"][0]
    assert any("the controllers stand still" in line for line in lines(answer))


def test_nothing_that_matters() -> None:
    assert lines(what_if(small(), "kill bussolo")) == [
        "kill bussolo:",
        "  no virtual machine is concerned",
    ]


def test_loads_are_taken_into_account() -> None:
    answer = what_if(small(), "kill vrt1", {"alfa01": 20.0, "alfa02": 5.0})
    assert answer["virtual_machines"]["vrt1"]["to"] == "alfa03"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "nothing happens"),
        ("kill alfa09", "not understood: 'kill alfa09'"),
        ("burn alfa01", "not understood: 'burn alfa01'"),
        ("kill", "not understood: 'kill'"),
    ],
)
def test_questions_that_are_not_understood(text: str, problem: str) -> None:
    with pytest.raises(WhatIfError, match=problem):
        what_if(small(), text)
