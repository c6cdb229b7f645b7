"""hosts.def, controller.yaml and known_hosts: what they say, and that they read back."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.compiler.support import HEAD, TODAY, compiled, good_site, staged, text_of
from threerc.compiler.artefacts.controller import compile_controller
from threerc.compiler.artefacts.pxelinux import compile_pxelinux
from threerc.compiler.lock import Lock
from threerc.compiler.model import Site
from threerc.compiler.tree import Tree
from threerc.compiler.verify.controller import CHECKER
from threerc.runtime.config import ControllerConfig, Steps, load

HOSTS_DEF = "bibe/var/spool/ha/hosts.def"
YAML = "bibe/etc/3rc/controller.yaml"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPxY2JB6dGqpAt6YQzQ0k1m9n0o8p7q6r5s4t3u2v1w0"
HOSTS = """
physical_hosts:
  ph: {address: 192.168.1.11, maxl: 7.5}
service_hosts:
  bibe: {address: 192.168.1.10, roles: [controller]}
"""
TWO_LINKS = """
  far: {prefix: 10.0.0.0/24}
service_hosts:
  bibe: {address: 192.168.1.10, roles: [controller, tftp]}
physical_hosts:
  ph: {address: 192.168.1.11}
virtual_machines:
  vm:
    home: ph
    address: 192.168.1.4
    mac: "02:00:00:00:00:04"
    interfaces:
      eth1: {address: 192.168.1.5, mac: "02:00:00:00:00:05"}
      eth2: {address: 192.168.1.6}
      eth3: {address: 10.0.0.7, mac: "02:00:00:00:00:07"}
"""


def config_of(tree: Tree, folder: Path, path: str = YAML) -> ControllerConfig:
    file = folder / "controller.yaml"
    file.write_bytes(tree.entries[path].content)
    return load(file)


def awk(text: str, host: str, column: int) -> str:
    """What the appendix's shell takes from a line of hosts.def."""
    command = ["awk", f'$2 == "{host}" {{print ${column}}}']
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def test_hosts_def_is_as_the_thesis_has_it(sns_pisa: Site) -> None:
    text = text_of(compiled(compile_controller, sns_pisa), HOSTS_DEF)
    lines = text.splitlines()
    assert lines[0] == "# TYPE HOSTNAME MAXL INST OS MW"
    assert "PH alfa01 10" in lines
    assert "VM gridce 1 sl4-32 ig_CE" in lines
    assert [line.split() for line in lines if " lcg " in line] == [
        ["VM", "lcg", "0", "sl4-32", "-"]
    ]
    assert [line[:2] for line in lines[1:]] == ["PH"] * 4 + ["VM"] * 8
    assert awk(text, "gridce", 3) == "1\n"
    assert awk(text, "gridce", 4) == "sl4-32\n"
    assert awk(text, "alfa01", 3) == "10\n"


@pytest.mark.parametrize(("maxl", "column"), [("10.0", "10"), ("7.5", "7.5"), ("0", "0")])
def test_maxl_is_a_number_that_bc_takes(maxl: str, column: str, tmp_path: Path) -> None:
    site = good_site(tmp_path, HEAD + HOSTS.replace("7.5", maxl))
    assert text_of(compiled(compile_controller, site), HOSTS_DEF).endswith(f"PH ph {column}\n")


def test_all_that_the_controller_needs_is_there(sns_pisa: Site, tmp_path: Path) -> None:
    config = config_of(compiled(compile_controller, sns_pisa), tmp_path)
    assert config.controllers == {"bibe": "even", "bussolo": "odd"}
    assert [each.host for each in config.monitors.collectors] == ["bibe", "bussolo"]
    assert str(config.monitors.gmetad[0].address) == "192.168.1.10"
    assert config.volumes["gridse"].peers == {
        "alfa01": "/dev/vg0/gridse",
        "alfa02": "/dev/vg0/gridse",
    }
    gridce = config.virtual_machines["gridce"]
    assert gridce.boot is not None
    assert gridce.boot.model_dump() == {
        "links": ("C0A8011F",),
        "declared": "local",
        "install": "sl4-32",
    }
    assert gridce.memory == 2 << 30
    assert config.tftp_servers[0].root == "/srv/tftp"


def test_each_interface_that_a_vm_boots_from_has_its_link(tmp_path: Path) -> None:
    site = good_site(tmp_path, HEAD + TWO_LINKS)
    boot = config_of(compiled(compile_controller, site), tmp_path).virtual_machines["vm"].boot
    assert boot is not None
    assert boot.links == ("C0A80104", "C0A80105")
    served = compiled(compile_pxelinux, site).entries
    assert {f"bibe/srv/tftp/pxelinux.cfg/{link}" for link in boot.links} <= served.keys()


def test_every_vm_may_run_where_the_site_says(sns_pisa: Site, tmp_path: Path) -> None:
    config = config_of(compiled(compile_controller, sns_pisa), tmp_path)
    for name, vm in sns_pisa.virtual_machines.items():
        allowed = config.allowed_hosts(config.virtual_machines[name])
        assert set(allowed) == set(sns_pisa.allowed_hosts(vm))


def test_overrides_are_merged_with_the_sites_policy(sns_pisa: Site, tmp_path: Path) -> None:
    config = config_of(compiled(compile_controller, sns_pisa), tmp_path)
    own = config.policy(config.virtual_machines["vrt1"])
    assert own.steps == Steps(reboot=0, restart=2, reinstall=1)
    assert own.waits == config.recovery.waits
    assert config.policy(config.virtual_machines["vrt2"]) == config.recovery


def test_volumes_have_the_numbers_of_the_lock(sns_pisa: Site, tmp_path: Path) -> None:
    lock = Lock(TODAY)
    lock.volumes({"other": (None, None), "gridse": (7, None)})
    config = config_of(compiled(compile_controller, sns_pisa, lock), tmp_path)
    assert config.volumes["gridse"].minor == 7


def test_no_secret_is_compiled_in(tmp_path: Path) -> None:
    power = "power: {kind: ipmi, address: 192.168.1.111, password: {env: IPMI}}"
    site = good_site(tmp_path, HEAD + HOSTS.replace("maxl: 7.5", power))
    config = config_of(compiled(compile_controller, site), tmp_path)
    found = config.physical_hosts["ph"].power
    assert found is not None
    assert found.password is not None
    assert found.password.model_dump() == {"file": None, "env": "IPMI"}


def test_known_hosts_come_from_host_keys(sns_pisa: Site, tmp_path: Path) -> None:
    assert "bibe/etc/3rc/known_hosts" not in compiled(compile_controller, sns_pisa).entries
    keys = f'maxl: 7.5, ssh_host_keys: ["{KEY} root@ph"]'
    site = good_site(tmp_path, HEAD + HOSTS.replace("maxl: 7.5", keys))
    tree = compiled(compile_controller, site)
    expected = f"ph,ph.example.org,192.168.1.11 {KEY}\n"
    assert text_of(tree, "bibe/etc/3rc/known_hosts") == expected
    assert config_of(tree, tmp_path).known_hosts == "/etc/3rc/known_hosts"


@pytest.mark.parametrize(
    ("roles", "minutes"),
    [
        (1, {"a": "every"}),
        (2, {"a": "even", "b": "odd"}),
    ],
)
def test_minutes_of_controllers(roles: int, minutes: dict[str, str], tmp_path: Path) -> None:
    hosts = [
        f"  {n}: {{address: 192.168.1.{at}, roles: [controller]}}\n" for at, n in enumerate("ab", 1)
    ]
    site = good_site(tmp_path, HEAD + "service_hosts:\n" + "".join(hosts[:roles]))
    config = config_of(compiled(compile_controller, site), tmp_path, "a/etc/3rc/controller.yaml")
    assert config.controllers == minutes


def test_no_controller_no_files(tmp_path: Path) -> None:
    assert compiled(compile_controller, good_site(tmp_path, HEAD)).entries == {}


def test_it_reads_back(sns_pisa: Site, tmp_path: Path) -> None:
    assert list(staged(tmp_path, compiled(compile_controller, sns_pisa), CHECKER)) == []


@pytest.mark.parametrize(
    ("path", "change", "line"),
    [
        (HOSTS_DEF, ("VM gridce 1 sl4-32", "VM gridce 2 sl4-32"), 6),
        (HOSTS_DEF, ("PH alfa01 10", "PH alfa01 ten"), 2),
        (HOSTS_DEF, ("PH alfa01 10", "PH alfa01"), 2),
        (HOSTS_DEF, ("VM gridce 1", "VM gridcf 1"), 0),
        (HOSTS_DEF, ("PH alfa01 10\n", "PH alfa01 10\nPH alfa01 10\n"), 0),
        (YAML, ('"home": "alfa01"', '"home": "alfa09"'), 0),
        (YAML, ('"version": 1', '"version": 2'), 0),
        (YAML, ('"inst": 1', '"inst": 3'), 0),
        (YAML, ("{", ""), 0),
    ],
)
def test_the_checker_sees_what_is_broken(
    path: str, change: tuple[str, str], line: int, sns_pisa: Site, tmp_path: Path
) -> None:
    tree = compiled(compile_controller, sns_pisa)
    text = text_of(tree, path)
    assert change[0] in text
    tree.entries[path] = tree.entries[path]._replace(content=text.replace(*change).encode())
    failures = list(staged(tmp_path, tree, CHECKER))
    assert {(each.path, each.line) for each in failures} == {(path, line)}


def test_ten_thousand_vms_are_compiled_and_read(tmp_path: Path) -> None:
    text = (
        HEAD.replace("192.168.1.0/24, gateway: 192.168.1.254", "10.0.0.0/16")
        + """
service_hosts:
  bibe: {address: 10.0.255.1, roles: [controller]}
physical_hosts:
  ph[001-500]: {address: 10.0.200.1-10.0.201.244}
virtual_machines:
  vm[00001-10000]: {address: 10.0.0.1-10.0.39.16, home: ph001}
"""
    )
    site = good_site(tmp_path, text)
    tree = compiled(compile_controller, site)
    assert len(config_of(tree, tmp_path).virtual_machines) == 10000
    assert len(text_of(tree, YAML)) < 300 * 10000  # no list of 500 hosts for each
