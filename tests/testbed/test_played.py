"""The page of a scenario that was played."""

from __future__ import annotations

from threerc.testbed.played import Played, html
from threerc.testbed.spans import Span
from threerc.testbed.stories import Story

SIMULATED = {
    "vm1": Story(
        [(10, "down"), (25, "REBOOT on ph1"), (65, "RESTART on ph1"), (114, "up")], "ph1", "up", 104
    ),
    "vm2": Story([], "ph2", "up"),
}
REAL = Played(
    SIMULATED,
    {
        "vm1": Story(
            [(10, "down"), (30, "REBOOT on ph1"), (70, "RESTART on ph2")], "ph2", "down", 410
        ),
        "vm2": Story([], "ph2", "up"),
    },
    (Span("dhcp stale", 5, 240), Span("one: gmetad frozen", 60, 90)),
    420,
    ("vm1: moves is 1, not 0",),
)


def test_the_page_has_both_sides_each_fault_and_what_differs() -> None:
    page = html("A & B", REAL)
    assert "A &amp; B: simulated and real" in page
    rows = ("vm1 simulated", "vm1 real", "vm2 simulated", "vm2 real")
    for label in (*rows, "dhcp stale", "one: gmetad frozen", "minutes of the scenario"):
        assert page.count(f">{label}<") == 1
    assert page.count(">RESTART<") == 2
    assert "<li>vm1: state: simulated up, real down</li>" in page
    assert "<li>vm1: moves is 1, not 0</li>" in page
    assert page == html("A & B", REAL)


def test_a_scenario_in_which_nothing_happened_has_a_page_too() -> None:
    calm = {"vm1": Story([], "ph1", "up")}
    page = html("calm", Played(calm, calm, (), 60))
    assert ">vm1 real<" in page
    assert "<li>" not in page
