"""The rules for capacity."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.rules.checking import Case

HOSTS = """
physical_hosts:
  p1: {address: 192.168.1.1, memory: 16GiB, cpus: 4}
  p2: {address: 192.168.1.2, memory: 8GiB, cpus: 2}
"""

CASES = [
    Case(
        "vm-fits-host",
        "CPUs at home, memory at home, and elsewhere as a warning",
        HOSTS
        + """
virtual_machines:
  a:
    address: 192.168.1.11
    home: p1
    cpus: 5  # !
    memory: 17GiB  # !
  b:
    address: 192.168.1.12
    home: p1
    memory: 12GiB
    allowed:
      - p2  # !
""",
        "a has 5 CPUs, p1 only 4",
    ),
    Case(
        "vm-fits-host",
        "exactly, and one that may by default run where it does not fit",
        HOSTS
        + """
virtual_machines:
  a: {address: 192.168.1.11, home: p2, cpus: 2, memory: 8GiB}
  b: {address: 192.168.1.12, home: p1, cpus: 4, memory: 16GiB}
""",
    ),
    Case(
        "memory-fits",
        "together too large",
        """
        physical_hosts:
          p1:
            address: 192.168.1.1
            memory: 16GiB  # !
        virtual_machines:
          a: {address: 192.168.1.11, home: p1, memory: 8GiB}
          b: {address: 192.168.1.12, home: p1, memory: 8.5GiB}
        """,
        "a, b at home on p1 need 16.5 GiB of memory, it has 16 GiB",
        "error",
    ),
    Case(
        "memory-fits",
        "together exactly, and on a host of unknown memory",
        """
        physical_hosts:
          p1: {address: 192.168.1.1, memory: 16GiB}
          p2: {address: 192.168.1.2}
        virtual_machines:
          a: {address: 192.168.1.11, home: p1, memory: 8GiB}
          b: {address: 192.168.1.12, home: p1, memory: 8GiB}
          c: {address: 192.168.1.13, home: p2, memory: 1TiB}
        """,
    ),
    Case(
        "disk-fits",
        "a VM and half of a volume on an array",
        """
        physical_hosts:
          p1:
            address: 192.168.1.1
            disks:  # !
              - {device: sda, size: 100GB}
              - {device: sdb, size: 100GB}
            raid: {level: 1, disks: [sda, sdb]}
          p2: {address: 192.168.1.2}
        virtual_machines:
          a: {address: 192.168.1.11, home: p1, disk: 60GB}
          b: {address: 192.168.1.12, home: p1, disk: 40GB, volume: v}
        volumes:
          v: {peers: [p2, p1], disk: /dev/a, size: 41GB}
        """,
        "VMs and volumes on p1 need 94.06 GiB of disk, it has 93.13 GiB",
    ),
    Case(
        "disk-fits",
        "exactly",
        """
        physical_hosts:
          p1: {address: 192.168.1.1, disks: [{device: sda, size: 100GB}]}
          p2: {address: 192.168.1.2}
        virtual_machines:
          a: {address: 192.168.1.11, home: p1, disk: 60GB}
          b: {address: 192.168.1.12, home: p1, disk: 40GB, volume: v}
        volumes:
          v: {peers: [p2, p1], disk: /dev/a, size: 40GB}
        """,
    ),
    Case(
        "cpus-fit",
        "more than four for one",
        """
        physical_hosts:
          p1:
            address: 192.168.1.1
            cpus: 4  # !
        virtual_machines:
          vm[1-5]: {address: 192.168.1.11-192.168.1.15, home: p1, cpus: 4}
        """,
        "vm1, vm2 and 3 more at home on p1 have 20 CPUs, it has 4",
        "warning",
    ),
    Case(
        "cpus-fit",
        "four for one",
        """
        physical_hosts: {p1: {address: 192.168.1.1, cpus: 4}}
        virtual_machines: {"vm[1-4]": {address: 192.168.1.11-192.168.1.14, home: p1, cpus: 4}}
        """,
    ),
    Case(
        "anti-affinity",
        "partners at one home, and more partners than hosts",
        HOSTS
        + """
virtual_machines:
  a: {address: 192.168.1.11, home: p1, anti_affinity: pbs}
  b:
    address: 192.168.1.12
    home: p1  # !
    anti_affinity: pbs
  c:
    address: 192.168.1.13
    home: p2
    anti_affinity: pbs  # !
""",
        "b and a, both of group `pbs`, are at home on p1",
    ),
    Case(
        "anti-affinity",
        "each its own home",
        HOSTS
        + """
virtual_machines:
  a: {address: 192.168.1.11, home: p1, anti_affinity: pbs}
  b: {address: 192.168.1.12, home: p2, anti_affinity: pbs}
  c: {address: 192.168.1.13, home: p2, anti_affinity: other}
""",
    ),
    Case(
        "n-plus-one",
        "the large one's VMs",
        """
        physical_hosts:
          p1:  # !
            address: 192.168.1.1
            memory: 16GiB
          p2: {address: 192.168.1.2, memory: 8GiB}
        virtual_machines:
          a: {address: 192.168.1.11, home: p1, memory: 8GiB}
          b: {address: 192.168.1.12, home: p1, memory: 1GiB}
          c: {address: 192.168.1.13, home: p1, memory: 1GiB}
        """,
        "if p1 died, b, c would wait: no other host that may run it has room",
        "warning",
    ),
    Case(
        "n-plus-one",
        "without CPUs, and without disk for a new installation",
        """
        physical_hosts:
          p1: {address: 192.168.1.1, cpus: 4}  # !
          p2: {address: 192.168.1.2, cpus: 2}
          p3:  # !
            address: 192.168.1.3
            hypervisor: xen
            disks: [{device: sda, size: 100GiB}]
          p4: {address: 192.168.1.4, hypervisor: xen, disks: [{device: sda, size: 100GiB}]}  # !
        virtual_machines:
          a: {address: 192.168.1.11, home: p1, cpus: 2}
          b: {address: 192.168.1.12, home: p1, cpus: 2}
          c: {address: 192.168.1.13, home: p2, cpus: 2}
          d: {address: 192.168.1.14, home: p2, cpus: 2}
          e: {address: 192.168.1.15, home: p2, cpus: 1}
          f: {address: 192.168.1.16, home: p3, disk: 60GiB, inst: 1}
          g: {address: 192.168.1.17, home: p3, disk: 10GiB, volume: v}
          h: {address: 192.168.1.18, home: p4, disk: 30GiB, inst: 1}
        volumes:
          v: {peers: [p3, p4], disk: /dev/vg/v, size: 11GiB}
        """,
        "if p1 died, b would wait: no other host that may run it has room",
    ),
    Case(
        "n-plus-one",
        "what was on the dead host alone, beside one that nobody else may run",
        """
        physical_hosts:
          p1:  # !
            address: 192.168.1.1
            memory: 16GiB
          p2: {address: 192.168.1.2, memory: 16GiB}
        virtual_machines:
          a: {address: 192.168.1.11, home: p1, disk: 10GiB}
          b: {address: 192.168.1.12, home: p1, disk: 10GiB, inst: 1}
          c: {address: 192.168.1.13, home: p1, disk: 10GiB, volume: v}
          d: {address: 192.168.1.14, home: p1, disk: 10GiB}
        volumes:
          v: {peers: [p1, p2], disk: /dev/vg/v, size: 11GiB}
        """,
        "if p1 died, a, d would wait: not mirrored, and not to be reinstalled (INST 0)",
    ),
    Case(
        "n-plus-one",
        "where nobody else may, as an error",
        """
        physical_hosts:
          p1: {address: 192.168.1.1, memory: 16GiB}  # !
          p2: {address: 192.168.1.2, memory: 64GiB}
        virtual_machines:
          a: {address: 192.168.1.11, home: p1, allowed: [p1]}
        recovery: {n_plus_one: error}
        """,
        "if p1 died, a would wait: no other host may run it",
        "error",
    ),
    Case(
        "n-plus-one",
        "off",
        """
        physical_hosts: {p1: {address: 192.168.1.1, memory: 16GiB}}
        virtual_machines: {a: {address: 192.168.1.11, home: p1}}
        recovery: {n_plus_one: off-duty}
        """.replace("off-duty", '"off"'),
    ),
    Case(
        "n-plus-one",
        "an anti-affinity partner and a volume's peers stand in the way",
        """
        physical_hosts:
          p1: {address: 192.168.1.1, memory: 16GiB}  # !
          p2: {address: 192.168.1.2, memory: 16GiB}  # !
          p3: {address: 192.168.1.3, memory: 2GiB}
        virtual_machines:
          a: {address: 192.168.1.11, home: p1, memory: 4GiB, anti_affinity: g}
          b: {address: 192.168.1.12, home: p2, memory: 4GiB, anti_affinity: g}
          c: {address: 192.168.1.13, home: p2, memory: 2GiB, volume: v}
        volumes:
          v: {peers: [p2, p3], disk: /dev/a, size: 1GiB}
        """,
        "if p1 died, a would wait",
    ),
    Case(
        "n-plus-one",
        "with room for all, and where memory is not known",
        """
        physical_hosts:
          p1: {address: 192.168.1.1, memory: 16GiB}
          p2: {address: 192.168.1.2, memory: 32GiB}
          p3: {address: 192.168.1.3, hypervisor: xen}
        virtual_machines:
          a: {address: 192.168.1.11, home: p1, memory: 8GiB}
          b: {address: 192.168.1.12, home: p1, memory: 8GiB}
          c: {address: 192.168.1.13, home: p2, memory: 0.5GiB, allowed: [p3]}
          d: {address: 192.168.1.14, home: p3, memory: 999GiB}
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule(case: Case, tmp_path: Path) -> None:
    case.check(tmp_path)
