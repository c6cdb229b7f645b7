"""Crash after crash for real, written down as they end, so that a killed campaign goes on.

Source: thesis 7.13.
"""

from __future__ import annotations

import json
import math
import os
import random
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from threerc.compiler.generation import replace_file
from threerc.compiler.wording import counted
from threerc.runtime.config import ControllerConfig
from threerc.runtime.observation import TMAX
from threerc.runtime.simulation import campaign as simulated
from threerc.runtime.simulation.simulation import Start
from threerc.runtime.simulation.timing import Timing
from threerc.testbed import events, report, trials
from threerc.testbed.crashes import PERIODS, Interrupted, NotStruck
from threerc.testbed.daemons.controller import EVERY
from threerc.testbed.errors import TestbedError
from threerc.testbed.events import Event, Kind
from threerc.testbed.faults import CRASHES, HOST, Fault
from threerc.testbed.grip import Grip
from threerc.testbed.machines import Machines
from threerc.testbed.overlay import FAST_HEARTBEAT
from threerc.testbed.site import RunningSite
from threerc.testbed.spans import campaign_spans, struck
from threerc.testbed.supplies import Profile
from threerc.testbed.trials import Trial
from threerc.testbed.waits import Waits

HISTORY: Final = "history.jsonl"
REPORT: Final = "report.html"
MARKS: Final = "faults.jsonl"
"""What happened to hosts and services meanwhile, for the plots, and when the campaign came to which
testbed: see `campaign_spans`.
"""
_MACHINE: Final = "machine"
"""Its key in such a note: what the campaign ran on."""
_ASKED: Final = "asked.json"
_POLL: Final = 1.0
_MISSES: Final = 3
"""Crashes in a row that could not be done, after which a campaign ends."""
_FORETOLD: Final = {"thesis": 400, "fast": 100}
"""Crashes that are simulated of each fault, so that their mean is right to some 3 %; with ticks
every few seconds each takes longer.
"""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What is asked for: so many crashes of each fault, into a folder."""

    faults: tuple[str, ...]
    crashes: int
    folder: Path
    profile: Profile = "thesis"
    seed: int = 1


class Taken(NamedTuple):
    """A crash that is to be done: of whom, and which machines that takes away.

    `held` are those that nobody else may crash meanwhile; `chance` is when.
    """

    number: int
    fault: Fault
    target: str
    machines: Sequence[str]
    held: Sequence[str]
    chance: random.Random


def claim(asked: Asked, site: str) -> None:
    """Note in its folder what a campaign's crashes are of.

    Raises TestbedError where there are crashes of another kind, OutputError.
    """
    own = {"site": site, "profile": asked.profile}
    own |= {"faults": ", ".join(asked.faults), "seed": str(asked.seed)}
    file = asked.folder / _ASKED
    if not trials.resume(asked.folder / HISTORY):
        replace_file(file, json.dumps(own, indent=1) + "\n")
        (asked.folder / MARKS).unlink(missing_ok=True)
        return
    try:
        known: dict[str, str] = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise TestbedError(f"{file}: nobody knows what its crashes are of: {error}") from None
    for key, value in own.items():
        if known.get(key) != value:
            told = f"has crashes of the {key} {known.get(key)}, not {value}"
            raise TestbedError(f"{asked.folder} {told}: choose another folder")


class Campaign:
    """A campaign on a running testbed. Its crashes disturb one another as little as can be."""

    def __init__(self, grip: Grip, asked: Asked, say: Say) -> None:
        self.grip = grip
        self.asked = asked
        self.say = say
        self.history = asked.folder / HISTORY
        self.machines: tuple[str, ...] = ()
        """Those that run when it begins: others are not crashed."""
        self._misses = 0
        self._changed = threading.Condition()
        self._stop = threading.Event()

    def run(self) -> list[Trial]:
        """All crashes that are still to be done; the whole history. Raises TestbedError, OSError.

        Interrupted, it heals what is under way, and does not count it.
        """
        self.asked.folder.mkdir(parents=True, exist_ok=True)
        claim(self.asked, self.grip.config.site)
        done = trials.resume(self.history)
        todo = list(self._todo(done))
        if done:
            have = counted(len(done), "crash", "crashes")
            self.say(f"{self.history} has {have} already, {len(todo)} to go")
        self.machines = tuple(
            vm for vm in self.grip.config.virtual_machines if self.grip.copies(vm)
        )
        if not self.machines:
            raise TestbedError(f"{self.grip.config.site}: no virtual machine runs")
        for fault in {fault.name: fault for _, fault in todo}.values():
            if not any(self._may(vm, fault) for vm in self.machines):
                raise TestbedError(f"{fault.name}: no machine may be crashed so")
            if fault.of != HOST and not RunningSite(self.grip.testbed).takes_machines(fault, ""):
                raise TestbedError(
                    f"{fault.name}: with a probe controllers leave it alone, rightly"
                )
        workers = min(len(self.machines), most_at_once(self.grip.config))
        self.come(time.time())
        try:
            self._side_by_side(partial(self._work, todo, [*self.machines]), workers)
        finally:
            self._mark()
        return trials.resume(self.history)

    def come(self, now: float) -> None:
        """Note beside the marks that the campaign is on this testbed and machine now.

        Raises OSError.
        """
        kvm = any(host.kvm for host in self.grip.config.physical_hosts.values())
        here = {"run": self._testbed, _MACHINE: report.this_machine(kvm=kvm)}
        note = {"what": "the campaign comes here", **here}
        events.append(self._marks, Event(now, Kind.NOTE, "*", note))

    @property
    def _marks(self) -> Path:
        return self.asked.folder / MARKS

    @property
    def _testbed(self) -> str:
        return self.grip.testbed.run.id

    def _mark(self) -> None:
        """Keep what faults there were on this testbed since the campaign began. Raises OSError."""
        notes = [each for each in events.read(self._marks) if each.kind is Kind.NOTE]
        began = min(each.time for each in notes)
        seen = events.read(self.grip.events_file)
        told = struck(seen, self.grip.config.virtual_machines, began)
        own = [replace(each, detail={**each.detail, "run": self._testbed}) for each in told]
        events.add(self._marks, own)

    def _side_by_side(self, work: Callable[[], None], workers: int) -> None:
        """Work with so many threads; where one fails, or we are interrupted, the others stop."""
        with ThreadPoolExecutor(workers) as pool:
            running = [pool.submit(work) for _ in range(workers)]
            try:
                for each in wait(running, return_when=FIRST_EXCEPTION).done:
                    each.result()
            except BaseException:
                self._stop.set()
                raise

    def _todo(self, done: Sequence[Trial]) -> Sequence[tuple[int, Fault]]:
        """The numbers and faults of the crashes that are not in the history yet."""
        numbers = {trial.number for trial in done}
        wanted = [
            (index * len(self.asked.faults) + offset, CRASHES[name])
            for index in range(self.asked.crashes)
            for offset, name in enumerate(self.asked.faults)
        ]
        return [(number, fault) for number, fault in wanted if number not in numbers]

    def _work(self, todo: list[tuple[int, Fault]], free: list[str]) -> None:
        """Take the next crash that can be done and machines that nobody has, until all is done."""
        while (taken := self._take(todo, free)) is not None:
            try:
                self._one(taken)
            except Interrupted:
                return
            except NotStruck as error:
                self._put_back(taken, todo, error)
            finally:
                with self._changed:
                    free += taken.held
                    self._changed.notify_all()

    def _take(self, todo: list[tuple[int, Fault]], free: list[str]) -> Taken | None:
        """A crash and its machines; waits while those that may be crashed so are busy."""
        with self._changed:
            while todo and not self._stop.is_set():
                for number, fault in todo:
                    able = self._able(fault, free)
                    if able:
                        chance = random.Random(f"{self.asked.seed}/{number}")  # noqa: S311
                        target = chance.choice([*able])
                        held = [*free] if fault.of == HOST else [target]
                        todo.remove((number, fault))
                        free[:] = [vm for vm in free if vm not in held]
                        return Taken(number, fault, target, able[target], held, chance)
                    if fault.of == HOST:
                        break  # or it would never have all of them
                self._changed.wait(_POLL)
        return None

    def _able(self, fault: Fault, free: Sequence[str]) -> dict[str, Sequence[str]]:
        """Whom a fault may strike now, with the machines that are gone then.

        These are machines that are free or, while all are, hosts.
        """
        if fault.of != HOST:
            return {vm: [vm] for vm in free if self._may(vm, fault)}
        if {*free} != {*self.machines}:
            return {}
        running = self.grip.running().items()
        there = {host: [vm for vm in self.machines if vm in vms] for host, vms in running}
        found: dict[str, Sequence[str]] = {host: vms for host, vms in there.items() if vms}
        if not found:
            raise TestbedError(f"{fault.name}: no physical host runs a machine any more")
        return found

    def _may(self, vm: str, fault: Fault) -> bool:
        return not fault.destructive or self.grip.config.virtual_machines[vm].inst == 1

    def _one(self, taken: Taken) -> None:
        """One crash at a random moment; afterwards its machines are as if nothing had been."""
        if self._stop.wait(taken.chance.uniform(0.0, PERIODS[self.asked.profile])):
            return
        found = self._trials(taken)
        self.keep(found)
        for trial in found:
            vm = trial.crash.vm
            for wrong in trial.wrong:
                self.say(f"[{taken.number + 1}] {vm}: WRONG: {wrong}")
            if trial.crash.total is None:
                self._repair(vm)

    def _put_back(self, taken: Taken, todo: list[tuple[int, Fault]], why: NotStruck) -> None:
        """A crash that has not happened is done later, once its machines are up.

        Raises TestbedError where that happens again and again.
        """
        self.say(f"[{taken.number + 1}] {taken.target}: no {taken.fault.name} yet: {why}")
        with self._changed:
            self._misses += 1
            if self._misses > _MISSES:
                raise TestbedError(f"{self._misses} crashes could not be done, the last: {why}")
            todo.append((taken.number, taken.fault))
        for vm in taken.held:
            self._repair(vm)

    def keep(self, found: Sequence[Trial]) -> None:
        """Write a crash down that is over, the marks first: whoever is killed then has them too."""
        now = time.time()
        told = [replace(t, given_up=now) if t.crash.total is None else t for t in found]
        with self._changed:
            self._misses = 0
            self._mark()
            trials.append(self.history, *told)

    def _trials(self, taken: Taken) -> list[Trial]:
        """What comes of a crash: a trial of each machine that it takes away.

        Raises NotStruck where it could not be done, Interrupted.
        """
        site = RunningSite(self.grip.testbed, lambda line: self.say(f"[{taken.number + 1}] {line}"))
        site.stop = self._stop
        try:
            # Each crash is its first for a long time, or after the fifth it were left to a human.
            site.wait_up(taken.held)
        except Interrupted:
            raise
        except TestbedError as error:
            raise NotStruck(str(error)) from error
        try:
            found = site.trials(taken.target, taken.fault.name)
            return [replace(trial, number=taken.number) for trial in found]
        except (Interrupted, NotStruck):
            raise
        except TestbedError as error:
            wrong = (f"nobody knows what came of it: {error}",)
            name, profile, now = taken.fault.name, self.asked.profile, time.time()
            return [
                Trial(taken.number, name, profile, simulated.Crash(vm, now), wrong=wrong)
                for vm in taken.machines
            ]

    def _repair(self, vm: str) -> None:
        """Install a machine anew that nobody has brought back."""
        if self.grip.copies(vm) and self.grip.is_up(vm):
            return
        self.say(f"{vm}: installed anew, since it did not recover")
        self.grip.threerc("pause", vm, "--why", "the campaign repairs it")
        try:
            self._install(vm)
        except TestbedError:
            with suppress(TestbedError):  # or whoever boots it next installs it again
                self.grip.boot_link(vm, "local")
            raise
        finally:
            self.grip.threerc("resume", vm)

    def _install(self, vm: str) -> None:
        """From scratch, at home or, where its home is off, on another host."""
        settings = self.grip.config.virtual_machines[vm]
        hosts = (settings.home, *self.grip.config.allowed_hosts(settings))
        on = next((host for host in hosts if self.grip.is_on(host)), None)
        if on is None:
            raise TestbedError(f"{vm} cannot be installed anew: none of its hosts is on")
        for host in self.grip.copies(vm):
            self.grip.destroy(host, vm)
        Machines.of(self.grip.testbed).install(vm, Waits(self.say, self._stop), on)


def most_at_once(config: ControllerConfig) -> int:
    """How many machines are crashed at once: as many as there are cores to boot them again, and
    no more than the controllers' brake lets.
    """
    known = len(config.physical_hosts) + len(config.virtual_machines)
    return max(1, min(os.cpu_count() or 1, math.floor(config.brake.share * known)))


def foretell(
    config: ControllerConfig, history: Sequence[Trial], profile: str = "thesis"
) -> dict[str, simulated.Campaign]:
    """What the simulator makes of the same site and faults, with the boots and installations
    taking as long as they were measured to take.
    """
    found: dict[str, simulated.Campaign] = {}
    for fault in dict.fromkeys(trial.fault for trial in history):
        own = [t.crash for t in history if t.fault == fault and t.crash.total is not None]
        if not own:
            continue
        boots, installs = [c.boot for c in own], [c.install for c in own if c.install]
        timing = Timing(
            pxe=0,
            boot=statistics.fmean(boots),
            boot_sigma=statistics.pstdev(boots),
            heartbeat=FAST_HEARTBEAT if profile == "fast" else TMAX,
        )
        if installs:
            timing = timing.model_copy(
                update={
                    "install": statistics.fmean(installs),
                    "install_sigma": statistics.pstdev(installs),
                }
            )
        minutes = dict.fromkeys(config.controllers, EVERY) if profile == "fast" else {}
        start = Start(timing=timing, minutes=minutes, install_server=True)
        found[fault] = simulated.campaign(config, _FORETOLD[profile], fault, start=start)
    return found


def write_reports(
    config: ControllerConfig, asked: Asked, history: Sequence[Trial]
) -> dict[str, Any]:
    """report.json and report.html, beside the history; the figures. Raises OSError."""
    foretold = foretell(config, history, asked.profile)
    data = report.measured(history, foretold, asked.seed)
    data |= {"site": config.site, "profile": asked.profile}
    (asked.folder / "report.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    marks = events.read(asked.folder / MARKS)
    others = campaign_spans(marks, [trial.end for trial in history])
    page = report.html(data, history, foretold, _about(data, marks), others)
    (asked.folder / REPORT).write_text(page, encoding="utf-8")
    return data


def _about(data: dict[str, Any], marks: Sequence[Event]) -> str:
    """On what site, profile and machine it was measured: on all, where it went on elsewhere."""
    crashes = counted(data["crashes"], "crash", "crashes")
    where = dict.fromkeys(each.detail[_MACHINE] for each in marks if _MACHINE in each.detail)
    told = "".join(f"; {each}" for each in where)
    return f"{data['site']}, profile {data['profile']}: {crashes} of real machines{told}"
