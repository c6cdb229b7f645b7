"""Virtual time: order, processes, deadlines, and ends that nothing can catch."""

from __future__ import annotations

import gc
import weakref
from contextlib import suppress

from threerc.runtime.simulation.timeline import LATE, Killed, Timeline


def test_what_happens_at_the_same_moment_happens_in_the_order_of_asking() -> None:
    timeline, told = Timeline(0.0), list[str]()
    for name in "abc":
        timeline.at(5.0, lambda name=name: told.append(name))  # type: ignore[misc]
    cancelled = timeline.at(1.0, lambda: told.append("never"))
    timeline.cancel(cancelled)
    timeline.run(10.0)
    assert (told, timeline.now) == (["a", "b", "c"], 10.0)


def test_processes_take_turns_where_they_spend_time() -> None:
    timeline, told = Timeline(0.0), list[tuple[str, float]]()

    def work(name: str, seconds: float) -> None:
        for _ in range(2):
            timeline.spend(seconds)
            told.append((name, timeline.now))

    timeline.at(0.0, lambda: timeline.start(lambda: work("slow", 3.0)))
    timeline.at(0.0, lambda: timeline.start(lambda: work("quick", 2.0)))
    timeline.run(100.0)
    assert told == [("quick", 2.0), ("slow", 3.0), ("quick", 4.0), ("slow", 6.0)]


def test_what_is_done_together_takes_as_long_as_the_longest() -> None:
    timeline, found = Timeline(0.0), dict[str, object]()

    def work() -> None:
        jobs = {"a": lambda: timeline.spend(2), "b": lambda: timeline.spend(5), "c": lambda: 1 / 0}
        found.update(timeline.gather(jobs, 60), at=timeline.now)

    timeline.at(0.0, lambda: timeline.start(work))
    timeline.run(100.0)
    assert (found["a"], found["b"], found["at"]) == (None, None, 5.0)
    assert isinstance(found["c"], ZeroDivisionError)


def test_what_is_late_is_left_alone_and_goes_on() -> None:
    timeline, found = Timeline(0.0), dict[str, object]()

    def late() -> None:
        timeline.spend(90)
        found["effect"] = timeline.now

    def work() -> None:
        found.update(timeline.gather({"late": late}, 60), at=timeline.now)

    timeline.at(0.0, lambda: timeline.start(work))
    timeline.run(1000.0)
    assert found == {"late": LATE, "at": 60.0, "effect": 90.0}


def test_a_killed_process_ends_with_all_that_belongs_to_it() -> None:
    timeline, told = Timeline(0.0), list[str]()

    def child() -> None:
        with suppress(Exception):
            timeline.spend(50)
            told.append("child went on")

    def work() -> None:
        try:
            timeline.gather({"child": child}, 100)
            told.append("parent went on")
        except Killed:
            told.append("killed")
            raise

    def begin() -> None:
        process = timeline.start(work)
        timeline.at(10.0, process.kill)

    timeline.at(0.0, begin)
    timeline.run(1000.0)
    assert told == ["killed"]


def test_a_process_that_was_killed_leaves_the_one_after_it_alone() -> None:
    """Where it waited to go on another one may run by now."""
    timeline, told = Timeline(0.0), list[str]()

    def work(name: str, seconds: float) -> None:
        timeline.spend(seconds)
        told.append(f"{name} at {timeline.now:.0f}")

    def begin() -> None:
        process = timeline.start(lambda: work("killed", 50))
        timeline.at(10.0, process.kill)

    timeline.at(0.0, begin)
    timeline.at(20.0, lambda: timeline.start(lambda: work("next", 60)))
    timeline.run(1000.0)
    assert told == ["next at 80"]


def test_processes_leave_nothing_behind() -> None:
    """Ten thousand crashes are forty thousand ticks: none may wait for the garbage collector."""
    timeline = Timeline(0.0)

    def work() -> None:
        timeline.gather({name: lambda: timeline.spend(2) for name in "abc"}, 60)

    def tick() -> None:
        timeline.start(work)
        timeline.at(timeline.now + 60, tick)

    timeline.at(0.0, tick)
    timeline.run(100.0)
    gc.collect()
    gc.disable()
    try:
        timeline.run(100_000.0)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_timeline_that_is_over_is_gone() -> None:
    def run() -> weakref.ref[Timeline]:
        timeline = Timeline(0.0)
        timeline.at(0.0, lambda: timeline.start(lambda: timeline.spend(5)))
        timeline.run(100.0)
        return weakref.ref(timeline)

    gone = run()
    gc.collect()
    assert gone() is None
