"""The commands `3rc` and `3rc-build`. Everything but click is imported when it is needed."""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click

# pydantic would look through all installed packages for plugins, each time.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from threerc.rollout import cli as rollout_cli
from threerc.runtime import cli as runtime_cli
from threerc.runtime.command import CONTEXT, Command
from threerc.runtime.simulation.cli import simulate
from threerc.testbed.cli import testbed

if TYPE_CHECKING:
    from threerc.compiler.build import Options
    from threerc.compiler.findings import Finding
    from threerc.compiler.importing.facts import Facts
    from threerc.compiler.report import Format
    from threerc.runtime.config import ControllerConfig

_PATH = click.Path(path_type=Path)
_SITE = click.argument("site", type=_PATH)
_PLACE: Final = re.compile(r"[^\s:]+:[0-9]+:([0-9]+:)? ")
"""How a complaint begins that says where: `dhcpd.conf:7: `."""
_CHANGES: Final = 3
"""Exit status of a plan by which something changes."""
_DRAWINGS = (".svg", ".mmd", ".dot")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print findings and answers as JSON.")
_FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "github"]),
    default="text",
    show_default=True,
    help="How findings are printed; github: annotations of a workflow run.",
)


class _Group(click.Group):
    command_class = Command


@click.group(cls=_Group, context_settings=CONTEXT)
@click.version_option(package_name="threerc", prog_name="3rc")
def cli() -> None:
    """3RC turns one reviewed YAML file into a whole computing site."""


@contextmanager
def _findings_as(form: Format) -> Iterator[None]:
    """Print the findings of a refused site in that form and exit 1."""
    from threerc.compiler.findings import Rejected

    try:
        yield
    except Rejected as rejected:
        _progress("")
        _say(rejected.findings, form)
        sys.exit(1)


def _say(findings: list[Finding], form: Format) -> None:
    """Findings for people go to stderr, those for programs to stdout."""
    from threerc.compiler.report import render_findings

    if form == "json" or findings:
        click.echo(render_findings(findings, form), err=form == "text")


@cli.command("check", example="3rc check site.yaml")
@click.argument("sites", metavar="SITE...", nargs=-1, required=True, type=_PATH)
@_JSON
@_FORMAT
def check_command(sites: tuple[Path, ...], as_json: bool, form: Format) -> None:
    """Read and check sites: schema, rules, capacity. Exits 1 if anything is wrong."""
    gc.disable()  # a run builds much, drops little and ends soon
    from threerc.compiler.build import check
    from threerc.compiler.findings import Rejected
    from threerc.compiler.wording import counted

    form = "json" if as_json else form
    findings: list[Finding] = []
    fine: list[str] = []
    for site in sites:
        try:
            checked = check(site)
        except Rejected as rejected:
            findings += rejected.findings
            continue
        findings += checked.warnings
        hosts, warnings = len(checked.site.hosts), len(checked.warnings)
        told = f"{counted(hosts, 'host')}, no errors, {counted(warnings, 'warning')}"
        fine.append(f"{site}: {told}")
    _say(findings, form)
    if form == "text":
        click.echo("\n".join(fine), nl=bool(fine))
    sys.exit(0 if len(fine) == len(sites) else 1)


@click.command("build", cls=Command, example="3rc build site.yaml -o out", context_settings=CONTEXT)
@click.argument("sites", metavar="SITE...", nargs=-1, required=True, type=_PATH)
@click.option("-o", "--out", type=_PATH, help="Where the tree goes. [default: out beside SITE]")
@click.option("--strict", is_flag=True, help="A missing checker, or a file not made, is an error.")
@click.option("--no-verify", is_flag=True, help="Leave the daemons' checkers out.")
@click.option("--locked", is_flag=True, help="Fail where site.lock would change (for CI).")
@click.option("--graph", type=_PATH, help="Also draw the site: a .svg, .mmd or .dot file.")
@_JSON
@_FORMAT
def build_command(
    sites: tuple[Path, ...],
    out: Path | None,
    strict: bool,
    no_verify: bool,
    locked: bool,
    graph: Path | None,
    as_json: bool,
    form: Format,
) -> None:
    """Check a site, compile it, verify it with the daemons' own checkers, write it."""
    gc.disable()  # a run builds much, drops little and ends soon
    from threerc.compiler.build import Options

    if len(sites) > 1 and (out or graph):
        raise click.UsageError("-o and --graph take one site at a time")
    if graph and graph.suffix not in _DRAWINGS:
        raise click.UsageError(f"--graph takes a file ending in {', '.join(_DRAWINGS)}")
    _refuse_shared_folders(sites)
    for site in sites:
        options = Options(
            out=out or site.parent / "out",
            today=_today(),
            graph=graph,
            strict=strict,
            verify=not no_verify,
            locked=locked,
        )
        with _findings_as("json" if as_json else form):
            _build_one(site, options, "json" if as_json else form)


def _refuse_shared_folders(sites: tuple[Path, ...]) -> None:
    """Two sites of one folder would overwrite each other's tree and lock."""
    from threerc.compiler.source.load import folder_of

    seen: dict[Path, Path] = {}
    for site in sites:
        for folder in {site.parent.resolve(), folder_of(site).resolve()}:
            first = seen.setdefault(folder, site)
            if first is not site:
                both = f"{first} and {site} would share `out` or `site.lock`"
                raise click.UsageError(f"{both}; give each site a folder of its own")


cli.add_command(build_command)
for each in (*runtime_cli.COMMANDS, *rollout_cli.COMMANDS):
    cli.add_command(each)


def _controllers_know(site: Path) -> ControllerConfig:
    """What the controllers know of a site, by its site.yaml or a compiled controller.yaml."""
    from threerc.compiler.artefacts.controller import controller_config
    from threerc.compiler.build import LOCK_NAME, check
    from threerc.compiler.lock import load as load_lock
    from threerc.compiler.tree import Output, Tree
    from threerc.runtime.config import load

    with suppress(OSError, UnicodeDecodeError):
        if re.search(r'^\s*"?version"?\s*:', site.read_text(encoding="utf-8"), re.MULTILINE):
            return load(site)
    with _findings_as("text"):
        checked = check(site)
        lock = load_lock(checked.folder / LOCK_NAME, _today())
        out = Output("controller", Tree(), lock, checked.folder)
        return controller_config(checked.site, out, known_hosts=False)


cli.add_command(simulate(_controllers_know))
cli.add_command(testbed)


def _build_one(site: Path, options: Options, form: Format) -> None:
    from threerc.compiler import report as say
    from threerc.compiler.build import build

    built = build(site, options, _progress)
    _progress("")
    if form == "json":
        click.echo(json.dumps(say.build_data(built), indent=2))
        return
    _say(built.warnings, form)
    click.echo(say.build_text(built))


def _progress(what: str) -> None:
    """What is going on, in one line that is written over; only for people who look on."""
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{what}", nl=False, err=True)


def _today() -> date:
    """The day for serials that count by date: SOURCE_DATE_EPOCH's if it is set."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else datetime.now(UTC)
    return now.date()


@cli.command("plan", example="3rc plan site.yaml --against origin/main --format markdown")
@_SITE
@click.option(
    "--against",
    metavar="OUT|FILE|REVISION",
    help="What it is compared with: an applied tree, another site file, or a git revision. "
    "[default: out beside SITE]",
)
@click.option("--diff", is_flag=True, help="Also show how the files change.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json", "html"]),
    default="text",
    show_default=True,
    help="markdown: for a comment on a merge request.",
)
def plan_command(
    site: Path,
    against: str | None,
    diff: bool,
    form: Literal["text", "markdown", "json", "html"],
) -> None:
    """Tell what a change of a site will do to it: hosts, services, daemons, risks.

    Exits 0 if nothing changes, 1 if the site has findings, 3 if something changes.
    """
    gc.disable()  # a run builds much, drops little and ends soon
    from threerc.compiler.plan import show
    from threerc.compiler.plan.plan import plan

    with _findings_as("text"):
        found = plan(site, against, _today(), diff=diff)
    if form == "json":
        click.echo(json.dumps(found.data(), indent=2))
    else:
        shown = {"text": show.text, "markdown": show.markdown, "html": show.html}
        click.echo(shown[form](found))
    sys.exit(0 if found.empty else _CHANGES)


_FILES = click.Path(exists=True, dir_okay=False, path_type=Path)


def _zone_files(
    _ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]
) -> list[tuple[str, Path]]:
    """Zones by name with their files, of texts NAME=FILE."""
    found: list[tuple[str, Path]] = []
    for text in given:
        name, mark, file = text.partition("=")
        if not mark or not name or not Path(file).is_file():
            raise click.BadParameter(f"`{text}` is not NAME=FILE with a file that is there")
        found.append((name, Path(file)))
    return found


@cli.command(
    "import",
    example="3rc import --dhcpd dhcpd.conf --zone example.org=db.example.org -o site.yaml",
)
@click.option("--dhcpd", multiple=True, type=_FILES, help="A dhcpd.conf of ISC dhcpd.")
@click.option("--kea", multiple=True, type=_FILES, help="Kea's JSON.")
@click.option(
    "--zone", multiple=True, callback=_zone_files, metavar="NAME=FILE", help="A zone file."
)
@click.option(
    "--pxelinux",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A pxelinux.cfg folder.",
)
@click.option("--hosts-def", type=_FILES, help="A hosts.def; the folder vm/ beside it counts.")
@click.option("--hosts", type=_FILES, help="An /etc/hosts.")
@click.option("--ethers", type=_FILES, help="An /etc/ethers.")
@click.option("--libvirt", multiple=True, type=_FILES, help="A libvirt domain's XML.")
@click.option("--drbd", multiple=True, type=_FILES, help="A .res file of DRBD.")
@click.option("-o", "--out", type=_PATH, help="Where site.yaml goes. [default: printed]")
@click.option("--verify", is_flag=True, help="Compile it, and compare what it means.")
@_FORMAT
def import_command(
    dhcpd: tuple[Path, ...],
    kea: tuple[Path, ...],
    zone: list[tuple[str, Path]],
    pxelinux: Path | None,
    hosts_def: Path | None,
    hosts: Path | None,
    ethers: Path | None,
    libvirt: tuple[Path, ...],
    drbd: tuple[Path, ...],
    out: Path | None,
    verify: bool,
    form: Format,
) -> None:
    """Read what a site has, and write a site.yaml that compiles to the same.

    What site.yaml cannot say is told with its file and line. With --verify a file that is there
    already is compared and left as it is. Exits 1 if anything differs.
    """
    gc.disable()  # a run builds much, drops little and ends soon
    from threerc.compiler.generation import replace_file
    from threerc.compiler.importing import run

    sources = run.Sources(
        dhcpd, kea, tuple(zone), pxelinux, hosts_def, hosts, ethers, libvirt=libvirt, drbd=drbd
    )
    if sources == run.Sources():
        raise click.UsageError("give at least one file to read, such as --dhcpd dhcpd.conf")
    facts = run.read(sources)
    there = out is not None and out.exists()
    if there and not verify:
        raise click.UsageError(f"{out} is there already; remove it, or compare it by --verify")
    text = "" if there else run.write(facts)
    _say(run.findings(facts), form)
    if out is not None and not there:
        replace_file(out, text)
    if verify:
        _verify_import(facts, out, text, form)
    elif out is None:
        click.echo(text, nl=False)


def _verify_import(facts: Facts, out: Path | None, text: str, form: Format) -> None:
    """Print how a site differs from the files that it was made of; exit 1 if it does."""
    from tempfile import TemporaryDirectory

    from threerc.compiler.importing import run
    from threerc.compiler.importing.verifying import lines

    with TemporaryDirectory(prefix="3rc-import-") as folder, _findings_as(form):
        path = out or Path(folder) / "site.yaml"
        if out is None:
            path.write_text(text, encoding="utf-8")
        compared = run.verify(facts, path, _today())
    click.echo("\n".join(lines(compared, len(facts.lost))))
    sys.exit(1 if compared.differences else 0)


@cli.command("schema", example="3rc schema > site.schema.json")
def schema_command() -> None:
    """Print the JSON Schema of site.yaml, for editors."""
    from threerc.compiler.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


@cli.command("init", example="3rc init --nodes 40 > site.yaml")
@click.option("--nodes", type=click.IntRange(0, 200_000), default=4, show_default=True)
@click.option("--expanded", is_flag=True, help="Write every host out by itself.")
def init_command(nodes: int, expanded: bool) -> None:
    """Print a starter site.yaml with comments, of any size."""
    from threerc.compiler.starter import starter

    click.echo(starter(nodes, expanded), nl=False)


@cli.command("boot", example="3rc boot wn[001-040] disk2")
@click.argument("hosts", metavar="HOST")
@click.argument("target", required=False, metavar="[install|local|disk1|disk2]")
@click.option(
    "--root", type=_PATH, default=Path("/"), help="File system of the TFTP host. [default: /]"
)
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def boot_command(hosts: str, target: str | None, root: Path, as_json: bool) -> None:
    """Show what hosts boot next, or switch it; to be run on the TFTP host.

    HOST is a host's name, a range of names, or several of these with commas in between. The switch
    is one rename for each link.
    """
    from threerc.compiler.source.ranges import RangeError, listed
    from threerc.runtime.bootlinks import BootError, BootLinks

    try:
        links = BootLinks.load(root)
        found = links.find(listed(hosts))
        if target is not None:
            links.switch(found, target)
    except (BootError, RangeError) as error:
        raise click.ClickException(str(error)) from None
    shown = [links.show(each) for each in found]
    if as_json:
        click.echo(json.dumps(shown, indent=2))
        return
    for each in shown:
        note = "" if each["boots"] == each["declared"] else f" (declared: {each['declared']})"
        click.echo(f"{each['name']} {each['link']} {each['boots']}{note}")


def _complain(error: click.ClickException, name: str) -> None:
    """Tell of a mistake in the command line as of any other, and where help is."""
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):  # since click 8.2
        error.show()
        return
    click.echo(f"{name}: {error.format_message()}", err=True)
    if isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(f"  hint: {error.ctx.command_path} --help", err=True)


def _run(command: click.Command, name: str) -> None:
    """Run a command; a user's mistake is one line, a traceback is our bug."""
    from threerc.compiler.findings import Rejected, ThreeRcError
    from threerc.runtime.errors import ControllerError

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(command.main(prog_name=name, standalone_mode=False) or 0)
    except Rejected as rejected:
        _say(rejected.findings, "text")
        sys.exit(1)
    except (ThreeRcError, ControllerError) as error:
        click.echo(str(error) if _PLACE.match(str(error)) else f"{name}: {error}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        _complain(error, name)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo(f"{name}: interrupted; nothing is left half done", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def main() -> None:
    """Entry point of `3rc`."""
    _run(cli, "3rc")


def build_main() -> None:
    """Entry point of `3rc-build`, which is `3rc build`."""
    _run(build_command, "3rc-build")
