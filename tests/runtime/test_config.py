"""controller.yaml: written, read again, and refused where it is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from threerc.runtime.config import ConfigError, ControllerConfig, dump, load

POLICY = {
    "steps": {"reboot": 1, "restart": 1, "reinstall": 1},
    "waits": {"reboot": 200, "restart": 200, "reinstall": 600},
    "history": 3600,
    "limit": {"restarts": 5, "within": 3600},
}
DATA: dict[str, Any] = {
    "version": 1,
    "site": "test",
    "domain": "example.org",
    "user": "root",
    "state_directory": "/var/spool/ha",
    "controllers": {"a": "every"},
    "recovery": POLICY,
    "monitors": {"cluster": "Ünïcode 🐄: #1 {x}", "poll_interval": 15},
    "volumes": {"v": {"minor": 0, "port": 7788, "size": 1, "peers": {"no": "/dev/a", "y": "/b"}}},
    "physical_hosts": {
        "no": {"maxl": 10, "hypervisor": "xen"},
        "y": {"maxl": 2.5, "hypervisor": "xen"},
        "z": {"maxl": 2.5, "hypervisor": "libvirt"},
    },
    "virtual_machines": {
        "1e3": {"home": "no", "memory": 1, "os": "off", "mac": "02:00:00:00:00:01"},
        "on": {"home": "y", "memory": 1, "volume": "v", "start_after": ["1e3"], "allowed": ["y"]},
    },
}


def changed(**values: Any) -> dict[str, Any]:
    return {**DATA, **values}


def written(folder: Path, data: Any) -> Path:
    path = folder / "controller.yaml"
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data), encoding="utf-8")
    return path


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    config = ControllerConfig.model_validate(DATA)
    assert load(written(tmp_path, dump(config))) == config


def test_what_is_written_is_yaml_too() -> None:
    config = ControllerConfig.model_validate(DATA)
    assert ControllerConfig.model_validate(yaml.safe_load(dump(config))) == config


def test_it_may_be_written_by_hand_as_yaml(tmp_path: Path) -> None:
    assert load(written(tmp_path, DATA)) == ControllerConfig.model_validate(DATA)


def test_each_host_has_a_line_and_defaults_are_left_out() -> None:
    text = dump(ControllerConfig.model_validate(DATA))
    line = '    "1e3": {"mac": "02:00:00:00:00:01", "home": "no", "memory": 1, "os": "off"},\n'
    assert line in text


def test_without_a_choice_a_vm_may_run_on_its_homes_like() -> None:
    config = ControllerConfig.model_validate(DATA)
    assert config.allowed_hosts(config.virtual_machines["1e3"]) == ("no", "y")
    assert config.allowed_hosts(config.virtual_machines["on"]) == ("y",)


def with_vm(**values: Any) -> dict[str, Any]:
    """The site with settings of the VM `on`."""
    data: dict[str, Any] = json.loads(json.dumps(DATA))
    data["virtual_machines"]["on"] |= values
    return data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (changed(version=2), ": this controller reads version 1, not 2"),
        (
            {"site": "x", "networks": {}},
            ": this is a site, to be compiled; what a controller reads",
        ),
        (changed(extra=1), ":4:1: extra: is no key that is known here"),
        (changed(user="root; rm"), ":32:1: user: cannot be this, got `root; rm`"),
        (changed(physical_hosts={"$(x)": {}}), ": physical_hosts.$(x): cannot be this"),
        (changed(physical_hosts={"a": {"maxl": "x"}}), ": physical_hosts.a.hypervisor: is missing"),
        (changed(physical_hosts={}), "1e3: no physical host no"),
        (changed(volumes={}), "on: no volume v"),
        (with_vm(inst=2), ": virtual_machines.on.inst: has to be 0 or 1, got `2`"),
        (with_vm(memory=0), ": virtual_machines.on.memory: has to be greater than or equal to 1"),
        (with_vm(start_after=["on"]), "start after each other: on -> on"),
        (
            with_vm(address="1.2.3"),
            ": virtual_machines.on.address: is no IPv4 address, got `1.2.3`",
        ),
        (with_vm(allowed="y"), ": virtual_machines.on.allowed: has to be a list, got `y`"),
        (with_vm(boot={"links": []}), ": virtual_machines.on.boot.declared: is missing"),
        (
            changed(physical_hosts={"a": {"maxl": 1, "hypervisor": "xen", "power": {"kind": "x"}}}),
            ": physical_hosts.a.power: `kind` has to be one of 'ipmi', 'redfish', 'fence'",
        ),
        (
            changed(physical_hosts={"a": {"maxl": 1, "hypervisor": "xen", "power": {}}}),
            ": physical_hosts.a.power: lacks the key `kind`",
        ),
        ("a: [1", ":2:1: did not find"),
        ("- 1\n", ":1:1: has to be a mapping of its settings"),
        ("", ":1:1: has to be a mapping of its settings"),
    ],
)
def test_what_is_wrong_is_said(data: Any, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, data)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_all_problems_are_said_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, changed(user="", domain="", site=""))
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert len(str(caught.value).splitlines()) == 3


def test_unknown_names_are_said_at_once(tmp_path: Path) -> None:
    data = json.loads(json.dumps(DATA))
    data["virtual_machines"]["on"] |= {"allowed": ["x"], "start_after": ["q"], "home": "w"}
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, data))
    for text in ("no physical host x", "no virtual machine q", "no physical host w"):
        assert text in str(caught.value)


def test_what_may_hold_a_password_is_not_repeated(tmp_path: Path) -> None:
    """It would end up in mails of cron."""
    data = changed(notify={"webhook": "http://me:SECRET@hook/{x}"})
    with pytest.raises(ConfigError, match=r"notify\.webhook: cannot be this$") as caught:
        load(written(tmp_path, data))
    assert "SECRET" not in str(caught.value)


def test_a_circle_is_told(tmp_path: Path) -> None:
    """Those in it would wait for each other for ever."""
    data = with_vm(start_after=["1e3"])
    data["virtual_machines"]["1e3"]["start_after"] = ["on"]
    with pytest.raises(ConfigError, match=r"on -> 1e3 -> on|1e3 -> on -> 1e3"):
        load(written(tmp_path, data))


def test_a_place_is_that_of_the_value_also_in_what_is_compiled(tmp_path: Path) -> None:
    text = dump(ControllerConfig.model_validate(DATA)).replace('"maxl": 2.5', '"maxl": "high"')
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, text))
    line = next(n for n, line in enumerate(text.splitlines(), 1) if line.startswith('    "y"'))
    assert f"controller.yaml:{line}:11: physical_hosts.y.maxl: " in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "binary.yaml")
