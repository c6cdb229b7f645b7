"""The rules for storage."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.rules.checking import Case

PEERS = """
physical_hosts:
  p1: {address: 192.168.1.1}
  p2: {address: 192.168.1.2}
  p3: {address: 192.168.1.3}
"""

CASES = [
    Case(
        "peers-differ",
        "one host twice",
        PEERS
        + """
volumes:
  v:
    peers:
      - p1
      - p1  # !
    disk: /dev/a
    size: 1GiB
""",
        "both peers of volume `v` are p1",
    ),
    Case(
        "peers-differ", "two", PEERS + "volumes: {v: {peers: [p1, p2], disk: /dev/a, size: 1GiB}}"
    ),
    Case(
        "volume-name",
        "what DRBD calls others",
        PEERS
        + """
volumes:
  all: {peers: [p1, p2], disk: /dev/a, size: 1GiB}  # !
  common: {peers: [p1, p2], disk: /dev/b, size: 1GiB}  # !
  global: {peers: [p1, p2], disk: /dev/c, size: 1GiB}  # !
""",
        "`all` means something else",
    ),
    Case(
        "volume-name",
        "names like them",
        PEERS
        + """
volumes:
  All: {peers: [p1, p2], disk: /dev/a, size: 1GiB}
  common1: {peers: [p1, p2], disk: /dev/b, size: 1GiB}
""",
    ),
    Case(
        "peers-reach",
        "one speaks IPv4, the other IPv6",
        """
        physical_hosts:
          p1: {address: 192.168.1.1}
          p2: {address6: "fd00::2"}
        volumes:
          v:
            peers: [p1, p2]  # !
            disk: /dev/a
            size: 1GiB
        """,
        "p1 and p2 have no kind of address in common",
        "error",
    ),
    Case(
        "peers-reach",
        "one is not on the network that is named",
        """
          storage: {prefix: 10.0.0.0/24}
        physical_hosts:
          p1: {address: 192.168.1.1, interfaces: {eth1: {address: 10.0.0.1}}}
          p2: {address: 192.168.1.2}
        volumes:
          v:
            peers: [p1, p2]  # !
            disk: /dev/a
            size: 1GiB
            network: storage
        """,
        "p1 and p2 have no kind of address in common on network `storage`",
    ),
    Case(
        "peers-reach",
        "both speak one of them",
        """
        physical_hosts:
          p1: {address: 192.168.1.1, address6: "fd00::1"}
          p2: {address6: "fd00::2"}
          p3: {address: 192.168.1.3}
        volumes:
          v: {peers: [p1, p2], disk: /dev/v, size: 1GiB}
          w: {peers: [p1, p3], disk: /dev/w, size: 1GiB}
        """,
    ),
    Case(
        "unique-minor",
        "one of two volumes that share no peer",
        PEERS
        + """
volumes:
  v: {peers: [p1, p2], disk: /dev/a, size: 1GiB, minor: 0}
  w:
    peers: [p2, p3]
    disk: /dev/b
    size: 1GiB
    minor: 0  # !
""",
        "minor 0 of volume `w` is also that of `v`",
    ),
    Case(
        "unique-minor",
        "different, and left out",
        PEERS
        + """
volumes:
  v: {peers: [p1, p2], disk: /dev/a, size: 1GiB, minor: 0}
  w: {peers: [p1, p2], disk: /dev/b, size: 1GiB, minor: 1, port: 7788}
  x: {peers: [p1, p2], disk: /dev/c, size: 1GiB}
  u: {peers: [p1, p2], disk: /dev/d, size: 1GiB}
""",
    ),
    Case(
        "unique-port",
        "equal",
        PEERS
        + """
volumes:
  v: {peers: [p1, p2], disk: /dev/a, size: 1GiB, port: 7788}
  w:
    peers: [p2, p3]
    disk: /dev/b
    size: 1GiB
    port: 7788  # !
""",
        "port 7788 of volume `w` is also that of `v`",
    ),
    Case(
        "unique-port",
        "different, and left out",
        PEERS
        + """
volumes:
  v: {peers: [p1, p2], disk: /dev/a, size: 1GiB, port: 7788}
  w: {peers: [p1, p2], disk: /dev/b, size: 1GiB, port: 7789}
  x: {peers: [p1, p2], disk: /dev/c, size: 1GiB}
""",
    ),
    Case(
        "locked-number",
        "kept for others",
        PEERS
        + """
volumes:
  a: {peers: [p1, p2], disk: /dev/a, size: 1GiB}
  b:
    peers: [p1, p2]
    disk: /dev/b
    size: 1GiB
    minor: 0  # !
  c:
    peers: [p1, p2]
    disk: /dev/c
    size: 1GiB
    port: 7788  # !
""",
        "minor 0 of volume `b` is that of `a` in site.lock",
        "error",
        locked={"a": (0, 7788)},
    ),
    Case(
        "locked-number",
        "its own, handed over, and of a volume that is gone",
        PEERS
        + """
volumes:
  a: {peers: [p1, p2], disk: /dev/a, size: 1GiB, minor: 5, port: 7790}
  b: {peers: [p1, p2], disk: /dev/b, size: 1GiB, minor: 0, port: 7788}
  c: {peers: [p1, p2], disk: /dev/c, size: 1GiB, minor: 1}
  d: {peers: [p1, p2], disk: /dev/d, size: 1GiB, minor: 2}
""",
        locked={"a": (0, 7788), "c": (1, 7789), "gone": (2, 7795)},
    ),
    Case(
        "vm-beside-volume",
        "home and one of those allowed",
        PEERS
        + """
virtual_machines:
  a:
    address: 192.168.1.11
    home: p3  # !
    volume: v
  b:
    address: 192.168.1.12
    home: p1
    allowed:
      - p2
      - p3  # !
    volume: w
volumes:
  v: {peers: [p1, p2], disk: /dev/a, size: 1GiB}
  w: {peers: [p1, p2], disk: /dev/b, size: 1GiB}
""",
        "a on p3 cannot reach its volume on p1 and p2",
    ),
    Case(
        "vm-beside-volume",
        "on the peers",
        PEERS
        + """
virtual_machines:
  a: {address: 192.168.1.11, home: p1, volume: v}
  b: {address: 192.168.1.12, home: p1, allowed: [p2], volume: w}
  c: {address: 192.168.1.13, home: p3}
volumes:
  v: {peers: [p1, p2], disk: /dev/a, size: 1GiB}
  w: {peers: [p1, p2], disk: /dev/b, size: 1GiB}
""",
    ),
    Case(
        "backing-unique",
        "one disk on a shared peer",
        PEERS
        + """
volumes:
  v: {peers: [p1, p2], disk: /dev/a, size: 1GiB}
  w:
    peers: [p2, p3]
    disk:
      p2: /dev/a  # !
      p3: /dev/b
    size: 1GiB
  x:
    peers: [p1, p2]
    disk: /dev/a  # !
    size: 1GiB
""",
        "/dev/a on p2 backs `w` and also `v`",
    ),
    Case(
        "backing-unique",
        "one name on different hosts",
        PEERS
        + """
volumes:
  v: {peers: [p1, p2], disk: {p1: /dev/a, p2: /dev/a}, size: 1GiB}
  w: {peers: [p2, p3], disk: {p2: /dev/b, p3: /dev/a}, size: 1GiB}
""",
    ),
    Case(
        "volume-unique",
        "of two VMs",
        PEERS
        + """
virtual_machines:
  a: {address: 192.168.1.11, home: p1, volume: v}
  b:
    address: 192.168.1.12
    home: p2
    volume: v  # !
volumes:
  v: {peers: [p1, p2], disk: /dev/a, size: 1GiB}
""",
        "volume `v` of b is also that of a",
    ),
    Case(
        "volume-unique",
        "one each",
        PEERS
        + """
virtual_machines: {a: {address: 192.168.1.11, home: p1, volume: v}}
volumes: {v: {peers: [p1, p2], disk: /dev/a, size: 1GiB}}
""",
    ),
    Case(
        "volume-one-use",
        "a VM's disk, exported",
        PEERS
        + """
virtual_machines: {a: {address: 192.168.1.11, home: p1, volume: v}}
volumes:
  v:
    peers: [p1, p2]
    disk: /dev/a
    size: 1GiB
    nfs:  # !
      path: /srv/v
      clients: [lan]
""",
        "volume `v` is exported, and also the disk of a",
        "error",
    ),
    Case(
        "volume-one-use",
        "one for each",
        PEERS
        + """
virtual_machines: {a: {address: 192.168.1.11, home: p1, volume: v}}
volumes:
  v: {peers: [p1, p2], disk: /dev/a, size: 1GiB}
  w: {peers: [p1, p2], disk: /dev/b, size: 1GiB, nfs: {path: /srv/w, clients: [lan]}}
""",
    ),
    Case(
        "backing-free",
        "the system's, an array's, and a second system's",
        """
        os_profiles:
          deb: {installer: preseed, kernel: k, initrd: i, repository: "http://a/"}
          deb-nvme: {installer: preseed, kernel: k, initrd: i, disk: nvme0n1, image: "http://a/"}
        defaults: {physical_hosts: {os: deb}}
        physical_hosts:
          p1: {address: 192.168.1.1, disks: [{device: sda, size: 1TB}]}
          p2:
            address: 192.168.1.2
            disks: [{device: sdb, size: 1TB}, {device: sdc, size: 1TB}]
            raid: {level: 1, disks: [sdb, sdc]}
          p3: {address: 192.168.1.3, dual_boot: {disks: [sdb, sdd]}}
          p4: {address: 192.168.1.4, os: deb-nvme}
        volumes:
          a:
            peers: [p2, p1]
            disk: /dev/sda  # !
            size: 1GiB
          b:
            peers: [p1, p2]
            disk:
              p1: /dev/sde
              p2: /dev/sdc  # !
            size: 1GiB
          c:
            peers: [p1, p3]
            disk: /dev/sdd3  # !
            size: 1GiB
          d:
            peers: [p3, p4]
            disk:
              p3: /dev/sda
              p4: /dev/nvme0n1p4  # !
            size: 1GiB
        """,
        "/dev/sda of volume `a` is the disk of the system of p2",
        "error",
    ),
    Case(
        "backing-free",
        "disks of their own, logical volumes, and a host that a person installs",
        """
        os_profiles:
          deb: {installer: preseed, kernel: k, initrd: i, repository: "http://a/"}
          own: {installer: manual, kernel: k, initrd: i}
        physical_hosts:
          p1: {address: 192.168.1.1, os: deb}
          p2: {address: 192.168.1.2, os: own}
        volumes:
          a: {peers: [p1, p2], disk: {p1: /dev/sdb, p2: /dev/sda3}, size: 1GiB}
          b: {peers: [p1, p2], disk: /dev/sda/b, size: 1GiB}
          c: {peers: [p1, p2], disk: {p1: /dev/sdaa, p2: /dev/nvme0n1p1}, size: 1GiB}
        """,
    ),
    Case(
        "disk-fits-volume",
        "larger",
        PEERS
        + """
virtual_machines:
  a:
    address: 192.168.1.11
    home: p1
    volume: v
    disk: 20GiB  # !
volumes:
  v: {peers: [p1, p2], disk: /dev/a, size: 20GB}
""",
        "a's disk of 20 GiB is larger than its volume `v` of 18.63 GiB",
    ),
    Case(
        "disk-fits-volume",
        "equal",
        PEERS
        + """
virtual_machines: {a: {address: 192.168.1.11, home: p1, volume: v, disk: 20GiB}}
volumes: {v: {peers: [p1, p2], disk: /dev/a, size: 20GiB}}
""",
    ),
    Case(
        "raid-level",
        "too few, odd, and not in sets",
        """
        defaults:
          worker_nodes:
            disks:
              - {device: sda, size: 1TB}
              - {device: sdb, size: 1TB}
              - {device: sdc, size: 1TB}
              - {device: sdd, size: 1TB}
              - {device: sde, size: 1TB}
              - {device: sdf, size: 1TB}
              - {device: sdg, size: 1TB}
        worker_nodes:
          a:
            address: 192.168.1.1
            raid:
              level: 6
              disks: [sda, sdb, sdc]  # !
          b:
            address: 192.168.1.2
            raid:
              level: 10
              disks: [sda, sdb, sdc, sdd, sde]  # !
          c:
            address: 192.168.1.3
            raid:
              level: 50
              disks: [sda, sdb, sdc, sdd, sde, sdf, sdg]  # !
          d:
            address: 192.168.1.4
            raid:
              level: 51
              disks: [sda, sdb, sdc, sdd, sde, sdf, sdg]  # !
        """,
        "RAID 6 needs at least 4 disks, a has 3 in it",
    ),
    Case(
        "raid-level",
        "enough",
        """
        defaults:
          worker_nodes:
            disks:
              - {device: sda, size: 1TB}
              - {device: sdb, size: 1TB}
              - {device: sdc, size: 1TB}
              - {device: sdd, size: 1TB}
              - {device: sde, size: 1TB}
              - {device: sdf, size: 1TB}
        worker_nodes:
          a: {address: 192.168.1.1, raid: {level: 0, disks: [sda, sdb]}}
          b: {address: 192.168.1.2, raid: {level: 1, disks: [sda, sdb]}}
          c: {address: 192.168.1.3, raid: {level: 5, disks: [sda, sdb, sdc]}}
          d: {address: 192.168.1.4, raid: {level: 6, disks: [sda, sdb, sdc, sdd]}}
          e: {address: 192.168.1.5, raid: {level: 10, disks: [sda, sdb, sdc, sdd]}}
          f: {address: 192.168.1.6, raid: {level: 50, disks: [sda, sdb, sdc, sdd, sde, sdf]}}
          g: {address: 192.168.1.7, raid: {level: 51, disks: [sda, sdb, sdc, sdd, sde, sdf]}}
        """,
    ),
    Case(
        "disk-names",
        "twice, in the array twice, and not there",
        """
        worker_nodes:
          a:
            address: 192.168.1.1
            disks:
              - {device: sda, size: 1TB}
              - {device: sda, size: 1TB}  # !
            raid:
              level: 0
              disks:
                - sda
                - sda  # !
                - sdb  # !
        """,
        "disk sda of a is listed twice",
    ),
    Case(
        "disk-names",
        "as declared",
        """
        worker_nodes:
          a:
            address: 192.168.1.1
            disks: [{device: sda, size: 1TB}, {device: sdb, size: 1TB}]
            raid: {level: 1, disks: [sda, sdb]}
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule(case: Case, tmp_path: Path) -> None:
    case.check(tmp_path)
