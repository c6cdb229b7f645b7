"""The command `3rc simulate`: scenarios, campaigns, what-if questions, the search for trouble."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import click
from click.core import ParameterSource

from threerc.runtime.command import Command

if TYPE_CHECKING:
    from threerc.runtime.config import ControllerConfig
    from threerc.runtime.simulation.campaign import Campaign

Loader = Callable[[Path], "ControllerConfig"]
_PATH = click.Path(path_type=Path)
_EXAMPLE: Final = """\
3rc simulate --scenario tests/scenarios/gridce-2008-12-14
3rc simulate site.yaml --crashes 10000 --fault poweroff --steps restart
3rc simulate site.yaml --what-if 'kill alfa01'
3rc simulate --search 1000"""
_GOES_WITH: Final = {
    "folders": ("update", "as_json"),
    "search": ("seed", "keep", "as_json"),
    "question": ("site", "as_json"),
    "crashes": ("site", "fault", "steps", "mtbf", "report", "seed", "as_json"),
}
"""What can be asked for, and what else may be given with each."""
_MODES: Final = "--scenario, --search, SITE --what-if, or SITE --crashes"
_DAY: Final = 86400.0
_LADDER_SHARE: Final = 50
"""Of so many crashes with other steps one more is simulated with the site's own."""


def simulate(load_site: Loader) -> click.Command:
    """The command; `load_site` makes what the controllers know of a SITE."""

    @click.command("simulate", cls=Command, example=_EXAMPLE)
    @click.argument("site", required=False, type=_PATH)
    @click.option(
        "--scenario",
        "folders",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        multiple=True,
        help="Run the scenario of a folder and compare it with its expected.log.",
    )
    @click.option("--update", is_flag=True, help="Write expected.log anew, to be reviewed.")
    @click.option(
        "--crashes", type=click.IntRange(1), metavar="N", help="Crash VMs, or hosts, so often."
    )
    @click.option(
        "--fault",
        default="poweroff",
        show_default=True,
        callback=_fault,
        help="How they crash, as in a scenario; power, hang or network: of a physical host.",
    )
    @click.option("--steps", help="Instead of the site's: restart, or reboot,restart=2,reinstall.")
    @click.option(
        "--mtbf",
        type=click.FloatRange(0, min_open=True),
        default=30.0,
        show_default=True,
        metavar="DAYS",
        help="For the nines.",
    )
    @click.option(
        "--report",
        type=click.Path(path_type=Path, dir_okay=False, writable=True),
        metavar="FILE.html",
        help="Draw the campaign (needs matplotlib).",
    )
    @click.option("--what-if", "question", metavar="TEXT", help="Such as 'kill alfa01'.")
    @click.option(
        "--search", type=click.IntRange(1), metavar="N", help="Try so many random schedules."
    )
    @click.option(
        "--keep",
        type=_PATH,
        default=Path("trouble"),
        show_default=True,
        metavar="DIR",
        help="Where a search writes what it finds.",
    )
    @click.option("--seed", type=int, default=1, show_default=True)
    @click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
    @click.pass_context
    def command(context: click.Context, /, site: Path | None, **options: Any) -> None:
        """Run the real controller code in a simulated site.

        SITE is a site.yaml or a compiled controller.yaml; scenarios bring their own, and a search
        needs none. Exits 1 where a scenario comes out differently or a search finds something.
        """
        mode = _mode(context)
        if mode == "folders":
            sys.exit(_scenarios(options["folders"], options["update"], options["as_json"]))
        if mode == "search":
            sys.exit(_search(options["search"], options))
        config = load_site(cast("Path", site))
        if mode == "question":
            _what_if(config, options["question"], options["as_json"])
        else:
            _campaign(config, options)

    return command


def _mode(context: click.Context) -> str:
    """What is asked for; all that is given has to go with it. Raises UsageError."""
    given = {
        str(each.name): each.opts[0]
        for each in context.command.params
        if context.get_parameter_source(str(each.name)) is ParameterSource.COMMANDLINE
    }
    modes = [name for name in _GOES_WITH if name in given]
    if len(modes) != 1:
        what = f"not {' and '.join(given[name] for name in modes)}" if modes else "say what"
        raise click.UsageError(f"{what}: one of {_MODES}")
    (mode,) = modes
    for name, option in given.items():
        if name not in (mode, *_GOES_WITH[mode]):
            told = "a SITE" if name == "site" else option
            raise click.UsageError(f"{told} does not go with {given[mode]}")
    if "site" in _GOES_WITH[mode] and "site" not in given:
        raise click.UsageError(f"{given[mode]} needs a SITE: a site.yaml or controller.yaml")
    return mode


def _fault(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    from threerc.runtime.simulation.campaign import CampaignError, crash_of

    try:
        crash_of(name)
    except CampaignError as error:
        raise click.BadParameter(str(error)) from None
    return name


def _scenarios(folders: Sequence[Path], update: bool, as_json: bool) -> int:
    from threerc.runtime.simulation.judging import judge, write_expected
    from threerc.runtime.simulation.run import run_scenario

    failed = 0
    told: list[dict[str, Any]] = []
    for folder in folders:
        outcome = run_scenario(folder)
        if update:
            write_expected(folder, outcome)
        wrong = judge(folder, outcome)
        failed += bool(wrong)
        if as_json:
            told.append(outcome.json | {"wrong": wrong})
        elif len(folders) == 1 and not wrong:
            click.echo(outcome.log, nl=False)
        for line in wrong:
            click.echo(f"{folder.name}: {line}", err=True)
    if as_json:
        click.echo(json.dumps(told[0] if len(told) == 1 else told, indent=2))
    else:
        click.echo(f"{_many(len(folders), 'scenario')}, {failed} not as expected", err=True)
    return min(failed, 1)


def _search(schedules: int, options: dict[str, Any]) -> int:
    from threerc.runtime.simulation.search import search, write

    found: list[dict[str, Any]] = []
    for finding in search(schedules, options["seed"], partial(_progress, schedules)):
        kind, what = finding.violation.kind, finding.violation.what
        folder = options["keep"] / f"{kind}-{finding.seed}"
        write(finding, folder)
        found.append({"seed": finding.seed, "kind": kind, "what": what, "folder": str(folder)})
        _clear()
        if not options["as_json"]:
            click.echo(f"{folder}: {what}")
    _clear()
    if options["as_json"]:
        answer = {"schedules": schedules, "seed": options["seed"], "findings": found}
        click.echo(json.dumps(answer, indent=2))
    else:
        click.echo(f"{_many(schedules, 'schedule')}, {len(found)} broke an invariant")
    return 1 if found else 0


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _what_if(config: ControllerConfig, question: str, as_json: bool) -> None:
    from threerc.runtime.simulation.what_if import WhatIfError, lines, what_if

    try:
        answer = what_if(config, question)
    except WhatIfError as error:
        raise click.UsageError(str(error)) from None
    click.echo(json.dumps(answer, indent=2) if as_json else "\n".join(lines(answer)))


def _campaign(config: ControllerConfig, options: dict[str, Any]) -> None:
    from threerc.runtime.simulation.statistics import SIGMA, figures, lines

    if options["report"]:
        from threerc.runtime.simulation.pictures import can_write

        can_write(options["report"])  # before thousands of crashes, not after
    mtbf, crashes = options["mtbf"] * _DAY, options["crashes"]
    campaigns = [_crash(config, crashes, options, options["steps"])]
    if options["steps"]:
        campaigns.append(_crash(config, max(1, crashes // _LADDER_SHARE), options, None))
    _clear()
    found = [figures(each, mtbf) for each in campaigns]
    if options["report"]:
        from threerc.runtime.simulation.report import write_report

        write_report(campaigns, options["report"], mtbf)
    if options["as_json"]:
        whole = found[0] | ({"ladder": found[1]} if len(found) > 1 else {})
        click.echo(json.dumps(whole, indent=2))
        return
    for each in found:
        click.echo("\n".join(lines(each)))
    click.echo(f"\n{SIGMA}", nl=False)


def _crash(
    config: ControllerConfig, crashes: int, options: dict[str, Any], steps: str | None
) -> Campaign:
    from threerc.runtime.simulation.campaign import CampaignError, campaign
    from threerc.runtime.simulation.simulation import Start

    start = Start(seed=options["seed"])
    progress = partial(_progress, crashes)
    try:
        return campaign(config, crashes, options["fault"], steps, start=start, progress=progress)
    except CampaignError as error:
        raise click.UsageError(str(error)) from None


def _progress(total: int, done: int) -> None:
    """How far it is, for people who look on."""
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{done} of {total}", nl=False, err=True)


def _clear() -> None:
    if sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)
