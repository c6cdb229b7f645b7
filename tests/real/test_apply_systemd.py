"""`3rc apply` over ssh to hosts whose process 1 is systemd, with the units of Debian's packages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import pytest

from tests.lab import requires_real
from tests.rollout.losing import end_of_ssh, losing
from tests.rollout.machines import WN4, Land, land
from tests.rollout.rolling import tamper

pytestmark = requires_real()

DISABLED: Final = "(disabled: not started at boot)"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Land]:
    """The hosts as Debian's packages leave them, after a first apply."""
    with land(tmp_path_factory.mktemp("systemd"), systemd=True) as found:
        for machine in found.machines.values():
            machine.run("systemctl", "is-system-running", "--wait", check=False)
        assert state(found, "bibe", "isc-dhcp-server") == "failed"  # Debian's dhcpd.conf is empty
        said = told(found, "--overwrite", "bibe", "--overwrite", "bussolo")
        assert "bibe: dhcpd restart, named reload, gmond restart, gmetad restart\n" in said
        assert "bussolo: named reload, gmond restart\n" in said
        assert found.serials() == {"1"}
        yield found


@pytest.fixture(autouse=True)
def _in_good_order(hosts: Land) -> Iterator[None]:
    """After each test nothing is half done; the next one builds another site anyway."""
    yield
    assert hosts.settled()


def told(hosts: Land, *arguments: str) -> str:
    """What an apply that has to succeed says of the hosts, after the plan."""
    return re.split(r"\d+ files? changes? on .*\n", hosts.good(*arguments))[1]


def systemctl(hosts: Land, host: str, *words: str) -> None:
    hosts.machines[host].run("systemctl", "--quiet", *words)


def shown(hosts: Land, host: str, unit: str, what: str) -> str:
    """A property of a unit."""
    said = hosts.machines[host].run("systemctl", "show", "--value", "-p", what, "--", unit)
    return said.strip()


def state(hosts: Land, host: str, unit: str) -> str:
    """What systemd calls the state of a unit."""
    return shown(hosts, host, unit, "ActiveState")


def runs(hosts: Land) -> dict[str, str]:
    """Which run of each daemon there is, by `HOST UNIT`: another one after each start."""
    units = ("named", "ganglia-monitor", "isc-dhcp-server", "gmetad", "tftpd-hpa", "ssh")
    return {
        f"{host} {unit}": shown(hosts, host, unit, "InvocationID")
        for host in hosts.machines
        for unit in units
    }


def served(hosts: Land) -> tuple[set[str], set[str]]:
    """What the name servers say: their serials, and the marks of those that answer."""
    return hosts.serials(), {each for each in hosts.mark() if each.startswith('"')}


def with_metadata(hosts: Land, seconds: int) -> Land:
    """A site that differs in gmond.conf, and in gmond.conf alone."""
    given = f"poll_interval: 2, metadata_interval: {seconds}"
    return replace(hosts, text=hosts.text.replace("poll_interval: 2", given))


def test_each_daemon_reloads_or_restarts_as_the_plan_says(hosts: Land) -> None:
    before, serials = runs(hosts), hosts.serials()
    with_metadata(hosts, 15).build(WN4)
    said = told(hosts)
    assert "bibe: dhcpd restart, named reload, gmond restart\n" in said
    assert "bussolo: named reload, gmond restart\n" in said
    after = runs(hosts)
    assert {each for each in after if after[each] != before[each]} == {
        "bibe isc-dhcp-server",
        "bibe ganglia-monitor",
        "bussolo ganglia-monitor",
    }
    assert hosts.serials() != serials
    assert hosts.ask("@192.168.1.9", "wn4.example.org") == "192.168.1.104"
    assert "nothing to do" in hosts.good()
    assert runs(hosts) == after


def test_rollback(hosts: Land) -> None:
    hosts.build(WN4, mark="a")
    hosts.good()
    before = runs(hosts)
    hosts.build(WN4, mark="b")
    hosts.good()
    assert hosts.mark() == {'"b"'}
    back = hosts.run("rollback", "--out", str(hosts.site.out), *hosts.key)
    assert back.returncode == 0, back.stdout + back.stderr
    assert hosts.mark() == {'"a"'}
    assert runs(hosts) == before


def refused(hosts: Land, *arguments: str) -> str:
    """What an apply says that changes nothing: all answer as before."""
    before = served(hosts)
    done = hosts.apply(*arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    assert served(hosts) == before
    return done.stdout + done.stderr


def of_no_network(hosts: Land) -> None:
    """A tree whose dhcpd.conf dhcpd -t takes; it is of no network that its host is on."""
    path = "bibe/etc/dhcp/dhcpd.conf"
    text = (hosts.site.out / path).read_text().replace("192.168.1.", "192.168.77.")
    tamper(hosts.site.out, path, text)


def test_where_a_unit_does_not_come_up_all_hosts_go_back(hosts: Land) -> None:
    hosts.build(WN4, mark="refused")
    of_no_network(hosts)
    said = refused(hosts, "--force")
    assert "failed: bibe: dhcpd: systemctl restart -- isc-dhcp-server: Job for" in said
    assert "undone: bibe: dhcpd" not in said
    assert "not applied: all hosts are as before\n" in said
    assert state(hosts, "bibe", "isc-dhcp-server") == "active"
    assert hosts.machines["bibe"].run("pgrep", "-c", "dhcpd") == "1\n"


def test_a_daemon_that_was_stopped_is_so_again_where_all_hosts_go_back(hosts: Land) -> None:
    hosts.build(WN4, mark="stopped")
    of_no_network(hosts)
    for host, unit in (("bussolo", "named"), ("bibe", "isc-dhcp-server")):
        systemctl(hosts, host, "stop", unit)
    said = refused(hosts, "--force")
    assert "undone: bibe: dhcpd" not in said
    assert state(hosts, "bussolo", "named") == "inactive"
    assert state(hosts, "bibe", "isc-dhcp-server") == "inactive"
    hosts.build(WN4, mark="started")
    said = told(hosts)
    assert "bibe: named reload\nbussolo: named reload\n" in said
    assert hosts.mark() == {'"started"'}
    systemctl(hosts, "bibe", "start", "isc-dhcp-server")


def test_a_unit_that_systemd_would_try_again_and_again_is_stopped(hosts: Land) -> None:
    hosts.build(WN4, mark="again")
    path = "bussolo/etc/bind/named.conf.options"  # root's named-checkconf can read it
    tamper(hosts.site.out, path, (hosts.site.out / path).read_text(), mode="0600")
    systemctl(hosts, "bussolo", "stop", "named")
    said = refused(hosts)
    assert "failed: bussolo: named: systemctl reload-or-restart -- named: Job for" in said
    assert state(hosts, "bussolo", "named") == "inactive"
    hosts.build(WN4, mark="once")
    hosts.good()
    assert hosts.mark() == {'"once"'}


def test_a_masked_unit_refuses_and_is_left_alone(hosts: Land) -> None:
    systemctl(hosts, "bussolo", "mask", "ganglia-monitor")
    before = runs(hosts)["bussolo ganglia-monitor"]
    with_metadata(hosts, 20).build(WN4, mark="masked")
    said = refused(hosts)
    assert "failed: bussolo: gmond: ganglia-monitor is masked" in said
    assert "not applied: all hosts are as before, but for bussolo: see above\n" in said
    assert runs(hosts)["bussolo ganglia-monitor"] == before
    assert hosts.machines["bussolo"].run("pgrep", "-c", "gmond") == "1\n"
    systemctl(hosts, "bussolo", "unmask", "ganglia-monitor")
    assert "bussolo: named reload, gmond restart\n" in told(hosts)


def test_a_daemon_that_dies_after_its_start_is_noticed(hosts: Land) -> None:
    hosts.build(WN4, mark="dies")
    path = "bibe/etc/ganglia/gmond.conf"
    text = (hosts.site.out / path).read_text()  # of an address that the host does not have
    bound = text.replace("tcp_accept_channel {", 'tcp_accept_channel {\n  bind = "192.168.77.7"')
    tamper(hosts.site.out, path, bound)
    said = refused(hosts, "--deadline", "20")
    assert "failed: bibe: gmond does not answer" in said
    assert state(hosts, "bibe", "ganglia-monitor") == "active"


def test_a_unit_of_another_name_is_found(hosts: Land) -> None:
    """As on Debian before 11: named's unit is bind9, and nothing else."""
    bussolo = hosts.machines["bussolo"]
    systemctl(hosts, "bussolo", "disable", "--now", "named")
    renamed = "cd /lib/systemd/system; sed /Alias/d named.service > bind9.service"
    bussolo.run("sh", "-ec", f"{renamed}; rm named.service /etc/init.d/named")
    systemctl(hosts, "bussolo", "daemon-reload")
    systemctl(hosts, "bussolo", "enable", "--now", "bind9")
    before = shown(hosts, "bussolo", "bind9", "InvocationID")
    hosts.build(WN4, mark="alias")
    said = told(hosts)
    assert "bussolo: named reload" in said
    assert DISABLED not in said
    assert shown(hosts, "bussolo", "bind9", "InvocationID") == before
    assert hosts.mark() == {'"alias"'}


@pytest.mark.parametrize("step", ["switch", "health"])
def test_a_connection_that_is_lost_brings_all_hosts_back(hosts: Land, step: str) -> None:
    """The agent outlives its session, though sshd and logind have ended that."""
    before = served(hosts)
    hosts.build(WN4, mark=step)
    done = losing(hosts, "bussolo", step, end_of_ssh, 30)
    assert done.failed
    assert hosts.settled()
    assert served(hosts) == before


def test_a_server_that_has_taken_the_place_of_another_gives_it_back(hosts: Land) -> None:
    before = runs(hosts)["bibe isc-dhcp-server"]
    replace(hosts, text=f"dhcp: {{server: kea}}\n{hosts.text}").build(WN4)
    path = "bibe/etc/kea/kea-dhcp4.conf"  # root's kea-dhcp4 -t can read it
    tamper(hosts.site.out, path, (hosts.site.out / path).read_text(), mode="0600")
    said = refused(hosts, "--deadline", "20", "--overwrite", "bibe/etc/kea")
    assert "failed: bibe: no DHCP server here offers" in said
    assert "undone: bibe: kea-dhcp4" not in said
    assert "undone: bibe: dhcpd" not in said
    assert state(hosts, "bibe", "kea-dhcp4-server") == "inactive"
    assert state(hosts, "bibe", "isc-dhcp-server") == "active"
    assert runs(hosts)["bibe isc-dhcp-server"] != before


def test_a_daemon_that_moves_stops_where_it_was_and_what_is_disabled_is_told(hosts: Land) -> None:
    replace(hosts, text=f"dhcp: {{server: kea}}\n{hosts.text}").build(WN4)
    said = told(hosts, "--overwrite", "bibe/etc/kea")
    assert f"bibe: dhcpd stop, kea-dhcp4 restart {DISABLED}" in said
    assert state(hosts, "bibe", "isc-dhcp-server") == "inactive"
    assert state(hosts, "bibe", "kea-dhcp4-server") == "active"
    assert shown(hosts, "bibe", "kea-dhcp4-server", "UnitFileState") == "disabled"
