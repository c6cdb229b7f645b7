"""What a lying monitor says, as the controllers read it; and the liar itself."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.lab import requires_real
from threerc.runtime.monitors.ganglia_xml import GangliaXml, Host
from threerc.testbed import lying

BEGAN = 5000.5
TRUTH = b"""<?xml version="1.0" encoding="ISO-8859-1" standalone="yes"?>
<GANGLIA_XML VERSION="3.7.2" SOURCE="gmond">
<CLUSTER NAME="CI" LOCALTIME="5000" OWNER="3RC">
<HOST NAME="vm1.ci.example.org" IP="192.168.30.21" REPORTED="4997" TN="3" TMAX="20" DMAX="0">
<METRIC NAME="load_five" VAL="0.5" TYPE="float" TN="1" TMAX="325"/>
</HOST>
<HOST NAME="vm11" IP="192.168.30.22" REPORTED="4999" TN="1" TMAX="20" DMAX="0">
</HOST>
</CLUSTER>
</GANGLIA_XML>
"""
LATER = TRUTH.replace(b"5000", b"5060").replace(b"4997", b"5058").replace(b"4999", b"5055")


def hosts(mode: str, now: float, *silent: str) -> dict[str, Host]:
    said = lying.lie(mode, TRUTH, BEGAN, silent)(LATER, now)
    document = GangliaXml()
    document.feed(said)
    (cluster,) = document.close()
    return {host.name: host for host in cluster.hosts}


def silence(mode: str, now: float) -> dict[str, int]:
    return {name.partition(".")[0]: host.tn for name, host in hosts(mode, now).items()}


def test_one_that_is_frozen_says_the_same_for_ever() -> None:
    assert lying.lie("frozen", TRUTH, BEGAN)(LATER, BEGAN + 60) == TRUTH


def test_one_that_is_stale_knows_that_its_data_grow_old() -> None:
    assert silence("stale", BEGAN) == {"vm1": 3, "vm11": 1}
    assert silence("stale", BEGAN + 60) == {"vm1": 63, "vm11": 61}
    found = hosts("stale", BEGAN + 60)["vm1.ci.example.org"]
    assert (found.reported, found.load) == (4997, 0.5)


def test_an_empty_one_knows_no_host() -> None:
    assert hosts("empty", BEGAN) == {}


def test_hosts_that_are_silent_to_it_and_no_others() -> None:
    found = hosts("silent", BEGAN + 60, "vm1")
    assert (found["vm1.ci.example.org"].reported, found["vm1.ci.example.org"].tn) == (4900, 160)
    assert (found["vm11"].reported, found["vm11"].tn) == (5055, 1)
    assert found["vm1.ci.example.org"].load == 0.5


@pytest.fixture
def network() -> Iterator[str]:
    """A network namespace, so that nothing of the machine's own is redirected."""
    name = f"3rc-lying-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


PORT = 8651
INSIDE = f"""
import socket, sys, threading
from threerc.testbed import lying
served = socket.create_server(("", {PORT}))
def serve():
    while True:
        connection, _ = served.accept()
        connection.sendall({TRUTH!r})
        connection.close()
threading.Thread(target=serve, daemon=True).start()
def asked():
    with socket.create_connection(("127.0.0.1", {PORT}), 10) as connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))
said = [asked()]
for mode in ("empty", "frozen"):
    lying.begin({PORT}, mode, [])
    said.append(asked())
lying.end({PORT})
lying.end({PORT})
print([each.count(b"<HOST ") for each in (*said, asked())])
"""


@requires_real()
def test_whoever_asks_reaches_the_liar_and_then_the_true_one_again(network: str) -> None:
    command = ["ip", "netns", "exec", network, sys.executable, "-c", INSIDE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "[2, 0, 2, 2]\n", done.stderr
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", PORT + 10_000), 1)
