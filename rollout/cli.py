"""The commands that change hosts: `3rc apply`, `3rc rollback`, and `3rc history`."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from threerc.runtime.command import Command

if TYPE_CHECKING:
    from threerc.rollout.history import History
    from threerc.rollout.tree import Tree

_PATH: Final = click.Path(path_type=Path)
_BEHIND: Final = 4
"""Exit status where all is well, but for hosts that could not be reached."""
_TREE: Final = click.argument("tree", metavar="[OUT]", default="out", type=_PATH)
_ROOT: Final = click.option(
    "--root",
    type=_PATH,
    help="Apply to the file systems DIR/HOST instead of the hosts: to build images. No daemon "
    "is told.",
)
_STATE: Final = click.option(
    "--state", type=_PATH, help="Where the history is kept. [default: by the site's name]"
)


def _consents(command: Callable[..., None]) -> Callable[..., None]:
    """The options of the commands that change hosts."""
    options = (
        _ROOT,
        _STATE,
        click.option(
            "--allow",
            metavar="SUBJECT",
            multiple=True,
            help="Agree to what is at stake, as the plan names it: gridce, or wn[001-040].",
        ),
        click.option("--force", is_flag=True, help="Agree to a change of many hosts."),
        click.option(
            "--overwrite",
            metavar="HOST[/PATH]",
            multiple=True,
            help="Replace files there that others have written; they are kept on the host.",
        ),
        click.option("--dry-run", is_flag=True, help="Ask the hosts, and change nothing."),
        click.option("--key", type=_PATH, help="The private key for ssh. [default: ssh's own]"),
        click.option(
            "--deadline",
            type=click.FloatRange(min=1),
            default=120.0,
            show_default=True,
            help="Seconds for a step on a host; its daemons have a quarter of it to serve.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command("apply", cls=Command, example="3rc apply out --allow gridce")
@_TREE
@_consents
def apply_command(tree: Path, state: Path | None, root: Path | None, **options: Any) -> None:
    """Bring the tree of `3rc build` onto all hosts, or leave all of them as they are.

    Files are staged and checked on each host, then switched; daemons take them and are asked for
    them. If anything fails anywhere, all hosts go back. Exits 4 if hosts were not reached.
    """
    from threerc.rollout.commits import commit_of
    from threerc.rollout.tree import Tree

    gc.disable()  # a run builds much, drops little and ends soon
    found = Tree.read(tree)
    history = _history(state, root, found)
    with history.exclusive(dry=options["dry_run"]):
        sys.exit(_roll_out(found, history, root, options, lambda: commit_of(found)))


@click.command("rollback", cls=Command, example="3rc rollback 12")
@click.argument("generation", type=int, required=False)
@click.option("--out", "tree", type=_PATH, default="out", help="A tree of the site. [default: out]")
@_consents
def rollback_command(
    generation: int | None, tree: Path, state: Path | None, root: Path | None, **options: Any
) -> None:
    """Apply an earlier generation of the site: the one before, or that of this number.

    site.yaml stays as it is: take the change back there too, or the next apply brings it again.
    """
    from threerc.rollout.tree import Tree

    history = _history(state, root, None if state else Tree.read(tree))
    with history.exclusive(dry=options["dry_run"]):
        number = history.before() if generation is None else generation
        found = Tree.read(history.tree(number))
        commit = next((each.commit for each in history.times() if each.number == number), "")
        sys.exit(_roll_out(found, history, root, options, lambda: commit, f"generation {number}"))


@click.command("history", cls=Command, example="3rc history --json")
@click.option("--out", "tree", type=_PATH, default="out", help="A tree of the site. [default: out]")
@_STATE
@_ROOT
@click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
def history_command(tree: Path, state: Path | None, root: Path | None, as_json: bool) -> None:
    """Tell what was applied to the site, when, by whom, from which commit."""
    from dataclasses import asdict

    from threerc.rollout import show
    from threerc.rollout.tree import Tree

    history = _history(state, root, None if state or root else Tree.read(tree))
    times, current = history.times(), history.current()
    if as_json:
        data = {"current": current, "times": [asdict(each) for each in times]}
        click.echo(json.dumps(data, indent=2))
    else:
        click.echo(
            "\n".join(show.times(times, current)) or f"{history.folder}: nothing was applied"
        )


COMMANDS: Final = (apply_command, rollback_command, history_command)


def _history(state: Path | None, root: Path | None, tree: Tree | None) -> History:
    from threerc.rollout.history import History

    if state is None and root is not None:
        state = root / ".3rc"
    if state is None and tree is not None:
        top = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
        state = Path(top) / "3rc/rollouts" / tree.site()
    if state is None:
        raise click.UsageError("whose history? Name --out or --state")
    return History(state.absolute())


def _roll_out(
    tree: Tree,
    history: History,
    root: Path | None,
    options: dict[str, Any],
    commit: Callable[[], str],
    back_to: str = "",
) -> int:
    """Apply a tree by the given options; the exit status.

    `commit` is asked which commit it is of if anything is done: it may have to compile it.
    `back_to` says which generation it was.
    """
    from threerc.compiler.plan.show import head
    from threerc.rollout import show
    from threerc.rollout.apply import Rollout
    from threerc.rollout.consent import check_allowed, check_paths, plan_of, refuse, told
    from threerc.rollout.fleet import Fleet, Folders, Roads
    from threerc.rollout.tree import Ways

    check_paths(options["overwrite"], tree, history)
    plan = None
    if not history.has(tree):
        plan = plan_of(tree, history, back_to)
        click.echo(told(plan, alive=root is None))
        allowed = check_allowed(options["allow"], plan)
        if not options["dry_run"]:
            refuse(plan, allowed, force=options["force"])
    seconds, dry = options["deadline"], options["dry_run"]
    folders = Folders(root, dry=dry) if root else None
    opener = folders or Roads(Ways(tree.snapshot()), seconds, options["key"])
    with Fleet(opener, seconds, dry) as fleet:
        rollout = Rollout(fleet, tree, history, _progress)
        survey = rollout.survey(options["overwrite"])
        _say(show.survey(survey))
        if survey.conflicts and not dry:
            raise click.ClickException(
                "not applied: others have written there; to replace it: --overwrite HOST[/PATH]"
            )
        if survey.empty or dry:
            if survey.empty:
                click.echo("nothing to do")
            return _BEHIND if survey.down else 0
        summary = "hosts that were behind"
        if plan:
            summary = f"back to {head(plan)}" if back_to else head(plan)
        done = rollout.run(survey, history.begin(tree, summary, commit()))
    _say(show.outcome(done))
    if done.failed:
        click.echo(show.failure(done), err=True)
        return 1
    click.echo(f"applied as generation {done.time.number}" if done.time else "")
    return _BEHIND if survey.down or done.behind else 0


def _say(lines: Any) -> None:
    _progress("")
    for line in lines:
        click.echo(line)


def _progress(what: str) -> None:
    """What is going on, in one line that is written over; only for people who look on."""
    if sys.stderr.isatty():
        click.echo(f"\r\033[K{what}", nl=False, err=True)
