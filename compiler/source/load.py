"""site.yaml into a Site: read, expand, inherit, validate; all findings at once."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as AnyMapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from threerc.compiler.findings import Finding, Place
from threerc.compiler.model.site import Site
from threerc.compiler.source import document, pieces
from threerc.compiler.source.alike import SECTION, Gathered, Items, Uneven, items
from threerc.compiler.source.document import Mapping
from threerc.compiler.source.explain import Explainer, Problem
from threerc.compiler.source.hosts import Origin, resolve

_MOST_ROUNDS = 20
_UNKEPT = frozenset({"duplicate-key", "yaml-merge", "yaml-alias", "yaml-syntax"})
_INHERITED = ("groups", "defaults", "inventories")
# A section whose entries are all commented out reads as null; it means that it is empty.
_SECTIONS = frozenset(_INHERITED) | {
    name
    for name, field in Site.model_fields.items()
    if isinstance(field.default, AnyMapping | tuple | BaseModel)
}


@dataclass
class Loaded:
    """What became of a site file.

    With findings, `site` is what is left without the values at fault (or None), so that the
    rules can speak of the rest. `spoilt` are the entries that lost a value (the first two steps
    of their paths); `lost` are names that are missing; without `complete` there are hosts of
    which not even the names are known.
    """

    site: Site | None
    findings: list[Finding]
    explainer: Explainer
    folder: Path
    spoilt: frozenset[tuple[Any, ...]]
    lost: frozenset[str]
    complete: bool

    def place(self, path: tuple[Any, ...], *, key: bool = False) -> Place:
        """The place of a value of the site by its path in the model."""
        return self.explainer.place(path, key=key)


def load(path: Path) -> Loaded:
    """Read a site. Raises Rejected where the file is no YAML at all."""
    text, folder = document.decode(path), folder_of(path)
    if len(text) >= pieces.SMALLEST and (recalled := pieces.recall(text, path)):
        loaded = _together(*recalled, folder, lambda: document.parse(text, str(path)))
        if loaded is not None:
            return loaded
    top, findings = document.parse_with_findings(text, str(path))
    section = top.get(SECTION)
    if not findings and isinstance(section, Mapping):
        with suppress(Uneven):
            loaded = _together(top, items(section), folder, lambda: top)
            if loaded is not None:
                return loaded
    return _one_by_one(top, findings, folder)


def _together(
    top: Mapping, nodes: Items, folder: Path, whole: Callable[[], Mapping]
) -> Loaded | None:
    """Read a site, worker nodes that are alike together; None where that does not go smoothly.

    `whole` is the document with the places of all nodes.
    """
    try:
        gathered = Gathered(nodes, top)
        if not gathered.runs:
            return None
        loaded = _one_by_one(gathered.document(top), [], folder)
        if loaded.site is None or loaded.findings:
            return None
        if not all(_is_alone(loaded.explainer.origin(name)) for name in gathered.runs):
            return None
        site = loaded.site.model_copy(update={SECTION: gathered.farm(loaded.site)})
    except Uneven:
        return None
    near = loaded.explainer.origin
    every = cache(lambda: resolve(whole(), folder).origins)  # only who has findings needs them

    def origin(name: str) -> Origin | None:
        return every().get(name) if name in site.worker_nodes else near(name)

    return replace(loaded, site=site, explainer=Explainer(top, origin, Site))


def _is_alone(origin: Origin | None) -> bool:
    """Whether a host has one entry of its own: what overrides another says nothing of others."""
    return origin is not None and sum(not group for group, _ in origin.layers) == 1


def _one_by_one(top: Mapping, findings: list[Finding], folder: Path) -> Loaded:
    hosts = resolve(top, folder)
    explainer = Explainer(top, hosts.origins.get, Site)
    data = {key: value for key, value in top.items() if value is not None or key not in _SECTIONS}
    inherited = {key: data.pop(key) for key in _INHERITED if key in data}
    problems = _check_inheritance(inherited, explainer) if inherited else []
    data |= {str(section): found for section, found in hosts.sections.items()}
    site, more = _validate(data, explainer)
    spoilt = {problem.path[:2] for problem in more} | hosts.spoilt
    lost = {str(problem.path[-1]) for problem in more if problem.path} | hosts.lost
    # What an unknown group would have given is missing, but that has been said.
    more = [p for p in more if p.rule != "missing-key" or p.path[:2] not in hosts.spoilt]
    findings += hosts.findings + explainer.findings([*problems, *more])
    unique = list(dict.fromkeys(findings))
    complete = hosts.complete and _UNKEPT.isdisjoint(finding.rule for finding in findings)
    return Loaded(site, unique, explainer, folder, frozenset(spoilt), frozenset(lost), complete)


def folder_of(path: Path) -> Path:
    """Where a site's side files and lock are: beside the file itself, not beside a link to it."""
    return path.resolve().parent if path.is_symlink() else path.parent


def _check_inheritance(data: dict[str, Any], explainer: Explainer) -> list[Problem]:
    """Groups, defaults and inventories as they are written, also those that no host uses."""
    from threerc.compiler.model.inventory import Inheritance  # noqa: PLC0415 - most sites have none

    for key, section in data.items():
        if isinstance(section, dict):
            data[key] = {name: each for name, each in section.items() if each is not None}
    try:
        Inheritance.model_validate(data)
    except ValidationError as error:
        return explainer.with_root(Inheritance).problems(error, data)
    return []


def _validate(data: dict[str, Any], explainer: Explainer) -> tuple[Site | None, list[Problem]]:
    """Validate; on errors drop the values at fault and go on with what is left."""
    problems: list[Problem] = []
    for attempt in range(_MOST_ROUNDS):
        try:
            return Site.model_validate(data), problems
        except ValidationError as error:
            found = explainer.problems(error, data)
        # A key that an earlier round dropped is missing now; that is no news.
        problems += [each for each in found if not attempt or each.rule != "missing-key"]
        dropped = [_drop(data, each.path) for each in found]
        if not all(dropped):
            break
    return None, problems


def _drop(data: dict[str, Any], path: tuple[Any, ...]) -> bool:
    """Remove a value (a list as a whole) from the data; False where there is none to remove."""
    end = next((at for at, step in enumerate(path) if isinstance(step, int)), len(path))
    if not path[:end]:
        return False
    *way, last = path[:end]
    for step in way:
        if step not in data:
            return True
        data[step] = dict(data[step])  # entries of one range share their values
        data = data[step]
    data.pop(last, None)
    return True
