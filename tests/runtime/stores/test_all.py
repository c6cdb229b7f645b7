"""What holds for every store."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.runtime.stores.support import (
    LOST,
    WON,
    Place,
    ended,
    forked,
    increment,
    value_of,
    version_of,
)
from threerc.runtime.errors import Conflict
from threerc.runtime.world import Versioned

HERE = "alfa01 2008-12-14/04:31:01 1"
THERE = "alfa04 2008-12-14/04:35:01 2"
NO_KEYS = (
    "", "/", "vm/", "/vm/x", "vm//x", "vm/x/", "vm/x/y", "../x", "vm/..", "vm/../x", "vm/.x", ".x",
    "vm/x y", "vm/x\n", "vm/x\0", "vm/é", "vm/x@1", "VM/x", "vm/-x", "vm/" + "x" * 201,
)  # fmt: skip
NO_NAMES = ("", ".", "..", "../gridce", "vm/gridce", ".gridce", "grid ce", "gridce\n", "*")


class TestEveryStore:
    def test_what_is_not_there(self, place: Place) -> None:
        store = place.open()
        assert store.get("vm/gridce") is None
        assert store.get("brake") is None
        assert store.list("vm/") == {}
        assert store.published("gridce") is None
        assert list(store.events()) == []

    def test_what_one_writes_the_other_reads(self, place: Place) -> None:
        version = place.open().put("vm/gridce", {"host": "alfa01"}, 0)
        assert version > 0
        assert place.open().get("vm/gridce") == Versioned(version, {"host": "alfa01"})
        assert place.open().list("vm/") == {"vm/gridce": Versioned(version, {"host": "alfa01"})}

    @pytest.mark.parametrize("key", ["vm/gridce", "paused/*", "seen/bibe", "brake", "vm/a.b-c_1"])
    def test_every_kind_of_key(self, place: Place, key: str) -> None:
        store = place.open()
        store.put(key, {"why": "a"}, 0)
        assert value_of(store, key) == {"why": "a"}

    @pytest.mark.parametrize("key", NO_KEYS)
    def test_what_is_no_key_is_refused(self, place: Place, key: str) -> None:
        store = place.open()
        with pytest.raises(ValueError, match="no key"):
            store.put(key, {}, 0)
        with pytest.raises(ValueError, match="no key"):
            store.get(key)
        with pytest.raises(ValueError, match="no key"):
            store.delete(key, 1)

    @pytest.mark.parametrize("prefix", ["", "v", "vm", "vm/x", "../", "vm/../", "/"])
    def test_what_is_no_prefix_is_refused(self, place: Place, prefix: str) -> None:
        with pytest.raises(ValueError, match="no prefix"):
            place.open().list(prefix)

    def test_a_value_is_what_json_makes_of_it_and_nobody_elses(self, place: Place) -> None:
        store = place.open()
        value: dict[str, Any] = {
            "text": 'é\n"\0 \N{SNOWMAN}', "none": None, "yes": True, "float": 1228000000.25,
            "tuple": (1, 2), "nested": {"a": [{"b": "c"}]}, "long": "x" * 300_000, "": "",
        }  # fmt: skip
        store.put("vm/gridce", value, 0)
        value["nested"]["a"].append("later")
        expected = {**value, "tuple": [1, 2], "nested": {"a": [{"b": "c"}]}}
        assert value_of(store, "vm/gridce") == expected

    def test_only_who_knows_the_version_writes(self, place: Place) -> None:
        store = place.open()
        for wrong in (1, 7):
            with pytest.raises(Conflict):
                store.put("vm/gridce", {"n": 0}, wrong)
        first = store.put("vm/gridce", {"n": 1}, 0)
        for wrong in (0, first - 1, first + 1):
            if wrong != first:
                with pytest.raises(Conflict):
                    store.put("vm/gridce", {"n": 0}, wrong)
        second = store.put("vm/gridce", {"n": 2}, first)
        assert second > first
        with pytest.raises(Conflict):
            store.put("vm/gridce", {"n": 0}, first)
        assert store.get("vm/gridce") == Versioned(second, {"n": 2})

    def test_of_two_who_have_read_the_same_one_wins(self, place: Place) -> None:
        one, other = place.open(), place.open()
        version = one.put("vm/gridce", {"by": "nobody"}, 0)
        assert other.put("vm/gridce", {"by": "other"}, version)
        with pytest.raises(Conflict, match="vm/gridce"):
            one.put("vm/gridce", {"by": "one"}, version)
        assert value_of(one, "vm/gridce") == {"by": "other"}

    def test_of_two_who_write_first_one_wins(self, place: Place) -> None:
        one, other = place.open(), place.open()
        one.put("vm/gridce", {"by": "one"}, 0)
        with pytest.raises(Conflict):
            other.put("vm/gridce", {"by": "other"}, 0)
        assert value_of(other, "vm/gridce") == {"by": "one"}

    def test_who_was_paused_loses(self, place: Place) -> None:
        paused, other = place.open(), place.open()
        seen = paused.put("vm/gridce", {"n": 0}, 0)
        version = seen
        for number in range(1, 8):
            version = other.put("vm/gridce", {"n": number}, version)
        with pytest.raises(Conflict):
            paused.put("vm/gridce", {"n": "late"}, seen)
        with pytest.raises(Conflict):
            paused.delete("vm/gridce", seen)
        assert paused.get("vm/gridce") == Versioned(version, {"n": 7})

    def test_deleting(self, place: Place) -> None:
        store = place.open()
        version = store.put("paused/*", {"why": "a"}, 0)
        store.put("paused/gridce", {"why": "b"}, 0)
        with pytest.raises(Conflict):
            store.delete("paused/*", version + 1)
        with pytest.raises(Conflict):
            store.delete("paused/*", 0)
        store.delete("paused/*", version)
        assert store.get("paused/*") is None
        assert list(store.list("paused/")) == ["paused/gridce"]

    def test_what_is_not_there_may_be_deleted_by_who_knows(self, place: Place) -> None:
        store = place.open()
        store.delete("paused/*", 0)
        with pytest.raises(Conflict):
            store.delete("paused/*", 3)
        version = store.put("paused/*", {}, 0)
        store.delete("paused/*", version)
        store.delete("paused/*", 0)
        with pytest.raises(Conflict):
            store.delete("paused/*", version)

    def test_versions_only_grow_also_over_deleting(self, place: Place) -> None:
        store = place.open()
        seen = [0]
        for number in range(4):
            version = store.put("paused/x", {"n": number}, 0)
            assert version > seen[-1]
            seen.append(store.put("paused/x", {"n": number}, version))
            store.delete("paused/x", seen[-1])
            for old in seen[1:]:
                with pytest.raises(Conflict):
                    store.put("paused/x", {"n": "late"}, old)
        assert sorted(set(seen)) == seen

    def test_a_list_is_one_group_in_order(self, place: Place) -> None:
        store = place.open()
        for key in ("vm/b", "vm/a", "vmx/c", "paused/a", "vm/a.b", "brake"):
            store.put(key, {"key": key}, 0)
        assert list(store.list("vm/")) == ["vm/a", "vm/a.b", "vm/b"]
        assert [each.value["key"] for each in store.list("paused/").values()] == ["paused/a"]
        assert store.list("seen/") == {}

    def test_publishing(self, place: Place) -> None:
        one, other = place.open(), place.open()
        one.publish("gridce", HERE)
        one.publish("gridce2", THERE)
        assert other.published("gridce") == HERE
        other.publish("gridce", THERE)
        assert one.published("gridce") == THERE
        assert one.list("vm/") == {}

    @pytest.mark.parametrize("name", NO_NAMES)
    def test_what_is_no_vm_is_not_published(self, place: Place, name: str) -> None:
        with pytest.raises(ValueError, match="no VM"):
            place.open().publish(name, HERE)
        with pytest.raises(ValueError, match="no VM"):
            place.open().published(name)

    def test_logs_keep_their_order(self, place: Place) -> None:
        one, other = place.open(), place.open()
        one.log(["1", "2"], [{"n": 1, "vm": "a"}, {"n": 2, "vm": "b"}])
        other.log(["3"], [])
        other.log([], [{"n": 3}])
        one.log(["é"], [{"n": 4, "vm": "a", "why": "é\n"}])
        assert place.lines() == ["1", "2", "3", "é"]
        assert [each["n"] for each in one.events()] == [1, 2, 3, 4]
        assert one.events("a")[-1]["why"] == "é\n"

    def test_events_are_the_newest_of_one_vm_or_all(self, place: Place) -> None:
        store = place.open()
        # `a` is a part of `aa`, and a value elsewhere.
        store.log([], [{"n": n, "vm": "ab"[n % 2] * (1 + n // 4), "host": "a"} for n in range(8)])
        assert [each["n"] for each in store.events("a")] == [0, 2]
        assert [each["n"] for each in store.events("aa", last=1)] == [6]
        assert [each["n"] for each in store.events(last=3)] == [5, 6, 7]
        assert list(store.events(last=0)) == []
        assert list(store.events("nobody")) == []

    def test_what_concerns_nobody_in_particular_concerns_all(self, place: Place) -> None:
        store = place.open()
        store.log([], [{"n": 1, "vm": "a"}, {"n": 2}, {"n": 3, "vm": "b"}])
        assert [each["n"] for each in store.events("a")] == [1, 2]
        assert [each["n"] for each in store.events("nobody")] == [2]


class TestProcesses:
    def test_two_that_hammer_one_key_count_each_once(self, shared: Place) -> None:
        store = shared.open()
        children = [forked(lambda: hammer(shared, 150)) for _ in range(2)]
        assert [ended(child) for child in children] == [0, 0]
        assert value_of(store, "vm/gridce") == {"count": 300}

    def test_of_many_that_write_first_one_wins(self, shared: Place) -> None:
        for number in range(10):
            key = f"installed/vm{number}"
            children = [forked(partial(create, shared, key)) for _ in range(4)]
            assert sorted(ended(child) for child in children) == [WON, LOST, LOST, LOST]
            assert version_of(shared.open(), key) > 0


def hammer(place: Place, times: int) -> None:
    store = place.open()
    for _ in range(times):
        increment(store, "vm/gridce")


def create(place: Place, key: str) -> int:
    try:
        place.open().put(key, {}, 0)
    except Conflict:
        return LOST
    return WON
