"""REINSTALL and the boot link: switched before anything is killed, back where nothing starts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.runtime.tiny_world import TinyHost, TinyHypervisor, TinyWorld, config
from threerc.runtime.config import ControllerConfig
from threerc.runtime.controller import tick
from threerc.runtime.errors import Unreachable
from threerc.runtime.records import Record, State
from threerc.runtime.round import Report
from threerc.runtime.world import Leave

BOOT = {"links": ["C0A8011F"], "declared": "local", "install": "sl4"}


class Installer(TinyWorld):
    """A world whose `done` are the kills, starts and switched links, in their order.

    A TFTP server that is `down` switches its link all the same where it is `unheard`.
    """

    def __init__(self, **alfa01: Any) -> None:
        hosts = {"alfa01": TinyHost(running={"gridce"}, **alfa01)}
        hosts |= {name: TinyHost() for name in ("alfa02", "alfa03")}
        super().__init__(hosts, silent={"gridce": 100.0})
        self.done: list[str] = []
        self.down = self.unheard = False

    def hypervisor(self, host: str, leave: Leave | None = None) -> TinyHypervisor:
        """A host's hypervisor."""
        world = self

        class Watched(TinyHypervisor):
            def kill(self, vm: str) -> None:
                world.done.append(f"kill on {host}")
                super().kill(vm)

            def start(self, vm: str) -> None:
                world.done.append(f"start on {host}")
                super().start(vm)

        return Watched(self, self.hosts[host], leave)

    def boot(self, vm: str, target: str, leave: Leave | None = None) -> None:
        """Switch a link."""
        if leave is not None:
            leave()
        self.done.append(target)
        if not self.down or self.unheard:
            super().boot(vm, target)
        if self.down:
            raise Unreachable("install: no answer within 5 s")


def site(restart: int = 1, **vm: Any) -> ControllerConfig:
    recovery = config().recovery.model_dump()
    recovery["steps"] = {"reboot": 0, "restart": restart, "reinstall": 1}
    machines = {
        "gridce": {"home": "alfa01", "memory": 1, "inst": 1, "boot": BOOT, **vm},
        "other": {"home": "alfa02", "memory": 1},
    }
    return config(recovery=recovery, virtual_machines=machines)


def restarted(world: Installer, site: ControllerConfig) -> None:
    """It was restarted, was up for a while, and is down: REINSTALL is next, or RESTART again."""
    record = Record(host="alfa01", state=State.RESTARTED, tries=1, done=1, last=world.time)
    world.store.put("vm/gridce", record.dump(), 0)
    silent, world.silent = world.silent, {}
    for _ in range(4):
        one(world, site)
    world.silent = silent


def one(world: Installer, site: ControllerConfig) -> Report:
    world.done.clear()
    report = tick(world, site, "bibe")
    world.time += 60
    return report


def test_the_link_is_switched_before_the_old_copy_is_killed() -> None:
    world = Installer()
    restarted(world, site())
    report = one(world, site())
    assert world.done == ["sl4", "kill on alfa01", "start on alfa01"]
    assert report.cases[0].step == "REINSTALL"
    assert world.links == {"gridce": "sl4"}


def test_without_its_link_it_is_restarted_and_waited_for() -> None:
    world = Installer()
    restarted(world, site())
    world.down = True
    report = one(world, site())
    assert world.done == ["sl4", "local", "kill on alfa01", "start on alfa01"]
    case = report.cases[0]
    assert (case.step, case.after.state, case.after.tries) == ("RESTART", State.RESTARTED, 2)
    assert "not reinstalled: its boot link cannot be switched: install: no answer" in case.reason
    assert case.after.link is not None  # somebody may have switched it all the same
    report = one(world, site())
    assert "kill on alfa01" not in world.done
    assert "restarted 60 s ago; waits 140 s more" in report.cases[0].reason


def test_without_its_link_it_is_left_alone_where_the_site_has_no_restart() -> None:
    world = Installer()
    world.down = True
    for _ in range(5):
        report = one(world, site(restart=0))
        assert not [done for done in world.done if done.startswith(("kill", "start"))]
        assert report.cases[0].step is None
        assert "nothing was done: its boot link cannot be switched" in report.cases[0].reason
    assert world.copies("gridce") == 1
    world.down = False
    assert one(world, site(restart=0)).cases[0].step == "REINSTALL"


def test_a_link_that_one_server_has_switched_is_back_before_the_restart() -> None:
    world = Installer()
    restarted(world, site())
    world.down = world.unheard = True
    assert one(world, site()).cases[0].step == "RESTART"
    assert world.done.index("local") < world.done.index("start on alfa01")
    assert world.links == {"gridce": "local"}


@pytest.mark.parametrize("where", [{"kill": "refused"}, {"start": "refused"}])
def test_the_link_goes_back_where_nothing_was_started(where: dict[str, str]) -> None:
    """An old copy that could not be killed may boot again by itself."""
    world = Installer(**where)
    restarted(world, site())
    one(world, site())
    assert world.done[0] == "sl4"
    assert world.done[-1] == "local"
    assert world.links == {"gridce": "local"}


def test_the_link_stays_where_it_may_have_been_started() -> None:
    world = Installer(start="unheard")
    restarted(world, site())
    report = one(world, site())
    assert world.links == {"gridce": "sl4"}
    assert report.cases[0].after.link is not None


def test_a_vm_without_an_installer_is_not_killed_for_it() -> None:
    """INST 1 alone does not install anything: the ladder ends before that step."""
    for boot in (None, {**BOOT, "install": None}):
        world = Installer()
        restarted(world, site(boot=boot))
        report = one(world, site(boot=boot))
        assert world.done == []
        assert "every step that it may take was tried" in report.cases[0].reason
