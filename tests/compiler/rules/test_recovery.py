"""The rules for recovery."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.rules.checking import Case

BASE = """
os_profiles:
  sl4: {installer: kickstart, kernel: k, initrd: i, repository: "http://a/"}
  hand: {installer: manual, kernel: k, initrd: i}
physical_hosts:
  p1: {address: 192.168.1.1}
"""
TFTP = "service_hosts: {s: {address: 192.168.1.9, roles: [tftp]}}"

CASES = [
    Case(
        "inst-installer",
        "no OS, one by hand, no MAC, no boot network",
        BASE
        + TFTP
        + """
virtual_machines:
  a:
    address: 192.168.1.11
    mac: 02:00:00:00:00:0a
    home: p1
    inst: 1  # !
  b:
    address: 192.168.1.12
    mac: 02:00:00:00:00:0b
    home: p1
    os: hand
    inst: 1  # !
  c:
    address: 192.168.1.13
    home: p1
    os: sl4
    inst: 1  # !
  d:
    address6: fd00::1
    mac: 02:00:00:00:00:0d
    home: p1
    os: sl4
    inst: 1  # !
""",
        "a has INST 1, but no OS profile",
    ),
    Case(
        "inst-installer",
        "no TFTP server",
        BASE
        + """
virtual_machines:
  a:
    address: 192.168.1.11
    mac: 02:00:00:00:00:0a
    home: p1
    os: sl4
    inst: 1  # !
""",
        "a has INST 1, but no host has the role `tftp`",
    ),
    Case(
        "inst-installer",
        "all there, or INST 0",
        BASE
        + TFTP
        + """
virtual_machines:
  a: {address: 192.168.1.11, mac: "02:00:00:00:00:0a", home: p1, os: sl4, inst: 1}
  b: {address: 192.168.1.12, home: p1}
""",
    ),
    Case(
        "controller-minutes",
        "both even, and a third one",
        """
        service_hosts:
          a: {address: 192.168.1.1, roles: [controller]}
          b: {address: 192.168.1.2, roles: [controller]}
          c:
            address: 192.168.1.3
            roles:
              - controller  # !
        recovery:
          minutes:
            b: even  # !
        """,
        "controllers a and c both act in even minutes",
    ),
    Case(
        "controller-minutes",
        "every minute beside odd ones",
        """
        service_hosts:
          a: {address: 192.168.1.1, roles: [controller]}
          b:
            address: 192.168.1.2
            roles: [controller]  # !
        recovery:
          minutes: {a: every}
        """,
        "controllers a and b both act in odd minutes",
    ),
    Case(
        "controller-minutes",
        "even and odd by place, or given",
        """
        service_hosts:
          a: {address: 192.168.1.1, roles: [controller]}
          b: {address: 192.168.1.2, roles: [controller]}
        """,
    ),
    Case(
        "recovery-steps",
        "none for the site",
        """
        recovery:
          steps: {reboot: 0, restart: 0, reinstall: 0}  # !
        """,
        "no recovery step has any tries",
        "warning",
    ),
    Case(
        "recovery-steps",
        "none for a VM, and only what INST 0 forbids",
        BASE
        + """
virtual_machines:
  a:
    address: 192.168.1.11
    home: p1
    recovery:
      steps: {reboot: 0, restart: 0}  # !
  b:
    address: 192.168.1.12
    home: p1
    recovery:
      steps: {reboot: 0, restart: 0, reinstall: 0}  # !
  c:
    address: 192.168.1.13
    home: p1
    inst: 1
    recovery: {steps: {reboot: 0, restart: 0}}
""",
        "no recovery step has any tries for a without INST 1",
    ),
    Case(
        "boot-link",
        "as long as the wait of the site",
        """
        recovery:
          waits: {reinstall: 300}
          boot_link: 300  # !
        """,
        "`boot_link` is 300 s, but a REINSTALL has 300 s to end",
        "warning",
    ),
    Case(
        "boot-link",
        "longer than the wait of a VM",
        BASE
        + """
virtual_machines:
  a:
    address: 192.168.1.11
    home: p1
    inst: 1
    recovery:
      waits:
        reinstall: 100  # !
""",
        "`boot_link` is 120 s, but a has 100 s to be installed",
        "warning",
    ),
    Case("boot-link", "shorter", "recovery: {boot_link: 299, waits: {reinstall: 300}}"),
    Case("recovery-steps", "some", "recovery: {steps: {reboot: 0}}"),
    Case(
        "start-after-circle",
        "of three, beside a chain, and of itself",
        BASE
        + """
virtual_machines:
  first: {address: 192.168.1.10, home: p1, start_after: [a]}
  a:
    address: 192.168.1.11
    home: p1
    start_after:
      - last
      - b  # !
  b: {address: 192.168.1.12, home: p1, start_after: [c]}
  c: {address: 192.168.1.13, home: p1, start_after: [a]}
  last: {address: 192.168.1.14, home: p1}
  self:
    address: 192.168.1.15
    home: p1
    start_after: [self]  # !
""",
        "VMs wait for each other: a -> b -> c -> a",
    ),
    Case(
        "start-after-circle",
        "a diamond",
        BASE
        + """
virtual_machines:
  a: {address: 192.168.1.11, home: p1, start_after: [b, c]}
  b: {address: 192.168.1.12, home: p1, start_after: [d]}
  c: {address: 192.168.1.13, home: p1, start_after: [d]}
  d: {address: 192.168.1.14, home: p1}
""",
    ),
    Case(
        "middleware-circle",
        "of two",
        """
        middleware:
          ig_CE:
            requires: [ig_base]  # !
          ig_base: {requires: [ig_CE]}
        """,
        "middleware requires itself: ig_CE -> ig_base -> ig_CE",
    ),
    Case(
        "middleware-circle",
        "none",
        "middleware: {a: {requires: [b, c]}, b: {requires: [c]}, c: {}}",
    ),
    Case(
        "updates-every",
        "not a divisor of the day",
        """
        updates:
          command: /bin/true
          every: 90  # !
        """,
        "90 minutes divide neither the hour nor the day into equal parts",
    ),
    Case("updates-every", "zero", "updates:\n  command: /bin/true\n  every: 0  # !\n"),
    Case("updates-every", "negative", "updates:\n  command: /bin/true\n  every: -60  # !\n"),
    Case("updates-every", "longer than a day", "updates:\n  command: x\n  every: 2880  # !\n"),
    Case("updates-every", "a quarter of an hour", "updates: {command: /bin/true, every: 15}"),
    Case("updates-every", "four times a day", "updates: {command: /bin/true, every: 360}"),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule(case: Case, tmp_path: Path) -> None:
    case.check(tmp_path)
