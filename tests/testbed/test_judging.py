from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from threerc.testbed.judging import Facts, Wanted, judge

FACTS = Facts(
    copies=("alfa02",),
    most=1,
    record="alfa02",
    allowed=("alfa01", "alfa02"),
    ganglia={"bibe": True, "bussolo": True},
    link="local",
    declared="local",
    hinfo="sl4-32 ig_CE",
    middleware=("base.sh", "ce.sh"),
)
WANTED = Wanted(300.0, "sl4-32 ig_CE", ("base.sh", "ce.sh"))


def test_all_is_well() -> None:
    assert judge(FACTS, WANTED, 180.0) == ()


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"most": 2}, "there were 2 copies of it at once"),
        ({"copies": ()}, "it runs on no physical host"),
        ({"record": "alfa01"}, "it runs on alfa02, but the controllers remember alfa01"),
        ({"allowed": ("alfa01",)}, "it runs on alfa02, where it may not"),
        (
            {"ganglia": {"bibe": True, "bussolo": False}},
            "the collector on bussolo does not hear it",
        ),
        ({"link": "sl4-32"}, "its boot link says sl4-32, not local"),
        ({"hinfo": ""}, "it was installed as nothing, not as sl4-32 ig_CE"),
        ({"middleware": ("base.sh",)}, "its middleware ran base.sh, not base.sh, ce.sh"),
    ],
)
def test_each_fact_is_looked_at(change: dict[str, Any], wrong: str) -> None:
    assert judge(replace(FACTS, **change), WANTED, 180.0) == (wrong,)


def test_its_time() -> None:
    assert judge(FACTS, WANTED, None) == ("it did not recover within 300 s",)
    assert judge(FACTS, WANTED, 300.5) == ("it took 300 s, more than 300 s",)


def test_what_only_its_healing_brought_back_has_not_recovered() -> None:
    facts = replace(FACTS, untouched=200.4, why="controllers do no more: the brake is on")
    assert judge(facts, WANTED, None) == (
        "it was healed after 200 s without any action: controllers do no more: the brake is on",
    )


def test_after_a_restart_nothing_is_asked_of_its_middleware() -> None:
    assert judge(replace(FACTS, hinfo="", middleware=()), Wanted(300.0), 180.0) == ()
