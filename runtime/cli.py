"""The commands of the running site: controller, status, explain, and what operators say."""

from __future__ import annotations

import json
import logging
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from threerc.runtime.command import Command

if TYPE_CHECKING:
    from threerc.runtime.config import ControllerConfig
    from threerc.runtime.metrics import Figures
    from threerc.runtime.view import View
    from threerc.runtime.world import Store

CONFIG = Path("/etc/3rc/controller.yaml")
_CONFIG = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    default=CONFIG,
    show_default=True,
    metavar="FILE",
    help="What `3rc build` writes as CONTROLLER/etc/3rc/controller.yaml.",
)
_AS = click.option(
    "--as", "me", metavar="HOST", help="Which of the site's controllers to be. [default: this host]"
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")


def _load(config_file: Path) -> ControllerConfig:
    from threerc.runtime.config import load

    return load(config_file)


def _name(config: ControllerConfig, me: str | None) -> str:
    """Which of the site's controllers this is."""
    name = me or socket.gethostname().partition(".")[0]
    if name not in config.controllers:
        known = ", ".join(config.controllers) or "none"
        message = f"{name} is no controller of {config.site} (these are: {known})"
        raise click.UsageError(f"{message}; say with --as HOST which one to be")
    return name


def _only_one_of(**given: object) -> None:
    """Refuse options that make no sense together, rather than to ignore one. Raises UsageError."""
    names = ["--" + name.replace("_", "-") for name, value in given.items() if value]
    if len(names) > 1:
        raise click.UsageError(f"{' and '.join(names)} do not go together")


@contextmanager
def _usage() -> Iterator[None]:
    """A name that the site does not have is a mistake of whoever typed it. Raises UsageError."""
    from threerc.runtime.operators import Unknown

    try:
        yield
    except Unknown as error:
        raise click.UsageError(str(error)) from None


def _store(config: ControllerConfig) -> Store:
    from threerc.runtime.stores import open_store

    return open_store(config)


@click.command(
    "controller", cls=Command, example="3rc controller --config controller.yaml --once --dry-run"
)
@_CONFIG
@_AS
@click.option("--once", is_flag=True, help="One tick, for cron; else it ticks in its minutes.")
@click.option("--every", type=click.IntRange(1, 3600), metavar="S", help="Tick every S seconds.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--create-state", is_flag=True, help="Make the state directory, and end.")
@_JSON
def controller_command(
    config_file: Path,
    me: str | None,
    once: bool,
    every: int | None,
    dry_run: bool,
    create_state: bool,
    as_json: bool,
) -> None:
    """Bring crashed virtual machines back.

    It ticks in its own minutes until it is told to end; from cron, --once.
    """
    from threerc.runtime.daemon import alone, measured_tick, overseen, run
    from threerc.runtime.metrics import Figures
    from threerc.runtime.real import RealWorld

    _only_one_of(every=every, once=once, create_state=create_state)
    _only_one_of(every=every, dry_run=dry_run, create_state=create_state)
    _only_one_of(json=as_json, create_state=create_state)
    if as_json and not (once or dry_run):
        raise click.UsageError("--json needs --once or --dry-run: a daemon answers nobody")
    logging.basicConfig(format="3rc: %(message)s")
    config = _load(config_file)
    if create_state:
        _create_state(config)
        return
    figures = Figures(_name(config, me))
    world = RealWorld(config, figures.me)
    if not once and not dry_run:
        if config.metrics.port is not None:
            _serve(figures, config.metrics.port)
        run(world, config, figures, every)
        return
    with _interrupted(act=not dry_run), ExitStack() as stack:
        if not dry_run:  # what is only said is in nobody's way
            stack.enter_context(overseen(world, config, figures.me, once=True))
            stack.enter_context(alone(Path(config.state_directory), figures.me))
        report = measured_tick(world, config, figures, act=not dry_run)
    if as_json:
        click.echo(json.dumps(report.events, indent=2))
    elif dry_run or sys.stdout.isatty():
        click.echo("\n".join(report.lines("would " if dry_run else "")))


@contextmanager
def _interrupted(*, act: bool) -> Iterator[None]:
    """Say what an interrupted tick leaves behind: it may have killed, and not started yet."""
    try:
        yield
    except KeyboardInterrupt:
        left = (
            "what it had begun stands in the records as under way, and the next tick takes it up"
            if act
            else "nothing was done"
        )
        click.echo(f"3rc: interrupted; {left}", err=True)
        sys.exit(130)


def _serve(figures: Figures, port: int) -> None:
    try:
        figures.serve(port)
    except OSError as error:
        raise click.ClickException(f"no metrics on port {port}: {error.strerror}") from None


def _create_state(config: ControllerConfig) -> None:
    from threerc.runtime.stores.directory import DirectoryStore

    DirectoryStore.create(Path(config.state_directory))
    click.echo(f"{config.state_directory} is ready")


def _look(config: ControllerConfig, me: str) -> tuple[View, str]:
    """The site as a tick would see it, and why no monitor tells of it; nothing is done."""
    from threerc.runtime.errors import MonitorLost
    from threerc.runtime.memory import Memory
    from threerc.runtime.observation import Observation
    from threerc.runtime.real import RealWorld
    from threerc.runtime.view import View

    world = RealWorld(config, me)
    now = world.now()
    memory = Memory(world.store, world.zone, me, now)
    memory.load()
    try:
        return View(config, memory, world.observe(), now), ""
    except MonitorLost as error:
        return View(config, memory, Observation({}, "no monitor"), now), str(error)


@click.command("status", cls=Command, example="3rc status --text")
@_CONFIG
@click.option("--text", is_flag=True, help="As the thesis's plugin prints it (HOSTS STATUS).")
@_JSON
def status_command(config_file: Path, text: bool, as_json: bool) -> None:
    """Show what is up, and what was done last."""
    from threerc.runtime.monitors.text import status_text
    from threerc.runtime.status import status, status_lines

    _only_one_of(text=text, json=as_json)
    config = _load(config_file)
    view, lost = _look(config, next(iter(config.controllers), ""))
    if lost:
        click.echo(f"3rc: no monitor has fresh data, so that all seem down: {lost}", err=True)
    if text:
        after = config.monitors.down_after
        click.echo(status_text(view.observation, config.domain, after), nl=False)
    elif as_json:
        click.echo(json.dumps(status(view), indent=2))
    else:
        click.echo("\n".join(status_lines(status(view), None)))


@click.command("explain", cls=Command, example="3rc explain gridce")
@click.argument("vm")
@_CONFIG
@click.option("--last", type=click.IntRange(1), default=1000, show_default=True, metavar="N")
@_JSON
def explain_command(vm: str, config_file: Path, last: int, as_json: bool) -> None:
    """Tell the whole story of a virtual machine: what was seen, refused, done, and why."""
    from threerc.runtime.operators import known_vm
    from threerc.runtime.status import story, story_lines, word_lines

    config = _load(config_file)
    with _usage():
        known_vm(config, vm)
    store = _store(config)
    events = story(vm, store.events(vm, last))
    if as_json:
        click.echo(json.dumps(events, indent=2))
    else:
        lines = [*story_lines(events, None), *word_lines(store, vm)]
        if config.etcd is not None:
            lines.append("(this host's log: each of the other controllers has its own)")
        click.echo("\n".join(lines) or f"{vm}: nothing was ever done")


def _told(answer: str) -> None:
    click.echo(answer)


@click.command("pause", cls=Command, example="3rc pause gridce --why 'kernel upgrade'")
@click.argument("vm", required=False)
@_CONFIG
@click.option("--why", default="", metavar="TEXT", help="For your colleagues.")
def pause_command(vm: str | None, config_file: Path, why: str) -> None:
    """Leave a virtual machine alone, or all of them."""
    from threerc.runtime.operators import pause

    config = _load(config_file)
    with _usage():
        _told(pause(_store(config), config, vm, why))


@click.command("resume", cls=Command, example="3rc resume gridce")
@click.argument("vm", required=False)
@_CONFIG
def resume_command(vm: str | None, config_file: Path) -> None:
    """Care for a virtual machine again, or for all; also for one that was left to a human."""
    from threerc.runtime.operators import resume

    config = _load(config_file)
    with _usage():
        _told(resume(_store(config), config, vm))


@click.command("maintenance", cls=Command, example="3rc maintenance alfa01 --drain")
@click.argument("host")
@_CONFIG
@click.option("--drain", is_flag=True, help="Also move its virtual machines away, running.")
@click.option("--end", is_flag=True, help="The host may get virtual machines again.")
def maintenance_command(host: str, config_file: Path, drain: bool, end: bool) -> None:
    """Send no virtual machine to a physical host."""
    from threerc.runtime.operators import end_maintenance, maintain

    _only_one_of(drain=drain, end=end)
    config = _load(config_file)
    store = _store(config)
    with _usage():
        said = (
            end_maintenance(store, config, host)
            if end
            else maintain(store, config, host, drain=drain)
        )
    _told(said)


@click.command("release", cls=Command, example="3rc release")
@_CONFIG
def release_command(config_file: Path) -> None:
    """Take the brake off: what has gone silent by now is cared for."""
    from threerc.runtime.operators import release

    _told(release(_store(_load(config_file))))


@click.command("installed", cls=Command, example="3rc installed gridce")
@click.argument("vm")
@_CONFIG
def installed_command(vm: str, config_file: Path) -> None:
    """Say that a virtual machine's installer is done, so that its boot link goes back."""
    from threerc.runtime.operators import installed

    config = _load(config_file)
    with _usage():
        _told(installed(_store(config), config, vm))


COMMANDS = (
    controller_command,
    status_command,
    explain_command,
    pause_command,
    resume_command,
    maintenance_command,
    release_command,
    installed_command,
)
