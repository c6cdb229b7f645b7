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


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (changed(version=2), "reads version 1, not 2"),
        (changed(extra=1), "extra: Extra inputs"),
        (changed(user="root; rm"), "user: String should match"),
        (changed(physical_hosts={"$(x)": {}}), "physical_hosts.$(x)"),
        (changed(physical_hosts={}), "1e3: no physical host no"),
        (changed(volumes={}), "on: no volume v"),
        ("a: [1", ":2:1: did not find"),
        ("- 1\n", "valid dictionary"),
        ("", "valid dictionary"),
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


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "binary.yaml")
