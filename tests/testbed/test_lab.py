"""The lab with real namespaces: a tiny site by hand."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Interface
from itertools import combinations, islice
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from typing import Any

import pytest

from tests.lab import requires_real
from tests.testbed import tiny, traces
from tests.testbed.tiny import FIRST, SECOND, SECOND_ADDRESS
from threerc.testbed import client, runs
from threerc.testbed.client import Testbed
from threerc.testbed.errors import TestbedError
from threerc.testbed.parts import Bind, Card, Daemon, LabSpec, Lay, MachineSpec, Ready, Store
from threerc.testbed.pictures import png

pytestmark = requires_real()

PING = ("ping", "-c1", "-W1", SECOND_ADDRESS)
THIRD = "alfa03"
ADDRESSES = {FIRST: "192.168.7.1", SECOND: SECOND_ADDRESS, THIRD: "192.168.7.3"}
ALL_MEET = {(FIRST, SECOND), (FIRST, THIRD), (SECOND, THIRD)}
SLEEP = Daemon("sleep", ("sleep", "1000"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of an unmistakable name, and nothing left of its runs in the end."""
    folder = tmp_path_factory.mktemp(f"lab-{secrets.token_hex(4)}-")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        yield folder
        assert traces.left(folder.name) == []
        assert runs.known() == []


@pytest.fixture(scope="module")
def lab(folder: Path) -> LabSpec:
    return tiny.spec(folder)


@pytest.fixture(scope="module")
def testbed(lab: LabSpec) -> Iterator[Testbed]:
    with tiny.running(lab) as testbed:
        yield testbed


def reaches(testbed: Testbed) -> bool:
    return testbed.execute(FIRST, *PING).rc == 0


def runs_there(testbed: Testbed, host: str, daemon: str) -> bool:
    (found,) = [each for each in testbed.status()["capsules"] if each["name"] == host]
    return bool({each["name"]: each["running"] for each in found["daemons"]}[daemon])


# -- capsules


def test_it_is_up_and_its_hosts_reach_each_other(testbed: Testbed) -> None:
    found = testbed.status()
    assert found["state"] == "running"
    assert [(each["name"], each["power"]) for each in found["capsules"]] == [
        (FIRST, "on"),
        (SECOND, "on"),
    ]
    assert runs_there(testbed, FIRST, "sshd")
    assert reaches(testbed)
    keys = testbed.execute(FIRST, "ssh-keyscan", "-t", "ed25519", SECOND_ADDRESS)
    assert "ssh-ed25519" in keys.out


def test_a_capsule_is_a_host_of_its_own(testbed: Testbed) -> None:
    assert testbed.execute(FIRST, "hostname").out == f"{FIRST}\n"
    assert testbed.execute(FIRST, "cat", "/proc/1/comm").out == "tini\n"
    links = testbed.execute(FIRST, "ip", "-o", "link").out
    assert [line.split()[1].partition("@")[0].strip(":") for line in links.splitlines()] == [
        "lo",
        "eth0",
    ]
    assert testbed.execute(FIRST, "sh", "-c", "stat -c %a /tmp").out == "1777\n"
    assert testbed.execute(FIRST, "stat", "-c", "%a", "/etc/ssh").out == "755\n"


def test_what_a_capsule_writes_stays_in_it(testbed: Testbed) -> None:
    place = Path(f"/usr/local/{secrets.token_hex(8)}")
    assert testbed.execute(FIRST, "touch", str(place)).rc == 0
    assert testbed.execute(SECOND, "test", "-e", str(place)).rc == 1
    assert not place.exists()


def test_root_in_a_capsule_is_not_quite_root_of_the_machine(testbed: Testbed) -> None:
    made = testbed.execute(FIRST, "mknod", "/dev/x", "b", "8", "0")
    assert "Operation not permitted" in made.err
    same = "p=/proc/sys/vm/swappiness; read v <$p; echo $v >$p"
    assert "Read-only file system" in testbed.execute(FIRST, "bash", "-c", same).err
    own = same.replace("vm/swappiness", "net/ipv4/ip_forward")
    assert testbed.execute(FIRST, "bash", "-c", own).err == ""
    for process in ("self", "1"):
        status = testbed.execute(FIRST, "cat", f"/proc/{process}/status").out
        (held,) = [int(line.split()[1], 16) for line in status.splitlines() if "CapEff" in line]
        # SYS_MODULE, SYS_RAWIO, SYS_BOOT, SYS_TIME, MKNOD: capabilities(7)
        assert [number for number in (16, 17, 22, 25, 27) if held >> number & 1] == []


def test_a_program_is_given_and_gives(testbed: Testbed) -> None:
    answer = testbed.execute(
        FIRST, "sh", "-c", "cat; echo $HOME $A >&2; exit 3", data="in", environment={"A": "b"}
    )
    assert (answer.rc, answer.out, answer.err) == (3, "in", "/root b\n")


def test_a_program_that_takes_too_long_is_killed(testbed: Testbed) -> None:
    with pytest.raises(TestbedError, match=r"`sleep 1234` had not ended after 0 s"):
        testbed.execute(FIRST, "sleep", "1234", seconds=0.2)
    assert testbed.execute(FIRST, "pgrep", "-f", "sleep 1234").rc == 1


def test_a_program_whose_caller_hangs_up_is_killed(testbed: Testbed) -> None:
    with testbed._connected() as connection:  # noqa: SLF001
        call = {"call": "run", "args": {"capsule": FIRST, "argv": ["sleep", "4321"]}}
        connection.sendall(json.dumps(call).encode() + b"\n")
        until(lambda: testbed.execute(FIRST, "pgrep", "-f", "sleep 4321").rc == 0)
    until(lambda: testbed.execute(FIRST, "pgrep", "-f", "sleep 4321").rc == 1)


def test_a_power_cut_ends_all_of_a_host_but_what_is_on_its_disk(testbed: Testbed) -> None:
    place = f"/var/lib/{secrets.token_hex(8)}"
    testbed.execute(SECOND, "sh", "-c", f"touch {place} /run/lost /tmp/lost")
    testbed.power(SECOND, "off")
    assert not reaches(testbed)
    assert not runs_there(testbed, SECOND, "sshd")
    with pytest.raises(TestbedError, match="alfa02 is off"):
        testbed.execute(SECOND, "true")
    testbed.power(SECOND, "on")
    assert reaches(testbed)
    assert runs_there(testbed, SECOND, "sshd")
    assert testbed.execute(SECOND, "test", "-e", place).rc == 0
    assert testbed.execute(SECOND, "sh", "-c", "ls /run/lost /tmp/lost").rc == 2


def test_power_comes_and_goes_often(testbed: Testbed) -> None:
    for _ in range(10):
        testbed.power(SECOND, "off")
        testbed.power(SECOND, "off")
        testbed.power(SECOND, "on")
        testbed.power(SECOND, "on")
    assert reaches(testbed)


def test_who_switches_on_what_comes_up_already_waits_for_that(lab: LabSpec) -> None:
    """As a board does, whose simulator says it twice."""
    slow = replace(SLEEP, start=(("sleep", "0.5"),))
    with tiny.running(tiny.with_daemons(lab, slow)) as testbed, ThreadPoolExecutor() as pool:
        testbed.power(FIRST, "off")
        ups = [pool.submit(testbed.power, FIRST, "on") for _ in range(3)]
        starts = pool.submit(testbed.daemon, FIRST, "sleep", "on")
        for each in ups:
            each.result()
        assert testbed.execute(FIRST, "pgrep", "-fc", "sleep 1000").out == "1\n"
        assert starts.exception() is None or "is off" in str(starts.exception())
        assert (testbed.run.logs / "lab.log").read_text() == ""


def test_who_stops_a_daemon_that_starts_ends_the_waiting_for_it(lab: LabSpec) -> None:
    once = "echo >>/var/times; test $(wc -l </var/times) = 2 || touch /run/ready; exec sleep 1000"
    ready = Ready("path", "/run/ready")
    daemon = replace(SLEEP, command=("sh", "-c", once), ready=ready, seconds=60.0)
    with tiny.running(tiny.with_daemons(lab, daemon)) as testbed, ThreadPoolExecutor() as pool:
        testbed.power(FIRST, "off")
        comes_up = pool.submit(testbed.power, FIRST, "on")
        until(lambda: testbed.status()["capsules"][0]["power"] == "on")
        until(lambda: testbed.execute(FIRST, "pgrep", "-f", "sleep 1000").rc == 0)
        testbed.daemon(FIRST, "sleep", "off")
        comes_up.result(10)
        assert not runs_there(testbed, FIRST, "sleep")
        testbed.daemon(FIRST, "sleep", "on")
        assert runs_there(testbed, FIRST, "sleep")


def test_power_is_cut_while_a_host_comes_up(lab: LabSpec) -> None:
    slow = "echo >>/var/times; test $(wc -l </var/times) != 2 || { touch /var/slow; sleep 60; }"
    daemon = replace(SLEEP, start=(("sh", "-c", slow),))
    with tiny.running(tiny.with_daemons(lab, daemon)) as testbed, ThreadPoolExecutor() as pool:
        testbed.power(FIRST, "off")
        first = pool.submit(testbed.power, FIRST, "on")
        until(lambda: testbed.status()["capsules"][0]["power"] == "on")
        until(lambda: testbed.execute(FIRST, "test", "-e", "/var/slow").rc == 0)
        testbed.power(FIRST, "off")
        assert "ended with" in str(first.exception(10))
        testbed.power(FIRST, "on")
        assert testbed.execute(FIRST, "pgrep", "-fc", "sleep 1000").out == "1\n"


def test_who_hangs_up_while_a_host_comes_up_leaves_no_second_one(
    folder: Path, testbed: Testbed
) -> None:
    lab = int(testbed._enter_lab()[2])  # noqa: SLF001
    for _ in range(5):
        testbed.power(SECOND, "off")
        before = frozenset(children(lab))
        with testbed._connected() as connection:  # noqa: SLF001
            call = {"call": "power", "args": {"host": SECOND, "state": "on"}}
            connection.sendall(json.dumps(call).encode() + b"\n")
            # It has its file system, and is about to be given its network.
            until(partial(has_new_init, lab, before), poll=0.001)
    testbed.power(SECOND, "on")
    assert reaches(testbed)
    assert sorted(each["host"] for each in testbed.status()["cables"]) == [FIRST, SECOND]
    capsules = [each for each in traces.processes(folder.name) if "-- /usr/bin/sleep" in each]
    assert len(capsules) == 2


def children(process: int) -> list[int]:
    threads = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for thread in threads for child in thread.read_text().split()]


def has_new_init(lab: int, before: frozenset[int]) -> bool:
    return any(map(is_init, frozenset(children(lab)) - before))


def is_init(unshare: int) -> bool:
    try:
        found = [Path(f"/proc/{child}/cmdline").read_bytes() for child in children(unshare)]
    except OSError:
        return False
    return any(b"tini\0" in words for words in found)


def test_a_host_whose_first_process_dies_is_off(testbed: Testbed) -> None:
    since = time.time()
    testbed.execute(SECOND, "sh", "-c", "kill -9 1; kill -TERM 1; sleep 5")
    testbed.wait(10, since=since, of=SECOND, what="its process 1 died")
    assert not reaches(testbed)
    testbed.power(SECOND, "on")
    assert reaches(testbed)


def test_a_volume_is_the_same_everywhere(testbed: Testbed) -> None:
    testbed.execute(FIRST, "dd", "of=/dev/drbd7", "conv=fsync", data="mirrored")
    read = testbed.execute(SECOND, "head", "-c", "8", "/dev/drbd7")
    assert read.out == "mirrored"


# -- networks


def test_a_dead_switch_is_gone_around(testbed: Testbed) -> None:
    testbed.switch("a", "down")
    assert {each["bridge"] for each in testbed.status()["cables"]} == {"lan-b"}
    assert reaches(testbed)
    testbed.switch("b", "down")
    assert {each["bridge"] for each in testbed.status()["cables"]} == {None}
    assert not reaches(testbed)
    testbed.switch("a", "up")
    assert reaches(testbed)
    testbed.switch("b", "up")
    assert {each["bridge"] for each in testbed.status()["cables"]} == {"lan-a"}


def test_switches_are_cabled_to_each_other(testbed: Testbed) -> None:
    """One host is on the one, the other on the other."""
    testbed.power(SECOND, "off")
    testbed.switch("a", "down")
    testbed.power(SECOND, "on")
    testbed.power(FIRST, "off")
    testbed.switch("a", "up")
    testbed.power(FIRST, "on")
    assert reaches(testbed)


def test_a_cable_is_cut(testbed: Testbed) -> None:
    testbed.card(SECOND, "cut", "eth0")
    assert not reaches(testbed)
    carrier = testbed.execute(SECOND, "cat", "/sys/class/net/eth0/carrier")
    assert carrier.out == "0\n"
    testbed.card(SECOND, "mended")
    assert reaches(testbed)


def test_a_card_may_be_plugged_into_nothing(lab: LabSpec) -> None:
    first, second = lab.capsules
    outside = Card("eth1", "02:00:00:00:08:01", (), (IPv4Interface("203.0.113.7/32"),))
    host = replace(first, cards=(*first.cards, outside))
    with tiny.running(replace(lab, capsules=(host, second))) as testbed:
        assert reaches(testbed)
        shown = testbed.execute(FIRST, "ip", "-o", "-4", "addr", "show", "eth1").out
        assert "203.0.113.7/32" in shown


@pytest.fixture(scope="module")
def three(folder: Path) -> Iterator[Testbed]:
    """A third host besides, so that two can be apart from one."""
    lab = tiny.spec(folder)
    address = IPv4Interface(f"{ADDRESSES[THIRD]}/24")
    card = Card("eth0", "02:00:00:00:07:03", ("lan-a", "lan-b"), (address,))
    third = replace(lab.capsules[0], name=THIRD, cards=(card,), daemons=())
    with tiny.running(replace(lab, capsules=(*lab.capsules, third))) as testbed:
        yield testbed


def meet(testbed: Testbed) -> set[tuple[str, str]]:
    """The pairs of hosts that are on of which the first reaches the second."""
    on = [each["name"] for each in testbed.status()["capsules"] if each["power"] == "on"]
    return {
        (one, other)
        for one, other in combinations(on, 2)
        if testbed.execute(one, "ping", "-c1", "-W1", ADDRESSES[other]).rc == 0
    }


def extra_bridges(testbed: Testbed) -> str:
    """Those of hosts that are apart."""
    shown = [*testbed._enter_lab(), "ip", "-o", "link", "show", "type", "bridge"]  # noqa: SLF001
    names = subprocess.run(shown, capture_output=True, text=True, check=True).stdout
    return "".join(line for line in names.splitlines() if ": lan-" not in line)


def test_an_uplink_is_healed_though_a_host_that_it_cut_off_was_fenced(three: Testbed) -> None:
    three.apart([FIRST, SECOND], "apart")
    assert meet(three) == {(FIRST, SECOND)}
    three.power(SECOND, "off")
    three.power(SECOND, "on")
    assert meet(three) == {(FIRST, SECOND)}
    three.power(SECOND, "off")
    three.apart([FIRST, SECOND], "together")
    assert meet(three) == {(FIRST, THIRD)}
    three.power(SECOND, "on")
    assert meet(three) == ALL_MEET
    assert extra_bridges(three) == ""


def test_uplinks_that_fail_at_once_are_healed_one_by_one(three: Testbed) -> None:
    """Their hosts overlap: who is in both groups meets nobody who is in one."""
    three.apart([FIRST, SECOND], "apart")
    three.apart([SECOND, THIRD], "apart")
    assert meet(three) == set()
    three.apart([SECOND, FIRST], "together")
    assert meet(three) == {(SECOND, THIRD)}
    for _ in range(2):
        three.apart([SECOND, THIRD], "together")
    assert meet(three) == ALL_MEET
    assert extra_bridges(three) == ""


def test_switches_fail_while_power_is_cut(three: Testbed) -> None:
    """A host takes its cables along, at any moment of the switch's own."""
    with ThreadPoolExecutor() as pool:
        for _ in range(8):
            cuts = [pool.submit(three.power, host, "off") for host in (SECOND, THIRD)]
            for state in ("down", "up"):
                three.switch("a", state)
            for cut in cuts:
                cut.result()
            for host in (SECOND, THIRD):
                three.power(host, "on")
    assert meet(three) == ALL_MEET
    assert {each["bridge"] for each in three.status()["cables"]} == {"lan-a"}


# -- daemons


def test_a_daemon_is_stopped_started_and_killed(testbed: Testbed) -> None:
    testbed.daemon(FIRST, "sshd", "off")
    assert not runs_there(testbed, FIRST, "sshd")
    testbed.daemon(FIRST, "sshd", "on")
    assert testbed.execute(FIRST, "pgrep", "-fc", "sshd: .*listener").out == "1\n"
    since = time.time()
    testbed.signal(FIRST, "sshd", "KILL")
    testbed.wait(10, since=since, of=FIRST, what="sshd ended with -9")
    with pytest.raises(TestbedError, match="alfa01: sshd does not run"):
        testbed.signal(FIRST, "sshd", "TERM")
    testbed.daemon(FIRST, "sshd", "on")
    assert runs_there(testbed, FIRST, "sshd")


def test_a_daemon_is_started_again_where_an_init_would_do_so(lab: LabSpec) -> None:
    daemon = replace(SLEEP, restart=True)
    with tiny.running(tiny.with_daemons(lab, daemon)) as testbed:
        first = testbed.execute(FIRST, "pgrep", "-f", "sleep 1000").out
        testbed.signal(FIRST, "sleep", "KILL")
        until(lambda: testbed.execute(FIRST, "pgrep", "-f", "sleep 1000").out not in {first, ""})
        testbed.daemon(FIRST, "sleep", "off")
        assert testbed.execute(FIRST, "pgrep", "-f", "sleep 1000").rc == 1


def test_who_starts_what_was_just_started_again_waits_until_it_serves(lab: LabSpec) -> None:
    """Its first start serves at once, each later one only after a while."""
    slow = "test -e /var/again && sleep 2; touch /var/again /run/ready; exec sleep 1000"
    ready = Ready("path", "/run/ready")
    daemon = replace(SLEEP, command=("sh", "-c", slow), ready=ready, restart=True)
    with tiny.running(tiny.with_daemons(lab, daemon)) as testbed:
        testbed.execute(FIRST, "rm", "/run/ready")
        testbed.signal(FIRST, "sleep", "KILL")
        until(lambda: testbed.execute(FIRST, "pgrep", "-f", "sleep 2").rc == 0)
        testbed.daemon(FIRST, "sleep", "on")
        assert testbed.execute(FIRST, "test", "-e", "/run/ready").rc == 0


@pytest.mark.parametrize(
    ("daemon", "said"),
    [
        (
            Daemon("bad", ("sh", "-c", "echo the reason; exit 7"), Ready("udp", "67")),
            r"alfa01: bad: ended with 7 before UDP port 67\n--- .*bad.log\nthe reason",
        ),
        (
            replace(SLEEP, ready=Ready("path", "/run/none"), seconds=0.3),
            "alfa01: sleep: waited 0 s in vain for the file /run/none",
        ),
        (
            replace(SLEEP, start=(("sh", "-c", "echo told; false"),)),
            r"alfa01: sleep: `sh -c echo told; false` ended with 1\n--- .*\ntold",
        ),
        (
            replace(SLEEP, files=(Lay("/etc/x", "", owner="nobody-there"),)),
            "alfa01: .*/etc/x: no user nobody-there to own it",
        ),
        (Daemon("none", ("no-such-program",)), "the program no-such-program"),
    ],
)
def test_what_does_not_come_up_is_told(
    folder: Path, lab: LabSpec, daemon: Daemon, said: str
) -> None:
    with pytest.raises(TestbedError, match=said):
        tiny.up(tiny.with_daemons(lab, daemon))
    (run,) = [run for run in runs.known() if not run.lives()]
    assert run.logs.exists()
    runs.remove_dead()
    assert [each for each in traces.processes(folder.name) if run.id in each] == []


def test_each_of_several_that_listen_on_a_port_is_waited_for(lab: LabSpec) -> None:
    """As boards do, which share a capsule."""
    listen = "import socket,time; s=socket.socket(type=2); s.bind(('127.0.0.2',623)); time.sleep(9)"
    first = Daemon("a", ("python3", "-c", listen), Ready("udp", "127.0.0.2:623"))
    second = replace(SLEEP, ready=Ready("udp", "127.0.0.1:623"), seconds=0.3)
    with pytest.raises(TestbedError, match=r"alfa01: sleep: .* in vain for UDP port 127.0.0.1:623"):
        tiny.up(tiny.with_daemons(lab, first, second))
    runs.remove_dead()


def test_ready_is_seen_through_links_that_mean_the_capsule(lab: LabSpec) -> None:
    """/var/run is a symlink to /run: of the capsule, not of the lab."""
    daemon = Daemon(
        "touch", ("sh", "-c", "touch /run/mine; sleep 1000"), Ready("path", "/var/run/mine")
    )
    with tiny.running(tiny.with_daemons(lab, daemon)):
        pass


# -- the lab


def test_a_lab_may_have_as_many_files_open_as_the_machine_allows(lab: LabSpec) -> None:
    few, most = getrlimit(RLIMIT_NOFILE)
    setrlimit(RLIMIT_NOFILE, (256, most))
    try:
        with tiny.running(lab) as testbed:
            process = testbed._enter_lab()[2]  # noqa: SLF001
            limits = Path(f"/proc/{process}/limits").read_text().splitlines()
    finally:
        setrlimit(RLIMIT_NOFILE, (few, most))
    (files,) = [line for line in limits if "open files" in line]
    assert int(files.split()[3]) == min(most, 1 << 16)


def test_the_same_site_may_run_twice(testbed: Testbed, lab: LabSpec) -> None:
    with tiny.running(lab) as other:
        assert other.run.id != testbed.run.id
        testbed.card(SECOND, "cut")
        assert reaches(other)
        testbed.card(SECOND, "mended")
        with pytest.raises(TestbedError, match="several testbeds run: choose by --run ID"):
            runs.find()
        assert runs.find(other.run.id) == other.run


def test_the_lab_can_be_asked_from_within(lab: LabSpec) -> None:
    """As simulated boards do; the path of the socket is a long one, and only bound."""
    with runs.create(lab.site) as (run, lock):
        first, second = lab.capsules
        bound = replace(first, binds=(Bind(run.socket, "/run/lab.sock"),))
        with client.start(replace(lab, capsules=(bound, second)), run, lock) as held:
            testbed = held.let_go()
    try:
        request = json.dumps({"call": "power", "args": {"host": SECOND, "state": "off"}})
        ask = f"""
import socket
s = socket.socket(socket.AF_UNIX)
s.connect("/run/lab.sock")
s.sendall({request!r}.encode() + b"\\n")
print(s.makefile().readlines()[-1])
"""
        answer = testbed.execute(FIRST, "python3", "-c", ask)
        assert json.loads(answer.out) == {"result": None}
        assert not reaches(testbed)
    finally:
        testbed.down()


def test_a_shared_store_fills_up_without_filling_the_machine(folder: Path, lab: LabSpec) -> None:
    store = folder / "store"
    hosts = tuple(replace(each, binds=(Bind(store, "/var/spool/ha"),)) for each in lab.capsules)
    with tiny.running(replace(lab, capsules=hosts, stores=(Store(store, 1),))) as testbed:
        fill = testbed.execute(FIRST, "dd", "if=/dev/zero", "of=/var/spool/ha/x", "bs=64k")
        assert "No space left" in fill.err
        assert testbed.execute(SECOND, "stat", "-c", "%s", "/var/spool/ha/x").out == "1048576\n"
    assert list(store.iterdir()) == []


def test_what_nobody_knows_is_refused_in_words(testbed: Testbed) -> None:
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("power", {"host": "x", "state": "on"}, r"no capsule x \(there are: alfa01, alfa02\)"),
        ("signal", {"capsule": FIRST, "daemon": "sshd", "name": "X"}, "no signal X"),
        (
            "daemon",
            {"capsule": FIRST, "daemon": "x", "state": "on", "instead": {}},
            "alfa01 has no daemon x",
        ),
        (
            "daemon",
            {"capsule": FIRST, "daemon": "sshd", "state": "on", "instead": {"/etc/x": "/etc/y"}},
            "alfa01: sshd: its command has no /etc/x",
        ),
        ("switch", {"name": "x", "state": "up"}, r"no switch x \(there are: a, b\)"),
        ("card", {"host": FIRST, "card": "x", "state": "cut"}, "alfa01 has no cable to x"),
        ("power", {"host": [], "state": "off"}, "a bug of the lab, told in lab.log: TypeError"),
        ("nonsense", {}, "no such call: 'nonsense'"),
        ("power", {"host": FIRST}, "no such call: .*missing .* 'state'"),
        ("wait", {"wanted": {"kind": "x"}, "seconds": 0.1}, "in vain for an event: kind x"),
    ]
    for call, arguments, said in wrong:
        with pytest.raises(TestbedError, match=said):
            testbed.call(call, **arguments)


def test_events_are_told_as_they_happen(testbed: Testbed) -> None:
    since = time.time()
    stream = testbed.events(since)
    testbed.daemon(SECOND, "sshd", "off")
    testbed.daemon(SECOND, "sshd", "on")
    told = [(event["kind"], event["of"], event["what"]) for event in islice(stream, 2)]
    assert told == [("fault", SECOND, "sshd stopped"), ("heal", SECOND, "sshd started")]


def test_a_machine_of_iron(folder: Path, lab: LabSpec) -> None:
    disk = folder / "disk"
    disk.write_bytes(bytes(1 << 20))
    machine = MachineSpec("wn01", "02:00:00:00:07:99", ("lan-a", "lan-b"), 64, (disk,))
    with tiny.running(replace(lab, machines=(machine,))) as testbed:
        console = testbed.run.logs / "wn01.console.log"
        until(lambda: console.exists() and b"SeaBIOS" in console.read_bytes())
        screen = Path(testbed.call("screenshot", host="wn01"))
        assert png(screen.read_bytes()).startswith(b"\x89PNG")
        with qemu_stopped(testbed), pytest.raises(TestbedError, match="wn01: no picture within"):
            testbed.call("screenshot", host="wn01")
        testbed.power("wn01", "off")
        assert [each["power"] for each in testbed.status()["machines"]] == ["off"]
        testbed.power("wn01", "on")
        assert [each["power"] for each in testbed.status()["machines"]] == ["on"]


@contextmanager
def qemu_stopped(testbed: Testbed) -> Iterator[None]:
    its = [each for each in traces.processes(testbed.run.folder.name) if "-name wn01" in each]
    (pid,) = [int(each.split()[1].rstrip(":")) for each in its]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_without_root_there_is_one_clear_message(
    lab: LabSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(TestbedError, match="the testbed needs root"):
        tiny.up(lab)
    runs.remove_dead()


def until(condition: object, seconds: float = 20.0, poll: float = 0.05) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(poll)
