"""The rules for names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiler.rules.checking import Case
from tests.compiler.support import HEAD

LONG_DOMAIN = ".".join(["d" * 60] * 4)

CASES = [
    Case(
        "unique-name",
        "hosts that differ in case",
        """
        worker_nodes:
          wn1: {address: 192.168.1.1}
        service_hosts:
          WN1: {address: 192.168.1.2}  # !
        """,
        "host `WN1` has the same name as host `wn1`",
    ),
    Case(
        "unique-name",
        "an alias that a host has, and one given twice",
        """
        worker_nodes:
          wn1:
            address: 192.168.1.1
            aliases:
              - ui
              - Wn2  # !
          wn2:
            address: 192.168.1.2
            aliases:
              - UI  # !
        """,
        "alias `Wn2` of wn1 has the same name as host `wn2`",
    ),
    Case(
        "unique-name",
        "an interface's DNS name that a host has",
        """
        worker_nodes:
          a:
            address: 192.168.1.1
            interfaces:
              eth1: {address: 192.168.1.3}  # !
          a-eth1: {address: 192.168.1.2}
        """,
        "interface `a-eth1` of a has the same name as host `a-eth1`",
    ),
    Case(
        "unique-name",
        "names that are parts of one another",
        """
        worker_nodes:
          wn1: {address: 192.168.1.1, aliases: [wn]}
          wn11: {address: 192.168.1.2, interfaces: {eth1: {address: 192.168.1.3}}}
        """,
    ),
    Case(
        "name-length",
        "a name that is too long with its domain",
        """
        worker_nodes:
          abcdefghi: {address: 192.168.1.1}  # !
        """,
        "has 9 characters, 254 with the domain",
        head=HEAD.replace("example.org", LONG_DOMAIN + "x"),
    ),
    Case(
        "name-length",
        "an interface that makes a label of 64 characters",
        f"""
        worker_nodes:
          {"w" * 59}:
            address: 192.168.1.1
            interfaces:
              eth1: {{address: 192.168.1.2}}  # !
        """,
        "has 64 characters",
    ),
    Case(
        "name-length",
        "a name of exactly 253 characters",
        """
        worker_nodes:
          abcdefgh: {address: 192.168.1.1}
        """,
        head=HEAD.replace("example.org", LONG_DOMAIN + "x"),
    ),
    Case(
        "misleading-name",
        "digits, and localhost",
        """
        worker_nodes:
          "10": {address: 192.168.1.1}  # !
          "0x10": {address: 192.168.1.3}  # !
          "0XfF": {address: 192.168.1.4}  # !
          wn2:
            address: 192.168.1.2
            aliases: [LocalHost]  # !
        """,
        "host `10` is not reached by that name",
    ),
    Case(
        "misleading-name",
        "no numbers",
        """
        worker_nodes:
          1a: {address: 192.168.1.1}
          0x1g: {address: 192.168.1.2}
          00x1: {address: 192.168.1.3}
          0x: {address: 192.168.1.4}
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule(case: Case, tmp_path: Path) -> None:
    case.check(tmp_path)
