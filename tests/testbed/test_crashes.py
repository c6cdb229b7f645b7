"""What of a crash needs no machines: which fault a name is, what is wanted of its end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.testbed.test_campaign import knowing, small
from threerc.testbed.crashes import Crash, is_installed
from threerc.testbed.errors import TestbedError
from threerc.testbed.events import Event, Kind
from threerc.testbed.faults import FAULTS, HOST, VM, unhealed


def struck(kind: Kind, of: str, fault: str) -> Event:
    return Event(1000.0, kind, of, {"fault": fault})


def test_the_faults_that_are_not_healed() -> None:
    seen = [
        struck(Kind.FAULT, "vrt1", "poweroff"),  # was over at once
        struck(Kind.FAULT, "alfa1", "network"),
        struck(Kind.FAULT, "*", "dns"),
        struck(Kind.FAULT, "alfa2", "network"),
        struck(Kind.HEAL, "alfa1", "network"),
        struck(Kind.HEAL, "alfa3", "network"),
        Event(1000.0, Kind.FAULT, "alfa1", {"what": "all cables cut"}),
    ]
    assert unhealed(seen) == [("*", "dns"), ("alfa2", "network")]


@pytest.mark.parametrize(
    ("fault", "ago", "acted", "needs"),
    [
        (("network", VM), 1, 0, True),  # the controllers have done what they could
        (("network", VM), 1, None, False),
        (("poweroff", VM), 10_000, 9_000, False),
        (("poweroff", VM), 10_000, None, False),
        (("network", HOST), 10_000, 100, False),  # it was fenced, its machines are elsewhere
        (("network", HOST), 10_000, 9_000, True),  # REBOOT was in vain, and it cannot be fenced
        (("network", HOST), 1, None, False),
        (("network", HOST), 10_000, None, True),  # nobody could see that its machines are dead
    ],
)
def test_what_is_healed_so_that_it_can_recover(
    tmp_path: Path, fault: tuple[str, str], ago: float, acted: float | None, needs: bool
) -> None:
    """`ago` seconds after it began, and `acted` after the controllers' last step."""
    crash = Crash(knowing(tmp_path, small(1, 1)), "vrt1", FAULTS[fault])
    now = time.time()
    done = [] if acted is None else [Event(now - acted, Kind.DECISION, "vrt1", {"what": "action"})]
    assert crash._needs_healing(now - ago, done) is needs  # noqa: SLF001


def test_a_machine_that_was_installed_and_restarted_afterwards_was_installed() -> None:
    """Since its crash, and not before."""
    seen = [
        Event(1000.0, Kind.INSTALLED, "vrt1", {}),
        Event(1100.0, Kind.DECISION, "vrt1", {"what": "action", "step": "RESTART"}),
        Event(1200.0, Kind.INSTALLED, "vrt2", {}),
    ]
    assert is_installed(seen, "vrt1", 900.0)
    assert not is_installed(seen, "vrt1", 1050.0)


@pytest.mark.parametrize("root", ["srv/install", "var/www"])
def test_the_scripts_of_a_middleware_wherever_they_are_served(tmp_path: Path, root: str) -> None:
    config = small(1, 1)
    crash = Crash(knowing(tmp_path, config), "vrt1", FAULTS["erase-boot", VM])
    settings = config.virtual_machines["vrt1"].model_copy(update={"middleware": "ce"})
    with pytest.raises(TestbedError, match=r"no install server has a middleware/ce\.list"):
        crash._scripts(settings)  # noqa: SLF001
    served = tmp_path / "tree/bibe" / root / "middleware/ce.list"
    served.parent.mkdir(parents=True)
    served.write_text("http://192.0.2.1/middleware/base.sh\nhttp://192.0.2.1/middleware/ce.sh\n")
    assert crash._scripts(settings) == ("base.sh", "ce.sh")  # noqa: SLF001
