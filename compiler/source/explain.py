"""Validation errors of the model, told as findings at the lines that caused them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError

from threerc.compiler.findings import Finding, Place
from threerc.compiler.model import Farm, WorkerNode
from threerc.compiler.model.host import KINDS
from threerc.compiler.source.document import Mapping, locate
from threerc.compiler.source.hosts import Origin
from threerc.compiler.wording import counted

Path = tuple[Any, ...]


class Problem(NamedTuple):
    """A validation error: the path that exists in the data, the key at fault, and the words."""

    path: Path
    key: str
    rule: str
    message: str
    about_key: bool


class Explainer:
    """Turns validation errors of one document into findings."""

    def __init__(
        self,
        document: Mapping,
        origin: Callable[[str], Origin | None],
        root: type[BaseModel],
    ) -> None:
        self._document = document
        self.origin = origin
        self._root = root

    def with_root(self, root: type[BaseModel]) -> Explainer:
        """The same for another model of the same document."""
        return Explainer(self._document, self.origin, root)

    def place(self, path: Path, *, key: bool = False) -> Place:
        """The place of a value by its path in the model: a host's may be inherited."""
        origin = self.origin(path[1]) if len(path) > 1 and path[0] in KINDS else None
        if origin is not None:
            return origin.place(path[2:], key=key)
        return locate(self._document, path, key=key)

    def problems(self, error: ValidationError, data: Any) -> list[Problem]:
        """The errors, those of the members of one union merged into one."""
        merged: dict[Path, Problem] = {}
        for each in error.errors(include_url=False):
            problem = self._problem(each, data)
            if problem.path[:1] and problem.path[0] in KINDS and problem.path[2:] == ("name",):
                continue  # a host's name is its key, of which there is an error too
            key = (*problem.path, problem.key)
            known = merged.setdefault(key, problem)
            if problem.message not in known.message:
                more = problem.message.removeprefix(f"{problem.key}: ")
                merged[key] = known._replace(message=f"{known.message}; or {more}")
        return list(merged.values())

    def findings(self, problems: Iterable[Problem]) -> list[Finding]:
        """One finding for each place and message, however many hosts share it."""
        hosts: dict[tuple[Place, str, str], list[str]] = {}
        for problem in problems:
            place = self.place(problem.path, key=problem.about_key)
            host = self._host(problem.path)
            hosts.setdefault((place, problem.message, problem.rule), []).append(host)
        found: list[Finding] = []
        for (place, message, rule), names in hosts.items():
            more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
            suffix = f" ({names[0]}{more})" if names[0] else ""
            found.append(Finding(place, message + suffix, rule, _HINTS.get(rule, "")))
        return found

    def _host(self, path: Path) -> str:
        if len(path) < 2 or path[0] not in KINDS:
            return ""
        origin = self.origin(path[1])
        layer = origin.layer(path[2]) if origin and len(path) > 2 else None
        if layer is not None and layer[0]:
            return f"{path[1]}, from {layer[0]}"
        return str(path[1])

    def _problem(self, error: Any, data: Any) -> Problem:
        kind, loc = error["type"], error["loc"]
        if kind == "missing":
            path = _existing(loc[:-1], data)
            return Problem(path, loc[-1], "missing-key", f"missing key `{loc[-1]}`", True)
        path = _existing(loc, data)
        key = next((str(step) for step in reversed(path) if isinstance(step, str)), "")
        if kind == "extra_forbidden":
            return Problem(path, key, "unknown-key", self._unknown(path), True)
        value = error["input"]
        shown = f", got `{_short(value)}`" if isinstance(value, str | int | float) else ""
        rule = kind if "-" in kind or kind in _OWN else "value"
        message = error["msg"]
        message = _PHRASES.get(kind, message[:1].lower() + message[1:])
        if kind in _COUNTS:
            limit = error["ctx"]["min_length" if kind == "too_short" else "max_length"]
            message = f"{_COUNTS[kind]} {counted(limit, 'entry', 'entries')}"
        return Problem(path, key, rule, f"{key}: {message}{shown}", "[key]" in loc)

    def _unknown(self, path: Path) -> str:
        key = str(path[-1])
        known = _keys_at(self._root, path[:-1])
        if key.partition(":")[0] in known and ":" in key:
            return f"unknown key `{key}`: there is no space after its colon"
        near = get_close_matches(key, sorted(known), 1, cutoff=0.6)
        elsewhere = [section for section, kind in KINDS.items() if key in kind.model_fields]
        if path[0] in KINDS and len(path) == 3 and elsewhere and not near:
            return f"key `{key}` does not belong to {path[0]} (only to {', '.join(elsewhere)})"
        return f"unknown key `{key}`" + (f", did you mean `{near[0]}`?" if near else "")


_OWN = frozenset(
    {"word", "path", "url", "size", "secret", "server", "package", "device", "power", "argument"}
)
_PHRASES = {
    "string_type": "has to be text",
    "int_type": "has to be a whole number",
    "float_type": "has to be a number",
    "float_parsing": "has to be a number",
    "int_parsing": "has to be a whole number",
    "bool_type": "has to be true or false",
    "bool_parsing": "has to be true or false",
    "list_type": "has to be a list",
    "tuple_type": "has to be a list",
    "dict_type": "has to be a mapping",
    "model_type": "has to be a mapping of its settings",
    "model_attributes_type": "has to be a mapping of its settings",
    "ip_v4_address": "not an IPv4 address",
    "ip_v6_address": "not an IPv6 address",
    "ip_v4_network": "not an IPv4 prefix such as 192.168.1.0/24 (host bits have to be 0)",
    "ip_v6_network": "not an IPv6 prefix such as 2001:db8:1::/64 (host bits have to be 0)",
}
_COUNTS = {"too_short": "has to have at least", "too_long": "may have at most"}
_HINTS = {
    "unknown-key": "`3rc schema` lists all keys",
    "missing-key": "give it here, in a group or in the defaults",
}


def _short(value: object) -> str:
    text = str(value).encode("unicode_escape").decode()
    return text if len(text) <= 60 else text[:57] + "..."


def _existing(loc: Path, data: Any) -> Path:
    """A location without the steps pydantic adds for unions and keys."""
    path: list[Any] = []
    for step in loc:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            continue
        path.append(step)
    return tuple(path)


def _keys_at(model: type[BaseModel], path: Path) -> set[str]:
    """The keys that the model knows at a path; empty where it takes any."""
    kinds: list[Any] = [model]
    for step in path:
        kinds = [inner for kind in kinds for inner in _below(kind, step)]
    models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return {key for kind in models for key in kind.model_fields} - {"name"}


def _below(kind: Any, step: Any) -> list[Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(str(step))
        return _unwrapped(field.annotation) if field else []
    return _unwrapped(get_args(kind)[-1]) if get_args(kind) else []


def _unwrapped(kind: Any) -> list[Any]:
    """A union's members; anything else by itself. A Farm is written as a mapping."""
    if kind is Farm:
        return [dict[str, WorkerNode]]
    if getattr(kind, "__origin__", None) in (list, dict) or isinstance(kind, type):
        return [kind]
    members = get_args(kind)
    return [inner for member in members for inner in _unwrapped(member)] if members else [kind]
