"""A site as whole machines: what is written for Vagrant. test_vagrant_machines.py brings one up."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tarfile
import xml.etree.ElementTree as ET
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

import pytest
from click.testing import CliRunner

from tests.compiler.support import TODAY
from tests.testbed.supplied import RUN, supplied
from threerc.compiler.lock import Lock
from threerc.compiler.model import Site
from threerc.compiler.model.dhcp import Dhcp
from threerc.compiler.tree import Output, Tree
from threerc.testbed import cli
from threerc.testbed.errors import TestbedError
from threerc.testbed.layout import layout
from threerc.testbed.overlay import overlay
from threerc.testbed.parts import Lay
from threerc.testbed.vagrant import box, runs
from threerc.testbed.vagrant import cli as vagrant_cli
from threerc.testbed.vagrant.box import BoxFile, Provider
from threerc.testbed.vagrant.machines import Machines, _cable_commands, _line
from threerc.testbed.vagrant.parts import Machine, Plan, _management, plan
from threerc.testbed.vagrant.payload import write_payload
from threerc.testbed.vagrant.vagrantfile import ruby, vagrantfile

DEBIANS = {"named": "bind9", "libvirtd": "libvirt-daemon-system"}
"""Packages that are not called as their service."""
HOSTILE = "it's #{`touch x`} \\ \"%{}\" \\' ü"


def plan_of(site: Site, provider: Provider = "libvirt") -> Plan:
    supplies = supplied(site)
    built, _ = overlay(site, supplies)
    file = BoxFile(provider, Path("/cache/vagrant-test.box"))
    lab = layout(built, Output("test", Tree(), Lock(TODAY)), supplies)
    return plan(built, lab, supplies, file, emulated=True)


def named(made: Plan, name: str) -> Machine:
    return next(each for each in made.machines if each.name == name)


def text(machine: Machine, path: str) -> str:
    return next(each.text or "" for each in machine.files if each.path == path)


@pytest.fixture
def made(sns_pisa: Site) -> Plan:
    return plan_of(sns_pisa)


# -- machines


def test_hosts_and_the_router_are_machines(made: Plan, sns_pisa: Site) -> None:
    hosts = {*sns_pisa.physical_hosts, *sns_pisa.service_hosts}
    assert {each.name for each in made.machines} == {*hosts, "router"}
    assert named(made, "alfa01").tree == RUN / "tree/alfa01"
    assert named(made, "router").tree is None


def test_cards_are_those_of_the_site_after_vagrants_own(made: Plan) -> None:
    (wire,) = named(made, "alfa01").wires
    assert (wire.mac, wire.network) == ("02:00:c0:a8:01:0b", "lan")
    assert (wire.address, wire.netmask) == ("192.168.1.11", "255.255.255.0")
    assert text(named(made, "alfa01"), "/usr/local/share/3rc/cards") == "eth1 02:00:c0:a8:01:0b\n"
    assert [wire.network for wire in named(made, "bibe").wires] == ["lan", "farm"]


def test_a_physical_hosts_card_is_a_port_of_its_bridge(made: Plan) -> None:
    assert text(named(made, "alfa01"), "/etc/network/interfaces.d/3rc") == (
        "auto eth1\n"
        "iface eth1 inet manual\n"
        "\n"
        "auto br0\n"
        "iface br0 inet static\n"
        "    address 192.168.1.11/24\n"
        "    gateway 192.168.1.254\n"
        "    bridge_ports eth1\n"
        "    bridge_hw 02:00:c0:a8:01:0b\n"
        "    bridge_stp off\n"
        "    bridge_fd 0\n"
    )


def test_hosts_run_what_their_roles_say(made: Plan) -> None:
    run = {each.name: text(each, "/usr/local/share/3rc/run").split() for each in made.machines}
    assert {"named", "isc-dhcp-server", "tftpd-hpa", "gmetad", "ganglia-monitor"} == {*run["bibe"]}
    assert run["alfa01"] == ["ganglia-monitor", "libvirtd"]
    assert run["router"] == ["radvd"]
    assert text(named(made, "bibe"), "/etc/default/isc-dhcp-server") == 'INTERFACESv4="eth1 eth2"\n'


def test_a_site_with_kea_runs_that(sns_pisa: Site) -> None:
    bibe = named(plan_of(sns_pisa.model_copy(update={"dhcp": Dhcp(server="kea")})), "bibe")
    run = text(bibe, "/usr/local/share/3rc/run").split()
    assert {"named", "kea-dhcp4-server", "tftpd-hpa", "gmetad", "ganglia-monitor"} == {*run}
    assert "/etc/default/isc-dhcp-server" not in {each.path for each in bibe.files}


@pytest.mark.parametrize("server", ["dhcpd", "kea"])
def test_the_box_has_what_hosts_run(sns_pisa: Site, server: Literal["dhcpd", "kea"]) -> None:
    """And starts none of it by itself."""
    site = sns_pisa.model_copy(update={"dhcp": Dhcp(server=server)})
    run = {
        service
        for machine in plan_of(site).machines
        for service in text(machine, "/usr/local/share/3rc/run").split()
    }
    assert run <= {*box._FILES["usr/local/share/3rc/services"].split()}  # noqa: SLF001
    packages = {*box.Box("libvirt").packages}
    assert {DEBIANS.get(service, service) for service in run} <= packages


def test_vagrants_network_is_none_of_the_sites(made: Plan, sns_pisa: Site) -> None:
    assert made.management == ip_network("10.213.0.0/24")
    lan = sns_pisa.networks["lan"].model_copy(update={"prefix": ip_network("10.213.0.128/25")})
    site = sns_pisa.model_copy(update={"networks": {"lan": lan}})
    assert _management(site) == ip_network("10.213.1.0/24")


# -- the Vagrantfile


@pytest.mark.skipif(shutil.which("ruby") is None, reason="needs ruby")
def test_ruby_reads_back_what_is_quoted() -> None:
    for each in (HOSTILE, "'", "\\", "\\'", "a\nb", "#{1}", "", "\\\\"):
        program = f"$stdout.write({ruby(each)})"
        found = subprocess.run(["ruby", "-e", program], capture_output=True, check=True)
        assert found.stdout.decode() == each


@pytest.mark.skipif(shutil.which("vagrant") is None, reason="needs vagrant")
@pytest.mark.parametrize("provider", ["libvirt", "virtualbox"])
def test_vagrant_takes_it_whatever_paths_hold(
    sns_pisa: Site, tmp_path: Path, provider: Provider
) -> None:
    folder = tmp_path / HOSTILE.replace("/", "")
    (folder / "payloads").mkdir(parents=True)
    identity = folder / "identity"
    identity.touch()
    file = BoxFile(provider, folder / "a.box")
    made = replace(plan_of(sns_pisa), site=HOSTILE, box=file, identity=identity)
    for machine in made.machines:
        (folder / "payloads" / f"{machine.name}.tar").touch()
    (folder / "Vagrantfile").write_text(vagrantfile(made, folder), encoding="utf-8")
    home = {"VAGRANT_HOME": str(tmp_path / "home"), "LANG": "C.UTF-8"}
    done = subprocess.run(
        ["vagrant", "validate", "--ignore-provider"],
        cwd=folder, env=os.environ | home, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (folder / "x").exists()


def test_it_says_which_cards_and_addresses(made: Plan) -> None:
    said = vagrantfile(made, RUN)
    assert "config.vm.define 'alfa01' do |node|" in said
    assert "mac: '0200c0a8010b'" in said
    assert "libvirt__network_name: '3rc-sns-pisa-lan'" in said
    assert "libvirt.driver = 'qemu'" in said
    assert "source: '/run-of-a-test/payloads/alfa01.tar'" in said
    assert "libvirt.driver = 'kvm'" in vagrantfile(replace(made, emulated=False), RUN)


# -- payloads


def test_a_payload_is_the_compiled_folder_with_the_hosts_own_files_over_it(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc/hosts").write_text("compiled")
    (tree / "etc/hosts").chmod(0o640)
    (tree / "etc/hostname").write_text("compiled too")
    (tree / "etc/one").symlink_to("hosts")
    os.link(tree / "etc/hosts", tree / "etc/two")
    source = tmp_path / "source"
    source.write_text("from a file")
    files = (
        Lay("/etc/hostname", "own", mode=0o600, owner="ha:users"),
        Lay("/srv/kernel", source=source, owner="tftp"),
    )
    file = tmp_path / "payload.tar"
    write_payload(Machine("alfa01", 1, 1, (), tree, files), file)
    assert file.stat().st_mode & 0o777 == 0o600
    with tarfile.open(file) as archive:
        held = {each.name: each for each in archive}
        assert {*held} == {"etc/hosts", "etc/hostname", "etc/one", "etc/two", "srv/kernel"}
        assert (held["etc/hosts"].mode, held["etc/hosts"].uname) == (0o640, "root")
        assert (held["etc/one"].linkname, held["etc/one"].issym()) == ("hosts", True)
        own = held["etc/hostname"]
        assert (own.mode, own.uname, own.gname) == (0o600, "ha", "users")
        assert held["srv/kernel"].uname == "tftp"
        for name, content in [
            ("etc/hostname", b"own"), ("etc/two", b"compiled"), ("srv/kernel", b"from a file")
        ]:  # fmt: skip
            member = archive.extractfile(name)
            assert member is not None
            assert member.read() == content


# -- runs and commands


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


def test_a_site_is_up_once(state: Path) -> None:
    with pytest.raises(TestbedError, match="no site is up"):
        runs.find()
    folder = runs.create("ci", state / "work")
    assert folder == state / "work/ci"
    assert runs.find() == runs.find("ci") == folder
    with pytest.raises(TestbedError, match="ci is up, or was left half up"):
        runs.create("ci")
    runs.create("other")
    with pytest.raises(TestbedError, match=r"choose by --run SITE \(there are: ci, other\)"):
        runs.find()
    runs.remove(folder)
    assert runs.known() == [runs.find("other")]
    assert not folder.exists()


@pytest.mark.usefixtures("state")
def test_machines_are_found_again(made: Plan) -> None:
    folder = runs.create("ci")
    with pytest.raises(TestbedError, match="has no machines"):
        Machines.of(folder)
    made = replace(made, machines=(Machine("alfa01", 1, 1, (), None, ()),))
    assert Machines.create(made, folder) == Machines.of(folder)
    with pytest.raises(TestbedError, match=r"no host x \(there are: alfa01\)"):
        Machines.of(folder).power("x", on=False)
    with pytest.raises(TestbedError, match="alfa01 is not created"):
        Machines.of(folder).network("alfa01", plugged=False)


def test_the_provider_pulls_cables(made: Plan) -> None:
    machine = named(made, "bibe")
    macs = [wire.mac for wire in machine.wires]
    assert [each[-4:] for each in _cable_commands(machine, "id", made, plugged=False)] == [
        ["domif-setlink", "id", mac, "down"] for mac in macs
    ]
    other = replace(made, box=replace(made.box, provider="virtualbox"))
    assert [*_cable_commands(machine, "id", other, plugged=True)] == [
        ["VBoxManage", "controlvm", "id", "setlinkstate2", "on"],
        ["VBoxManage", "controlvm", "id", "setlinkstate3", "on"],
    ]


def test_a_commands_words_come_to_the_machine_as_they_are() -> None:
    """sshd hands what it is sent to a shell."""
    program = ("python3", "-c", "import sys; print(sys.argv[1:])", "a b", "$HOME", HOSTILE, "")
    for command, said in [
        (program, f"{[*program[3:]]}\n"),
        (("echo one; echo two",), "one\ntwo\n"),
    ]:
        dashes, line = _line(command)
        assert dashes == "--"
        assert subprocess.check_output(["sh", "-c", line], text=True) == said
    assert _line(()) == []


def test_ssh_leaves_a_command_its_own_options() -> None:
    words = ["--run", "ci", "ph1", "df", "-h", "--run", "x", "--"]
    assert vagrant_cli.ssh.make_context("ssh", words).params == {
        "site": "ci",
        "host": "ph1",
        "command": ("df", "-h", "--run", "x", "--"),
    }


@pytest.mark.usefixtures("state")
def test_each_backend_has_its_commands() -> None:
    said = CliRunner().invoke(cli.testbed, ["--backend", "vagrant", "--help"]).output
    assert {"up", "status", "ssh", "crash", "heal", "down"} <= {*said.split()}
    assert "campaign" not in said
    assert "campaign" in CliRunner().invoke(cli.testbed, ["--help"]).output
    failed = CliRunner().invoke(cli.testbed, ["--backend", "vagrant", "status"])
    assert failed.exit_code == 1
    assert "bring one up with `3rc testbed --backend vagrant up SITE`" in failed.output


def test_what_fails_before_there_is_a_machine_leaves_nothing(state: Path) -> None:
    site = state / f"{secrets.token_hex(4)}.yaml"
    site.write_text("site: broken\n")
    failed = CliRunner().invoke(cli.testbed, ["--backend", "vagrant", "up", str(site)])
    assert failed.exit_code == 1
    assert runs.known() == []


def test_virtualbox_is_told_of_the_disk() -> None:
    root = ET.fromstring(box._OVF.format(capacity=1))  # noqa: S314, SLF001 - our own text
    assert root.tag == "{http://schemas.dmtf.org/ovf/envelope/1}Envelope"
