"""The rules for what volumes, networks, middleware, cabling and recovery refer to."""

from __future__ import annotations

import sys
import zoneinfo
from pathlib import Path

import pytest

from tests.compiler.rules.checking import Case

TWO = "physical_hosts: {p1: {address: 192.168.1.1}, p2: {address: 192.168.1.2, aliases: [p3]}}"

CASES = [
    Case(
        "script-exists",
        "neither file nor URL",
        """
        middleware:
          ig_CE:
            scripts:
              - http://example.org/ce.sh
              - site.yaml
              - middleware/ce.sh  # !
        """,
        "there is no file `middleware/ce.sh` beside the site file",
    ),
    Case(
        "script-exists", "a file and a URL", "middleware: {m: {scripts: [site.yaml, 'http://a/b']}}"
    ),
    Case(
        "root-password",
        "a variable that is not set",
        """
        root_password:
          env: NOBODY_SETS_THIS  # !
        """,
        "root_password: variable NOBODY_SETS_THIS is not set",
    ),
    Case(
        "time-zone-exists",
        "a misspelt one",
        "timezone: Europe/Roma  # !\n",
        "there is no time zone `Europe/Roma`, did you mean `Europe/Rome`?",
    ),
    Case("time-zone-exists", "one that is known", "timezone: America/Argentina/Ushuaia\n"),
    Case("root-password", "none, so that root's password is locked", "middleware: {}"),
    Case(
        "root-password",
        "a file that is not there",
        """
        root_password:
          file: nowhere/root.hash  # !
        """,
        "root_password: cannot read file nowhere/root.hash",
    ),
    Case(
        "root-password",
        "a file without a hash",
        """
        root_password:
          file: site.yaml  # !
        """,
        "root_password: file site.yaml holds no password hash",
    ),
    Case(
        "peer-exists",
        "an alias, and a host that is not there",
        f"""
        {TWO}
        volumes:
          v:
            peers:
              - p3  # !
              - p4  # !
            disk: /dev/a
            size: 1GiB
        """,
        "`p3` is an alias of p2",
    ),
    Case(
        "peer-exists",
        "physical hosts",
        f"""
        {TWO}
        volumes: {{v: {{peers: [p1, p2], disk: /dev/a, size: 1GiB}}}}
        """,
    ),
    Case(
        "mirror-network",
        "one that is not there",
        f"""
        {TWO}
        volumes:
          v:
            peers: [p1, p2]
            disk: /dev/a
            size: 1GiB
            network: lam  # !
        """,
        "there is no network `lam`, did you mean `lan`?",
    ),
    Case(
        "mirror-network",
        "one that is",
        f"""
        {TWO}
        volumes: {{v: {{peers: [p1, p2], disk: /dev/a, size: 1GiB, network: lan}}}}
        """,
    ),
    Case(
        "volume-disk-peers",
        "one too many, and one that is missing",
        f"""
        {TWO}
        volumes:
          v:
            peers: [p1, p2]
            disk:  # !
              p1: /dev/a
              p5: /dev/b  # !
            size: 1GiB
        """,
        "volume `v` has no backing disk for its peer p2",
    ),
    Case(
        "volume-disk-peers",
        "one for each, and one for both",
        f"""
        {TWO}
        volumes:
          v: {{peers: [p1, p2], disk: {{p1: /dev/a, p2: /dev/b}}, size: 1GiB}}
          w: {{peers: [p1, p2], disk: /dev/c, size: 1GiB}}
        """,
    ),
    Case(
        "ups-exists",
        "a misspelling",
        """
        cabling:
          pdus:
            pdu1:
              ups: [ups2]  # !
          ups:
            ups1: {}
        """,
        "there is no UPS circuit `ups2`, did you mean `ups1`?",
    ),
    Case("ups-exists", "declared", "cabling: {pdus: {pdu1: {ups: [u]}}, ups: {u: {}}}"),
    Case(
        "server-exists",
        "DNS, NTP and trusted",
        """
          other:
            prefix: 10.0.0.0/24
            dns:
              - 8.8.8.8
              - bibi  # !
            ntp: [clock]  # !
        service_hosts:
          bibe: {address: 192.168.1.2, aliases: [ns1]}
        monitoring:
          trusted:
            - bibe
            - ns1  # !
        """,
        "there is no host `bibi`, did you mean `bibe`?",
    ),
    Case(
        "server-exists",
        "hosts and addresses",
        """
          other: {prefix: 10.0.0.0/24, dns: [bibe, "fd00::1"], ntp: [193.204.114.232]}
        service_hosts: {bibe: {address: 192.168.1.2}}
        monitoring: {trusted: [bibe, 10.0.0.1]}
        """,
    ),
    Case(
        "mx-exists",
        "inside the domain, by short and full name and alias",
        """
        dns:
          mx:
            - host: post  # !
            - host: post.Example.org  # !
            - host: mail.example.org  # !
            - host: mx.other.org
        service_hosts: {lcg: {address: 192.168.1.2, aliases: [mail]}}
        """,
        "there is no host `post`",
    ),
    Case(
        "mx-exists",
        "hosts of the site and of others",
        """
        dns: {mx: [{host: lcg}, {host: lcg.example.org}, {host: mail.badexample.org}]}
        service_hosts: {lcg: {address: 192.168.1.2}}
        """,
    ),
    Case(
        "controller-exists",
        "no such host, and no controller",
        """
        service_hosts: {a: {address: 192.168.1.2}, b: {address: 192.168.1.3, roles: [controller]}}
        recovery:
          minutes:
            a: even  # !
            b: odd
            c: every  # !
        """,
        "a has not the role `controller`",
    ),
    Case(
        "controller-exists",
        "a controller",
        """
        service_hosts: {b: {address: 192.168.1.3, roles: [controller]}}
        recovery: {minutes: {b: odd}}
        """,
    ),
    Case(
        "client-exists",
        "neither network, host nor address",
        f"""
        {TWO}
        volumes:
          v:
            peers: [p1, p2]
            disk: /dev/a
            size: 1GiB
            nfs:
              path: /srv/v
              clients:
                - lam  # !
                - 10.0.0.1/24  # !
                - "*.example.org"  # !
        """,
        "there is no network or host `lam`",
    ),
    Case(
        "client-exists",
        "networks, hosts, addresses and prefixes",
        f"""
        {TWO}
        volumes:
          v:
            peers: [p1, p2]
            disk: /dev/a
            size: 1GiB
            nfs: {{path: /srv/v, clients: [lan, p1, 10.0.0.1, 10.0.0.0/24, "fd00::/64"]}}
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule(case: Case, tmp_path: Path) -> None:
    case.check(tmp_path)


def test_without_zone_data_no_time_zone_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tzdata", None)
    zoneinfo.reset_tzpath([])
    try:
        Case("time-zone-exists", "any", "timezone: Europe/Roma\n").check(tmp_path)
    finally:
        zoneinfo.reset_tzpath()
