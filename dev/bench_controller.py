"""Measure what the controller promises about speed: a tick's decisions, and reading Ganglia's XML.

Each figure is the median of several runs in a process of its own on one core. `make bench` runs it.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

if TYPE_CHECKING:
    from threerc.runtime.config import ControllerConfig
    from threerc.runtime.observation import Observation

ROOT = Path(__file__).resolve().parents[1]
SITES = {(2_000, 20): 0.05, (10_000, 500): 0.5}
BACK = (10_000, 20)
HOSTS, METRICS = 10_500, 30
RUNS = 5


def site(vms: int, hosts: int) -> dict[str, Any]:
    """A controller.yaml of that size as data."""
    return {
        "version": 1,
        "site": "bench",
        "domain": "example.org",
        "user": "ha",
        "state_directory": "/var/spool/ha",
        "controllers": {"bibe": "every"},
        "recovery": {
            "steps": {"reboot": 0, "restart": 1, "reinstall": 0},
            "waits": {"reboot": 200, "restart": 200, "reinstall": 600},
            "history": 3600,
            "limit": {"restarts": 5, "within": 3600},
        },
        "monitors": {
            "cluster": "bench",
            "poll_interval": 15,
            "collectors": [{"host": "bibe", "address": "127.0.0.1", "port": 8649}],
        },
        "physical_hosts": {
            f"ph{n:03}": {"maxl": 10, "cpus": 64, "memory": 1 << 40, "hypervisor": "libvirt"}
            for n in range(hosts)
        },
        "virtual_machines": {
            f"vm{n:05}": {"home": f"ph{n % hosts:03}", "memory": 1 << 30} for n in range(vms)
        },
    }


def timed(run: Callable[[], object]) -> float:
    """The median seconds of several runs."""
    seconds: list[float] = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def decide(vms: int, hosts: int) -> dict[str, float]:
    """Decision and placement with one physical host dead; reading the same site as JSON."""
    from threerc.runtime.config import ControllerConfig
    from threerc.runtime.controller import tick
    from threerc.runtime.observation import Observation, Seen
    from threerc.runtime.simulation.store import MemoryStore

    data = site(vms, hosts)
    text = json.dumps(data)
    config = ControllerConfig.model_validate(data)
    homes = {name: vm.home for name, vm in config.virtual_machines.items()}
    names = (*config.physical_hosts, *homes)
    seen = {n: Seen(0.5, 100.0 if homes.get(n, n) == "ph000" else 10.0) for n in names}

    class World:
        """As much of a world as deciding needs."""

        store, zone = MemoryStore(), None

        def now(self) -> float:
            return 1e9

        def lacking(self) -> str:
            return ""

        def observe(self) -> Observation:
            return Observation(seen, "bench")

    world: Any = World()
    report = tick(world, config, "bibe", act=False)
    assert len(report.cases) == vms // hosts, report  # noqa: S101 - all of them, and no brake
    return {
        "seconds": timed(lambda: tick(world, config, "bibe", act=False)),
        "reference": timed(lambda: json.loads(text)),
    }


class Obedient:
    """A physical host that does what it is told, in no time."""

    def __init__(self, leave: Callable[[], float] | None) -> None:
        self.leave = leave

    def running(self) -> frozenset[str]:
        """Nothing."""
        return frozenset()

    def kill(self, _vm: str) -> None:
        """Ask for leave, as the real ones do."""
        if self.leave is not None:
            self.leave()

    start = kill


class Fallen:
    """As much of a world as bringing VMs back needs: those of one host are silent."""

    zone = None

    def __init__(self, config: ControllerConfig, folder: Path) -> None:
        from threerc.runtime.memory import Memory
        from threerc.runtime.stores.directory import DirectoryStore
        from threerc.runtime.threads import together

        self.config = config
        self.store = DirectoryStore.create(folder)
        self.together = together
        memory = Memory(self.store, None, "bibe", self.now())
        memory.load()
        memory.note(())  # or the first tick would only look

    def now(self) -> float:
        """The clock."""
        return time.time()

    def lacking(self) -> str:
        """Nothing."""
        return ""

    def observe(self) -> Observation:
        """All is well, but for the VMs of ph000 and itself."""
        from threerc.runtime.observation import Observation, Seen

        homes = {name: vm.home for name, vm in self.config.virtual_machines.items()}
        names = (*self.config.physical_hosts, *homes)
        return Observation(
            {n: Seen(0.5, 100.0 if homes.get(n, n) == "ph000" else 10.0) for n in names}, "bench"
        )

    def hypervisor(self, _host: str, leave: Callable[[], float] | None = None) -> Obedient:
        """Any host."""
        return Obedient(leave)

    def tell(self, _events: object) -> tuple[()]:
        """Nobody."""
        return ()


def bring_back(vms: int, hosts: int) -> dict[str, float]:
    """A whole tick that brings back the VMs of a dead host, on a shared directory.

    The reference is writing two small files for each of these VMs, one after another.
    """
    from threerc.runtime.config import ControllerConfig
    from threerc.runtime.controller import tick
    from threerc.runtime.stores.files import create

    data = site(vms, hosts)
    for host in data["physical_hosts"].values():
        host["cpus"] = 1024
    config = ControllerConfig.model_validate(data)
    dead = vms // hosts

    def run(folder: Path) -> None:
        world: Any = Fallen(config, folder)
        cases = tick(world, config, "bibe").cases
        assert sum(case.step is not None for case in cases) == dead  # noqa: S101 - all of them

    def write(folder: Path) -> None:
        folder.mkdir()
        for number in range(2 * dead):
            create(str(folder / str(number)), b"x" * 100)

    with TemporaryDirectory(prefix="3rc-bench-", dir=ROOT / "dev") as around:
        folders = (Path(around) / str(number) for number in itertools.count())
        return {
            "seconds": timed(lambda: run(next(folders))),
            "reference": timed(lambda: write(next(folders))),
        }


def xml() -> bytes:
    """What gmond tells of many hosts."""
    metric = (
        '<METRIC NAME="{}" VAL="1.25" TYPE="float" UNITS=" " TN="12" TMAX="70" DMAX="0" '
        'SLOPE="both"><EXTRA_DATA><EXTRA_ELEMENT NAME="GROUP" VAL="load"/><EXTRA_ELEMENT '
        'NAME="DESC" VAL="A metric of the bench"/></EXTRA_DATA></METRIC>\n'
    )
    names = ["load_five", *(f"metric_{n}" for n in range(METRICS - 1))]
    metrics = "".join(metric.format(name) for name in names)
    now = 1_000_000_000
    host = (
        '<HOST NAME="{}.example.org" IP="10.0.0.1" TAGS="" REPORTED="{}" TN="5" TMAX="20" '
        'DMAX="0" LOCATION="unspecified" GMOND_STARTED="1">\n{}</HOST>\n'
    )
    # A collector tells of itself too, or it would not be believed.
    hosts = ["bibe", *(f"vm{n:05}" for n in range(HOSTS - 1))]
    body = "".join(host.format(name, now - 5, metrics) for name in hosts)
    return (
        '<?xml version="1.0" encoding="ISO-8859-1" standalone="yes"?>\n'
        '<GANGLIA_XML VERSION="3.7.2" SOURCE="gmond">\n'
        f'<CLUSTER NAME="bench" LOCALTIME="{now}" OWNER="" LATLONG="" URL="">\n'
        f"{body}</CLUSTER>\n</GANGLIA_XML>\n"
    ).encode()


@contextmanager
def served(text: bytes) -> Iterator[int]:
    """The text on a local port, to everyone who connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(text)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def read(port: int) -> dict[str, float]:
    """Reading that XML from a port; peak memory of the whole process in MiB."""
    from threerc.runtime.config import ControllerConfig
    from threerc.runtime.monitors import from_config

    data = site(1, 1)
    data["monitors"]["collectors"][0]["port"] = port
    (monitor,) = from_config(ControllerConfig.model_validate(data))
    seconds = timed(monitor.read)
    # Not ru_maxrss, which begins with what the process was before it became this program.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return {"seconds": seconds, "memory": int(peak.split()[1]) / 1024}


def parse(port: int) -> dict[str, float]:
    """The reference: expat without any handler on the same stream."""

    def run() -> None:
        with socket.create_connection(("127.0.0.1", port)) as stream:
            parser = expat.ParserCreate()
            while chunk := stream.recv(1 << 16):
                parser.Parse(chunk)

    return {"seconds": timed(run)}


def alone(*arguments: str) -> dict[str, float]:
    """One of the above, in a process of its own on one core."""
    core = str(max(os.sched_getaffinity(0)))
    command = ["taskset", "-c", core, sys.executable, __file__, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def section() -> list[str]:
    """The lines of docs/performance.md about the controller."""
    lines = [
        "## The controller",
        "",
        "Decision and placement of one tick with one physical host dead; the reference is reading",
        "the same site's controller.yaml with Python's json. For orientation: on such a machine",
        "hbal (Ganeti) needs 1.37 s and crm_simulate (Pacemaker) 4.37 s for 2,000 VMs on 20 hosts.",
        "",
        "| VMs | physical hosts | s | at most | ratio |",
        "|---:|---:|---:|---:|---:|",
    ]
    for (vms, hosts), most in SITES.items():
        found = alone("decide", str(vms), str(hosts))
        ratio = found["seconds"] / found["reference"]
        lines.append(f"| {vms:,} | {hosts} | {found['seconds']:.3f} | {most} | {ratio:.1f} |")
    vms, hosts = BACK
    back = alone("bring_back", str(vms), str(hosts))
    ratio = back["seconds"] / back["reference"]
    lines += [
        "",
        f"A whole tick that brings back {vms // hosts} VMs of {vms:,}, all that were on one host,",
        f"with the state in a directory on the local disk: {back['seconds']:.2f} s, which is",
        f"{ratio:.1f} times what writing two small files for each of these VMs takes. The",
        "hosts' own time is not in it.",
    ]
    text = xml()
    with served(text) as port:
        ours, reference = alone("read", str(port)), alone("parse", str(port))
    ratio = ours["seconds"] / reference["seconds"]
    return [
        *lines,
        "",
        f"Reading Ganglia's XML of {HOSTS:,} hosts with {METRICS} metrics each from a local port",
        f"({len(text) >> 20} MiB): {ours['seconds']:.2f} s, {ours['memory']:.0f} MiB at the peak;",
        "at most 2 s and 200 MiB.",
        f"That is {ratio:.1f} times what expat alone takes for the same stream.",
        "",
    ]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["decide", vms, hosts]:
            print(json.dumps(decide(int(vms), int(hosts))))
        case ["bring_back", vms, hosts]:
            print(json.dumps(bring_back(int(vms), int(hosts))))
        case ["read", port]:
            print(json.dumps(read(int(port))))
        case ["parse", port]:
            print(json.dumps(parse(int(port))))
        case _:
            print("\n".join(section()))
