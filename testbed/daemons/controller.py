"""The controllers: what they need on a host, and themselves where cron does not start them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from threerc.compiler.artefacts.controller import CONTROLLER_YAML
from threerc.compiler.artefacts.pxelinux import FOLDER
from threerc.compiler.model import Host, Site
from threerc.testbed.daemons.program import PROGRAM
from threerc.testbed.parts import Daemon, Lay
from threerc.testbed.supplies import Supplies

EVERY: Final = 5
"""Seconds between the ticks of a controller that is a daemon."""
FIRST_START: Final = "the testbed starts its machines"
_SHUT: Final = ("-maxdepth", "0", "!", "-perm", "-o+x")
_DEFINITIONS: Final = "/usr/local/share/3rc/hosts.def"
_ACCOUNT: Final = """
id "$0" >/dev/null 2>&1 || useradd --system --create-home --shell /bin/sh "$0"
"""
# The machines are not there yet: nobody is to bring them back.
_NEW_STATE: Final = f"""
[ ! -d "$0/state" ] || exit 0
{PROGRAM} controller --config {CONTROLLER_YAML} --create-state
{PROGRAM} pause --config {CONTROLLER_YAML} --why "{FIRST_START}"
"""


def controller(site: Site, host: Host, supplies: Supplies) -> Daemon:
    """A controller that looks at the site every few seconds."""
    return Daemon(
        "controller",
        (
            *_as_user(site),
            *(PROGRAM, "controller", "--config", CONTROLLER_YAML, "--every", str(EVERY)),
        ),
        start=setup(site, host, supplies),
        restart=True,
    )


def setup(site: Site, host: Host, supplies: Supplies) -> tuple[tuple[str, ...], ...]:
    """What has to be done on a controller's host once, and is harmless again: the user of its
    own, which may read its keys and the program and switch boot links, and the shared state. That
    begins with a pause.
    """
    user, state = site.recovery.user, site.recovery.state_directory
    above = {str(each) for path in supplies.visible for each in path.parents} - {"/"}
    links = f"{site.provisioning.tftp_root}/{FOLDER}"
    own = [*_secrets(site), state, *([links] if "tftp" in host.roles else [])]
    account = (("sh", "-c", _ACCOUNT, user),) if user != "root" else ()
    return (
        *account,
        # Only those that need it: where the program is on a disk of its own, it is read-only here.
        ("find", *sorted(above), *_SHUT, "-exec", "chmod", "o+x", "{}", "+"),
        ("chown", user, *own),
        ("install", "-o", user, "-m", "0644", _DEFINITIONS, f"{state}/hosts.def"),
        (*_as_user(site), "sh", "-e", "-c", _NEW_STATE, state),
    )


def files(site: Site, host: Host, supplies: Supplies) -> Iterator[Lay]:
    """The controllers' key, the boards' passwords, and hosts.def for the shared state."""
    definitions = f"{site.recovery.state_directory}/hosts.def".lstrip("/")
    yield Lay(_DEFINITIONS, source=supplies.tree / host.name / definitions)
    key, *passwords = _secrets(site)
    yield Lay(key, supplies.identity.private, mode=0o600)
    for path in passwords:
        yield Lay(path, f"{supplies.board_password}\n", mode=0o600)


def _secrets(site: Site) -> list[str]:
    """The files that the controllers' user alone may read, the ssh key first."""
    powers = [host.power for host in site.physical_hosts.values() if host.power is not None]
    kept = {str(power.password.file) for power in powers if power.password is not None}
    return [str(site.recovery.ssh.key), *sorted(kept)]


def _as_user(site: Site) -> tuple[str, ...]:
    return ("runuser", "-u", site.recovery.user, "--")
