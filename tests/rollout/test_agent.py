"""The agent on a host, step by step: what others change while it is at work."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from tests.rollout.rolling import leftovers
from threerc.compiler.services import DRBD, Order, orders
from threerc.rollout.agent import locks
from threerc.rollout.agent.disk import Entries
from threerc.rollout.agent.errors import AgentError
from threerc.rollout.agent.host import Host

ZONE, LINK = "etc/bind/db.test", "srv/tftp/pxelinux.cfg/C0A80165"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with a generation, of which another one is ready to be switched to."""
    agent = Host(str(tmp_path), "bibe")
    _stage(agent, "old", "local")
    for step in (agent.prepare, agent.switch, agent.tell, agent.health, agent.commit):
        step()
    agent.end()
    _stage(agent, "new", "debian")
    agent.prepare()
    return agent


def _stage(agent: Host, text: str, target: str) -> None:
    digest = hashlib.sha256(text.encode()).hexdigest()
    entries: Entries = {
        f"/{ZONE}": {"artefact": "zones", "sha256": digest, "mode": "0644"},
        f"/{LINK}": {"artefact": "pxelinux", "link": target},
    }
    agent.begin("a test", 1.0)
    agent.stage(entries, [])
    for wanted in agent.want({"run": text})["want"]:
        agent.put(wanted, text.encode())


def test_a_boot_link_that_is_switched_in_between_is_kept_and_told(
    host: Host, tmp_path: Path
) -> None:
    (tmp_path / LINK).unlink()
    (tmp_path / LINK).symlink_to("rescue")
    assert host.switch() == {"links": [[f"/{LINK}", "rescue"]]}
    host.commit()
    assert (tmp_path / ZONE).read_text() == "new"
    assert os.readlink(tmp_path / LINK) == "rescue"
    assert leftovers(tmp_path) == []


def test_a_file_that_is_edited_in_between_is_not_overwritten(host: Host, tmp_path: Path) -> None:
    (tmp_path / ZONE).write_text("by hand")
    with pytest.raises(AgentError, match=f"/{ZONE} was changed just now"):
        host.switch()
    assert f"/{ZONE} was changed meanwhile and is left as it is" in host.undo()["recovered"]
    assert (tmp_path / ZONE).read_text() == "by hand"
    assert os.readlink(tmp_path / LINK) == "local"
    assert leftovers(tmp_path) == []


def test_what_is_brought_back_is_newer_than_what_a_daemon_has_read(
    host: Host, tmp_path: Path
) -> None:
    host.switch()
    read = (tmp_path / ZONE).stat().st_mtime_ns
    host.undo()
    assert (tmp_path / ZONE).read_text() == "old"
    assert (tmp_path / ZONE).stat().st_mtime_ns > read


def test_all_that_needs_room_on_the_disk_is_written_before_the_switch(
    host: Host, tmp_path: Path
) -> None:
    applied = tmp_path / "var/lib/3rc/applied"
    written = (applied / "next.json").stat().st_ino
    host.switch()
    host.commit()
    assert (applied / "current.json").stat().st_ino == written


def test_a_daemon_without_files_stops_before_another_takes_its_place() -> None:
    changed = ["/etc/ganglia/gmetad.conf", "/etc/kea/kea-dhcp4.conf", "/etc/dhcp/dhcpd.conf"]
    changed.append("/etc/ganglia/gmond.conf")
    before = [path for path in changed if "kea" not in path]
    after = [path for path in changed if "dhcpd" not in path]
    told = ["dhcpd stop", "kea-dhcp4 start", "gmond restart", "gmetad restart"]
    assert [str(each) for each in orders(changed, before, after)] == told


def test_the_last_volume_that_goes_is_left_to_people_and_the_last_export_is_taken_back() -> None:
    """`drbdadm adjust all` fails where there is no resource: all would be undone."""
    changed = ["/etc/drbd.d/data.res", "/etc/exports.d/3rc.exports"]
    assert [str(each) for each in orders(changed, changed, [])] == ["NFS exports reload"]
    kept = ["/etc/drbd.d/other.res"]
    assert orders(changed[:1], [*changed, *kept], kept) == [Order(DRBD, "adjust")]


def test_a_lock_that_is_about_to_be_free_is_waited_for(tmp_path: Path) -> None:
    """As that of a program that was just being started when an apply was killed."""
    path = tmp_path / "lock"
    with path.open("w") as first, path.open("w") as second:
        assert locks.take(first.fileno())
        threading.Timer(0.3, first.close).start()
        assert locks.take(second.fileno())
    with path.open("w") as first, path.open("w") as second:
        assert locks.take(first.fileno())
        assert not locks.take(second.fileno())
