"""Virtual machines that boot from the lab's network."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.lab.namespace import Namespace
from tests.lab.process import LabError, printed, running, tail, wait_until

_MEMORY_MIB: Final = 128


@dataclass(frozen=True)
class Machine:
    """A running machine; `console` is the file that its serial port is written to."""

    name: str
    console: Path
    logs: Path
    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)

    def wait_for(self, text: str, seconds: float) -> float:
        """Wait for a text on the serial console; return how long after power-on it was there.

        LabError says what was waited for and for how long, and carries the ends of all logs.
        """
        try:
            wait_until(lambda: self.said(text), f"{text!r} on its console", self.process, seconds)
        except LabError as error:
            logs = "".join(tail(log) for log in sorted(self.logs.glob("*.log")))
            raise LabError(f"{self.name}: {error}\n{logs}") from error
        return time.monotonic() - self.started

    def said(self, text: str) -> bool:
        """Whether the text has been on the serial console."""
        return self.console.exists() and text in printed(self.console)


@contextmanager
def machine(
    net: Namespace,
    *,
    mac: str,
    disks: Sequence[Path] = (),
    name: str = "machine",
    memory: int = _MEMORY_MIB,
    arguments: Sequence[str] = (),
) -> Iterator[Machine]:
    """Switch on a machine that boots from the network; `disks` are raw images, in BIOS order.

    It has `memory` MiB, and whatever QEMU's other `arguments` give it. It is switched off hard at
    the end of the block.
    """
    console = net.work / f"{name}.console.log"
    console.unlink(missing_ok=True)
    with net.tap(mac) as tap:
        command = net.command(
            "qemu-system-x86_64", *_arguments(mac, tap, disks, console, memory), *arguments
        )
        with running(command, net.work / f"{name}.qemu.log") as process:
            yield Machine(name, console, net.work, process)


def _arguments(mac: str, tap: str, disks: Sequence[Path], console: Path, memory: int) -> list[str]:
    arguments = [
        "-nodefaults", "-no-user-config", "-display", "none",
        # The firmware's screen goes to the serial port too: iPXE's and pxelinux's own words.
        "-machine", "pc,graphics=off",
        "-accel", "tcg,thread=multi", "-m", str(memory),
        "-netdev", f"tap,id=net,ifname={tap},script=no,downscript=no",
        "-device", f"virtio-net-pci,netdev=net,mac={mac}",
        "-chardev", f"file,id=console,path={_quoted(console)}",
        "-serial", "chardev:console",
        "-boot", "n",
    ]  # fmt: skip
    for disk in disks:
        arguments += ["-drive", f"file={_quoted(disk)},format=raw,if=virtio"]
    return arguments


def _quoted(path: Path) -> str:
    """A path as a value in one of QEMU's option lists."""
    return str(path).replace(",", ",,")
