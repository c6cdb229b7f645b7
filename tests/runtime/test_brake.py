"""The brake: what trips it, what does not, and how it comes off."""

from __future__ import annotations

from threerc.runtime.brake import Before, Braked, Silence, judge, went_silent
from threerc.runtime.config import Brake
from threerc.runtime.observation import Observation, Seen

NOW = 10_000.0
OWNERS = {"v1": "p1", "v2": "p1", "v3": "p2", "v4": "p3"}


def silence(*names: str, since: float = NOW - 60, judged: float = NOW - 60) -> Silence:
    return Silence(dict.fromkeys(names, since), OWNERS, 8, judged)


def test_a_few_are_not_too_many() -> None:
    assert judge(Brake(), None, silence("v1", "v3"), NOW) is None


def test_more_than_a_third_are() -> None:
    braked = judge(Brake(), None, silence("v1", "v3", "v4"), NOW)
    assert braked is not None
    assert braked.reason == "3 of 8 hosts went silent within 180 s"
    assert braked.hosts == ("v1", "v3", "v4")


def test_one_physical_host_with_all_its_vms_is_never_too_many() -> None:
    assert judge(Brake(), None, silence("p1", "v1", "v2"), NOW) is None
    assert judge(Brake(share=0.1), None, silence("v1", "v2"), NOW) is None


def test_those_long_dead_do_not_count() -> None:
    old = silence("v1", "v3", "v4", since=NOW - 181)
    assert judge(Brake(), None, old, NOW) is None


def test_what_went_silent_while_nobody_looked_counts_however_long_that_was() -> None:
    gone = silence("v1", "v3", "v4", since=NOW - 3000, judged=NOW - 3600)
    braked = judge(Brake(), None, gone, NOW)
    assert braked is not None
    assert braked.reason == "3 of 8 hosts went silent within 3600 s"
    old = silence("v1", "v3", "v4", since=NOW - 3700, judged=NOW - 3600)
    assert judge(Brake(), None, old, NOW) is None


def test_in_a_site_that_was_never_judged_all_that_are_silent_count() -> None:
    braked = judge(Brake(), None, silence("v1", "v3", "v4", since=77.0, judged=0.0), NOW)
    assert braked is not None
    assert braked.reason == "3 of 8 hosts are silent"


def test_it_stays_on_until_enough_are_back() -> None:
    braked = judge(Brake(), None, silence("v1", "v3", "v4"), NOW)
    later = silence("v1", "v3", "v4", since=NOW - 60)
    assert judge(Brake(), braked, later, NOW + 5000) == braked
    assert judge(Brake(), braked, silence("v1", "v3", since=NOW - 60), NOW + 5000) is None


def test_a_released_brake_lets_the_same_hosts_be_cared_for() -> None:
    released = Braked(since=NOW, reason="", hosts=("v1", "v3", "v4"), released=True)
    assert judge(Brake(), released, silence("v1", "v3", "v4"), NOW) == released
    assert judge(Brake(), released, silence(), NOW) is None
    more = judge(Brake(), released, silence("v1", "v3", "v4", "p1", "p2", "p3"), NOW)
    assert more is not None
    assert (more.hosts, more.released) == (("p1", "p2", "p3"), False)


def test_when_hosts_went_silent() -> None:
    seen = {"a": Seen(0.0, 100.0, 20.0), "b": Seen(0.0, 200.0, 20.0)}
    since = went_silent(
        Observation(seen, ""), {"a", "b", "c", "d"}, 4.0, NOW, Before(absent={"c": 77.0})
    )
    assert since == {"a": NOW - 20, "b": NOW - 120, "c": 77.0, "d": 0.0}


def test_whoever_was_up_in_the_last_tick_has_not_been_silent_for_a_day() -> None:
    """Whatever a monitor says that has lost its senses: more went silent than can be believed."""
    seen = {"a": Seen(0.0, 86_400.0), "b": Seen(0.0, 86_400.0)}
    before = Before(NOW - 60, frozenset({"b"}))
    since = went_silent(Observation(seen, ""), {"a", "b"}, 4.0, NOW, before)
    assert since == {"a": NOW - 60, "b": NOW - 86_400 + 80}
