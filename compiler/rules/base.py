"""What a rule is, and how it words its problems."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any, NamedTuple

from threerc.compiler.findings import Severity
from threerc.compiler.model import KINDS, Alike, Host
from threerc.compiler.rules.facts import Facts, path_of

_SPELLED_OUT = 3
__all__ = [
    "Check",
    "Facts",
    "Problem",
    "Rule",
    "collect",
    "concerned",
    "gib",
    "listed",
    "of_hosts",
    "path_of",
    "rule",
]


class Problem(NamedTuple):
    """What a rule found: the path of the value in the model, and the words.

    `key` points at the key instead of its value. `hint` and `severity` replace the rule's own.
    """

    path: tuple[Any, ...]
    message: str
    hint: str = ""
    severity: Severity | None = None
    key: bool = False


Check = Callable[[Facts], Iterator[Problem]]


@dataclass(frozen=True, slots=True)
class Rule:
    """Something that has to hold across nouns.

    `reason` says why, `hint` what to do. `needs` are sections of the site from whose lack of
    something it draws conclusions: it is not asked where parts of these could not be read.
    """

    id: str
    reason: str
    hint: str
    severity: Severity
    check: Check
    needs: tuple[str, ...] = ()


def rule(
    rule_id: str,
    *,
    reason: str,
    hint: str,
    severity: Severity = "error",
    needs: tuple[str, ...] = (),
) -> Callable[[Check], Rule]:
    """Make a rule of a function that yields its problems."""

    def make(check: Check) -> Rule:
        return Rule(rule_id, reason, hint, severity, check, needs)

    return make


def of_hosts(check: Callable[[Facts, Host], Iterator[Problem]]) -> Check:
    """Make a check of the site of one that looks at a single host.

    It may not look at the host's name or MAC, but to word its problems, and of its address at
    nothing but the network: of nodes that are alike one is asked, and the others if it has any.
    """

    @wraps(check)
    def every(facts: Facts) -> Iterator[Problem]:
        for part in facts.site.parts:
            if not isinstance(part, Alike):
                yield from check(facts, part)
            elif any(True for _ in check(facts, part.example)):
                for host in facts.site.each(part):
                    yield from check(facts, host)

    return every


def collect(*groups: Iterable[Rule]) -> tuple[Rule, ...]:
    """All rules in order. Raises ValueError where two have one id."""
    found: dict[str, Rule] = {}
    for each in (each for group in groups for each in group):
        if each.id in found:
            raise ValueError(f"two rules are called {each.id}")
        found[each.id] = each
    return tuple(found.values())


def concerned(path: tuple[Any, ...]) -> str:
    """The host that a path belongs to, or nothing."""
    return str(path[1]) if len(path) > 1 and path[0] in KINDS else ""


def listed(names: Iterable[str], count: int | None = None) -> str:
    """Names for people; long lists are cut: `alfa01, alfa02 and 38 more`.

    Of `count` names the first four are enough.
    """
    every = list(names)
    count = len(every) if count is None else count
    if count <= _SPELLED_OUT:
        return ", ".join(every)
    return f"{every[0]}, {every[1]} and {count - 2:,} more"


def gib(size: int) -> str:
    """Bytes as people say them: 16 GiB, 512 MiB, 1.5 TiB."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.4g} {unit}"
        value /= 1024
    return f"{value:.4g} TiB"
