"""A capsule: a host of the site in namespaces of its own, with its power, its disk, its daemons."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from threerc.testbed import inside
from threerc.testbed.errors import TestbedError
from threerc.testbed.events import Kind
from threerc.testbed.keeper import Keeper
from threerc.testbed.network import Network
from threerc.testbed.parts import CapsuleSpec, Lay
from threerc.testbed.process import (
    ENVIRONMENT,
    Ended,
    Process,
    call,
    feed,
    first_line,
    program,
    tail,
)
from threerc.testbed.waits import Waits

_START_SECONDS: Final = 60.0
_DEATH_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Surroundings:
    """What the lab has for its capsules.

    `disks` are the machine's file systems but /, `visible` the folders that are to be seen in each
    capsule, `devices` the block devices behind the files of volumes. `roots` has room for the
    capsules' disks, on another file system than the machine's.
    """

    roots: Path
    logs: Path
    disks: tuple[str, ...]
    visible: tuple[Path, ...]
    devices: dict[Path, int]
    network: Network
    waits: Waits
    tell: Callable[[Kind, str, str], None]


class Capsule:
    """One capsule. Its disk outlives a power cut; what is in /run and /tmp does not."""

    def __init__(self, spec: CapsuleSpec, around: Surroundings) -> None:
        self.spec = spec
        self.name = spec.name
        self.init: int | None = None
        logs = around.logs / spec.name
        self.keepers = {
            each.name: Keeper(self, each, logs / f"{each.name}.log") for each in spec.daemons
        }
        self._around = around
        self._logs = logs
        self._root = around.roots / spec.name
        self._process: Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._switch = asyncio.Lock()
        self._coming_up = asyncio.Lock()

    def tell(self, kind: Kind, what: str) -> None:
        """Write down what happened to it."""
        self._around.tell(kind, self.name, what)

    def enter(self, command: Sequence[str]) -> list[str]:
        """The command that runs one in here. TestbedError if the power is off."""
        if self.init is None:
            raise TestbedError(f"{self.name} is off")
        into = ("--mount", "--uts", "--ipc", "--net", "--pid")
        return [program("nsenter"), "--target", str(self.init), *into, "--", *_weak(), *command]

    async def call(self, command: Sequence[str], data: bytes, environment: dict[str, str]) -> Ended:
        """Run a program in here to its end; if this is cancelled, it is killed."""
        # What we kill is nsenter, which has only gone inside; its child has to go with it.
        tied = ("setpriv", "--pdeathsig", "KILL", "--", *command)
        return await call(self.enter(tied), data, environment)

    def keeper(self, daemon: str) -> Keeper:
        """One of its daemons."""
        if daemon not in self.keepers:
            known = ", ".join(self.keepers) or "none"
            raise TestbedError(f"{self.name} has no daemon {daemon} (there are: {known})")
        return self.keepers[daemon]

    # -- power

    async def on(self) -> None:
        """Switch it on: its file system, network and daemons. TestbedError if one fails.

        A daemon that somebody has stopped stays so.

        Who switches it on while it comes up waits for that. Its power may be cut meanwhile.
        """
        async with self._coming_up:
            async with self._switch:
                if self.init is None:
                    await self._boot()
            await self._start_all()

    async def _start_all(self) -> None:
        failed: list[TestbedError] = []
        for keeper in self.keepers.values():
            if keeper.stays_off:
                continue
            try:
                with self._around.waits.on(f"{self.name}: {keeper.daemon.name}"):
                    await keeper.start()
            except TestbedError as error:  # the others start all the same, as under an init
                failed.append(error)
        if failed:
            raise failed[0]

    async def off(self) -> None:
        """Cut its power: whatever runs in it is gone at once. TestbedError if it does not die."""
        async with self._switch:
            if self.init is None:
                return
            init, self.init = self.init, None
            with suppress(ProcessLookupError):
                os.kill(init, signal.SIGKILL)
            self._go_on()  # a dead process is there until its parent has noticed
            await self._clear_away()

    async def _clear_away(self) -> None:
        """See it dead, and take its cables: no second host may come up with its addresses."""
        if self._process is None:
            return
        try:
            await asyncio.wait_for(self._process.wait(), _DEATH_SECONDS)
        except TimeoutError:
            what = f"not dead {_DEATH_SECONDS:.0f} s after its power was cut"
            raise TestbedError(f"{self.name}: {what}") from None
        await self._around.network.disconnect(self.name)

    async def freeze(self, *, frozen: bool) -> None:
        """Stop all that runs in it where it is, or let it go on. TestbedError if its power is off.

        Not its process 1, which only waits. Its cards answer nobody, or it would be pinged: their
        kernel is the machine's, which goes on.
        """
        await self.call(("sh", "-c", f"kill -{'STOP' if frozen else 'CONT'} -1"), b"", {})
        await self._around.network.still(self.name, frozen=frozen)
        if not frozen:
            self._go_on()

    def _go_on(self) -> None:
        for keeper in self.keepers.values():
            keeper.go_on()

    async def _boot(self) -> None:
        await self._clear_away()  # of the last time, if whoever cut its power did not wait
        first = not self._root.exists()
        self._make_folders()
        with self._around.waits.on(f"{self.name}: file system and network"):
            process = self._process = self._launch()
            try:
                init = await self._come_up(process, self._orders(first=first))
            except BaseException:
                process.kill()
                raise
        self.init = init
        self._watch = asyncio.create_task(self._watched(process))

    async def _come_up(self, process: Process, orders: inside.Orders) -> int:
        """Its process 1, once it has its file system and network."""
        await self._order(process, orders)
        init = process.child()
        if init is None:
            raise TestbedError(f"{self.name}: its process 1 is gone\n{tail(self._log)}")
        await self._around.network.connect(self.name, init, self.spec.cards, self.spec.gateway)
        return init

    async def _watched(self, process: Process) -> None:
        """Notice that it died though nobody has switched it off."""
        await process.wait()
        if self._process is process and self.init is not None:
            self.init = None
            self.tell(Kind.NOTE, "its process 1 died")
            async with self._switch:
                if self._process is process:  # else it was switched on again
                    await self._around.network.disconnect(self.name)

    @property
    def _log(self) -> Path:
        return self._logs / "start.log"

    def _make_folders(self) -> None:
        self._logs.mkdir(parents=True, exist_ok=True)
        disks = (self._root / "disks" / str(n) for n, _ in enumerate(self._around.disks))
        for folder in (self._root, *disks):
            for name in ("upper", "work"):
                (folder / name).mkdir(parents=True, exist_ok=True)
        (self._root / "root").mkdir(exist_ok=True)

    def _launch(self) -> Process:
        apart = ("--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child")
        python = (sys.executable, "-P", "-m", "threerc.testbed.inside")
        with self._log.open("ab") as log:
            return Process(
                [program("unshare"), *apart, "--", *python],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                environment=ENVIRONMENT,
            )

    async def _order(self, process: Process, orders: inside.Orders) -> None:
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        try:
            async with asyncio.timeout(_START_SECONDS):
                await feed(process.stdin, json.dumps(orders).encode())
                said = (await first_line(process.stdout)).decode(errors="replace").strip()
        except TimeoutError:
            what = f"waited {_START_SECONDS:.0f} s in vain for its file system"
            raise TestbedError(f"{self.name}: {what}\n{tail(self._log)}") from None
        if said != inside.READY:
            raise TestbedError(f"{said or f'{self.name}: it ended'}\n{tail(self._log)}")

    def _orders(self, *, first: bool) -> inside.Orders:
        spec, around = self.spec, self._around
        files = (*spec.files, *(file for daemon in spec.daemons for file in daemon.files))
        folders = [
            inside.Folder(path=path, owner=owner, mode=mode)
            for daemon in spec.daemons
            for path, owner, mode in daemon.folders
        ]
        return inside.Orders(
            name=self.name,
            root=str(self._root),
            first=first,
            disks=list(around.disks),
            tree=None if spec.tree is None else str(spec.tree.resolve()),
            folders=folders,
            files=[_file(each) for each in files],
            binds=list(self._binds()),
            devices=[
                inside.Device(target=each.target, number=around.devices[each.source])
                for each in spec.volumes
            ],
            settings=dict(_settings(spec)),
            command=[*_weak(), program("tini"), "--", program("sleep"), "infinity"],
        )

    def _binds(self) -> Iterator[inside.Bound]:
        for path in self._around.visible:
            yield inside.Bound(source=str(path.resolve()), target=str(path), read_only=True)
        for bind in self.spec.binds:
            source = str(bind.source.resolve())
            yield inside.Bound(source=source, target=bind.target, read_only=bind.read_only)


def _weak() -> list[str]:
    """How what runs in a capsule is kept from the machine's disks, which are none of its own."""
    return [program("setpriv"), "--bounding-set", "-mknod", "--"]


def _file(lay: Lay) -> inside.File:
    source = None if lay.source is None else str(lay.source.resolve())
    return inside.File(path=lay.path, text=lay.text, source=source, mode=lay.mode, owner=lay.owner)


def _settings(spec: CapsuleSpec) -> Iterator[tuple[str, str]]:
    """What is set in /proc/sys before it has a network."""
    yield "net/ipv6/conf/default/accept_dad", "0"
    yield "net/ipv6/conf/default/accept_ra", "0"
    if spec.kind == "router":
        yield "net/ipv4/ip_forward", "1"
        yield "net/ipv6/conf/all/forwarding", "1"
    elif not any(address.version == 6 for card in spec.cards for address in card.addresses):
        yield "net/ipv6/conf/default/disable_ipv6", "1"  # nothing unasked on the wire
