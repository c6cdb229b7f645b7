"""Monitoring: the Ganglia cluster, who collects it and who may read it."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Final, Literal

from pydantic import Field

from threerc.compiler.model.network import Server
from threerc.compiler.model.types import HttpUrl, Line, Model

TMAX: Final = 20
"""Seconds that Ganglia takes for granted between two signs of life of a host."""


class Prometheus(Model):
    """A Prometheus server that tells the controllers the state of the hosts."""

    url: HttpUrl = Field(description="Its URL.", examples=["http://prometheus:9090"])
    load: Line = Field(default="node_load5", description="PromQL of the 5-minute load.")
    up: Line = Field(default='up{job="node"}', description="PromQL that is 1 for a live host.")


class Monitoring(Model):
    """Settings of gmond and gmetad. The collectors are the hosts with the role `collector`."""

    cluster: Line | None = Field(
        default=None, description="Cluster name; default: the site's name.", examples=["SNS-Pisa"]
    )
    owner: Line = Field(default="unspecified", description="Owner shown by Ganglia.")
    mode: Literal["unicast", "multicast"] = Field(
        default="unicast",
        description="unicast: every gmond sends to every collector; multicast: to a group.",
    )
    group: IPv4Address = Field(
        default=IPv4Address("239.2.11.71"), description="Multicast group (multicast)."
    )
    port: int = Field(default=8649, ge=1, le=65535, description="gmond's UDP and TCP port.")
    metadata_interval: int = Field(
        default=30,
        ge=1,
        le=3600,
        description="Seconds between metadata packets; unicast needs it above 0, or a "
        "restarted collector never learns its hosts.",
    )
    poll_interval: int = Field(
        default=15, ge=1, le=3600, description="Seconds between gmetad's polls (thesis 7.10)."
    )
    heartbeat: int = Field(
        default=20,
        ge=1,
        le=20,
        description="Seconds between the heartbeats of a gmond. Ganglia takes 20 for granted; "
        "more often makes for an earlier death, with a smaller `down_after`.",
    )
    down_after: float = Field(
        default=4.0,
        ge=0.2,
        le=1000,
        description="A host is down after so many times its TMAX (20 s) without a heartbeat.",
    )
    probe: Literal["none", "ping", "ssh"] = Field(
        default="none",
        description="How the controllers ask a silent VM once more before they do anything.",
    )
    prometheus: tuple[Prometheus, ...] = Field(
        default=(), description="Prometheus servers, asked where no Ganglia answers."
    )
    trusted: tuple[Server, ...] = Field(
        default=(),
        description="Who else may read gmetad's and the collectors' XML, beyond the "
        "controllers and gmetad hosts.",
    )

    @property
    def dead_after(self) -> float:
        """Seconds without a heartbeat after which a host is taken for dead."""
        return self.down_after * TMAX
