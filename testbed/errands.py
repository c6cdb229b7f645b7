"""What the testbed has to do as a controller, inside a controller's capsule, by its own code.

python -m threerc.testbed.errands CONFIG start HOST VM     switch a virtual machine on
python -m threerc.testbed.errands CONFIG where             who runs what, as JSON
python -m threerc.testbed.errands CONFIG heard             whom each collector lists, as JSON
python -m threerc.testbed.errands CONFIG polled            the same of each gmetad
python -m threerc.testbed.errands CONFIG looked            when each controller looked last, as JSON
python -m threerc.testbed.errands CONFIG boards            whose power is on, as JSON
python -m threerc.testbed.errands CONFIG forget VM         as if it had never failed
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from threerc.runtime.config import ControllerConfig, Endpoint, load
from threerc.runtime.errors import ControllerError
from threerc.runtime.hypervisors import open_hypervisor
from threerc.runtime.memory import Look
from threerc.runtime.monitors.ganglia_xml import GangliaXml
from threerc.runtime.power import open_power
from threerc.runtime.records import Record
from threerc.runtime.stores import open_store

_SECONDS: Final = 10.0
_CHUNK: Final = 1 << 16


def where(config: ControllerConfig) -> dict[str, list[str] | None]:
    """The VMs that each physical host says it runs; None where it does not answer."""
    found: dict[str, list[str] | None] = {}
    for host in config.physical_hosts:
        try:
            found[host] = sorted(open_hypervisor(config, host).running())
        except ControllerError:
            found[host] = None
    return found


def heard(config: ControllerConfig) -> dict[str, dict[str, int]]:
    """By collector: the hosts that it has heard, and how many seconds ago; none by a dead one."""
    return {endpoint.host: _heard(endpoint) for endpoint in config.monitors.collectors}


def polled(config: ControllerConfig) -> dict[str, dict[str, int]]:
    """By gmetad: the hosts that it knows, and how many seconds ago they were heard."""
    return {endpoint.host: _heard(endpoint) for endpoint in config.monitors.gmetad}


def looked(config: ControllerConfig) -> dict[str, float]:
    """When each controller looked at the site last; 0 where it never did."""
    store = open_store(config)
    found = {name: store.get(f"seen/{name}") for name in config.controllers}
    return {name: each.read(Look).tick if each else 0.0 for name, each in found.items()}


def boards(config: ControllerConfig) -> dict[str, bool | None]:
    """Whether the power of each host is on that has a board; None where it does not say."""
    found: dict[str, bool | None] = {}
    for host in config.physical_hosts:
        with suppress(ControllerError):
            power = open_power(config, host)
            if power is not None:
                found[host] = None
                found[host] = power.is_on()
    return found


def _heard(endpoint: Endpoint) -> dict[str, int]:
    try:
        clusters = _read(endpoint).close()
    except (ControllerError, OSError):
        return {}
    return {host.name.partition(".")[0]: host.tn for each in clusters for host in each.hosts}


def forget(config: ControllerConfig, vm: str) -> None:
    """Clear what the controllers remember of a machine, as a month without a failure would."""
    store = open_store(config)
    found = store.get(f"vm/{vm}")
    if found is not None:
        old = Record.load(found.value)
        new = Record(host=old.host, up=time.time() if old.up is None else old.up)
        store.put(f"vm/{vm}", new.dump(), found.version)


def _read(endpoint: Endpoint) -> GangliaXml:
    document = GangliaXml()
    address = (str(endpoint.address or endpoint.host), endpoint.port)
    with socket.create_connection(address, _SECONDS) as connection:
        while chunk := connection.recv(_CHUNK):
            document.feed(chunk)
    return document


_QUESTIONS: Final[dict[str, Callable[[ControllerConfig], object]]] = {
    each.__name__: each for each in (where, heard, polled, looked, boards)
}


def main(arguments: Sequence[str]) -> int:
    """Do an errand; the exit status says whether it was done."""
    path, errand, *names = arguments
    try:
        config = load(Path(path))
        if errand == "start":
            host, vm = names
            open_hypervisor(config, host).start(vm)
        elif errand == "forget":
            (vm,) = names
            forget(config, vm)
        else:
            sys.stdout.write(json.dumps(_QUESTIONS[errand](config)))
    except ControllerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
