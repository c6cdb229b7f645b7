"""One host, as the roll-out changes it: each public method is a step that is asked for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from threerc.compiler.services import Order, Service, orders, reader
from threerc.compiler.wording import counted
from threerc.rollout.agent import changes, daemons
from threerc.rollout.agent.changes import Changes
from threerc.rollout.agent.checks import check
from threerc.rollout.agent.disk import Disk, Entries, digest
from threerc.rollout.agent.errors import AgentError
from threerc.rollout.agent.health import Health
from threerc.rollout.agent.state import CURRENT, State, digest_of
from threerc.rollout.agent.switching import Switch

Answer = dict[str, Any]


class Host:
    """A host whose file system is at `root`. Its daemons are told only where that is `/`."""

    def __init__(self, root: str, name: str) -> None:
        self.name = name
        self.alive = root == "/"
        self.disk = Disk(root)
        self.state = State(root)
        self.new: Entries = {}
        self.about: Answer = {}
        self._current: Answer = {}
        self._changes = Changes()
        self._switch: Switch | None = None
        self._served = False
        self._absent: frozenset[str] = frozenset()
        self._serve = 0.0

    # -- steps

    def begin(self, who: str, serve: float, dry: bool = False) -> Answer:
        """Take the right to change this host, and undo what somebody has left half done.

        A daemon that is told has to serve within so many seconds. Where nothing was ever applied
        a `dry` run leaves no lock. Answers with the applied generation: its digest, and what was
        noted with it.
        """
        if not dry or self.state.exists:
            self.state.lock(who)
        self._serve = serve
        recovered = self._recover()
        self._current = self.state.read(CURRENT) or {"entries": {}, "about": {}}
        entries = self._current["entries"]
        return {
            "digest": digest_of(entries) if entries else "",
            "about": self._current["about"],
            "recovered": recovered,
        }

    def look(self) -> Answer:
        """Where the host differs from the applied generation."""
        entries = self._current["entries"]
        found = changes.compare(self._sides(entries))
        return {"edits": found.edits + found.conflicts, "links": found.links}

    def stage(self, entries: Entries, overwrite: list[str]) -> Answer:
        """What a new generation changes; what is below a path of `overwrite` may be replaced."""
        self.new = entries
        found = changes.compare(self._sides(entries), overwrite)
        self._changes = found
        return {
            "changes": [change.path for change in found.changes],
            "conflicts": found.conflicts,
            "edits": found.edits,
            "links": found.links,
        }

    def want(self, about: Answer) -> Answer:
        """The contents that are needed yet to have all of the generation in one tree here.

        `about` is noted with the generation.
        """
        self.about = about
        os.makedirs(self.state.staged, mode=0o700, exist_ok=True)
        return {"want": self._want() if self._changes.changes else []}

    def put(self, sha256: str, content: bytes) -> Answer:
        """Stage one content, under all paths that have it."""
        for path, entry in self.new.items():
            if entry.get("sha256") == sha256:
                self._place(path, content)
        return {}

    def check(self) -> Answer:
        """Let each daemon's own checker read the staged files."""
        paths = [change.path for change in self._changes.changes]
        root = self.state.staged
        failures, not_checked = check(root, self.name, self.new, paths)
        return {"failures": failures, "not_checked": not_checked}

    def prepare(self) -> Answer:
        """Put each new file beside the one whose place it takes."""
        self._served = self.alive and bool(self._health().boot_link())
        found, run = self._changes.changes, self.about["run"]
        told = filter(None, {reader(change.path): None for change in found})
        idle = daemons.idle(told) if self.alive else []
        self._switch = Switch.begin(self.disk, self.state, run, found, idle)
        current = {"entries": self.new, "about": self.about}
        self._switch.prepare(f"{self.state.staged}/{self.name}", current)
        return {}

    def switch(self) -> Answer:
        """Rename them into their places."""
        return {"links": self._prepared().switch()}

    def tell(self) -> Answer:
        """Let the daemons whose files have changed take them."""
        switch = self._prepared()
        if not self.alive:
            return {"told": [], "absent": [], "failures": []}
        switch.telling()
        answer = _tell(self._orders(switch))
        self._absent = frozenset(answer["absent"])
        return answer

    def health(self) -> Answer:
        """What is wrong with the daemons that were told, and with TFTP if it served before."""
        if not self.alive:
            return {"failures": []}
        given = self._orders(self._prepared())
        failures = self._health().complaints(_serving(given, self._absent), self._serve)
        if self._served and self._health().boot_link() is False:
            failures.append("TFTP does not give the boot links any more")
        return {"failures": failures}

    def commit(self) -> Answer:
        """Make the new generation the applied one, for good."""
        self._prepared().finish()
        self._switch = None
        return {}

    def undo(self) -> Answer:
        """Bring all back as it was before, and tell the daemons."""
        self._switch = None
        recovered = self._recover()
        self.state.clear_staged()
        return {"recovered": recovered}

    def end(self) -> Answer:
        """Give the right back; what was not committed is undone."""
        answer = self.undo()
        self.state.unlock()
        return answer

    # -- parts

    def _orders(self, switch: Switch) -> list[Order]:
        """What the daemons are to do after a switch to the new generation."""
        before = (change.path for change in switch.changes if change.old is not None)
        return orders(switch.paths, {*self._current["entries"], *before}, self.new)

    def _recover(self) -> list[str]:
        """Undo a switch that is half done, or clear up after one that was done."""
        left = Switch.left(self.disk, self.state)
        if left is None:
            return []
        current = self.state.read(CURRENT) or {"entries": {}, "about": {}}
        if current["about"].get("run") == left.journal["run"]:
            left.clear()
            return []
        files = counted(len(left.changes), "file")
        told = [f"undone: {files} of {left.journal['run']}", *left.undo()]
        if left.told and self.alive:
            told += self._tell_again(left, current["entries"])
        left.clear()
        return told

    def _tell_again(self, left: Switch, entries: Entries) -> list[str]:
        """Let the daemons take the old files, or stop if they did not run; what is wrong then."""
        new = {change.path for change in left.changes if change.new is not None}
        old = {change.path for change in left.changes if change.old is not None}
        kept = entries.keys() - set(left.paths)
        idle = left.journal.get("idle", ())  # an older program may have begun it
        given = daemons.stopping(orders(left.paths, kept | new, kept | old), idle)
        answer = _tell(given)
        serving = _serving(given, answer["absent"]) if entries else []
        complaints = Health(self.disk, entries).complaints(serving, self._serve)
        return [*answer["failures"], *complaints]

    def _sides(self, entries: Entries) -> changes.Sides:
        old = self._current["entries"]
        return changes.Sides(old, entries, self.disk.look, self.disk.same)

    def _want(self) -> list[str]:
        """The contents that are neither staged yet nor here already."""
        wanted: dict[str, None] = {}
        self.state.keep_staged({f"/{self.name}{path}" for path in self.new})
        for path, entry in self.new.items():
            if "sha256" not in entry:
                continue
            place = f"{self.state.staged}/{self.name}{path}"
            with suppress(OSError):
                if digest(place) == entry["sha256"]:
                    continue
            live = self.disk.at(path)
            if os.path.isfile(live) and digest(live) == entry["sha256"]:
                os.makedirs(os.path.dirname(place), exist_ok=True)
                shutil.copyfile(live, place)
            else:
                wanted[entry["sha256"]] = None
        return [*wanted]

    def _place(self, path: str, content: bytes) -> None:
        place = f"{self.state.staged}/{self.name}{path}"
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as stream:
            stream.write(content)

    def _prepared(self) -> Switch:
        if self._switch is None:
            raise AgentError("nothing is prepared")
        return self._switch

    def _health(self) -> Health:
        return Health(self.disk, self.new)


def _serving(given: list[Order], absent: Collection[str]) -> list[Service]:
    """The daemons that have to serve after these orders."""
    services = [order.service for order in given if order.verb != "stop"]
    return [service for service in services if service.name not in absent]


def _tell(given: list[Order]) -> Answer:
    told: list[str] = []
    absent: list[str] = []
    failures: list[str] = []
    for order in given:
        came = daemons.tell(order)
        if came.absent:
            absent.append(order.service.name)
        elif came.complaint:
            failures.append(f"{order.service.name}: {came.complaint}")
        else:
            told.append(f"{order} (disabled: not started at boot)" if came.disabled else str(order))
    return {"told": told, "absent": absent, "failures": failures}
