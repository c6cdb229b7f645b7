"""The shared state of campaigns, which is in a hurry."""

from __future__ import annotations

from threerc.runtime.memory import Look, Memory
from threerc.runtime.records import Record
from threerc.runtime.simulation.counted import CountedStore


def test_what_was_written_before_it_was_in_a_hurry_is_still_listed() -> None:
    store = CountedStore()
    store.put("seen/bibe", {"tick": 1.0}, 0)
    store.quick = True
    store.put("seen/bussolo", {"tick": 2.0}, 0)
    assert {key: it.version for key, it in store.list("seen/").items()} == {
        "seen/bibe": 1,
        "seen/bussolo": 1,
    }


def test_what_a_controller_keeps_for_itself_is_no_news_for_the_others() -> None:
    store = CountedStore()
    for key in ("seen/bibe", "told/bibe", "vm/vrt1"):
        store.put(key, {}, 0)
    assert store.writes == 1


def test_what_is_read_again_is_not_checked_again_and_is_nobodys_own() -> None:
    """A tick that comes to nothing, such as one that dies, must leave no trace in what it read."""
    store = CountedStore()
    store.quick = True
    first = Memory(store, None, "bibe", 100.0)
    first.load()
    first.save("vrt1", Record(host="alfa01"))
    first.note(())
    before = store.list("seen/")["seen/bibe"]
    second = Memory(store, None, "bibe", 200.0)
    second.load()
    second.elapsed("vrt1", Record(host="alfa01", last=150.0, done=1))
    again = store.list("seen/")["seen/bibe"]
    assert before.read(Look) is again.read(Look)
    assert again.read(Look) == Look.model_validate(again.value)
