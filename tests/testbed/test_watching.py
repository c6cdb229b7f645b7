"""What the watcher makes of libvirt's events and of what machines say."""

from __future__ import annotations

import os
import socket
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from threerc.testbed.events import Event, Kind
from threerc.testbed.watching import Console, Watcher, event_of, said

STAMP = "2026-11-25 03:24:32.250+0000"


@pytest.mark.parametrize(
    ("line", "kind", "what"),
    [
        ("event 'lifecycle' for domain 'vm1': Started Booted", Kind.STARTED, "started booted"),
        (
            "event 'lifecycle' for domain 'vm1': Stopped Destroyed",
            Kind.STOPPED,
            "stopped destroyed",
        ),
        ("event 'lifecycle' for domain 'vm1': Stopped Crashed", Kind.STOPPED, "stopped crashed"),
        ("event 'lifecycle' for domain 'vm1': Suspended Paused", Kind.STOPPED, "suspended paused"),
        ("event 'reboot' for domain 'vm1'", Kind.NOTE, "reboot"),
    ],
)
def test_what_libvirt_tells(line: str, kind: Kind, what: str) -> None:
    event = event_of(f"{STAMP}: {line}\n", "ph1")
    assert event == Event(1795577072.25, kind, "vm1", {"host": "ph1", "what": what})


@pytest.mark.parametrize(
    "line",
    [
        f"{STAMP}: event 'lifecycle' for domain 'vm1': Defined Added",
        f"{STAMP}: event 'rtc-change' for domain 'vm1': 3",
        "events received: 0",
        "",
    ],
)
def test_what_is_of_no_interest(line: str) -> None:
    assert event_of(line, "ph1") is None


@pytest.mark.parametrize(
    ("line", "kind", "phase", "text"),
    [
        ("3RC-INSTALL unpack 12.5", Kind.INSTALLING, "unpack", "12.5"),
        ("3RC-INSTALL installed 30.1", Kind.INSTALLED, "installed", "30.1"),
        ("3RC-INSTALL failed no /dev/sda", Kind.INSTALLING, "failed", "no /dev/sda"),
        ("3RC-BOOT ssh 4.2", Kind.NOTE, "ssh", "4.2"),
        ("[    1.0] x 3RC-BOOT gmond 4.9", Kind.NOTE, "gmond", "4.9"),
    ],
)  # fmt: skip
def test_what_a_machine_says(line: str, kind: Kind, phase: str, text: str) -> None:
    event = said(line, "vm1", 5.0)
    assert event is not None
    assert (event.time, event.kind, event.of) == (5.0, kind, "vm1")
    assert (event.detail["phase"], event.detail["text"]) == (phase, text)


def test_most_of_what_a_machine_says_is_no_event() -> None:
    assert said("Debian GNU/Linux 12 vm1 ttyS0", "vm1", 5.0) is None


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[tuple[int, Console]]:
    """A machine's end of a serial line, and the console at the other."""
    own, other = os.openpty()
    tty.setraw(other)
    os.set_blocking(other, False)
    console = Console("vm1", other, tmp_path / "log", tmp_path / "vm1")
    yield own, console
    os.close(own)
    console.close()


def test_the_log_has_whole_lines_with_times(machine: tuple[int, Console], tmp_path: Path) -> None:
    own, console = machine
    os.write(own, b"Linux version 6.1\r\n3RC-INSTALL net")
    assert console.read() == []
    os.write(own, b"work 3.0\r\n")
    (event,) = console.read() or []
    assert (event.kind, event.detail["phase"]) == (Kind.INSTALLING, "network")
    first, second = (tmp_path / "log").read_text().splitlines()
    assert first.endswith(" Linux version 6.1")
    assert second.endswith(" 3RC-INSTALL network 3.0")
    assert first.startswith("20")


def test_a_machine_is_up_with_the_last_of_its_services(machine: tuple[int, Console]) -> None:
    own, console = machine

    def kinds(*lines: str) -> list[Kind]:
        os.write(own, "".join(f"{line}\r\n" for line in lines).encode())
        return [event.kind for event in console.read() or []]

    assert kinds("3RC-BOOT gmond 4.9") == [Kind.NOTE]
    assert kinds("3RC-BOOT ssh 5.0") == [Kind.NOTE, Kind.BOOTED]
    # It dies in the middle of the next start: what was up then is not any more.
    assert kinds("3RC-BOOT ssh 4.0") == [Kind.NOTE]
    assert kinds("[    0.000000] Linux version 6.1", "3RC-BOOT gmond 4.5") == [Kind.NOTE]
    assert kinds("3RC-BOOT ssh 4.6") == [Kind.NOTE, Kind.BOOTED]


def test_who_connects_sees_and_types(machine: tuple[int, Console], tmp_path: Path) -> None:
    own, console = machine
    with socket.socket(socket.AF_UNIX) as person:
        person.connect(str(tmp_path / "vm1"))
        client, _ = console.listener.accept()
        console.clients.append(client)
        os.write(own, b"login: ")
        assert console.read() == []
        assert person.recv(100) == b"login: "
        person.sendall(b"root\n")
        assert console.type(client)
        assert os.read(own, 100) == b"root\n"
    assert not console.type(client)


def test_a_console_ends_with_its_machine(tmp_path: Path) -> None:
    own, other = os.openpty()
    os.set_blocking(other, False)
    console = Console("vm1", other, tmp_path / "log", tmp_path / "vm1")
    os.close(own)
    assert console.read() is None
    console.close()


def watching(machine: tuple[int, Console], folder: Path) -> tuple[Watcher, socket.socket]:
    """A watcher of the machine, and a person who looks on."""
    watcher = Watcher("ph1", folder / "events", folder, folder)
    watcher.attend(machine[1])
    person = socket.socket(socket.AF_UNIX)
    person.connect(str(folder / "vm1"))
    heed(watcher)
    return watcher, person


def heed(watcher: Watcher) -> None:
    for key, _ in watcher.selector.select(1):
        key.data()


def test_an_end_that_libvirt_and_the_terminal_tell_at_once(tmp_path: Path) -> None:
    own, other = os.openpty()
    os.set_blocking(other, False)
    machine = own, Console("vm1", other, tmp_path / "log", tmp_path / "vm1")
    watcher, person = watching(machine, tmp_path)
    os.close(own)
    person.close()
    both = watcher.selector.select(1)
    assert len(both) == 2
    watcher.heed(Event(5.0, Kind.STOPPED, "vm1", {"host": "ph1", "what": "stopped destroyed"}))
    for key, _ in both:
        key.data()
    assert watcher.consoles == {}


def test_who_does_not_look_delays_nobody_for_ever(
    machine: tuple[int, Console], tmp_path: Path
) -> None:
    watcher, person = watching(machine, tmp_path)
    (client,) = machine[1].clients
    client.settimeout(0.01)
    with person:
        for _ in range(1000):  # more than the socket's buffer has room for
            os.write(machine[0], b"x" * 1024)
            heed(watcher)
    assert machine[1].clients == []
    assert list(watcher.consoles) == ["vm1"]
