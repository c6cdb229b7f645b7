"""The service side of examples/ci in a testbed: each daemon serves what was compiled."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import requires_real
from tests.testbed import without_machines
from threerc.testbed.client import Answer, Testbed
from threerc.testbed.grip import Grip

pytestmark = requires_real()

HA = ("runuser", "-u", "ha", "--")
VIRSH = ("virsh", "-c", "qemu:///system")
POWER = "IPMITOOL_PASSWORD=$(cat /etc/3rc/ipmi) ipmitool -I lanplus -H %s -U ha -E -C 3 power %s"
BOARD = "192.168.30.111"
CRON_SECONDS = 75.0
SECONDS = 45.0


@pytest.fixture(scope="module")
def testbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """The site, up, with its cron-timed controllers."""
    with without_machines.running(tmp_path_factory.mktemp("services"), "thesis") as testbed:
        yield testbed


@pytest.fixture(scope="module")
def grip(testbed: Testbed) -> Grip:
    return Grip(testbed)


def out(testbed: Testbed, host: str, *command: str) -> str:
    answer = testbed.execute(host, *command)
    assert answer.rc == 0, answer
    return answer.out


def shell(testbed: Testbed, host: str, command: str) -> Answer:
    return testbed.execute(host, *HA, "sh", "-c", command)


def until(condition: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(0.3)


@pytest.mark.parametrize("server", ["192.168.30.1", "192.168.30.2"])
def test_both_name_servers_say_what_a_machine_is(testbed: Testbed, server: str) -> None:
    asked = ("dig", "+short", f"@{server}", "vm1.ci.example.org", "HINFO")
    assert out(testbed, "ph1", *asked) == '"mini" "ce"\n'


def test_dhcp_knows_the_machines_by_their_cards(testbed: Testbed) -> None:
    """An interface with a VM's MAC on the physical host's bridge asks as the VM would."""
    lines = (
        "ip link add asks type veth peer name plug",
        "ip link set asks address 02:00:c0:a8:1e:15 up",
        "ip link set plug master br0 up",
        "busybox udhcpc -i asks -n -q -f -t 5 -T 1 -s /bin/true",
        "ip link delete asks",
    )
    answer = testbed.execute("ph1", "sh", "-e", "-c", "\n".join(lines))
    assert "lease of 192.168.30.21 obtained from 192.168.30.1" in answer.err + answer.out


def test_tftp_gives_what_a_link_says(testbed: Testbed) -> None:
    link = "tftp://192.168.30.1/pxelinux.cfg/C0A81E15"
    assert "localboot" in out(testbed, "ph2", "curl", "-sS", link)
    out(testbed, "one", "3rc", "boot", "vm1", "install")
    try:
        text = out(testbed, "ph2", "curl", "-sS", link)
        assert "threerc.image=http://192.168.30.1/images/mini.tar.gz" in text
        kernel = "tftp://192.168.30.1/kernel/mini/vmlinuz"
        assert out(testbed, "ph2", "curl", "-sS", kernel) == "vmlinuz"
    finally:
        out(testbed, "one", "3rc", "boot", "vm1", "local")


def test_the_install_server_has_the_hook_the_image_and_the_keys(testbed: Testbed) -> None:
    url = "http://192.168.30.1"
    assert "Post-install hook" in out(testbed, "ph1", "curl", "-sSf", f"{url}/post/install.sh")
    assert out(testbed, "ph1", "curl", "-sSf", f"{url}/images/mini.tar.gz") == "image"
    key = out(testbed, "ph1", "curl", "-sSf", f"{url}/testbed/host-keys/192.168.30.21")
    assert key.startswith("-----BEGIN OPENSSH PRIVATE KEY-----")


def test_ganglia_hears_all_hosts(grip: Grip) -> None:
    wanted = {"ph1", "ph2", "one", "two"}
    until(
        lambda: all(wanted <= set(names) for names in grip.heard().values()),
        "all gmonds at both collectors",
        CRON_SECONDS,
    )
    assert set(grip.heard()) == {"one", "two"}


def test_collectors_are_heard_under_their_own_names(grip: Grip) -> None:
    """A gmond that listens and has another name loses it, and its heartbeats are nobody's."""
    until(lambda: grip.heard()["one"].get("two", 99) < 5, "a heartbeat of two")
    for name in ("one", "two"):
        log = grip.testbed.run.logs / name / "gmond.log"
        assert "Incorrect format for spoof argument" not in log.read_text(encoding="utf-8")


def test_controllers_reach_the_hypervisors_with_the_compiled_keys(grip: Grip) -> None:
    assert json.loads(grip.errand("where")) == {"ph1": [], "ph2": []}


def test_no_other_host_key_is_taken(testbed: Testbed) -> None:
    """ph2's address, under the name of ph1."""
    options = "-o BatchMode=yes -o StrictHostKeyChecking=yes -i /etc/3rc/id_ed25519"
    known = "-o UserKnownHostsFile=/etc/3rc/known_hosts -o HostKeyAlias=ph1"
    right = shell(testbed, "two", f"ssh {options} {known} root@192.168.30.11 uname -n")
    assert (right.rc, right.out) == (0, "ph1\n")
    wrong = shell(testbed, "two", f"ssh {options} {known} root@192.168.30.12 uname -n")
    assert wrong.rc == 255
    assert "verification failed" in wrong.err


def test_cron_runs_a_controller_as_its_user(testbed: Testbed) -> None:
    state = "/var/spool/ha"

    def ticked() -> bool:
        return bool(shell(testbed, "one", f"ls {state}/state/seen").out.split())

    until(ticked, "a tick of either controller", CRON_SECONDS)
    assert out(testbed, "two", "stat", "-c", "%U", f"{state}/state/seen") == "ha\n"
    mail = testbed.execute("one", "cat", "/var/log/3rc-mail.log").out
    assert mail == "", "what cron's jobs complained of"
    assert "all virtual machines are paused" in shell(testbed, "one", "3rc status").out
    assert "PH ph1 100\n" in out(testbed, "two", "cat", f"{state}/hosts.def")


def test_a_board_cuts_a_host_s_power_and_gives_it_back(testbed: Testbed) -> None:
    def board(command: str) -> str:
        return shell(testbed, "one", POWER % (BOARD, command)).out

    assert board("status") == "Chassis Power is on\n"
    assert "ph1" in out(testbed, "ph1", "uname", "-n")
    before = {each["name"]: each["init"] for each in testbed.status()["capsules"]}
    board("off")
    until(lambda: "off" in board("status"), "the board to say that it is off")
    now = {each["name"]: each for each in testbed.status()["capsules"]}
    assert now["ph1"]["power"] == "off"
    assert now["ph2"]["init"] == before["ph2"]
    board("on")
    until(lambda: " on" in board("status"), "the board to say that it is on")
    listed = (*VIRSH, "list", "--all", "--name")
    until(lambda: testbed.execute("ph1", *listed).rc == 0, "libvirtd after the power cut")


def test_the_state_is_one_and_small(testbed: Testbed) -> None:
    one, two = (shell(testbed, each, "stat -c %d:%i /var/spool/ha").out for each in ("one", "two"))
    assert one == two
    assert shell(testbed, "one", "df --output=size -m /var/spool/ha").out.split()[-1] == "16"


def test_what_differs_from_the_site_is_told(testbed: Testbed) -> None:
    told = (testbed.run.folder / "overlay.txt").read_text(encoding="utf-8").splitlines()
    assert any("ph1.power: a simulated IPMI board" in line for line in told)
    config = json.loads((testbed.run.folder / "wanted.json").read_text(encoding="utf-8"))
    assert config["profile"] == "thesis"


def test_the_machine_has_none_of_it(testbed: Testbed) -> None:
    assert not Path("/var/spool/ha/state").exists()
    assert "192.168.30." not in Path("/proc/net/fib_trie").read_text(encoding="ascii")
    del testbed
