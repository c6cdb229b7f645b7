"""Where VMs are started: even, fair, within capacity, and nobody left out who could be in."""

from __future__ import annotations

from collections import Counter
from itertools import cycle, islice
from math import ceil, inf

from hypothesis import given
from hypothesis import strategies as st

from threerc.runtime.placement import Host, Request, place

GIB = 1 << 30


def hosts(*names: str, **settings: object) -> dict[str, Host]:
    return {name: Host(name, **settings) for name in names}  # type: ignore[arg-type]


def request(vm: str, home: str = "a", allowed: str = "abc", **settings: object) -> Request:
    return Request(vm, home, tuple(allowed), **settings)  # type: ignore[arg-type]


def test_the_same_host_if_it_qualifies() -> None:
    up = hosts("a", "b", "c", maxl=10.0)
    up["a"].load, up["a"].vms = 10.0, 50
    assert place([request("v")], up)["v"].host == "a"


def test_another_one_if_its_load_is_above_maxl() -> None:
    up = hosts("a", "b", "c", maxl=10.0)
    up["a"].load, up["b"].load, up["c"].load = 10.01, 5.0, 1.0
    choice = place([request("v")], up)["v"]
    assert choice.host == "c"
    assert choice.refused == {"a": "load 10.01 above MAXL 10"}


def test_none_and_the_reasons() -> None:
    up = hosts("a", "b", "c", cpus=4, memory=4 * GIB)
    up["a"].why_not = "down"
    up["b"].used_cpus = 3
    up["c"].used_memory = 3 * GIB
    choice = place([request("v", cpus=2, memory=2 * GIB)], up)["v"]
    assert choice.host is None
    assert choice.refused == {
        "a": "down",
        "b": "1 CPUs left, 2 wanted",
        "c": "1024 MiB of memory left, 2048 wanted",
    }


def test_what_is_not_allowed_is_not_taken_be_it_home() -> None:
    choice = place([request("v", home="a", allowed="b")], hosts("a", "b"))["v"]
    assert choice.host == "b"
    assert choice.refused == {"a": "not allowed"}


def test_a_host_on_which_it_could_not_be_started_is_avoided_with_that_reason() -> None:
    up = hosts("a", "b", "c")
    up["b"].vms = 9
    choice = place([request("v", avoid=("a", "c"))], up)["v"]
    assert choice.host == "b"
    reason = "it could not be started there"
    assert choice.refused == {"a": reason, "c": reason}


def test_it_is_tried_there_again_where_no_other_host_can_take_it() -> None:
    up = hosts("a", "b", "c", "d")
    up["b"].why_not = "down"
    wanted = request("v", allowed="abc", avoid=("d", "c", "a"))
    choice = place([wanted], up)["v"]
    assert choice.host == "c"
    assert choice.refused == {"a": "it could not be started there", "b": "down"}


def test_partners_are_kept_apart_also_within_a_tick() -> None:
    up = hosts("a", "b", "c")
    up["a"].why_not = "down"
    found = place([request(v, group="pbs") for v in ("v1", "v2", "v3")], up)
    placed = [choice.host for choice in found.values()]
    assert sorted(map(str, placed)) == ["None", "b", "c"]


def test_a_large_vm_is_not_left_out_because_small_ones_went_first() -> None:
    up = hosts("a", "b", "c", memory=8 * GIB)
    up["a"].why_not = "down"
    small = [request(f"s{n}", memory=2 * GIB) for n in range(4)]
    found = place([*small, request("large", memory=8 * GIB)], up)
    assert all(choice.host for choice in found.values())


def test_when_not_all_fit_the_important_ones_do() -> None:
    up = hosts("a", "b", memory=4 * GIB)
    up["a"].why_not = "down"
    found = place(
        [request("large", memory=4 * GIB), request("dear", memory=1 * GIB, priority=5)], up
    )
    assert found["dear"].host == "b"
    assert found["large"].host is None


def test_one_that_can_go_elsewhere_makes_room() -> None:
    up = hosts("a", "b", "c", memory=2 * GIB)
    up["a"].why_not = "down"
    up["c"].vms = 3
    # By size and name `any` goes first, to the emptier b; only b is left for `picky`.
    found = place(
        [request("any", memory=2 * GIB), request("picky", memory=2 * GIB, allowed="ab")], up
    )
    assert (found["any"].host, found["picky"].host) == ("c", "b")


def test_a_dead_host_s_vms_are_spread_fairly() -> None:
    up = hosts(*(f"p{n:02}" for n in range(20)))
    for name, host in up.items():
        host.vms = int(name[1:]) % 3 + 95
    up["p00"].why_not = "down"
    moved = [Request(f"v{n}", "p00", tuple(up)) for n in range(100)]
    sent = Counter(choice.host for choice in place(moved, up).values())
    assert sum(sent.values()) == 100
    assert max(sent.values()) <= ceil(100 / 19) + 1
    assert None not in sent


SITES = st.lists(
    st.builds(
        Host,
        name=st.just(""),
        maxl=st.sampled_from([inf, 0.0, 5.0]),
        load=st.none() | st.floats(0, 10),
        cpus=st.none() | st.integers(0, 16),
        memory=st.none() | st.integers(0, 16),
        why_not=st.sampled_from(["", "", "", "down"]),
    ),
    min_size=1,
    max_size=6,
)
WANTED = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sets(st.integers(0, 5), min_size=1),
        st.integers(1, 8),
        st.integers(1, 8),
        st.sampled_from([None, "x", "y"]),
        st.integers(0, 2),
    ),
    max_size=12,
)


@given(SITES, WANTED)
def test_no_bound_is_ever_broken(
    site: list[Host],
    wanted: list[tuple[int, set[int], int, int, str | None, int]],
) -> None:
    up = {}
    for number, host in enumerate(site):
        host.name = str(number)
        up[host.name] = host
    requests = [
        Request(f"v{n}", str(home), tuple(map(str, allowed)), cpus, memory, group, priority)
        for n, (home, allowed, cpus, memory, group, priority) in enumerate(wanted)
    ]
    found = place(requests, up)
    assert set(found) == {each.vm for each in requests}
    on: dict[str, list[Request]] = {}
    for each in requests:
        choice = found[each.vm]
        if choice.host is None:
            assert set(choice.refused) >= {name for name in each.allowed if name in up}
            continue
        assert choice.host in each.allowed
        on.setdefault(choice.host, []).append(each)
    for name, here in on.items():
        host = up[name]
        assert not host.why_not
        assert host.load is None or host.load <= host.maxl
        assert host.cpus is None or sum(each.cpus for each in here) <= host.cpus
        assert host.memory is None or sum(each.memory for each in here) <= host.memory
        groups = [each.group for each in here if each.group]
        assert len(groups) == len(set(groups))
        assert host.sent == host.vms == len(here)


def test_shares_are_fair_among_the_hosts_that_may_take_them() -> None:
    """Not among all: of three that may take a dead host's VMs a busy one gets no more either."""
    up = {
        f"k{n}": Host(f"k{n}", maxl=10, load=load, vms=10) for n, load in enumerate((9, 0.5, 0.5))
    }
    up |= {f"x{n}": Host(f"x{n}", maxl=10, load=1.0, vms=100) for n in range(9)}
    up["dead"] = Host("dead", why_not="down")
    allowed = ("dead", "k0", "k1", "k2")
    moved = place([Request(f"v{n:03}", "dead", allowed) for n in range(100)], up)
    assert Counter(choice.host for choice in moved.values()) == {"k0": 30, "k1": 35, "k2": 35}


def test_the_load_counts_as_much_as_it_does_among_those_hosts() -> None:
    """Many VMs elsewhere made a host with a few more look as good as one that is much busier."""
    up = {"a": Host("a", maxl=10, load=3.0, vms=2), "b": Host("b", maxl=10, load=1.0, vms=6)}
    up |= {f"x{n}": Host(f"x{n}", maxl=10, vms=200) for n in range(9)}
    assert place([Request("v", "", ("a", "b"))], up)["v"].host == "a"


def test_those_with_less_choice_are_as_many_as_there_are_hosts_for_them() -> None:
    up = {name: Host(name) for name in "abcd"} | {"dead": Host("dead", why_not="down")}
    choices = islice(cycle((("dead", "a", "b"), ("dead", "a", "b", "c", "d"))), 40)
    moved = place([Request(f"v{n:02}", "dead", each) for n, each in enumerate(choices)], up)
    assert Counter(choice.host for choice in moved.values()) == dict.fromkeys("abcd", 10)
