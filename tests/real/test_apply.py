"""`3rc apply` over ssh to hosts with real daemons: the site answers with the old or the new."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
import pytest

from tests.lab import client, requires_real
from tests.rollout.losing import end_of_ssh, losing
from tests.rollout.machines import ADDRESSES, WN4, Land, land
from tests.rollout.rolling import tamper
from tests.runtime.hypervisors.capsule import inside
from threerc.compiler.services import DHCPD
from threerc.rollout.agent import asking
from threerc.rollout.agent.disk import Disk, Entries, beside
from threerc.rollout.agent.health import Health
from threerc.rollout.fleet import Fleet, Roads
from threerc.rollout.tree import Tree, Ways

pytestmark = requires_real()

BOTH: Final = ("--overwrite", "bibe", "--overwrite", "bussolo")
APPLIED: Final = "/var/lib/3rc/applied"
MOMENTS: Final = 4
PATIENCE: Final = 5
"""How often a machine asks for its address, while a script of init still starts dhcpd."""


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Land]:
    """The hosts after a first apply, which had to start their daemons."""
    with land(tmp_path_factory.mktemp("apply")) as found:
        found.machines["bibe"].run("/etc/init.d/tftpd-hpa", "start")
        refused = found.apply()
        assert "bibe/etc/bind/named.conf: was there before" in refused.stdout
        assert found.serials() == {""}
        found.good(*BOTH)
        assert found.serials() == {"1"}
        yield found


@pytest.fixture(autouse=True)
def _in_good_order(hosts: Land) -> Iterator[None]:
    """After each test nothing is half done; the next one builds another site anyway."""
    yield
    assert hosts.settled()


def offered(hosts: Land, mac: str) -> str:
    """The address that a machine is leased."""
    with client(hosts.net, mac) as card:
        return card.lease()["fixed-address"]


def offers(hosts: Land, host: str) -> bool | None:
    """Whether the DHCP server of that host offers a reserved address."""
    with inside(replace(hosts.net, name=f"{hosts.net.name}-{host}")):
        return asking.offer("02:00:00:00:01:01", "192.168.1.101")


def test_a_change_is_served_by_all_daemons(hosts: Land) -> None:
    before = hosts.serials()
    text = hosts.text.replace("poll_interval: 2", "poll_interval: 2, metadata_interval: 15")
    replace(hosts, text=text).build(WN4)
    said = hosts.good()
    assert "bibe: dhcpd restart, named reload, gmond restart" in said
    assert offered(hosts, "02:00:00:00:01:04") == "192.168.1.104"
    assert hosts.serials() != before
    assert hosts.ask("@192.168.1.9", "wn4.example.org") == "192.168.1.104"
    assert hosts.machines["bibe"].run("pgrep", "-c", "gmond") == "1\n"
    assert "nothing to do" in hosts.good()


def test_what_another_server_offers_is_not_taken_for_this_one(hosts: Land) -> None:
    assert {host: offers(hosts, host) for host in ADDRESSES} == {"bibe": True, "bussolo": False}


def test_a_dhcp_server_that_reads_another_file_is_noticed(hosts: Land, tmp_path: Path) -> None:
    line = "host {0} {{ hardware ethernet 02:00:00:00:01:{0}; fixed-address 192.168.1.1{0}; }}\n"
    file = tmp_path / "etc/dhcp/dhcpd.conf"
    file.parent.mkdir(parents=True)
    Path(beside(str(file), "old")).write_text(line.format("01"))
    file.write_text(line.format("01") + line.format("09"))
    entries: Entries = {"/etc/dhcp/dhcpd.conf": {"sha256": "", "mode": "0644"}}
    with inside(replace(hosts.net, name=f"{hosts.net.name}-bibe")):
        said = Health(Disk(str(tmp_path)), entries).complaints([DHCPD], 1)
    assert said == ["no DHCP server here offers 192.168.1.109 to 02:00:00:00:01:09"]


def test_rollback_and_history(hosts: Land) -> None:
    hosts.build(mark="a")
    hosts.good()
    hosts.build(mark="b")
    hosts.good()
    assert hosts.mark() == {'"b"'}
    back = hosts.run("rollback", "--out", str(hosts.site.out), *hosts.key)
    assert back.returncode == 0, back.stdout + back.stderr
    assert hosts.mark() == {'"a"'}
    assert "back to generation" in hosts.run("history").stdout


def test_a_file_that_the_checker_of_its_host_refuses_is_nowhere_switched_to(hosts: Land) -> None:
    before = hosts.serials()
    hosts.build(mark="broken")
    zone = "bussolo/etc/bind/db.example.org"
    tamper(hosts.site.out, zone, (hosts.site.out / zone).read_text() + "wrong IN A 1.2.3\n")
    said = hosts.apply()
    assert said.returncode == 1
    assert f"bussolo: named-checkzone refuses {zone}:" in said.stdout
    assert hosts.serials() == before


def test_a_checker_that_a_host_lacks_is_named(hosts: Land) -> None:
    checker = "/usr/bin/named-checkzone"
    hosts.machines["bussolo"].run("mv", checker, "/root")
    hosts.build(mark="unchecked")
    said = hosts.good()
    hosts.machines["bussolo"].run("mv", "/root/named-checkzone", checker)
    assert "not checked: bussolo: named-checkzone not found (Debian: bind9-utils)" in said


def test_where_a_daemon_refuses_to_start_all_hosts_go_back(hosts: Land) -> None:
    before = hosts.serials()
    hosts.build(mark="refused")
    path = "bibe/etc/dhcp/dhcpd.conf"  # of no network that the host is on: dhcpd -t takes it
    text = (hosts.site.out / path).read_text().replace("192.168.1.", "192.168.77.")
    tamper(hosts.site.out, path, text)
    said = hosts.apply("--force")
    assert said.returncode == 1
    assert "failed: bibe: dhcpd: /etc/init.d/isc-dhcp-server restart: " in said.stdout
    assert hosts.serials() == before
    assert offered(hosts, "02:00:00:00:01:01") == "192.168.1.101"


def test_a_daemon_that_was_stopped_is_so_again_where_all_hosts_go_back(hosts: Land) -> None:
    bussolo = hosts.machines["bussolo"]
    bussolo.run("/etc/init.d/named", "stop")
    hosts.build(mark="stopped")
    zone = "bibe/etc/bind/db.example.org"
    tamper(hosts.site.out, zone, (hosts.site.out / zone).read_text(), mode="0600")
    said = hosts.apply("--deadline", "20")
    assert said.returncode == 1
    assert "undone: bussolo: named" not in said.stdout
    assert hosts.serial("bussolo") == ""
    assert "named" not in bussolo.run("ps", "ax")
    hosts.build(mark="started")
    hosts.good()
    assert hosts.mark() == {'"started"'}


def test_where_a_daemon_does_not_take_its_new_file_all_hosts_go_back(hosts: Land) -> None:
    before = hosts.serials()
    hosts.build(mark="unread")
    zone = "bussolo/etc/bind/db.example.org"
    tamper(hosts.site.out, zone, (hosts.site.out / zone).read_text(), mode="0600")
    said = hosts.apply("--deadline", "20")
    assert said.returncode == 1
    assert "failed: bussolo: named answers for example.org with serial" in said.stdout
    assert hosts.serials() == before


@pytest.mark.parametrize("folder", ["/var/lib/3rc", "/etc/bind"])
def test_a_full_disk_on_one_host_changes_nothing_on_any(hosts: Land, folder: str) -> None:
    before = hosts.serials()
    bussolo = hosts.machines["bussolo"]
    script = 'cp -a "$0" /root/copy && mount -t tmpfs -o size=2m,mode=755 none "$0"'
    bussolo.run("sh", "-ec", f'{script} && cp -a /root/copy/. "$0" && rm -r /root/copy', folder)
    bussolo.run("sh", "-c", 'cat /dev/zero > "$0/full"', folder, check=False)
    hosts.build(mark=folder)
    said = hosts.apply()
    assert said.returncode == 1
    assert "failed: bussolo: [Errno 28] No space left on device" in said.stdout
    assert hosts.serials() == before
    bussolo.run("rm", f"{folder}/full")
    hosts.good()
    assert hosts.serials() != before


def test_a_host_that_is_down_catches_up_with_the_next_apply(hosts: Land) -> None:
    before = hosts.serial("bussolo")
    hosts.build(mark="down")
    with hosts.machines["bussolo"].unplugged():
        said = hosts.apply()
    assert said.returncode == 4
    assert "not reached, catches up with the next apply: bussolo" in said.stdout
    assert hosts.serial("bussolo") == before != hosts.serial("bibe")
    hosts.good()
    assert len(hosts.serials()) == 1


@pytest.mark.parametrize("step", ["put", "switch", "health"])
def test_a_connection_that_is_lost_brings_all_hosts_back(hosts: Land, step: str) -> None:
    before = hosts.serials()
    hosts.build(mark=step)
    done = losing(hosts, "bussolo", step, end_of_ssh, 30)
    assert done.failed
    assert hosts.settled()
    assert hosts.serials() == before


def test_a_host_that_is_lost_at_the_very_end_is_behind_and_catches_up(hosts: Land) -> None:
    before = hosts.serial("bussolo")
    hosts.build(mark="end")
    done = losing(hosts, "bussolo", "commit", end_of_ssh, 30)
    assert not done.failed
    assert list(done.behind) == ["bussolo"]
    assert hosts.settled()
    assert hosts.serial("bussolo") == before != hosts.serial("bibe")


def test_a_host_whose_cable_is_pulled_goes_back_by_itself(hosts: Land) -> None:
    before = hosts.serials()
    hosts.build(mark="cable")
    with ExitStack() as pulled:
        cable = hosts.machines["bussolo"].unplugged()
        done = losing(hosts, "bussolo", "health", lambda _: pulled.enter_context(cable), 5)
        assert done.failed
        assert hosts.serial("bibe") in before
        assert hosts.settled()  # while it is still alone
    assert hosts.serials() == before


def test_two_at_once_exclude_each_other_on_each_host(hosts: Land) -> None:
    tree = Tree.read(hosts.site.out)
    roads = Roads(Ways(tree.snapshot()), 30, hosts.site.folder.parent / "user")
    hosts.build(mark="two")
    with inside(hosts.net), Fleet(roads, 30) as fleet:
        fleet.begin(["bussolo"], "somebody@else")
        said = hosts.apply()
    assert said.returncode == 1
    assert "bussolo: another apply is under way, by somebody@else" in said.stderr


def test_a_role_that_moves_ends_the_daemon_where_it_was(hosts: Land) -> None:
    text = hosts.text.replace("[dhcp, dns, tftp", "[dns, tftp").replace("[dns],", "[dhcp, dns],")
    replace(hosts, text=text).build()
    said = hosts.good("--force", "--overwrite", "bussolo/etc/dhcp")
    assert "bibe: dhcpd stop" in said
    assert "bussolo: dhcpd restart" in said
    assert offered(hosts, "02:00:00:00:01:01") == "192.168.1.101"
    assert "dhcpd" not in hosts.machines["bibe"].run("ps", "ax")
    hosts.build()
    assert "bussolo: dhcpd stop" in hosts.good("--force")


@dataclass
class Watch:
    """What the name servers answered, asked again and again."""

    net: Any
    serials: set[int] = field(default_factory=set)
    silent: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with inside(self.net):
            while not self._over.is_set():
                for host, address in ADDRESSES.items():
                    serial = _serial(address)
                    if serial is None:
                        self.silent.append(host)
                    else:
                        self.serials.add(serial)
                self._over.wait(0.02)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()


def _serial(address: str) -> int | None:
    """As a resolver asks: again, if there is no answer."""
    question = dns.message.make_query("example.org", dns.rdatatype.SOA)
    for _ in range(3):
        with suppress(dns.exception.Timeout, OSError):
            answer = dns.query.udp(question, address, timeout=2)
            if answer.answer:
                return int(answer.answer[0][0].serial)
    return None


def test_killed_at_random_moments_the_site_always_answers(hosts: Land) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # noqa: T201
    choose = random.Random(seed)  # noqa: S311
    hosts.build(WN4, mark="first")
    began = time.monotonic()
    hosts.good()
    most = (time.monotonic() - began) * 1.1
    for number in range(MOMENTS):
        old = int(hosts.serials().pop())
        hosts.build(WN4 if number % 4 > 1 else "", mark=number)  # every other time for dhcpd too
        watch = Watch(hosts.net)
        with watch.going_on():
            agent = choose.choice([*ADDRESSES]) if number % 3 == 2 else None
            kill(hosts, choose.uniform(0, most), agent)
            assert any(offers(hosts, "bibe") for _ in range(PATIENCE))
            hosts.good()
        assert watch.silent == []
        assert watch.serials <= {old, old + 1}
        assert hosts.serials() == {str(old + 1)}


def kill(hosts: Land, after: float, agent: str | None) -> None:
    """Kill an apply after so many seconds: here, or its agent on a host."""
    command = [*hosts.command("apply", str(hosts.site.out)), *hosts.key]
    log = hosts.site.folder / "killed.log"
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
    time.sleep(after)
    if agent is not None:
        hosts.machines[agent].run("pkill", "-KILL", "-f", "^python3 -I", check=False)
    else:
        process.send_signal(signal.SIGKILL)
    process.wait()
    assert hosts.settled(unless_killed=agent is not None)


def test_kea_takes_the_place_of_dhcpd(hosts: Land) -> None:
    replace(hosts, text=f"dhcp: {{server: kea}}\n{hosts.text}").build()
    said = hosts.good("--overwrite", "bibe/etc/kea")
    assert "bibe: dhcpd stop, kea-dhcp4 restart" in said
    assert offered(hosts, "02:00:00:00:01:01") == "192.168.1.101"
