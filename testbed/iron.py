"""A machine of the lab's own: a QEMU that boots from the network, such as a worker node."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from threerc.testbed.errors import TestbedError
from threerc.testbed.events import Kind
from threerc.testbed.network import Network
from threerc.testbed.parts import MachineSpec
from threerc.testbed.process import Process, program, tail

_CARD: Final = "net"
_QMP_SECONDS: Final = 30.0
_SCREEN_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.05


class Iron:
    """A machine. `folder` is for its sockets, by a path that is short enough for them."""

    def __init__(
        self,
        spec: MachineSpec,
        folder: Path,
        logs: Path,
        network: Network,
        tell: Callable[[Kind, str, str], None],
    ) -> None:
        self.spec = spec
        self.name = spec.name
        self.console = folder / spec.name
        self.monitor = folder / f"{spec.name}.qmp"
        self._logs = logs
        self._network = network
        self._tell = tell
        self._process: Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._coming_up = asyncio.Lock()
        self._commands: asyncio.StreamWriter | None = None
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}

    @property
    def running(self) -> bool:
        """Whether its QEMU is there."""
        return self._process is not None and self._process.status is None

    async def on(self) -> None:
        """Switch it on. TestbedError if QEMU does not start."""
        async with self._coming_up:
            if not self.running:
                await self._start()

    async def _start(self) -> None:
        self._logs.mkdir(parents=True, exist_ok=True)
        for path in (self.console, self.monitor):
            path.unlink(missing_ok=True)
        tap = await self._network.tap(self.name, _CARD, self.spec.bridges)
        with self._log.open("ab") as log:
            process = self._process = Process(self._command(tap), stdout=log)
        self._watch = asyncio.create_task(self._watched(process))
        try:
            async with asyncio.timeout(_QMP_SECONDS):
                while not self.monitor.exists():
                    if process.status is not None:
                        raise TestbedError(f"{self.name}: QEMU ended\n{tail(self._log)}")
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            what = f"waited {_QMP_SECONDS:.0f} s in vain for QEMU"
            raise TestbedError(f"{self.name}: {what}\n{tail(self._log)}") from None

    async def off(self) -> None:
        """Cut its power."""
        if self._process is not None and self.running:
            self._process.kill()
            await self._process.wait()
        if self._watch is not None:
            await self._watch

    async def screenshot(self, file: Path) -> None:
        """Draw its screen into a file. TestbedError if it is off, or QEMU does not do it."""
        if self._commands is None or not self.running:
            raise TestbedError(f"{self.name} is off")
        number = secrets.token_hex(4)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        command = {"execute": "screendump", "arguments": {"filename": str(file)}, "id": number}
        self._commands.write(json.dumps(command).encode() + b"\n")
        try:
            told = await asyncio.wait_for(answer, _SCREEN_SECONDS)
        except TimeoutError:
            what = f"no picture within {_SCREEN_SECONDS:.0f} s"
            raise TestbedError(f"{self.name}: {what}") from None
        finally:
            del self._answers[number]
        if "error" in told:
            raise TestbedError(f"{self.name}: {told['error']['desc']}")

    async def _watched(self, process: Process) -> None:
        events = asyncio.create_task(self._hear())
        await process.wait()
        events.cancel()
        self._tell(Kind.STOPPED, self.name, f"QEMU ended with {process.status}")
        await self._network.disconnect(self.name)

    async def _hear(self) -> None:
        """Write down what QEMU tells of the machine: resets, panics, power."""
        while not self.monitor.exists():
            await asyncio.sleep(_POLL_SECONDS)
        with suppress(OSError, ValueError):
            reader, writer = await asyncio.open_unix_connection(str(self.monitor))
            writer.write(b'{"execute": "qmp_capabilities"}\n')
            self._commands = writer
            while line := await reader.readline():
                told = json.loads(line)
                answer = self._answers.get(told.get("id", ""))
                if answer is not None and not answer.done():
                    answer.set_result(told)
                if "event" in told and told["event"] in _EVENTS:
                    self._tell(_EVENTS[told["event"]], self.name, str(told["event"]).lower())

    @property
    def _log(self) -> Path:
        return self._logs / f"{self.name}.qemu.log"

    def _command(self, tap: str) -> list[str]:
        log = _quoted(self._logs / f"{self.name}.console.log")
        place = f"path={_quoted(self.console)},server=on,wait=off"
        voice = f"{place},logfile={log},logappend=on"
        command = [
            program("qemu-system-x86_64"), "-name", self.name,
            "-nodefaults", "-no-user-config", "-display", "none",
            # The firmware's screen goes to the serial port too: iPXE's and pxelinux's own words.
            "-machine", "pc,graphics=off", "-device", "VGA",
            "-accel", "kvm" if self.spec.kvm else "tcg,thread=multi", "-m", str(self.spec.memory),
            "-netdev", f"tap,id=net,ifname={tap},script=no,downscript=no",
            "-device", f"virtio-net-pci,netdev=net,mac={self.spec.mac}",
            "-chardev", f"socket,id=console,{voice}",
            "-serial", "chardev:console",
            "-qmp", f"unix:{_quoted(self.monitor)},server=on,wait=off",
            "-boot", "n",
        ]  # fmt: skip
        for disk in self.spec.disks:
            command += ["-drive", f"file={_quoted(disk)},format=raw,if=virtio"]
        return command


_EVENTS: Final = {
    "RESET": Kind.NOTE,
    "SHUTDOWN": Kind.NOTE,
    "GUEST_PANICKED": Kind.NOTE,
    "STOP": Kind.STOPPED,
    "RESUME": Kind.STARTED,
}


def _quoted(path: Path) -> str:
    """A path as a value in one of QEMU's option lists."""
    return str(path).replace(",", ",,")
