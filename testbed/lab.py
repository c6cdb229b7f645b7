"""The lab: process 1's only child in namespaces of its own, in which all of a testbed runs.

    python -m threerc.testbed.lab RUN CONNECTION LOCK

CONNECTION is the inherited descriptor of a socket to the client that starts the run. The lab tells
it how the building goes on and, if the client goes before the end, goes too. All that there is of a
run is in the lab's namespaces: when the lab ends, however it ends, the kernel ends and removes all
of it. LOCK is the descriptor that says that the run lives.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from typing import Any, Final

from threerc.testbed import events, inside
from threerc.testbed.capsule import Capsule, Surroundings
from threerc.testbed.errors import TestbedError
from threerc.testbed.events import Event, Kind
from threerc.testbed.iron import Iron
from threerc.testbed.loops import open_loop
from threerc.testbed.network import Network
from threerc.testbed.parts import LabSpec
from threerc.testbed.runs import Run
from threerc.testbed.server import Client, serve
from threerc.testbed.supplies import outermost, own_folders
from threerc.testbed.waits import Waits

_ROOTS: Final = "roots"
_NO_DISKS: Final = ("/proc", "/sys", "/dev", "/run", "/tmp")  # noqa: S108
_MIB: Final = 1 << 20
_FILES: Final = 1 << 16
"""Descriptors at most: some daemons close as many one by one when they start."""


class Lab:
    """All of a run. Building it takes a while; `ready` says that it is done."""

    def __init__(self, run: Run, spec: LabSpec) -> None:
        self.run = run
        self.spec = spec
        self.ready = False
        self.end = asyncio.Event()
        self.network = Network()
        self.capsules: dict[str, Capsule] = {}
        self.machines: dict[str, Iron] = {}
        self.progress: list[str] = []
        self.waits = Waits(self.progress.append)
        self.slots = asyncio.Semaphore(max(2, os.cpu_count() or 1))

    def tell(self, kind: Kind, of: str, what: str) -> None:
        """Write down what happened. A full disk is no reason to stop."""
        with suppress(OSError):
            events.append(self.run.events, Event(time.time(), kind, of, {"what": what}))

    async def build(self) -> None:
        """Build it: TestbedError or OSError if something of it does not come up."""
        around = self._surroundings()
        with self.waits.on("bridges"):
            await self.network.build(self.spec.bridges)
        self.capsules = {each.name: Capsule(each, around) for each in self.spec.capsules}
        self.machines = {
            each.name: Iron(each, Path("/run/consoles"), self.run.logs, self.network, self.tell)
            for each in self.spec.machines
        }
        try:
            async with asyncio.TaskGroup() as tasks:
                for capsule in self.capsules.values():
                    tasks.create_task(self._in_turn(capsule.on()))
                for machine in self.machines.values():
                    tasks.create_task(self._in_turn(machine.on()))
        except* (TestbedError, OSError) as failed:
            raise failed.exceptions[0] from None
        self.ready = True

    async def _in_turn(self, work: Coroutine[Any, Any, None]) -> None:
        """At most as many at once as there are cores."""
        async with self.slots:
            await work

    def _surroundings(self) -> Surroundings:
        roots = self.run.folder / _ROOTS
        roots.mkdir()
        # Not on the machine's disk: the kernel refuses that where `/` is what lies below.
        inside.mount("tmpfs", str(roots), "tmpfs", 0, "mode=755")
        inside.mount("tmpfs", "/run", "tmpfs", 0, "mode=755")
        inside.mount("sysfs", "/sys", "sysfs")  # it shows the network of whoever mounts it
        consoles, short = self.run.folder / "consoles", Path("/run/consoles")
        for folder in (consoles, short):
            folder.mkdir(exist_ok=True)
        inside.mount(str(consoles), str(short), "", inside.BIND)
        for store in self.spec.stores:
            store.path.mkdir(parents=True, exist_ok=True)
            inside.mount("tmpfs", str(store.path), "tmpfs", 0, f"size={store.mebibytes}m,mode=755")
        return Surroundings(
            roots=roots,
            logs=self.run.logs,
            disks=_disks(),
            visible=_hidden(),
            devices=self._devices(),
            network=self.network,
            waits=self.waits,
            tell=self.tell,
        )

    def _devices(self) -> dict[Path, int]:
        volumes = {v.source: v for capsule in self.spec.capsules for v in capsule.volumes}
        for source, volume in volumes.items():
            if not source.exists():
                source.parent.mkdir(parents=True, exist_ok=True)
                source.touch()
                os.truncate(source, volume.mebibytes * _MIB)
        return {source: open_loop(source) for source in volumes}


def _disks() -> tuple[str, ...]:
    """Where the machine has mounted file systems that are on disks, but for /."""
    lines = Path("/proc/filesystems").read_text(encoding="ascii").splitlines()
    kinds = {line.split()[-1] for line in lines if not line.startswith("nodev")}
    kinds |= {"zfs", "overlay"}
    found = []
    for line in Path("/proc/self/mounts").read_bytes().splitlines():
        _, path, kind = map(_unescaped, line.split()[:3])
        below = any(path == top or path.startswith(f"{top}/") for top in _NO_DISKS)
        if kind in kinds and path != "/" and not below and Path(path).is_dir():
            found.append(path)
    return tuple(dict.fromkeys(found))


def _unescaped(word: bytes) -> str:
    """A word of a mount table, in which blanks and backslashes are octal numbers."""
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), word))


def _hidden() -> tuple[Path, ...]:
    """The folders that Python and this program are in, where an overlay over / lacks them."""
    root = Path("/").stat().st_dev
    return outermost(
        path
        for path in own_folders()
        if path.stat().st_dev != root or path.is_relative_to("/run") or path.is_relative_to("/tmp")  # noqa: S108
    )


async def _run(folder: Path, connection: int) -> None:
    run = Run(folder)
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=connection))
    client = Client(reader, writer)
    lab = Lab(run, run.read_spec())
    async with serve(lab):
        try:
            await client.while_there(lab.build(), lab)
        except (TestbedError, OSError) as error:
            await client.fail(str(error))
            return
        await client.answer(None)
        ended = asyncio.create_task(lab.end.wait())
        thanks = asyncio.create_task(client.thanks())
        await asyncio.wait({ended, thanks}, return_when=asyncio.FIRST_COMPLETED)
        if thanks.done() and thanks.result():  # else it was ended, or nobody knows of us any more
            await ended


def main() -> None:
    """Run the lab of a run until it is told to end."""
    folder, connection, lock = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    for descriptor in (connection, lock):
        os.set_inheritable(descriptor, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, most = getrlimit(RLIMIT_NOFILE)  # a site of 300 hosts has some 2000 daemons
    setrlimit(RLIMIT_NOFILE, (min(most, _FILES), most))
    asyncio.run(_run(folder, connection))
    os._exit(0)  # all else ends with us


if __name__ == "__main__":
    main()
