"""Scenarios from the disk: a folder with README.md, scenario.yaml and expected.log."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from threerc.runtime import records
from threerc.runtime.config import ConfigError, ControllerConfig
from threerc.runtime.config import load as load_config
from threerc.runtime.simulation import brief
from threerc.runtime.simulation.faults import FAULTS, HOST, SITE, SWITCH
from threerc.runtime.simulation.faults.base import kinds
from threerc.runtime.simulation.operators import COMMANDS
from threerc.runtime.simulation.scenario import CommandEntry, FaultEntry, Scenario
from threerc.runtime.wording import place, problem

FILE: Final = "scenario.yaml"
EXPECTED: Final = "expected.log"
Loc = tuple[str | int, ...]
"""Where a value is: the keys and positions that lead to it."""


class _Loader(yaml.SafeLoader):
    """YAML as 1.2 has it: a time is a text and no number to the base of 60, `on` no boolean."""


_TYPES: Final = (":timestamp", ":int", ":bool")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith(_TYPES)]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789")
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("(?:true|false)$"), list("tf"))


def load(folder: Path) -> tuple[Scenario, ControllerConfig]:
    """Read a scenario and its site. Raises ConfigError with all that is wrong."""
    path = folder / FILE
    text, scenario = _read(path)
    config = _site(path, text, scenario)
    problems = [_told(text, loc, what) for loc, what in strangers(scenario, config)]
    if problems:
        raise ConfigError(path, problems)
    return scenario, config


def _read(path: Path) -> tuple[str, Scenario]:
    try:
        text = path.read_text(encoding="utf-8")
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - safe
        return text, Scenario.model_validate(data)
    except OSError as error:
        raise ConfigError(path, [f": {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigError(path, [": not UTF-8"]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ConfigError(path, [f"{where}: {getattr(error, 'problem', 'not YAML')}"]) from None
    except ValidationError as error:
        problems = (problem(each, text) for each in error.errors(include_url=False))
        raise ConfigError(path, problems) from None


def _site(path: Path, text: str, scenario: Scenario) -> ControllerConfig:
    if isinstance(scenario.site, str):
        return load_config(path.parent / scenario.site)
    try:
        return ControllerConfig.model_validate(brief.complete(scenario.site))
    except ValidationError as error:
        found = error.errors(include_url=False)
        written = (each | {"loc": _as_written(each["loc"], scenario.site)} for each in found)
        raise ConfigError(path, (problem(each, text) for each in written)) from None


def _as_written(loc: Loc, site: Mapping[str, Any]) -> Loc:
    """Where a value is in the file: a host may be one of a range."""
    section = site.get(str(loc[0])) if loc else None
    if len(loc) > 1 and isinstance(section, Mapping):
        key = next((key for key in section if loc[1] in brief.names(str(key))), loc[1])
        return ("site", loc[0], str(key), *loc[2:])
    return ("site", *loc)


def _told(text: str, loc: Loc, what: str) -> str:
    path, where = place(text, loc)
    return f":{where}: {'.'.join(map(str, path))}: {what}"


def strangers(scenario: Scenario, config: ControllerConfig) -> Iterator[tuple[Loc, str]]:
    """What names nothing of the site, and keys that a fault or command does not have."""
    for number, fault in enumerate(scenario.faults):
        yield from ((("faults", number), what) for what in _fault(fault, config))
    for number, command in enumerate(scenario.operator):
        yield from ((("operator", number), what) for what in _command(command, config))
    for vm, line in scenario.state.items():
        if vm not in config.virtual_machines:
            yield ("state", vm), "no such virtual machine"
        if records.from_line(line, scenario.zone) is None:
            yield ("state", vm), "not `PH YYYY-MM-DD/HH:MM:SS FLAG`"
    names: tuple[tuple[Loc, Container[str], Iterable[str]], ...] = (
        (("off",), config.virtual_machines, scenario.off),
        (("loads",), config.physical_hosts, scenario.loads),
        (("controllers",), config.controllers, scenario.controllers),
        (("expect", "vms"), config.virtual_machines, scenario.expect.vms),
    )
    for loc, known, given in names:
        yield from ((loc, f"{name} is none of the site") for name in given if name not in known)


def _fault(entry: FaultEntry, config: ControllerConfig) -> Iterator[str]:
    site = FAULTS.get((entry.fault, SITE))
    found = [site] if site else []
    for name in entry.of:
        there = kinds(config, name)
        fault = next((FAULTS[entry.fault, k] for k in there if (entry.fault, k) in FAULTS), None)
        if site and entry.fault != SWITCH:
            yield f"{entry.fault} strikes the whole site, and takes no `of`: {name}"
        elif fault is None and not (site and HOST in there):
            yield f"{entry.fault} cannot strike {name}" if there else f"{name} is none of the site"
        elif fault is not None:
            found.append(fault)
    if not entry.of and (not site or entry.fault == SWITCH):
        yield f"{entry.fault} needs `of`"
    for fault in found[:1]:
        known = {*fault.options, *(("mode",) if fault.modes else ())}
        yield from (
            f"{fault.name} has no key `{key}`" for key in entry.options() if key not in known
        )
        if fault.modes and entry.mode not in (None, *fault.modes):
            yield f"{fault.name} has no mode `{entry.mode}`, only {', '.join(fault.modes)}"
        if entry.until and fault.end is None:
            yield f"{fault.name} does not end by itself"


def _command(entry: CommandEntry, config: ControllerConfig) -> Iterator[str]:
    command = COMMANDS[entry.do]
    tables: dict[str, Container[str]] = {
        "VM": config.virtual_machines,
        "PH": config.physical_hosts,
    }
    known = tables.get(command.of, ())
    for name in entry.of:
        if name not in known:
            yield f"{name} is none of the site" if command.of else f"{entry.do} takes no `of`"
    given = {key for key in ("on", "to", "why", "drain") if getattr(entry, key)}
    yield from (f"{entry.do} has no key `{key}`" for key in sorted(given - set(command.options)))
    missing = [key for key in command.required if not getattr(entry, key)]
    yield from (f"{entry.do} needs `{key}`" for key in missing)
