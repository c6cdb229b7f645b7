"""Two physical hosts with a real sshd each, and stand-ins for the programs of a hypervisor."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.runtime.hypervisors.site import HOSTS, site
from tests.runtime.hypervisors.sshd import Keys, free_port, settings, sshd
from threerc.runtime.config import ControllerConfig

STANDINS: Final = Path(__file__).parent / "standins"
PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"
ADDRESSES: Final = dict(zip(HOSTS, ("127.0.0.11", "127.0.0.12"), strict=True))


@dataclass
class StandinHosts:
    """Hosts whose programs' states are JSON files `<host>/<program>.json` in `work`."""

    work: Path
    config: ControllerConfig
    sshds: dict[str, subprocess.Popen[bytes]]

    def state(self, host: str, program: str) -> dict[str, Any]:
        """What a stand-in knows."""
        state = json.loads((self.work / host / f"{program}.json").read_text())
        assert isinstance(state, dict)
        return state

    def change(self, host: str, program: str, **changes: Any) -> None:
        """Let a stand-in know something else."""
        path = self.work / host / f"{program}.json"
        path.write_text(json.dumps({**self.state(host, program), **changes}))

    def home(self, host: str) -> Path:
        """Where sshd sends the controllers' user."""
        return self.work / host

    def stop(self, host: str) -> int:
        """Let the host's sshd hang."""
        parent = self.sshds[host].pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGSTOP)
        return int(children[0])


@contextmanager
def standin_hosts(
    work: Path, kind: str, programs: Mapping[str, tuple[str, dict[str, Any]]]
) -> Iterator[StandinHosts]:
    """The hosts; `programs` are their names, each with its stand-in and that one's first state."""
    keys = Keys.make(work / "keys", HOSTS)
    port = free_port(list(ADDRESSES.values()))
    images = work / "images"
    images.mkdir()
    config = site(keys, ADDRESSES, port, kind, images)
    with ExitStack() as stack:
        sshds = {}
        for host, address in ADDRESSES.items():
            folder = install(work / host, programs)
            conf = settings(work / host, keys, address, port, f"{folder}:{PATH}")
            sshds[host] = stack.enter_context(sshd(conf, address, port))
        yield StandinHosts(work, config, sshds)


def install(work: Path, programs: Mapping[str, tuple[str, dict[str, Any]]]) -> Path:
    """A folder with the programs of one host."""
    folder = work / "bin"
    folder.mkdir(parents=True)
    for name, (standin, state) in programs.items():
        known = work / f"{standin}.json"
        known.write_text(json.dumps(state))
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec python3 -I "{STANDINS}/{standin}.py" "{known}" "$@"\n')
        program.chmod(0o755)
    return folder
