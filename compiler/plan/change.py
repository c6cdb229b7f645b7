"""A change, told in terms of the site, with its risk."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Risk(IntEnum):
    """What a change may do to those who work on the site, from nothing to the worst."""

    HARMLESS = 0
    RESTARTS = 1
    TOUCHES_VM = 2
    LOSES_DATA = 3

    @property
    def words(self) -> str:
        """It in words."""
        return _WORDS[self]


_WORDS = {
    Risk.HARMLESS: "harmless",
    Risk.RESTARTS: "restarts a daemon",
    Risk.TOUCHES_VM: "touches a running VM",
    Risk.LOSES_DATA: "may lose data",
}
RISKS = {risk.name.lower().replace("_", "-"): risk for risk in Risk}
"""The risks by their names in JSON."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change to one noun.

    `subject` names it (`gridce`, `volume gridse`, `network lan`, `setting dns`); `what` is what
    changes; `where` in which services it shows; `note` what else people should know. `hosts` are
    the hosts whose own life changes.
    """

    subject: str
    what: str
    risk: Risk
    where: tuple[str, ...] = ()
    note: str = ""
    hosts: tuple[str, ...] = ()

    @property
    def needs_consent(self) -> bool:
        """Whether it is only applied when it is allowed by name."""
        return self.risk >= Risk.TOUCHES_VM
