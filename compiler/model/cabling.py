"""Cabling and power: what hangs on which switch, PDU and UPS circuit."""

from __future__ import annotations

from pydantic import Field

from threerc.compiler.model.types import Line, Model, Word


class Switch(Model):
    """A network switch."""

    uplinks: tuple[Word, ...] = Field(default=(), description="Switches it is cabled to.")
    pdus: tuple[Word, ...] = Field(default=(), description="PDUs that feed it.")
    description: Line = Field(default="", description="For people.")


class Pdu(Model):
    """A power distribution unit."""

    ups: tuple[Word, ...] = Field(
        default=(), description="UPS circuits that feed it; none: the mains."
    )
    description: Line = Field(default="", description="For people.")


class Ups(Model):
    """A UPS circuit."""

    description: Line = Field(default="", description="For people.")


class Cabling(Model):
    """The graph of cables. Hosts name their switches and PDUs themselves."""

    switches: dict[Word, Switch] = Field(default={}, description="Switches, by name.")
    pdus: dict[Word, Pdu] = Field(default={}, description="Power distribution units, by name.")
    ups: dict[Word, Ups] = Field(default={}, description="UPS circuits, by name.")
