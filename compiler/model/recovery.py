"""Recovery: what the controller may try, how often, and how long it waits in between."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from threerc.compiler.model.types import (
    AbsolutePath,
    Argument,
    HostName,
    HttpUrl,
    Model,
    SecretReference,
    UserName,
)

Tries = Annotated[int, Field(ge=0, le=100)]
Seconds = Annotated[int, Field(ge=0, le=7 * 86400)]
Minutes = Literal["even", "odd", "every"]


class Steps(Model):
    """How many times each step is tried before the next one (thesis 8.2); 0 leaves it out."""

    reboot: Tries = Field(default=1, description="Tries of REBOOT (ssh).")
    restart: Tries = Field(default=1, description="Tries of RESTART (hypervisor).")
    snapshot: Tries = Field(
        default=0,
        description="Tries of a restart from the last snapshot, where the VM has `snapshots`.",
    )
    reinstall: Tries = Field(default=1, description="Tries of REINSTALL; only where INST is 1.")


class Waits(Model):
    """Seconds to stand still after each step (thesis, appendix: 200, 200, 600)."""

    reboot: Seconds = Field(default=200, description="Seconds after a REBOOT.")
    restart: Seconds = Field(default=200, description="Seconds after a RESTART.")
    reinstall: Seconds = Field(
        default=600, description="Seconds after a REINSTALL or a cleared history."
    )


class RestartLimit(Model):
    """A cap on restarts within an interval (thesis 2.18)."""

    restarts: int = Field(default=5, ge=1, le=1000, description="At most so many actions...")
    within: int = Field(default=3600, ge=60, le=30 * 86400, description="...in so many seconds.")


class Flapping(Model):
    """How failures are remembered: a machine that comes and goes is brought back ever later."""

    half_life: int = Field(
        default=3600,
        ge=60,
        le=30 * 86400,
        description="Seconds up in which a failure fades by half.",
    )
    give_up: int = Field(
        default=5,
        ge=1,
        le=100,
        description="Failures that still count, and times that all steps were tried in vain, at "
        "which the VM is left to a human.",
    )


class Brake(Model):
    """When too much goes silent at once, the monitor is not believed and nothing is done."""

    share: float = Field(
        default=1 / 3,
        gt=0,
        le=1,
        description="Share of the PHs and VMs. One PH with all its VMs is never too much.",
    )
    within: int = Field(
        default=180, ge=60, le=86400, description="Seconds within which they went silent."
    )


class SplitBrain(Model):
    """What to do when nobody can see the old copy of a VM dead, nor cut its host's power."""

    policy: Literal["wait", "proceed"] = Field(
        default="wait",
        description="proceed: start it elsewhere all the same after a while; then only the locks "
        "of DRBD and libvirt stand between the site and two copies.",
    )
    after: Seconds = Field(
        default=1800, description="Seconds of the host's silence after which it goes on."
    )


class Ssh(Model):
    """How the controllers log in to the hosts."""

    user: UserName = Field(default="root", description="As whom.")
    port: int = Field(default=22, ge=1, le=65535, description="Port of sshd.")
    key: AbsolutePath | None = Field(
        default=None,
        description="Private key on the controllers' hosts; default: ssh's own.",
        examples=["/etc/3rc/id_ed25519"],
    )
    connect: int = Field(default=5, ge=1, le=60, description="Seconds to connect in.")


class Etcd(Model):
    """An etcd cluster for controllers without a shared directory."""

    endpoints: tuple[HttpUrl, ...] = Field(
        min_length=1, description="Client URLs of its members.", examples=[["http://etcd1:2379"]]
    )
    prefix: AbsolutePath = Field(default="/3rc", description="What all keys begin with.")
    ca: AbsolutePath | None = Field(default=None, description="CA of its certificates.")
    cert: AbsolutePath | None = Field(default=None, description="The controllers' certificate.")
    key: AbsolutePath | None = Field(default=None, description="Its private key.")
    user: UserName | None = Field(default=None, description="User, with authentication on.")
    password: SecretReference | None = Field(
        default=None, description="Where each controller finds that user's password."
    )


class Notify(Model):
    """Who is told of each action, and when the controllers stand still."""

    command: tuple[Argument, ...] = Field(
        default=(),
        description="Program and arguments; the event comes as JSON on its standard input.",
        examples=[["/usr/local/bin/page"]],
    )
    webhook: HttpUrl | None = Field(default=None, description="URL that gets the event as a POST.")


class Metrics(Model):
    """Where Prometheus finds the controllers' own figures."""

    textfile: AbsolutePath | None = Field(
        default=None,
        description="File for node_exporter's textfile collector.",
        examples=["/var/lib/prometheus/node-exporter/3rc.prom"],
    )
    port: int | None = Field(
        default=None, ge=1, le=65535, description="Port, for controllers that run as daemons."
    )


class RecoveryOverrides(Model):
    """One machine's own recovery settings; what is left out is the site's."""

    steps: Steps | None = Field(default=None, description="Tries per step.")
    waits: Waits | None = Field(default=None, description="Seconds after each step.")
    history: Seconds | None = Field(
        default=None, description="Seconds after which the history is cleared."
    )
    limit: RestartLimit | None = Field(default=None, description="Cap on restarts.")
    flapping: Flapping | None = Field(default=None, description="How failures are remembered.")


class Recovery(Model):
    """The site's recovery policy, for every VM that does not override it."""

    steps: Steps = Field(default=Steps(), description="Tries per step.")
    waits: Waits = Field(default=Waits(), description="Seconds after each step.")
    history: Seconds = Field(
        default=3600, description="Seconds without an action after which history is cleared."
    )
    limit: RestartLimit = Field(default=RestartLimit(), description="Cap on restarts.")
    flapping: Flapping = Field(default=Flapping(), description="How failures are remembered.")
    brake: Brake = Field(default=Brake(), description="When nothing is done at all.")
    split_brain: SplitBrain = Field(
        default=SplitBrain(), description="When the old copy may be alive."
    )
    deadline: int = Field(
        default=60, ge=5, le=3600, description="Seconds that one action on a host may take."
    )
    boot_link: int = Field(
        default=120,
        ge=30,
        le=86400,
        description="Seconds for which a boot link says `install` at the most; less than an "
        "installation takes, or it begins again.",
    )
    ssh: Ssh = Field(default=Ssh(), description="How the controllers log in.")
    etcd: Etcd | None = Field(
        default=None, description="Keep the state in etcd instead of the state directory."
    )
    notify: Notify = Field(default=Notify(), description="Who is told.")
    metrics: Metrics = Field(default=Metrics(), description="Figures for Prometheus.")
    minutes: dict[HostName, Minutes] = Field(
        default={},
        description="Which minutes each controller acts in. Default: one controller every "
        "minute; of two, the first on even and the second on odd minutes (thesis 8.6.2).",
        examples=[{"bibe": "even", "bussolo": "odd"}],
    )
    user: UserName = Field(
        default="root", description="User the controller runs as in cron.", examples=["ha"]
    )
    state_directory: AbsolutePath = Field(
        default="/var/spool/ha", description="Shared state and log of all controllers."
    )
    n_plus_one: Literal["error", "warning", "off"] = Field(
        default="warning",
        description="How to take it when some physical host's VMs would not fit on the others.",
    )
