"""The commands `3rc testbed ...`. Everything but click is imported when it is needed."""

from __future__ import annotations

import base64
import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from threerc.runtime.command import CONTEXT, Command
from threerc.testbed.crash_cli import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from threerc.testbed.client import Testbed
    from threerc.testbed.images.cache import Cache

_PATH = click.Path(path_type=Path)
_RUN = click.option("--run", "run_id", metavar="ID", help="Which testbed, where several run.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
_SCREEN = 'f=$(mktemp) && virsh -q -c qemu:///system screenshot "$1" "$f" >&2 && base64 "$f"'


class _Group(click.Group):
    """The commands of the backend that is asked for."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name them."""
        if ctx.params.get("backend") == "vagrant":
            from threerc.testbed.vagrant.cli import COMMANDS

            return [*COMMANDS]
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find one."""
        if ctx.params.get("backend") == "vagrant":
            from threerc.testbed.vagrant.cli import COMMANDS

            return COMMANDS.get(cmd_name)
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what the testbed cannot do, or what it lacks, is told in a line."""
        from threerc.testbed.errors import TestbedError

        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            if error.name != "pyroute2":  # the one of the extra `testbed` that modules begin with
                raise
            raise click.ClickException(
                "the testbed needs pyroute2, which is not installed beside 3rc "
                "(pip install 'threerc[testbed]')"
            ) from None
        except (TestbedError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            raise click.ClickException(str(error)) from None


@click.group("testbed", cls=_Group, context_settings=CONTEXT)
@click.option(
    "--backend",
    type=click.Choice(["capsules", "vagrant"]),
    default="capsules",
    show_default=True,
    is_eager=True,  # --help lists the commands of the one that stands before it
    help="Hosts as namespaces, or as whole machines by Vagrant.",
)
def testbed(backend: str) -> None:
    """Run a compiled site for real on this machine, and crash it. Needs root."""


# -- up and down


@testbed.command("up", example="3rc testbed up examples/ci/site.yaml")
@click.argument("site", type=_PATH)
@click.option("--vms", metavar="A,B", help="Only these virtual machines.")
@click.option("--nodes", metavar="A,B", help="Also these worker nodes.")
@click.option(
    "--image",
    type=click.Choice(["mini", "debian"]),
    default="mini",
    show_default=True,
    help="What is installed in place of the site's operating systems.",
)
@click.option(
    "--profile",
    type=click.Choice(["thesis", "fast"]),
    default="thesis",
    show_default=True,
    help="The site's own times, or short ones.",
)
@click.option("--work", type=_PATH, help="Where the run's folder goes. [default: below the state]")
def up(
    site: Path,
    vms: str | None,
    nodes: str | None,
    image: Any,
    profile: Any,
    work: Path | None,
) -> None:
    """Compile a site and bring it up. Ctrl-C leaves nothing behind."""
    from threerc.compiler.build import check
    from threerc.testbed.prepare import wanted
    from threerc.testbed.progress import Reporter
    from threerc.testbed.up import bring_up

    asked = wanted(vms, nodes, image, profile)
    reporter = Reporter()
    with reporter.telling(), bring_up(check(site), asked, reporter, work) as held:
        made = held.let_go()
    click.echo(f"testbed {made.run.id} of {made.run.site} is up: {made.run.folder}")


@testbed.command("down", example="3rc testbed down")
@_RUN
def down(run_id: str | None) -> None:
    """End a testbed and remove all of it, logs too."""
    _found(run_id).down()


@testbed.command("clean", example="3rc testbed clean")
def clean() -> None:
    """Remove all that killed runs have left, and end testbeds that do not answer.

    Images and packages that nothing has used for 30 days go too; the folder of the others is told.
    """
    from threerc.testbed import client
    from threerc.testbed.images import default_cache
    from threerc.testbed.images.cache import UNUSED_DAYS, Cache

    removed, living = client.clean()
    for run in removed:
        click.echo(f"removed {run.folder}")
    for run in living:
        click.echo(f"{run.id} ({run.site}) runs: end it by `3rc testbed down --run {run.id}`")
    cache = Cache(default_cache(), lambda line: click.echo(line, err=True))
    for file in cache.remove_unused():
        click.echo(f"removed {file}, which nothing has used for {UNUSED_DAYS} days")
    click.echo(_kept(cache))


def _kept(cache: Cache) -> str:
    return f"images and packages: {cache.size() / 1e6:.0f} MB in {cache.folder}"


# -- looking


@testbed.command("status", example="3rc testbed status")
@_RUN
@_JSON
def status(run_id: str | None, as_json: bool) -> None:
    """Show what runs in a testbed."""
    from threerc.testbed.grip import Grip
    from threerc.testbed.images import default_cache
    from threerc.testbed.images.cache import Cache

    grip = Grip(_found(run_id))
    running = grip.running()
    found = grip.testbed.status() | {"virtual_machines": running, "faults": grip.faults()}
    found["down"] = grip.down(running)
    if grip.testbed.run.starting.exists():
        found["state"] = "starting"
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"{found['site']} ({found['run']}): {found['state']}, {found['folder']}")
    for line in (*_what_runs(found), *_what_is_broken(found)):
        click.echo(line)
    click.echo(_kept(Cache(default_cache(), click.echo)))


def _what_runs(found: dict[str, Any]) -> Iterator[str]:
    for capsule in found["capsules"]:
        yield f"{capsule['name']:12} {capsule['kind']:9} {capsule['power']:3} {_daemons(capsule)}"
    for machine in found["machines"]:
        yield f"{machine['name']:12} {'machine':9} {machine['power']}"
    for host, vms in found["virtual_machines"].items():
        for vm in vms:
            yield f"{vm:12} {'virtual':9} on {host}"
    for vm in found["down"]:
        yield f"{vm:12} {'virtual':9} runs nowhere"


def _what_is_broken(found: dict[str, Any]) -> Iterator[str]:
    for of, fault in found["faults"]:
        name = "-" if of == "*" else shlex.quote(of)
        yield f"{of}: {fault}; undo it by `3rc testbed heal {name} {fault}`"
    for bridge in found["bridges"]:
        if not bridge["up"]:
            yield f"switch {bridge['switch']}: {bridge['network']} is down"
    for cable in found["cables"]:
        if cable["bridge"] is None:
            yield f"{cable['host']} {cable['card']}: no network"


def _daemons(capsule: dict[str, Any]) -> str:
    if capsule["power"] == "off":
        return ""
    return " ".join(map(_daemon, capsule["daemons"]))


def _daemon(found: dict[str, Any]) -> str:
    dead = "" if found["running"] else "!dead"
    again = f"({found['restarts']} restarts)" if found["restarts"] else ""
    return f"{found['name']}{dead}{again}"


@testbed.command("logs", example="3rc testbed logs alfa01 -f")
@click.argument("host", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added.")
@_RUN
def logs(host: str | None, follow: bool, run_id: str | None) -> None:
    """Show the logs of a testbed, or of one host: its daemons and its console.

    Those of a controller begin with the log that the controllers share; it is not followed.
    """
    found = _found(run_id)
    folder = found.run.logs
    for line in _shared_log(found, host):
        click.echo(line)
    files = sorted(folder.rglob("*.log"))
    if host is not None:
        files = [each for each in files if host in (each.parent.name, each.name.partition(".")[0])]
    if not files:
        raise click.ClickException(f"no logs of {host} in {folder}")
    _become(
        ["tail", "-v", *(["-n", "10", "-F"] if follow else ["-n", "+1"]), "--", *map(str, files)]
    )


def _shared_log(found: Testbed, host: str | None) -> Iterator[str]:
    """What the controllers log, for a host that is one."""
    from threerc.testbed.grip import CONTROLLER_YAML, Grip

    if host is not None and Path(f"{found.run.folder}/tree/{host}{CONTROLLER_YAML}").exists():
        yield "==> the controllers' log <=="
        yield from Grip(found).log()


@testbed.command("screenshot", example="3rc testbed screenshot gridce screen.png")
@click.argument("host")
@click.argument("file", type=_PATH)
@_RUN
def screenshot(host: str, file: Path, run_id: str | None) -> None:
    """Draw the screen of a virtual machine or a worker node into a PNG file."""
    from threerc.testbed.grip import Grip
    from threerc.testbed.pictures import png

    found = _found(run_id)
    if any(machine["name"] == host for machine in found.status()["machines"]):
        drawn = Path(found.call("screenshot", host=host)).read_bytes()
    else:
        answer = found.execute(Grip(found).where(host), "sh", "-c", _SCREEN, "sh", host)
        if answer.rc != 0:
            raise click.ClickException(f"{host}: {answer.err.strip()}")
        drawn = base64.b64decode(answer.out)
    file.write_bytes(png(drawn))


# -- going in


@testbed.command(
    "ssh",
    example="3rc testbed ssh gridce uptime",
    context_settings={**CONTEXT, "allow_interspersed_args": False},  # a command's own, `--` too
)
@_RUN
@click.argument("host")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def ssh(run_id: str | None, host: str, command: tuple[str, ...]) -> None:
    """Be root on a host, or run a command there.

    A capsule is entered directly, also while its network is cut; machines by ssh. One word is for
    a shell there; several are a program and its arguments.
    """
    found = _found(run_id)
    if command[:1] == ("--",):
        command = command[1:]
    if len(command) == 1:
        command = ("sh", "-c", *command)
    if any(capsule["name"] == host for capsule in found.status()["capsules"]):
        _become(found.enter(host, ("env", *_shell_environment(), *(command or ("bash", "-l")))))
    _become(_by_ssh(found, host, command))


def _shell_environment() -> list[str]:
    from threerc.testbed.process import ENVIRONMENT

    terminal = os.environ.get("TERM", "linux")
    return ["-i", *(f"{n}={v}" for n, v in {**ENVIRONMENT, "TERM": terminal}.items())]


def _by_ssh(found: Testbed, host: str, command: tuple[str, ...]) -> list[str]:
    """From a capsule's network, with the run's own key. Whom we talk to is beyond doubt."""
    address = found.run.addresses().get(host)
    if address is None:
        known = ", ".join(sorted(found.run.addresses()))
        raise click.ClickException(f"no host {host} (there are: {known})")
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"]
    flags = [word for option in options for word in ("-o", option)]
    key = found.run.folder / "keys" / "identity"
    return [
        *found.enter_network(),
        *(
            "ssh",
            "-i",
            str(key),
            *flags,
            "-l",
            "root",
            address,
            *(["--", shlex.join(command)] if command else []),
        ),
    ]


@testbed.command("console", example="3rc testbed console gridce")
@click.argument("host")
@_RUN
def console(host: str, run_id: str | None) -> None:
    """Sit at the serial console of a virtual machine or a worker node. Ctrl-] leaves it."""
    from threerc.testbed.terminal import attach

    attach(_found(run_id).run.folder / "consoles" / host)


for each in COMMANDS:
    testbed.add_command(each)


def _found(run_id: str | None) -> Testbed:
    from threerc.testbed.client import Testbed
    from threerc.testbed.runs import find

    return Testbed(find(run_id))


def _become(command: list[str]) -> NoReturn:
    sys.stdout.flush()
    os.execvp(command[0], command)  # noqa: S606
