from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace

from threerc.runtime.simulation.campaign import Campaign, Crash
from threerc.runtime.simulation.pictures import FIT, Curve, histogram
from threerc.testbed.report import html, measured, this_machine
from threerc.testbed.spans import Span
from threerc.testbed.trials import Trial


def crash(chance: random.Random, *, install: float = 0.0) -> Crash:
    detection, schedule = chance.uniform(60, 80), chance.uniform(0, 60)
    boot = chance.gauss(40, 4)
    parts = (detection, schedule, 0.0, 2.0, install, boot)
    return Crash("gridce", chance.uniform(0, 1e6), sum(parts), *parts)


def trials(count: int = 40) -> list[Trial]:
    chance = random.Random(3)  # noqa: S311 - figures to draw
    found = []
    for number in range(count):
        fault = "erase-boot" if number % 4 == 3 else "poweroff"
        install = 45.0 if fault == "erase-boot" else 0.0
        own = crash(chance, install=install)
        step = "REINSTALL" if install else "RESTART"
        found.append(
            Trial(number, fault, "thesis", own, step, reacted=own.detection + own.schedule)
        )
    return found


def lost(number: int) -> Trial:
    return Trial(
        number,
        "poweroff",
        "thesis",
        Crash("lcg", 0.0),
        wrong=("two copies: <alfa01> & alfa02",),
        story=("00:00:01 crashed",),
        logs={"libvirtd": "no <disk>"},
    )


def foretold() -> dict[str, Campaign]:
    chance = random.Random(4)  # noqa: S311
    return {"poweroff": Campaign("poweroff", "restart", 1, [crash(chance) for _ in range(200)])}


def page_of(
    trials: Sequence[Trial],
    foretold: dict[str, Campaign],
    about: str = "",
    others: Sequence[Span] = (),
) -> str:
    return html(measured(trials, foretold, 1), trials, foretold, about, others)


def test_the_figures() -> None:
    found = measured([*trials(), lost(40)], foretold(), 7)
    power = found["faults"]["poweroff"]
    assert (found["crashes"], found["good"]) == (41, 40)
    assert (power["crashes"], power["unrecovered"], power["good"]) == (31, 1, 30)
    assert power["thesis"] == {"mean": 181.0, "sigma": 10.0}
    assert (power["seed"], power["steps"]) == (7, "as the site has them")
    assert power["recovered_by"] == {"RESTART": 30}
    assert 60 < power["reaction"]["median"] < 140
    assert power["simulated"]["mean"] > 0
    assert "simulated" not in found["faults"]["erase-boot"]
    assert found["wrong"] == [
        {
            "number": 41,
            "fault": "poweroff",
            "vm": "lcg",
            "wrong": ["it did not recover", "two copies: <alfa01> & alfa02"],
        }
    ]


def test_who_was_acted_on_in_vain_has_recovered_by_nothing() -> None:
    found = measured([replace(lost(0), step="REINSTALL", reacted=70.0)], {}, 1)
    assert found["faults"]["poweroff"]["recovered_by"] == {}


def test_the_means_of_each_machine_beside_the_simulators() -> None:
    """Machines have other steps, and are not struck as often as simulated ones."""
    found = measured([*trials(), lost(40)], foretold(), 7)["machines"]
    assert set(found) == {"poweroff", "erase-boot"}
    assert found["poweroff"]["lcg"] == {}
    own = found["poweroff"]["gridce"]
    assert (own["measured"]["crashes"], own["simulated"]["crashes"]) == (30, 200)
    assert 130 < own["measured"]["mean"] < 170
    assert "simulated" not in found["erase-boot"]["gridce"]
    page = page_of([*trials(), lost(40)], foretold())
    assert f"measured {own['measured']['mean']:.1f} s of 30, simulated " in page
    assert "<td>mean of lcg</td>" in page


def test_no_curve_is_laid_over_a_few_crashes() -> None:
    """They are in the table."""
    few = page_of([*trials(8), lost(8)], foretold())
    assert "Gaussian fit" not in few
    assert "thesis, 7.13: 181 s" not in few
    assert "<td>mean, sigma in the thesis, 7.13</td>" in few
    assert "Gaussian fit" in page_of(trials(), foretold())


def test_a_crash_that_did_not_recover_is_in_the_picture_of_the_run() -> None:
    assert page_of([*trials(8), lost(8)], {}).count(">not recovered<") == 1
    assert ">not recovered<" not in page_of(trials(8), {})


def test_the_page_tells_all_of_it_and_nothing_of_it_is_markup() -> None:
    page = page_of([*trials(), lost(40)], foretold(), "sns-pisa, two cores, profile thesis")
    assert page.count("<svg") == 5
    assert "two copies: &lt;alfa01&gt; &amp; alfa02" in page
    assert "no &lt;disk&gt;" in page
    assert "thesis, 7.13: 181 s, sigma 10 s" in page
    assert "simulator: " in page
    assert page == page_of([*trials(), lost(40)], foretold(), "sns-pisa, two cores, profile thesis")


def test_a_campaign_of_which_nothing_recovered_has_a_page_too() -> None:
    page = page_of([lost(0)], {})
    assert "None of them recovered" in page
    assert ">not recovered<" in page


def test_a_fault_of_which_none_recovered_has_its_cells_in_the_right_columns() -> None:
    page = page_of([replace(lost(0), reacted=70.0)], {})
    cells = ("poweroff", "1", "0", "", "", "", "70.0 s")
    row = next(line for line in page.splitlines() if "<td>poweroff</td>" in line)
    assert re.findall(r"<td[^>]*>([^<]*)</td>", row) == [*cells]


def test_a_crash_has_the_number_that_it_had_while_the_campaign_ran() -> None:
    """They are counted from one. Machines of one host have one, and are told apart by name."""
    assert "<h2>Crash 41, lcg: poweroff</h2>" in page_of([lost(40)], {})
    page = page_of([replace(lost(2), fault="hang")], {})
    assert "<h2>Crash 3, lcg: hang of its physical host</h2>" in page


def test_a_machine_is_told_by_what_it_can_do() -> None:
    assert re.fullmatch(r"[1-9]\d* cores? \(.+\), KVM", this_machine(kvm=True))
    assert this_machine(kvm=False).endswith("), emulated machines")


def test_a_hosts_fault_counts_the_machines_that_it_takes_away() -> None:
    ours = [replace(trial, fault="hang") for trial in trials(3)]
    assert "<h2>hang of a physical host: 3 machines away</h2>" in page_of(ours, {})
    assert "<h2>poweroff: 1 crash</h2>" in page_of([lost(0)], {})


def test_faults_of_hosts_and_services_have_a_lane_each_below_the_run() -> None:
    begin = min(trial.crash.at for trial in trials())
    others = [Span("dns stale", begin, begin + 300), Span("two: controller", begin, begin + 20)]
    page = page_of(trials(), {}, others=[*others, Span("dns stale", begin + 900, begin + 990)])
    assert [page.count(f">{label}<") for label in ("dns stale", "two: controller")] == [1, 1]
    assert ">minutes of the run<" in page
    assert "dns stale" not in page_of(trials(), {})


def test_nothing_is_drawn_before_the_crash() -> None:
    """Where some need one step and others two, a fit is wider than its mean."""
    times = [100.0, 120.0, 400.0, 420.0]
    wide = [Curve(260.0, 150.0, "fit", FIT, "-")]
    assert ">\N{MINUS SIGN}" not in histogram(times, "Recovery", "measured", wide)
