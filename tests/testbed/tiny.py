"""A tiny lab by hand: two switches, two hosts on both, each with an sshd, and one shared volume.

    python -m tests.testbed.tiny FOLDER [hold]

builds it and stays, for whoever wants to kill that; with `hold`, without letting the lab go.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Interface
from pathlib import Path

from threerc.testbed import client, runs
from threerc.testbed.client import Testbed
from threerc.testbed.parts import Bridge, CapsuleSpec, Card, Daemon, LabSpec, Lay, Ready, Volume

BRIDGES = (Bridge("lan-a", "lan", "a", ("lan-b",)), Bridge("lan-b", "lan", "b", ("lan-a",)))
HOSTS = ("alfa01", "alfa02")
FIRST, SECOND = HOSTS
SECOND_ADDRESS = "192.168.7.2"
SSHD = """\
HostKey /etc/ssh/testbed_key
PermitRootLogin yes
UsePAM no
"""


def spec(folder: Path) -> LabSpec:
    """Both hosts; their host key is made in the folder, by whose name what is theirs is known."""
    key = folder / "key"
    if not key.exists():
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
        subprocess.run(make, check=True)
    hosts = tuple(host(number, folder) for number, _ in enumerate(HOSTS, 1))
    return LabSpec("tiny", BRIDGES, hosts)


def host(number: int, folder: Path) -> CapsuleSpec:
    address = IPv4Interface(f"192.168.7.{number}/24")
    card = Card("eth0", f"02:00:00:00:07:{number:02x}", ("lan-a", "lan-b"), (address,))
    return CapsuleSpec(
        HOSTS[number - 1],
        "physical",
        (card,),
        files=(Lay("/mark", folder.name),),
        volumes=(Volume(folder / "volume.img", "/dev/drbd7", 8),),
        daemons=(sshd(folder / "key"),),
    )


def sshd(key: Path) -> Daemon:
    return Daemon(
        "sshd",
        ("sshd", "-D", "-e", "-f", "/etc/ssh/testbed_config"),
        Ready("tcp", "22"),
        files=(
            Lay("/etc/ssh/testbed_config", SSHD),
            Lay("/etc/ssh/testbed_key", source=key, mode=0o600),
        ),
        folders=(("/run/sshd", "root", 0o755),),
    )


def with_daemons(lab: LabSpec, *daemons: Daemon) -> LabSpec:
    """It with these daemons on its first host instead."""
    first, *others = lab.capsules
    return replace(lab, capsules=(replace(first, daemons=daemons), *others))


def up(lab: LabSpec, work: Path | None = None) -> Testbed:
    with runs.create(lab.site, work) as (run, lock), client.start(lab, run, lock) as held:
        return held.let_go()


@contextmanager
def running(lab: LabSpec) -> Iterator[Testbed]:
    """It, from when it is up until the block is left."""
    testbed = up(lab)
    try:
        yield testbed
    finally:
        testbed.down()


def hold(lab: LabSpec) -> None:
    with runs.create(lab.site) as (run, lock), client.start(lab, run, lock):
        print("held", flush=True)  # noqa: T201
        time.sleep(600)


if __name__ == "__main__":
    folder, *how = sys.argv[1:]
    if how:
        hold(spec(Path(folder)))
    up(spec(Path(folder)))
    print("up", flush=True)  # noqa: T201
    time.sleep(600)
