"""A small site of two physical hosts for the tests of hypervisors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.runtime.hypervisors.sshd import Keys
from threerc.runtime.config import ControllerConfig

HOSTS = ("alfa01", "alfa02")
# Names that are parts of one another, and one that a hypervisor may take for its own number.
MACHINES = ("vrt1", "vrt10", "1")
MIRRORED = "gridse"
MIB = 1 << 20


def site(
    keys: Keys, addresses: dict[str, str], port: int, kind: str, images: Path, **more: Any
) -> ControllerConfig:
    """controller.yaml's content for hosts of one kind at these addresses."""
    machine = {"home": "alfa01", "memory": 64 * MIB, "disk": 8 * MIB}
    boot = {"links": ["C0A8011F"], "declared": "local", "install": "sl4-32"}
    machines: dict[str, Any] = {
        name: {**machine, "mac": f"02:00:00:00:02:{number:02x}"}
        for number, name in enumerate(MACHINES)
    }
    machines["vrt1"]["boot"] = boot
    machines[MIRRORED] = {**machine, "mac": "02:00:00:00:02:10", "volume": MIRRORED}
    volume = {"minor": 3, "port": 7790, "size": 8 * MIB}
    peers = dict.fromkeys(HOSTS, "/dev/vg0/gridse")
    return ControllerConfig.model_validate(
        {
            "version": 1,
            "site": "test",
            "domain": "example.org",
            "user": "ha",
            "state_directory": "/var/spool/ha",
            "known_hosts": str(keys.known_hosts),
            "controllers": {"bibe": "every"},
            "recovery": {
                "steps": {"reboot": 1, "restart": 1, "reinstall": 1},
                "waits": {"reboot": 200, "restart": 200, "reinstall": 600},
                "history": 3600,
                "limit": {"restarts": 5, "within": 3600},
            },
            "monitors": {"cluster": "test", "poll_interval": 15},
            "ssh": {"key": str(keys.user), "port": port, "connect": 15},
            "deadline": 30,
            "images": str(images),
            "volumes": {MIRRORED: {**volume, "peers": peers}},
            "physical_hosts": {
                name: {"address": address, "maxl": 1000.0, "hypervisor": kind, "kvm": False}
                for name, address in addresses.items()
            },
            "virtual_machines": machines,
            **more,
        }
    )
