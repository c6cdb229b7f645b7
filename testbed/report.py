"""A campaign of real crashes as a page to look at, and as data.

Beside what was measured stand the thesis's figures (7.13) and what the simulator foretells.
"""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterator, Sequence
from html import escape
from itertools import cycle
from pathlib import Path
from typing import Any, Final

from threerc.compiler.wording import counted
from threerc.runtime.simulation.campaign import HOST_CRASHES, OWN_STEPS, PARTS, Campaign
from threerc.runtime.simulation.pictures import (
    FIT,
    THEIRS,
    Curve,
    Drawing,
    histogram,
    page,
    table,
)
from threerc.runtime.simulation.statistics import THESIS, WORDS, figures, percentile
from threerc.testbed.spans import Clock, Span, lanes
from threerc.testbed.trials import Trial

_FORETOLD: Final = "#5a9e5a"
_STRUCK: Final = "#c0392b"
_PARTS: Final = ("#1f4e79", "#7aa6c2", "#b5cfe0", "#e2b76b", "#c0392b", "#5a9e5a")
_FAULTS: Final = (
    ("#0072b2", "o"),
    ("#e69f00", "s"),
    ("#009e73", "^"),
    ("#cc79a7", "D"),
    ("#56b4e9", "v"),
    ("#000000", "P"),
)
"""Colours and shapes of faults, told apart by those too who see no red or green (Okabe, Ito)."""
_ENOUGH: Final = 20
"""Crashes that recovered; the shape of fewer says nothing, and no curve is laid over them."""
_LINES: Final = 40
"""Of each log of a trial that went wrong."""


def measured(trials: Sequence[Trial], foretold: dict[str, Campaign], seed: int) -> dict[str, Any]:
    """All figures, by fault; times in seconds. `foretold` are the simulator's campaigns, `seed` is
    the real one's.
    """
    return {
        "crashes": len(trials),
        "good": sum(trial.good for trial in trials),
        "faults": {
            fault: _figures(own, foretold.get(fault), seed)
            for fault, own in _by_fault(trials).items()
        },
        "machines": _machines(trials, foretold),
        "wrong": [
            {"number": _count(t), "fault": t.fault, "vm": t.crash.vm, "wrong": list(_wrong(t))}
            for t in trials
            if not t.good
        ],
    }


def _figures(trials: Sequence[Trial], foretold: Campaign | None, seed: int) -> dict[str, Any]:
    crashes = [trial.crash for trial in trials]
    found = figures(Campaign(trials[0].fault, OWN_STEPS, seed, crashes))
    reactions = sorted(t.reacted for t in trials if t.reacted is not None)
    if reactions:
        found["reaction"] = {
            "median": round(statistics.median(reactions), 3),
            "95": round(percentile(reactions, 95), 3),
        }
    found["recovered_by"] = _counts(
        trial.step or "itself" for trial in trials if trial.crash.total is not None
    )
    found["good"] = sum(trial.good for trial in trials)
    if trials[0].fault in THESIS:
        found["thesis"] = dict(zip(("mean", "sigma"), THESIS[trials[0].fault], strict=True))
    if foretold is not None and foretold.times:
        told = figures(foretold)
        found["simulated"] = {"mean": told["mean"], "sigma": told["sigma"], "parts": told["parts"]}
    return found


def _machines(
    trials: Sequence[Trial], foretold: dict[str, Campaign]
) -> dict[str, dict[str, dict[str, Any]]]:
    """By fault and machine, since these have other steps, and not all are struck as often: how many
    recovered and their mean, measured and simulated.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for fault, own in _by_fault(trials).items():
        theirs = foretold[fault].crashes if fault in foretold else []
        ours = [trial.crash for trial in own]
        found[fault] = {
            vm: {
                name: {"crashes": len(times), "mean": round(statistics.fmean(times), 3)}
                for name, crashes in (("measured", ours), ("simulated", theirs))
                if (times := [c.total for c in crashes if c.vm == vm and c.total is not None])
            }
            for vm in sorted({crash.vm for crash in ours})
        }
    return found


def _by_fault(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.fault, []).append(trial)
    return found


def _counts(words: Iterator[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in words:
        found[word] = found.get(word, 0) + 1
    return found


def _count(trial: Trial) -> int:
    """Which crash it was, for people: as the campaign says while it runs."""
    return trial.number + 1


def _wrong(trial: Trial) -> Iterator[str]:
    if trial.crash.total is None:
        yield "it did not recover"
    yield from trial.wrong


# -- the page


def this_machine(*, kvm: bool) -> str:
    """What crashes are measured on here, and whether virtual machines use KVM. Raises OSError."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = counted(os.cpu_count() or 1, "core")
    how = "KVM" if kvm else "emulated machines"
    return f"{cores} ({models[0] if models else platform.machine()}), {how}"


def html(
    found: dict[str, Any],
    trials: Sequence[Trial],
    foretold: dict[str, Campaign],
    about: str,
    others: Sequence[Span] = (),
) -> str:
    """The page of what was `measured`; `about` says on what site, machine and profile.

    `others` are the faults of hosts and services that there were meanwhile.
    """
    parts = [f"<p>{escape(about)}</p>", _summary(found)]
    if trials:
        parts.append(over_the_run(trials, others))
    for fault, own in _by_fault(trials).items():
        parts += _fault(own, foretold.get(fault), found)
    parts += [_story(trial) for trial in trials if not trial.good]
    return page("Recovery times of real crashes", parts)


def _summary(found: dict[str, Any]) -> str:
    head = "<tr><th>fault</th>" + "".join(
        f'<th class="n">{word}</th>'
        for word in ("crashes", "recovered and right", "mean", "sigma", "95 %", "first action")
    )
    rows = [_summary_row(fault, each) for fault, each in found["faults"].items()]
    return "<table>\n" + "\n".join([head + "</tr>", *rows]) + "\n</table>"


def _summary_row(fault: str, found: dict[str, Any]) -> str:
    cells = [str(found["crashes"]), str(found["good"]), "", "", "", ""]
    if "mean" in found:
        cells[2:4] = f"{found['mean']:.1f} s", f"{found['sigma']:.1f} s"
        cells[4] = f"{found['percentiles']['95']:.0f} s"
    if "reaction" in found:
        cells[5] = f"{found['reaction']['median']:.1f} s"
    numbers = "".join(f'<td class="n">{cell}</td>' for cell in cells)
    return f"<tr><td>{escape(fault)}</td>{numbers}</tr>"


def _fault(
    trials: Sequence[Trial], foretold: Campaign | None, data: dict[str, Any]
) -> Iterator[str]:
    fault = trials[0].fault
    found, machines = data["faults"][fault], data["machines"][fault]
    yield f"<h2>{escape(_title(fault, found['crashes']))}</h2>"
    if "mean" not in found:
        yield "<p>None of them recovered.</p>"
        return
    times = [trial.crash.total for trial in trials if trial.crash.total is not None]
    label = f"measured: {len(times)} crashes"
    curves = _curves(found) if len(times) >= _ENOUGH else ()
    yield histogram(times, f"Recovery from {fault}", label, curves)
    yield made_of(fault, found, foretold)
    by = ", ".join(f"{escape(step)} {count}" for step, count in found["recovered_by"].items())
    rows = [
        *(
            (f"mean, sigma{of}", f"{each['mean']:.1f} s, {each['sigma']:.1f} s")
            for of, each in (
                ("", found),
                (" in the simulator", found.get("simulated")),
                (" in the thesis, 7.13", found.get("thesis")),
            )
            if each
        ),
        ("shortest, longest", f"{found['min']:.0f} s, {found['max']:.0f} s"),
        *((f"{key} % within", f"{value:.0f} s") for key, value in found["percentiles"].items()),
        ("recovered by", by),
        *_machine_rows(machines),
    ]
    yield table(rows)


def _title(fault: str, crashes: int) -> str:
    """Of a host's fault each machine that it takes away counts."""
    if fault in HOST_CRASHES:
        return f"{fault} of a physical host: {counted(crashes, 'machine')} away"
    return f"{fault}: {counted(crashes, 'crash', 'crashes')}"


def _machine_rows(machines: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for vm, each in machines.items():
        told = ", ".join(
            f"{name} {own['mean']:.1f} s of {own['crashes']}" for name, own in each.items()
        )
        yield f"mean of {escape(vm)}", told or "never recovered"


def _curves(found: dict[str, Any]) -> Iterator[Curve]:
    if found["sigma"] > 0:
        yield Curve(found["mean"], found["sigma"], "Gaussian fit", FIT, "-")
    for key, name, colour, style in [
        ("simulated", "simulator", _FORETOLD, "-."),
        ("thesis", "thesis, 7.13", THEIRS, "--"),
    ]:
        each = found.get(key)
        if each and each["sigma"] > 0:
            yield Curve(each["mean"], each["sigma"], name, colour, style)


def over_the_run(trials: Sequence[Trial], others: Sequence[Span] = ()) -> str:
    """When each crash was and how long recovery took, as SVG.

    One that did not recover has a cross at the bottom. `others` are the faults of hosts and
    services meanwhile: a lane below for each.
    """
    lasting = [(trial.crash.at, trial.end) for trial in trials]
    clock = Clock([*lasting, *((each.begin, each.end) for each in others)])
    drawing = Drawing("Each crash of the run", "minutes of the run", "recovery time, seconds")
    for (fault, all_of_it), (colour, shape) in zip(_by_fault(trials).items(), cycle(_FAULTS)):
        own = [(t.crash.at, t.crash.total) for t in all_of_it if t.crash.total is not None]
        drawing.axes.scatter(
            [clock.seconds(at) / 60 for at, _ in own],
            [total for _, total in own],
            s=18,
            color=colour,
            marker=shape,
            label=fault,
        )
    lost = [clock.seconds(trial.crash.at) / 60 for trial in trials if trial.crash.total is None]
    if lost:
        drawing.axes.scatter(
            lost, [0.0] * len(lost), color=_STRUCK, marker="x", clip_on=False, label="not recovered"
        )
    drawing.axes.set_ylim(bottom=0)
    if others:
        drawing.strip(
            {
                label: [(clock.seconds(e.begin) / 60, clock.seconds(e.end) / 60) for e in own]
                for label, own in lanes(others).items()
            },
            _STRUCK,
        )
    return drawing.svg(beside=True)


def made_of(fault: str, found: dict[str, Any], foretold: Campaign | None) -> str:
    """What the mean recovery time is made of, measured and as simulated, as SVG."""
    drawing = Drawing(f"What recovery from {fault} is made of", "seconds", "", 2.2)
    bars = {"measured": found["parts"]}
    if foretold is not None and "simulated" in found:
        bars["simulated"] = found["simulated"]["parts"]
    for row, parts in enumerate(bars.values()):
        left = 0.0
        for part, colour in zip(PARTS, _PARTS, strict=True):
            width = parts[part]["mean"]
            label = WORDS[part] if row == 0 else None
            drawing.axes.barh(row, width, left=left, color=colour, label=label, height=0.6)
            left += width
    drawing.axes.set_yticks(range(len(bars)), list(bars))
    drawing.axes.invert_yaxis()
    return drawing.svg(beside=True)


def _story(trial: Trial) -> str:
    whose = " of its physical host" if trial.fault in HOST_CRASHES else ""
    what = f"Crash {_count(trial)}, {trial.crash.vm}: {trial.fault}{whose}"
    head = f"<h2>{escape(what)}</h2>"
    wrong = "".join(f"<li>{escape(each)}</li>" for each in _wrong(trial))
    story = "\n".join(escape(line) for line in trial.story)
    logs = "".join(
        f"<h3>{escape(name)}</h3>\n<pre>{escape(_end(text))}</pre>"
        for name, text in trial.logs.items()
    )
    return f"{head}\n<ul>{wrong}</ul>\n<pre>{story}</pre>\n{logs}"


def _end(text: str) -> str:
    return "\n".join(text.splitlines()[-_LINES:])
