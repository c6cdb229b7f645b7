"""Faults of which no machine is needed: how long they last, and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest

from tests.testbed.test_campaign import knowing, small
from threerc.testbed import crashes
from threerc.testbed.crash_cli import _settings
from threerc.testbed.events import Event, Kind
from threerc.testbed.faults import FAULTS, HOST, VM, unhealed

OVERLOAD = FAULTS["overload", VM]
NOW = 2000.0


def struck(before: float, **options: object) -> Event:
    return Event(NOW - before, Kind.FAULT, "vrt1", {"fault": "overload", **options})


@pytest.mark.parametrize(
    ("seen", "lasts"),
    [
        ([struck(100)], True),
        ([struck(899)], True),
        ([struck(901)], False),
        ([struck(100, seconds=90.0)], False),
        ([struck(100, seconds=110.0)], True),
        ([struck(100), Event(NOW - 50, Kind.STARTED, "vrt1")], False),
        ([struck(100), Event(NOW - 50, Kind.STARTED, "vrt2")], True),
        ([Event(NOW - 150, Kind.STARTED, "vrt1"), struck(100)], True),
        ([struck(100), Event(NOW - 50, Kind.HEAL, "vrt1", {"fault": "overload"})], False),
    ],
)
def test_an_overload_lasts_until_its_time_is_over_or_its_machine_is_started_anew(
    seen: list[Event], lasts: bool
) -> None:
    assert unhealed(seen, NOW) == ([("vrt1", "overload")] if lasts else [])


def test_a_freeze_lasts_until_it_is_healed() -> None:
    """Its process may be one of another host meanwhile."""
    seen = [Event(1.0, Kind.FAULT, "vrt1", {"fault": "freeze"}), Event(2.0, Kind.STARTED, "vrt1")]
    assert unhealed(seen) == [("vrt1", "freeze")]


def test_a_number_is_read_as_in_a_scenario() -> None:
    assert _settings(OVERLOAD, ("seconds=2.5",)) == {"seconds": 2.5}
    with pytest.raises(click.UsageError, match="--set seconds=abc: Input should be a valid number"):
        _settings(OVERLOAD, ("seconds=abc",))


def test_who_is_interrupted_while_he_undoes_a_fault_can_heal_it_later(tmp_path: Path) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    grip = knowing(tmp_path, small(1, 1))
    fault = replace(FAULTS["hang", HOST], begin=interrupted, heal=interrupted)
    with pytest.raises(KeyboardInterrupt):
        crashes.begin(grip, fault, "alfa1", {})
    assert grip.faults() == [("alfa1", "hang")]
