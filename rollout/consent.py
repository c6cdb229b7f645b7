"""What a roll-out would do to the site, by its plan, and whether that was agreed to."""

from __future__ import annotations

import shlex
from collections.abc import Collection

from threerc.compiler.plan.against import Side, applied
from threerc.compiler.plan.change import Risk
from threerc.compiler.plan.compare import compare
from threerc.compiler.plan.files import compare as compare_files
from threerc.compiler.plan.naming import folded, unfolded
from threerc.compiler.plan.plan import MOST_HOSTS, Plan
from threerc.compiler.plan.show import head, text
from threerc.compiler.plan.snapshot import Snapshot
from threerc.rollout.errors import RolloutError
from threerc.rollout.history import History
from threerc.rollout.tree import Tree

_NOTHING = Side("nothing", Snapshot(), (), lambda _path: None)


def check_paths(overwrite: Collection[str], tree: Tree, history: History) -> None:
    """Raise RolloutError where a path that may be overwritten is none of the tree, nor was."""
    last = history.applied() if overwrite else None
    trees = [tree] if last is None else [tree, Tree.read(last)]
    for each in overwrite:
        host, slash, path = each.rstrip("/").partition("/")
        known = {full for one in trees for full in one.hosts.get(host, ())}
        if not known:
            raise RolloutError(f"--overwrite {each}: the tree has no host {host}")
        if not any(f"{full}/".startswith(f"{slash}{path}/") for full in known):
            raise RolloutError(f"--overwrite {each}: the tree has nothing there")


def check_allowed(allow: Collection[str], plan: Plan) -> set[str]:
    """The subjects that are allowed, by sets of their names: `wn[001-040],volume gridse`.

    Raises RolloutError where one is not at stake.
    """
    found: set[str] = set()
    for each in allow:
        try:
            named = unfolded(each)
        except ValueError as error:
            raise RolloutError(f"--allow: {error}") from None
        if unknown := set(named).difference(plan.needs_consent):
            raise RolloutError(f"--allow {each}: nothing is at stake there: {folded(unknown)}")
        found.update(named)
    return found


def plan_of(tree: Tree, history: History, name: str = "") -> Plan:
    """What changes from what was applied last to a tree, called so. Raises PlanError."""
    last = history.applied()
    number = history.current()
    before = _NOTHING if last is None else applied(last)
    against = before.name if last is None else f"generation {number}"
    new = applied(tree.folder)
    files = compare_files(before.manifest, new.manifest)
    return Plan(name or new.name, against, compare(before.snapshot, new.snapshot), files)


def refuse(plan: Plan, allowed: Collection[str], *, force: bool) -> None:
    """Raise RolloutError where a change needs consent that was not given.

    Where nothing was applied yet everything is new: only what may lose data is asked about.
    """
    first = plan.against == _NOTHING.name
    needed = plan.needs_consent
    if first:
        worst = (c.subject for c in plan.comparison.changes if c.risk is Risk.LOSES_DATA)
        needed = tuple(dict.fromkeys(worst))
    missing = set(needed).difference(allowed)
    if missing:
        named = shlex.quote(folded(missing))
        raise RolloutError(
            f"not applied: running VMs or data are at stake; to agree: --allow {named}"
        )
    if plan.needs_force and not first and not force:
        raise RolloutError(
            f"not applied: more than {MOST_HOSTS:.0%} of the hosts change; to agree: --force"
        )


def told(plan: Plan, *, alive: bool) -> str:
    """The plan for people; the first one of a site in a line.

    Of hosts that are not `alive`, but folders, no daemon is told anything.
    """
    if plan.against == _NOTHING.name:
        return head(plan)
    return text(plan, daemons=alive)
