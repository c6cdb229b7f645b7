"""Asking hosts directly. Real pings, as nobody, are in tests/real/test_monitors.py."""

from __future__ import annotations

import shutil
import socket

import pytest

from tests.lab import requires_real
from tests.runtime.monitors.support import Talk, hang, saying, serving, trickling, without_end
from threerc.runtime.errors import MonitorLost
from threerc.runtime.monitors.probe import AT_ONCE, answering
from threerc.runtime.world import Probed

NOBODY = Probed(frozenset())

# Fails at once, without a name server.
NOWHERE = "fe80::1%nosuch"


@pytest.mark.parametrize(
    ("talk", "answers"),
    [
        (saying(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), True),
        (saying(b"SSH-"), True),
        (saying(b"Welcome.\r\nNo entry.\r\nSSH-2.0-x\r\n"), True),
        (trickling(b"SSH-"), True),
        (saying(b""), False),
        (saying(b"HTTP/1.1 400 Bad Request SSH-2.0\r\n"), False),
        (saying(b"xSSH-2.0\r\n"), False),
        (hang, False),
        (trickling(b"x"), False),
        (without_end(b"", b"Welcome.\r\n"), False),
    ],
)
def test_ssh_is_known_by_its_banner(talk: Talk, answers: bool) -> None:
    with serving(talk) as port:
        found = answering({"a": "127.0.0.1"}, "ssh", 5 if answers else 0.3, port=port)
    assert found == Probed(frozenset({"a"} if answers else ()))


def test_all_are_asked_at_the_same_time() -> None:
    """Half a thousand that hang take as long as one."""
    with serving(hang) as port:
        hosts = {f"h{n}": "127.0.0.1" for n in range(500)}
        assert answering(hosts, "ssh", 0.5, port=port) == NOBODY


def test_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert answering({"a": "127.0.0.1"}, "ssh", port=bound.getsockname()[1]) == NOBODY


@pytest.mark.parametrize("kind", ["ssh", "ping", "none"])
def test_nobody_is_asked(kind: str) -> None:
    assert answering({}, kind) == NOBODY  # type: ignore[arg-type]


def test_without_a_probe_nobody_answers() -> None:
    assert answering({"a": "127.0.0.1"}, "none") == NOBODY


def test_more_than_a_process_has_open_files_are_asked_in_turns() -> None:
    """So many that hang still take no longer, and those that answer are found among them."""
    with serving(hang) as port:
        hosts = {f"h{n}": "127.0.0.1" for n in range(2 * AT_ONCE)}
        assert answering(hosts, "ssh", 4, port=port) == NOBODY


def test_whoever_there_was_no_time_for_is_not_taken_for_dead() -> None:
    with serving(hang) as port:
        hosts = {f"h{n}": "127.0.0.1" for n in range(AT_ONCE + 1)}
        found = answering(hosts, "ssh", 0.1, port=port)
    assert found == Probed(frozenset(), {f"h{AT_ONCE}": "there was no time for it"})


def test_silence_means_nothing_of_a_host_that_cannot_be_asked() -> None:
    """Also where others could be: it is no more dead for that."""
    hosts = {"a": NOWHERE, "b": "127.0.0.1"}
    with serving(saying(b"SSH-2.0-x\r\n")) as port:
        found = answering(hosts, "ssh", port=port)
    assert found.answer == {"b"}
    assert list(found.unasked) == ["a"]


def test_fping_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(MonitorLost, match="Debian: fping"):
        answering({"a": "127.0.0.1"}, "ping")


@requires_real()
def test_ping() -> None:
    hosts = {"a": "127.0.0.1", "b": "::1", "c": "-f", "d": NOWHERE}
    found = answering(hosts, "ping", 2)
    assert found.answer >= {"a"}
    assert found.unasked.keys() >= {"c", "d"}
