"""The commands that break a testbed: `crash`, `heal`, `campaign`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from threerc.compiler.wording import counted
from threerc.runtime.command import Command

if TYPE_CHECKING:
    from threerc.compiler.build import Checked
    from threerc.testbed.campaign import Asked
    from threerc.testbed.faults import Fault
    from threerc.testbed.grip import Grip
    from threerc.testbed.outliving import Outlived
    from threerc.testbed.prepare import Wanted
    from threerc.testbed.supplies import Profile
    from threerc.testbed.trials import Trial

_PATH = click.Path(path_type=Path)
_RUN = click.option("--run", "run_id", metavar="ID", help="Which testbed, where several run.")
_OPTIONS: Final = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A key of the fault, as in a scenario: mode=hang, silent=alfa01,alfa02.",
)


def _grip(run_id: str | None) -> Grip:
    from threerc.testbed.client import Testbed
    from threerc.testbed.errors import TestbedError
    from threerc.testbed.grip import Grip
    from threerc.testbed.runs import find

    run = find(run_id)
    if run.starting.exists():
        raise TestbedError(f"testbed {run.id} ({run.site}) still starts its machines: see `status`")
    return Grip(Testbed(run))


def _settings(fault: Fault, settings: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in settings:
        key, equals, value = each.partition("=")
        if not equals or key not in fault.options:
            known = ", ".join(fault.options) or "none"
            raise click.UsageError(f"--set {each}: {fault.name} takes {known}")
        if key == "mode" and value not in fault.modes:
            raise click.UsageError(f"--set {each}: one of {', '.join(fault.modes)}")
        found[key] = value.split(",") if key == "silent" else value
        if key == "seconds":
            found[key] = _seconds(fault, each, value)
    return found


def _seconds(fault: Fault, setting: str, value: str) -> float:
    """A number as it is read of a scenario."""
    from pydantic import ValidationError

    from threerc.runtime.simulation.scenario import FaultEntry

    try:
        read = FaultEntry.model_validate({"at": "+0s", "fault": fault.name, "seconds": value})
    except ValidationError as error:
        raise click.UsageError(f"--set {setting}: {error.errors()[0]['msg']}") from None
    return float(read.seconds or 0)


def _say(line: str) -> None:
    stamp = datetime.now(UTC).astimezone().strftime("%H:%M:%S")
    click.echo(f"{stamp} {line}", err=True)


@click.command("crash", cls=Command, example="3rc testbed crash gridce poweroff --wait")
@click.argument("target")
@click.argument("fault")
@_OPTIONS
@click.option(
    "--wait",
    is_flag=True,
    help="Wait until all is recovered, heal what is left, and judge that.",
)
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
@_RUN
def crash(
    target: str,
    fault: str,
    settings: tuple[str, ...],
    wait: bool,
    as_json: bool,
    run_id: str | None,
) -> None:
    """Let a fault strike a machine, a host, a controller, a switch, or (`-`) the whole site.

    With --wait it exits 0 only if the virtual machines that it takes away are recovered, and all is
    as it has to be. A fault that takes none is healed once the controllers have acted, or have had
    the time to: then what it struck has to answer rightly again, all daemons have to run, all
    machines have to be up, and none may have been touched that was not to be.
    """
    from threerc.testbed import crashes
    from threerc.testbed.site import RunningSite

    grip = _grip(run_id)
    of = _name(target)
    found = crashes.find_fault(grip, of, fault)
    options = _settings(found, settings)
    if not wait:
        at = crashes.begin(grip, found, of, options)
        undo = None if found.is_over_at_once else f"3rc testbed heal {target} {fault}"
        _say(f"{target}: {fault}" + (f"; undo it by `{undo}`" if undo else ""))
        if as_json:
            event = {"time": at, "of": of or "*", "fault": fault, **options, "undo": undo}
            click.echo(json.dumps(event, indent=2))
        return
    try:
        if (site := RunningSite(grip.testbed, _say)).takes_machines(found, of):
            _tell(site.trials(of, fault, **options), as_json)
        else:
            _tell_site(site.outlived(of, fault, **options), as_json)
    except KeyboardInterrupt:
        _say(f"{target}: interrupted; {fault} is healed, what has come of it is the controllers'")
        sys.exit(130)


def _name(target: str) -> str:
    return "" if target == "-" else target


def _tell(trials: Sequence[Trial], as_json: bool) -> NoReturn:
    good = all(trial.good for trial in trials)
    if as_json:
        told = [asdict(trial) | {"good": trial.good} for trial in trials]
        click.echo(json.dumps({"good": good, "machines": told}, indent=2))
    for trial in () if as_json else trials:
        if trial.good:
            total, step = trial.crash.total or 0.0, trial.step or "nothing but itself"
            click.echo(f"{trial.crash.vm}: back on {trial.after} after {total:.0f} s, by {step}")
        else:
            click.echo("\n".join([*trial.story, *(f"WRONG: {each}" for each in trial.wrong)]))
    sys.exit(0 if good else 1)


def _tell_site(outlived: Outlived, as_json: bool) -> NoReturn:
    from threerc.testbed import outliving

    if as_json:
        click.echo(json.dumps(outliving.as_json(outlived), indent=2))
    else:
        click.echo("\n".join(outliving.as_lines(outlived)))
    sys.exit(0 if outlived.good else 1)


@click.command("heal", cls=Command, example="3rc testbed heal alfa01 power")
@click.argument("target")
@click.argument("fault")
@_RUN
def heal(target: str, fault: str, run_id: str | None) -> None:
    """Undo what is left of a fault, also of one that is not known to have struck."""
    from threerc.testbed import crashes

    grip = _grip(run_id)
    of = _name(target)
    found = crashes.find_fault(grip, of, fault)
    if found.is_over_at_once:
        _say(f"{target}: there is nothing to heal of {fault}")
    elif (of or "*", fault) in grip.faults():
        crashes.heal(grip, found, of, {})
    else:
        _say(f"{target}: {fault} has not struck, or was healed before; it is healed anyway")
        found.heal(grip, of, {})


@click.command(
    "campaign",
    cls=Command,
    example="3rc testbed campaign site.yaml --crashes 100 --fault poweroff --profile fast",
)
@click.argument("site", type=_PATH, required=False)
@click.option("--crashes", type=click.IntRange(1), default=10, show_default=True, metavar="N")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    default=("poweroff",),
    show_default=True,
    help="Of a VM; power, hang or network: of a physical host with its VMs.",
)
@click.option("-o", "--out", type=_PATH, default=Path("campaign"), show_default=True)
@click.option(
    "--seed",
    default=1,
    show_default=True,
    help="Of when, and of whom that is free.",
)
@click.option("--vms", metavar="A,B", help="With a SITE: only these virtual machines.")
@click.option(
    "--profile", type=click.Choice(["thesis", "fast"]), help="With a SITE: its own times, or short."
)
@click.option("--json", "as_json", is_flag=True, help="Answer with the figures as JSON.")
@_RUN
def campaign(
    site: Path | None,
    crashes: int,
    faults: tuple[str, ...],
    out: Path,
    seed: int,
    vms: str | None,
    profile: Profile | None,
    as_json: bool,
    run_id: str | None,
) -> None:
    """Crash the machines of a testbed, or their hosts, again and again, and report on it.

    With a SITE it is brought up before, and down after; else a running testbed is taken. The
    history is written as it goes: the same command goes on where it was interrupted. Faults of
    hosts and services may strike meanwhile, by `3rc testbed crash`: the report has marks of them.
    """
    from threerc.compiler.build import check
    from threerc.runtime.simulation.pictures import can_write
    from threerc.testbed.campaign import REPORT, Asked, claim
    from threerc.testbed.faults import CRASHES
    from threerc.testbed.prepare import wanted

    for name in faults:
        if name not in CRASHES:
            raise click.UsageError(f"--fault {name}: there are {', '.join(CRASHES)}")
    if site is None and (vms is not None or profile is not None):
        raise click.UsageError("--vms and --profile go with a SITE that is brought up")
    if site is not None and run_id is not None:
        raise click.UsageError("--run is of a testbed that runs already, without a SITE")
    out.mkdir(parents=True, exist_ok=True)
    can_write(out / REPORT)
    asked = Asked(faults, crashes, out, profile or "thesis", seed)
    if site is None:
        _campaign(_grip(run_id), asked, as_json)
    checked = check(site)
    claim(asked, checked.site.site)
    with _brought_up(checked, wanted(vms, profile=asked.profile)) as grip:
        _campaign(grip, asked, as_json)


@contextmanager
def _brought_up(checked: Checked, wanted: Wanted) -> Iterator[Grip]:
    from threerc.testbed.grip import Grip
    from threerc.testbed.progress import Reporter
    from threerc.testbed.up import bring_up

    reporter = Reporter()
    with reporter.telling(), bring_up(checked, wanted, reporter) as held:
        yield Grip(held.testbed)


def _campaign(grip: Grip, asked: Asked, as_json: bool) -> NoReturn:
    """Run it, report on it, and exit: 0 if all was recovered as it has to be."""
    from threerc.testbed.campaign import Campaign, write_reports
    from threerc.testbed.prepare import read_wanted

    asked = replace(asked, profile=read_wanted(grip.testbed.run.folder).profile)
    history = Campaign(grip, asked, _say).run()
    figures = write_reports(grip.config, asked, history)
    bad = sum(not trial.good for trial in history)
    if as_json:
        click.echo(json.dumps({"folder": str(asked.folder)} | figures, indent=2))
    else:
        crashes = counted(len(history), "crash", "crashes")
        click.echo(f"{crashes}, {bad} of them not recovered as they have to be: {asked.folder}")
    sys.exit(1 if bad else 0)


@click.command(
    "play",
    cls=Command,
    example="3rc testbed play scenarios/two-crashes --compare",
)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--compare", is_flag=True, help="Exit 1 also where the simulator says otherwise.")
@click.option("--report", type=_PATH, help="Also draw both, and the faults, as a page (HTML).")
@_RUN
def play(folder: Path, compare: bool, report: Path | None, run_id: str | None) -> None:
    """Play a scenario of the simulator for real, and lay both histories side by side.

    The site is the testbed's own, not the scenario's, for the simulator too, as are times that the
    scenario does not give. What cannot be done for real is refused by its name before anything is
    done. It begins once all machines are up, and exits 1 where what really happened is not as the
    scenario's `expect` says.
    """
    from threerc.runtime.simulation.load import load
    from threerc.runtime.simulation.pictures import can_write
    from threerc.testbed import played, scenarios, stories

    if report is not None:
        can_write(report)
    scenario, _ = load(folder)
    found = scenarios.play(_grip(run_id), scenario, _say)
    click.echo("\n".join(stories.beside(found.simulated, found.stories)))
    if report is not None:
        report.write_text(played.html(folder.name, found), encoding="utf-8")
    for each in found.unmet:
        click.echo(f"WRONG: {each}")
    different = stories.differences(found.simulated, found.stories)
    for each in different:
        click.echo(f"DIFFERENT: {each}")
    sys.exit(1 if found.unmet or (compare and different) else 0)


COMMANDS: Final[tuple[click.Command, ...]] = (crash, heal, play, campaign)
