"""Where hosts come from besides single entries: inventories, groups and defaults."""

from __future__ import annotations

from copy import copy
from typing import Any

from pydantic import ConfigDict, Field, create_model

from threerc.compiler.model.host import KINDS, Host, HostKind
from threerc.compiler.model.site import Site, SiteSettings
from threerc.compiler.model.types import Line, Model, Word


class Inventory(Model):
    """A CSV file of hosts: a header line, then a line for each host."""

    file: Line = Field(description="CSV file beside site.yaml.", examples=["nodes.csv"])
    section: HostKind = Field(description="What kind of hosts its lines are.")
    groups: tuple[Word, ...] = Field(default=(), description="Groups that its hosts inherit from.")


class _Deferred(Model):
    """Built at first use: most runs need none of these."""

    model_config = ConfigDict(defer_build=True)


def _partial(name: str, *kinds: type[Host], leave_out: frozenset[str]) -> type[Model]:
    """A model of the same fields in which none is required: what may be inherited."""
    fields: dict[str, Any] = {}
    for kind in kinds:
        for field_name, field in kind.model_fields.items():
            if field_name not in leave_out:
                info = copy(field)
                if info.is_required():
                    info.default = None
                fields.setdefault(field_name, (field.annotation, info))
    return create_model(name, __base__=_Deferred, **fields)


_NAME = frozenset({"name"})
GroupSettings = _partial("GroupSettings", *KINDS.values(), leave_out=frozenset({"name", "groups"}))
"""What a group or the defaults may say: any key of any kind of host."""
ENTRIES: dict[HostKind, type[Model]] = {
    section: _partial(f"{kind.__name__}Entry", kind, leave_out=_NAME)
    for section, kind in KINDS.items()
}
"""A host as site.yaml writes it, for each kind: whatever is missing may be inherited."""


class Inheritance(_Deferred):
    """The sections of site.yaml that hosts are made from."""

    defaults: dict[HostKind, GroupSettings] = Field(  # type: ignore[valid-type]
        default={}, description="What every host of a kind inherits, unless it says otherwise."
    )
    groups: dict[Word, GroupSettings] = Field(  # type: ignore[valid-type]
        default={}, description="Named settings for hosts to inherit from."
    )
    inventories: tuple[Inventory, ...] = Field(default=(), description="CSV files of hosts.")


_sections: dict[str, Any] = {
    section: (
        dict[str, entry],  # type: ignore[valid-type]
        Field(default={}, description=Site.model_fields[section].description),
    )
    for section, entry in ENTRIES.items()
}
Document = create_model("Document", __base__=(Inheritance, SiteSettings), **_sections)
"""site.yaml as it is written; the source of its JSON Schema and reference."""
