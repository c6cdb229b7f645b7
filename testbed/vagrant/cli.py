"""The commands `3rc testbed --backend vagrant ...`; whatever is heavy is imported when needed."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from threerc.runtime.command import CONTEXT, Command

if TYPE_CHECKING:
    from threerc.compiler.build import Checked
    from threerc.testbed.progress import Reporter
    from threerc.testbed.vagrant.machines import Machines

_PATH = click.Path(path_type=Path)
_RUN = click.option("--run", "site", metavar="SITE", help="Which site, where several are up.")
_FAULT = click.Choice(["power", "network"])


@click.command("up", cls=Command, example="3rc testbed --backend vagrant up examples/ci/site.yaml")
@click.argument("site", type=_PATH)
@click.option(
    "--provider",
    type=click.Choice(["libvirt", "virtualbox"]),
    default="libvirt",
    show_default=True,
    help="What runs the machines.",
)
@click.option("--emulate", is_flag=True, help="Do without hardware virtualisation: it takes long.")
@click.option("--work", type=_PATH, help="Where the site's folder goes. [default: below the state]")
def up(site: Path, provider: Any, emulate: bool, work: Path | None) -> None:
    """Compile a site, and make each physical host and service host a machine.

    They run Debian's own services over their compiled folders; 3RC itself is not on them.
    """
    from threerc.compiler.build import check
    from threerc.testbed.progress import Reporter
    from threerc.testbed.vagrant import runs

    reporter = Reporter()
    _check_packages()
    checked = check(site)
    folder = runs.create(checked.site.site, work)
    machines: Machines | None = None
    with reporter.telling():
        try:
            machines = _prepared(checked, folder, provider, emulate, reporter)
            machines.up(reporter.step)
        except BaseException:
            if machines is not None:
                reporter.step("destroying what was made")
                machines.down()  # if that fails, the folder stays, for `down`
            runs.remove(folder)
            raise
        finally:
            reporter.end_step()
    click.echo(f"{folder.name} is up: {folder}")


def _prepared(
    checked: Checked, folder: Path, provider: Any, emulated: bool, reporter: Reporter
) -> Machines:
    from threerc.testbed.images import Images, default_cache
    from threerc.testbed.prepare import Media, prepare, wanted
    from threerc.testbed.vagrant.box import get_box
    from threerc.testbed.vagrant.machines import Machines
    from threerc.testbed.vagrant.parts import plan

    reporter.step("images")
    images = Images.of("mini", cache=default_cache(), say=reporter.step)
    box = get_box(provider, default_cache(), reporter.step)
    media = Media(images.image, images.kernel, images.initrd)
    prepared = prepare(checked, folder, wanted(), media, reporter.step)
    reporter.end_step()
    for change in prepared.changes:
        reporter.done(f"other than in the site: {change}")
    made = plan(prepared.site, prepared.spec, prepared.supplies, box, emulated=emulated)
    return Machines.create(made, folder)


@click.command("status", cls=Command, example="3rc testbed --backend vagrant status")
@_RUN
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def status(site: str | None, as_json: bool) -> None:
    """Show how the machines are."""
    machines = _found(site)
    found = machines.status()
    if as_json:
        plan = machines.plan
        told = {"site": plan.site, "folder": str(machines.folder), "provider": plan.box.provider}
        click.echo(json.dumps(told | {"machines": found}, indent=2))
        return
    click.echo(f"{machines.plan.site}: {machines.folder}")
    for name, state in found.items():
        click.echo(f"{name:12} {state}")


@click.command(
    "ssh",
    cls=Command,
    example="3rc testbed --backend vagrant ssh ph1 uptime",
    context_settings={**CONTEXT, "allow_interspersed_args": False},  # a command's own, `--` too
)
@_RUN
@click.argument("host")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def ssh(site: str | None, host: str, command: tuple[str, ...]) -> None:
    """Be root on a machine, or run a command there; also while its network is cut.

    One word is for a shell there; several are a program and its arguments.
    """
    if command[:1] == ("--",):
        command = command[1:]
    _become(_found(site).ssh(host, command))


@click.command("crash", cls=Command, example="3rc testbed --backend vagrant crash ph1 power")
@click.argument("host")
@click.argument("fault", type=_FAULT)
@_RUN
def crash(host: str, fault: str, site: str | None) -> None:
    """Cut a machine's power, or its cables to the networks of the site."""
    _strike(_found(site), host, fault, well=False)


@click.command("heal", cls=Command, example="3rc testbed --backend vagrant heal ph1 power")
@click.argument("host")
@click.argument("fault", type=_FAULT)
@_RUN
def heal(host: str, fault: str, site: str | None) -> None:
    """Undo a fault. A machine that is switched on again has its cables too."""
    _strike(_found(site), host, fault, well=True)


def _strike(machines: Machines, host: str, fault: str, *, well: bool) -> None:
    if fault == "power":
        machines.power(host, on=well)
    else:
        machines.network(host, plugged=well)


@click.command("down", cls=Command, example="3rc testbed --backend vagrant down")
@_RUN
def down(site: str | None) -> None:
    """Destroy a site's machines and remove its folder."""
    from threerc.testbed.vagrant import runs

    folder = runs.find(site)
    if (folder / "Vagrantfile").exists():
        _found(folder.name).down()
    runs.remove(folder)


def _check_packages() -> None:
    """Before anything that takes long."""
    if shutil.which("vagrant") is None:
        raise click.ClickException("vagrant is missing (Debian: vagrant, vagrant-libvirt)")
    if importlib.util.find_spec("vagrant") is None:
        raise click.ClickException("python-vagrant is missing (pip install 'threerc[testbed]')")


COMMANDS: Final[Mapping[str, click.Command]] = {
    str(each.name): each for each in (up, status, ssh, crash, heal, down)
}


def _found(site: str | None) -> Machines:
    from threerc.testbed.vagrant import runs

    folder = runs.find(site)
    _check_packages()
    from threerc.testbed.vagrant.machines import Machines

    return Machines.of(folder)


def _become(command: list[str]) -> NoReturn:
    sys.stdout.flush()
    os.execvp(command[0], command)  # noqa: S606
