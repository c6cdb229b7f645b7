"""The rules for booting."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.rules.checking import Case

CASES = [
    Case(
        "boot-file-name",
        "what pxelinux looks for, and what every site has",
        """
        os_profiles:
          default: {installer: manual, kernel: k, initrd: i}  # !
          local: {installer: manual, kernel: k, initrd: i}  # !
          install: {installer: manual, kernel: k, initrd: i}  # !
          disk12: {installer: manual, kernel: k, initrd: i}  # !
          C0A8010B: {installer: manual, kernel: k, initrd: i}  # !
          BEEF: {installer: manual, kernel: k, initrd: i}  # !
          01-88-99-aa-bb-cc-dd: {installer: manual, kernel: k, initrd: i}  # !
          b8945908-d6a6-41a9-611d-74a6ab80b83d: {installer: manual, kernel: k, initrd: i}  # !
        """,
        "`default` is a boot file of every site",
    ),
    Case(
        "boot-file-name",
        "names like them",
        """
        os_profiles:
          sl4-32: {installer: manual, kernel: k, initrd: i}
          beef: {installer: manual, kernel: k, initrd: i}
          C0A8010B1: {installer: manual, kernel: k, initrd: i}
          disk: {installer: manual, kernel: k, initrd: i}
          localhost: {installer: manual, kernel: k, initrd: i}
          01-88-99-aa-bb-cc: {installer: manual, kernel: k, initrd: i}
        """,
    ),
    Case(
        "os-source",
        "no repository, no image",
        """
        os_profiles:
          a: {installer: kickstart, kernel: k, initrd: i}  # !
          b: {installer: preseed, kernel: k, initrd: i, image: "http://a/"}  # !
          c: {installer: image, kernel: k, initrd: i, repository: "http://a/"}  # !
        """,
        "OS profile `a` installs by kickstart, but has no `repository`",
    ),
    Case(
        "os-source",
        "each with its own",
        """
        os_profiles:
          a: {installer: kickstart, kernel: k, initrd: i, repository: "http://a/"}
          b: {installer: preseed, kernel: k, initrd: i, repository: "http://a/"}
          c: {installer: image, kernel: k, initrd: i, image: "http://a/"}
          d: {installer: manual, kernel: k, initrd: i}
        """,
    ),
    Case(
        "kickstart-release",
        "a suite, a distribution, an age without kickstarts",
        """
        os_profiles:
          a:
            {installer: kickstart, kernel: k, initrd: i, repository: "http://a/",
            release: bookworm}  # !
          b:
            {installer: kickstart, kernel: k, initrd: i, repository: "http://a/",
            release: SL4}  # !
          c:
            {installer: kickstart, kernel: k, initrd: i, repository: "http://a/",
            release: RHEL2}  # !
        """,
        "`bookworm` is no release",
    ),
    Case(
        "kickstart-release",
        "known, left out, of another installer",
        """
        os_profiles:
          a: {installer: kickstart, kernel: k, initrd: i, repository: "http://a/", release: RHEL10}
          b: {installer: kickstart, kernel: k, initrd: i, repository: "http://a/", release: F40}
          c: {installer: kickstart, kernel: k, initrd: i, repository: "http://a/"}
          d: {installer: preseed, kernel: k, initrd: i, repository: "http://a/", release: bookworm}
        """,
    ),
    Case(
        "preseed-mirror",
        "over NFS, and the release of another system",
        """
        os_profiles:
          a:
            installer: preseed
            kernel: k
            initrd: i
            repository: nfs://a/debian  # !
            release: RHEL9  # !
        """,
        "OS profile `a` installs by preseed, which cannot read NFS",
    ),
    Case(
        "preseed-mirror",
        "suites, and a kickstart over NFS",
        """
        os_profiles:
          a: {installer: preseed, kernel: k, initrd: i, repository: "ftp://a/", release: bookworm}
          b: {installer: preseed, kernel: k, initrd: i, repository: "https://a/"}
          c: {installer: preseed, kernel: k, initrd: i, repository: "http://a/", release: stable}
          d: {installer: kickstart, kernel: k, initrd: i, repository: "nfs://a/", release: RHEL7}
        """,
    ),
    Case(
        "kickstart-release",
        "the suite of another system",
        """
        os_profiles:
          a:
            installer: kickstart
            kernel: k
            initrd: i
            repository: http://a/
            release: bookworm  # !
        """,
        "`bookworm` is no release",
    ),
    Case(
        "kickstart-release",
        "releases, and none",
        """
        os_profiles:
          a: {installer: kickstart, kernel: k, initrd: i, repository: "http://a/", release: RHEL10}
          b: {installer: kickstart, kernel: k, initrd: i, repository: "http://a/", release: F40}
          c: {installer: kickstart, kernel: k, initrd: i, repository: "http://a/"}
        """,
    ),
    Case(
        "package-form",
        "a group, an environment and one to leave out",
        """
        os_profiles:
          a:
            installer: preseed
            kernel: k
            initrd: i
            repository: http://a/
            packages:
              - "@base"  # !
              - "@^minimal-environment"  # !
              - -firewalld  # !
              - openssh-server
        """,
        "`@base` is for kickstarts, and `a` is none",
    ),
    Case(
        "package-form",
        "in a kickstart",
        """
        os_profiles:
          a:
            installer: kickstart
            kernel: k
            initrd: i
            repository: http://a/
            packages: ["@base", "@^minimal-environment", -firewalld, "-@core", openssh-server]
        """,
    ),
    Case(
        "boot-arch",
        "64-bit ARM over PXE",
        """
        os_profiles:
          a:
            installer: preseed
            kernel: k
            initrd: i
            repository: http://a/
            arch: aarch64  # !
        """,
        "OS profile `a` is for aarch64, which pxelinux cannot boot",
    ),
    Case(
        "boot-arch",
        "PCs, and what a person installs",
        """
        os_profiles:
          a: {installer: preseed, kernel: k, initrd: i, repository: "http://a/", arch: i386}
          b: {installer: manual, kernel: k, initrd: i, arch: aarch64}
        """,
    ),
    Case(
        "boot-target",
        "a disk too many, no dual boot, no OS, one by hand",
        """
        os_profiles: {hand: {installer: manual, kernel: k, initrd: i}}
        worker_nodes:
          a:
            address: 192.168.1.1
            dual_boot: {}
            boot: disk3  # !
          b:
            address: 192.168.1.2
            boot: disk1  # !
          c:
            address: 192.168.1.3
            boot: install  # !
          d:
            address: 192.168.1.4
            os: hand
            boot: install  # !
        """,
        "a boots `disk3`, but has 2 dual-boot disks",
    ),
    Case(
        "boot-target",
        "there",
        """
        os_profiles: {sl4: {installer: kickstart, kernel: k, initrd: i, repository: "http://a/"}}
        worker_nodes:
          a: {address: 192.168.1.1, dual_boot: {}, boot: disk2}
          b: {address: 192.168.1.2, boot: local}
          c: {address: 192.168.1.3, os: sl4, boot: install}
          d: {address: 192.168.1.4}
        """,
    ),
    Case(
        "boot-mac",
        "no MAC, and a MAC elsewhere",
        """
          other: {prefix: 10.0.0.0/24}
        os_profiles: {sl4: {installer: kickstart, kernel: k, initrd: i, repository: "http://a/"}}
        worker_nodes:
          a: {address: 192.168.1.1, os: sl4}  # !
          b: {address: 10.0.0.1, mac: "02:00:00:00:00:01", dual_boot: {}}  # !
        """,
        "a is to be installed over PXE, but has no MAC",
        "warning",
    ),
    Case(
        "boot-mac",
        "there, or not needed",
        """
          other: {prefix: 10.0.0.0/24}
        os_profiles:
          sl4: {installer: kickstart, kernel: k, initrd: i, repository: "http://a/"}
          hand: {installer: manual, kernel: k, initrd: i}
        worker_nodes:
          a: {address: 192.168.1.1, mac: "02:00:00:00:00:01", os: sl4, dual_boot: {}}
          b: {address: 10.0.0.1, os: sl4}
          c: {address: 192.168.1.2, os: hand}
          d:
            address: 10.0.0.2
            os: sl4
            interfaces: {eth1: {address: 192.168.1.3, mac: "02:00:00:00:00:03"}}
        """,
    ),
    Case(
        "dual-boot-disks",
        "twice, and not declared",
        """
        worker_nodes:
          a:
            address: 192.168.1.1
            disks: [{device: sda, size: 1TB}]
            dual_boot:
              disks:
                - sda
                - sda  # !
                - sdb  # !
        """,
        "a names its dual-boot disk sda twice",
    ),
    Case(
        "dual-boot-disks",
        "declared, or no disks declared",
        """
        worker_nodes:
          a:
            address: 192.168.1.1
            disks: [{device: sda, size: 1TB}, {device: sdb, size: 1TB}]
            dual_boot: {}
          b: {address: 192.168.1.2, dual_boot: {disks: [vda, vdb, vdc]}}
        """,
    ),
    Case(
        "install-disk",
        "another one",
        """
        os_profiles: {el: {installer: kickstart, kernel: k, initrd: i, repository: "http://a/"}}
        worker_nodes:
          a:
            address: 192.168.1.1
            os: el
            disks: [{device: nvme0n1, size: 1TB}]  # !
        """,
        "a is installed on sda by `el`, but has nvme0n1",
    ),
    Case(
        "install-disk",
        "the profile's, unknown, chosen by dual boot, or by hand",
        """
        os_profiles:
          el: {installer: kickstart, kernel: k, initrd: i, repository: "http://a/", disk: nvme0n1}
          hand: {installer: manual, kernel: k, initrd: i}
        defaults: {worker_nodes: {os: el, disks: [{device: sda, size: 1TB}]}}
        worker_nodes:
          a: {address: 192.168.1.1, disks: [{device: nvme0n1, size: 1TB}]}
          b: {address: 192.168.1.2, disks: []}
          c:
            address: 192.168.1.3
            mac: "02:00:00:00:00:03"
            disks: [{device: sda, size: 1TB}, {device: sdb, size: 1TB}]
            dual_boot: {}
          d: {address: 192.168.1.4, os: hand}
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule(case: Case, tmp_path: Path) -> None:
    case.check(tmp_path)
