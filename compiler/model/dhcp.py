"""DHCP: which server the site runs, and what it says beyond networks and hosts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from threerc.compiler.model.types import DhcpStatement, Model


class Dhcp(Model):
    """Settings of the DHCP servers, which are the hosts with the role `dhcp`."""

    server: Literal["dhcpd", "kea"] = Field(
        default="dhcpd", description="Which one: ISC's dhcpd, or its successor Kea."
    )
    statements: tuple[DhcpStatement, ...] = Field(
        default=(),
        description="Further statements at the top of dhcpd.conf(5), without the semicolon: "
        "options for all networks, definitions of options, settings of the server.",
        examples=[["option site-code code 150 = text", 'option site-code "pisa"']],
    )
