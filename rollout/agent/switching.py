"""The switch of a host's files: a rename for each, with a journal by which all of it is undone.

In the phase `preparing` nothing has been switched, in `switching` any file may have been, from
`telling` on daemons may have read it. Whoever finds a journal undoes what it tells, unless the
generation that it leads to has been written down as the applied one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from threerc.rollout.agent.changes import Change, is_boot_link
from threerc.rollout.agent.disk import Disk, beside, sync_folder
from threerc.rollout.agent.errors import AgentError
from threerc.rollout.agent.state import CURRENT, JOURNAL, NEXT, State

PREPARING, SWITCHING, TELLING = "preparing", "switching", "telling"


class Switch:
    """One switch of one host, from its first trace on the disk to the last."""

    def __init__(self, disk: Disk, state: State, journal: dict[str, Any]) -> None:
        self.disk = disk
        self.state = state
        self.journal = journal
        self.changes = [Change(*each) for each in journal["changes"]]

    @classmethod
    def begin(
        cls, disk: Disk, state: State, run: str, changes: Iterable[Change], idle: list[str]
    ) -> Switch:
        """The journal of a switch to come; `idle` daemons do not run before it. Raises OSError."""
        folders: dict[str, None] = {}
        for change in changes:
            if change.new is not None:
                folders.update(dict.fromkeys(disk.missing_folders(change.path)))
        journal = {"run": run, "phase": PREPARING, "boot": boot(), "folders": [*folders]}
        journal["idle"] = idle
        switch = cls(disk, state, {**journal, "changes": [list(each) for each in changes]})
        state.write(JOURNAL, switch.journal)
        return switch

    @classmethod
    def left(cls, disk: Disk, state: State) -> Switch | None:
        """The switch that somebody has left half done, if any."""
        journal = state.read(JOURNAL)
        return None if journal is None else cls(disk, state, journal)

    @property
    def paths(self) -> list[str]:
        """The paths that it changes."""
        return [change.path for change in self.changes]

    @property
    def told(self) -> bool:
        """Whether a daemon may have read its files: it told them, or the machine was booted."""
        phase: str = self.journal["phase"]
        return phase == TELLING or (phase == SWITCHING and self.journal["boot"] != boot())

    def prepare(self, content: str, current: dict[str, Any]) -> None:
        """Put all that is new beside its place, and what is old too; `content` is their tree.

        `current` is what will be noted as applied. All that needs room on the disk is done here.
        Raises OSError and AgentError; the host is as before then, but for what `undo` removes.
        """
        for folder in self.journal["folders"]:
            self.disk.make_folder(folder)
        for change in self.changes:
            if change.old is not None:
                self.disk.save(change.path)
            if change.new is not None:
                self.disk.ready(change.path, change.new, content + change.path)
            if change.foreign:
                old = beside(self.disk.at(change.path), "old")
                self.state.keep(self.journal["run"], change.path, old)
        self.state.write(NEXT, current)
        self._sync()

    def switch(self) -> list[list[str]]:
        """Rename them all, but for boot links that were switched just now: these are the answer.

        Raises OSError, and AgentError where a file was changed since it was compared.
        """
        self._enter(SWITCHING)
        kept: list[list[str]] = []
        for change in self.changes:
            live = self.disk.look(change.path)
            if self.disk.same(change.old, live):
                self.disk.switch(change.path, change.new)
            elif is_boot_link(change.new) and live is not None and "link" in live:
                kept.append([change.path, live["link"]])
            else:
                raise AgentError(f"{change.path} was changed just now")
        self._sync()
        return kept

    def telling(self) -> None:
        """Write down that from now on daemons read the new files."""
        self._enter(TELLING)

    def finish(self) -> None:
        """Write down the new generation as the applied one; from there on nothing is undone."""
        self.state.rename(NEXT, CURRENT)
        self.clear()

    def undo(self) -> list[str]:
        """Bring all back; what somebody has changed meanwhile is left, and told."""
        left: list[str] = []
        if self.journal["phase"] != PREPARING:
            for change in reversed(self.changes):
                live = self.disk.look(change.path)
                if self.disk.same(change.new, live):
                    self.disk.bring_back(change.path, change.old)
                elif not self.disk.same(change.old, live):
                    left.append(f"{change.path} was changed meanwhile and is left as it is")
        self.state.drop_kept(self.journal["run"])
        return left

    def clear(self) -> None:
        """Remove its traces; the journal goes last."""
        for change in self.changes:
            self.disk.clear(change.path)
        for folder in reversed(self.journal["folders"]):
            with suppress(OSError):  # somebody has put something there
                os.rmdir(self.disk.at(folder))
        self._sync()
        self.state.clear_staged()
        self.state.forget(NEXT)
        self.state.forget(JOURNAL)

    def _enter(self, phase: str) -> None:
        self.journal["phase"] = phase
        self.state.write(JOURNAL, self.journal)

    def _sync(self) -> None:
        for folder in {os.path.dirname(self.disk.at(path)) for path in self.paths}:
            with suppress(FileNotFoundError):
                sync_folder(folder)


def boot() -> str:
    """Which boot of this machine this is."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
        return stream.read().strip()
