"""The JSON Schema: what it takes, what it refuses, and that it says what each key means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.compiler.support import ROOT, SNS_PISA, site_of
from threerc.compiler.schema import json_schema
from threerc.compiler.source import document

SCHEMA = json_schema()
VALIDATOR = Draft7Validator(SCHEMA)
GOOD: dict[str, Any] = yaml.safe_load(SNS_PISA.read_text(encoding="utf-8"))


def schemas(node: Any = SCHEMA, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of a schema, with its path."""
    if not isinstance(node, dict):
        return
    yield path, node
    for key in ("items", "additionalProperties", "propertyNames"):
        yield from schemas(node.get(key), f"{path}/{key}")
    for key in ("properties", "definitions"):
        for name, each in node.get(key, {}).items():
            yield from schemas(each, f"{path}/{name}")
    for each in [*node.get("anyOf", ()), *node.get("allOf", ())]:
        yield from schemas(each, path)


def changed(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """The example site with another value at a path."""
    site = deepcopy(GOOD)
    target: Any = site
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    return site


def test_it_is_a_schema_of_draft_7() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("examples/*/site.yaml")), ids=lambda path: path.parent.name
)
def test_the_examples_are_valid(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(document.read(path))] == []


def test_every_key_is_described() -> None:
    silent = [
        f"{path}/{name}"
        for path, schema in schemas()
        for name, each in schema.get("properties", {}).items()
        if each is not False and not each.get("description", "").strip()
    ]
    assert silent == []


def test_every_object_refuses_unknown_keys() -> None:
    open_objects = [
        path
        for path, schema in schemas()
        if "object" in schema.get("type", ()) and "additionalProperties" not in schema
    ]
    assert open_objects == []


def test_every_example_and_default_is_valid_where_it_stands() -> None:
    seen = 0
    for path, schema in schemas():
        for value in [
            *schema.get("examples", ()),
            *([schema["default"]] if "default" in schema else []),
        ]:
            seen += 1
            inner = {**schema, "definitions": SCHEMA["definitions"]}
            assert Draft7Validator(inner).is_valid(value), f"{path}: {value!r}"
    assert seen > 50


def test_patterns_mean_the_same_to_every_reader() -> None:
    """Of escapes only those that ECMAScript has with and without its `u` flag; anchored."""
    patterns = {schema["pattern"] for _, schema in schemas() if "pattern" in schema}
    assert len(patterns) > 20
    for pattern in patterns:
        assert pattern.startswith("^"), pattern
        assert pattern.endswith("$"), pattern
        assert "(?P" not in pattern
        escapes = set(re.findall(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|.)", pattern))
        assert all(len(each) > 1 or each in ".-^[]\\" for each in escapes), pattern


def test_it_has_no_noise() -> None:
    for path, schema in schemas():
        noise = {"title", "gt", "format", "nullable", "$defs", "const"} & set(schema)
        assert noise <= ({"title"} if path == "" else set()), f"{path}: {noise}"
        assert schema.get("default", 0) is not None
        if "$ref" in schema:
            assert set(schema) == {"$ref"}, path


TAKEN = {
    "a host of which all is inherited": (("virtual_machines", "vrt9"), None),
    "a section without hosts": (("service_hosts",), None),
    "a section without settings": (("recovery",), None),
    "a group of nothing": (("groups", "idle"), None),
    "null for what would be inherited": (("physical_hosts", "alfa01", "raid"), None),
    "a prefix with a netmask": (("networks", "lan", "prefix"), "192.168.1.0/255.255.255.0"),
    "a range of aliases": (("worker_nodes", "wn[01-04]", "aliases"), ["node[1-4]", "k[1-2]c[1-2]"]),
    "a range in pieces": (("worker_nodes", "r[1-2]n[01-02,07]"), {}),
    "a range of a second interface's addresses": (
        ("worker_nodes", "wn[01-04]", "interfaces"),
        {"eth1": {"address": "10.0.0.1-10.0.0.4", "mac": "02:00:00:00:00:01-02:00:00:00:00:04"}},
    ),
    "an IPv4 address within IPv6": (("physical_hosts", "alfa01", "address6"), "::ffff:192.0.2.1"),
    "text that is not ASCII": (("description",), "Scuola Normale, «Pisa», pCZ{}"),
    "several keys of one administrator": (("administrators", "ha"), [GOOD["administrators"]["ha"]]),
    "a disk for each peer": (
        ("volumes", "gridse", "disk"),
        {"alfa01": "/dev/vg0/a", "alfa02": "/dev/vg1/b"},
    ),
}
REFUSED = {
    "a misspelt key": (("virtual_machines", "lcg", "adress"), "192.168.1.33"),
    "a misspelt section": (("worker_node",), {}),
    "a misspelt key of a group": (("groups", "farm", "dualboot"), {}),
    "a key of another kind": (("service_hosts", "bibe", "home"), "alfa01"),
    "groups in the defaults": (("defaults", "physical_hosts", "groups"), ["farm"]),
    "defaults of no kind": (("defaults", "hosts"), {}),
    "a word for a number": (("networks", "lan", "vlan"), "many"),
    "a number for a word": (("site",), 7),
    "a list for a mapping": (("networks", "lan"), []),
    "one for a list": (("service_hosts", "bussolo", "roles"), "dns"),
    "an unknown role": (("service_hosts", "bussolo", "roles"), ["dsn"]),
    "a MAC of five bytes": (("virtual_machines", "lcg", "mac"), "02:00:c0:a8:01"),
    "a MAC of a group": (("virtual_machines", "lcg", "mac"), "03:00:c0:a8:01:21"),
    "a range of MACs with half an end": (
        ("worker_nodes", "wn[01-04]", "mac"),
        "02:00:c0:a8:02:01-04",
    ),
    "an address that ends at 256": (("virtual_machines", "lcg", "address"), "192.168.1.256"),
    "an address with a leading zero": (("virtual_machines", "lcg", "address"), "192.168.1.033"),
    "a word for an IPv6 address": (("physical_hosts", "alfa01", "address6"), "alfa01"),
    "a prefix without its length": (("networks", "farm", "prefix6"), "fd00:5:2::/129"),
    "a prefix that is too long": (("networks", "lan", "prefix"), "192.168.1.0/33"),
    "a pool of one word": (("networks", "lan", "pool"), "all"),
    "a size without its unit": (("volumes", "gridse", "size"), 100),
    "a size with another unit": (("volumes", "gridse", "size"), "100G"),
    "a host name with a dot": (("service_hosts", "bibe.sns.it"), {"address": "192.168.1.7"}),
    "an underscore in an alias": (("service_hosts", "bibe", "aliases"), ["web_1"]),
    "a network name with a space": (("networks", "my lan"), {"prefix": "10.0.0.0/8"}),
    "two lines of text": (("description",), "one\ntwo"),
    "a paragraph separator": (("description",), "one\u2029two"),
    "a URL with a space": (("os_profiles", "debian", "repository"), "http://bibe/a b"),
    "a path that climbs": (("os_profiles", "debian", "kernel"), "../vmlinuz"),
    "two kernel arguments in one": (("os_profiles", "debian", "arguments"), ["a b"]),
    "a third peer": (("volumes", "gridse", "peers"), ["alfa01", "alfa02", "alfa03"]),
    "a boot target without a number": (("worker_nodes", "wn[01-04]", "boot"), "disk"),
    "too many tries": (("recovery", "steps"), {"reboot": 101}),
    "a fraction of a CPU": (("virtual_machines", "lcg", "cpus"), 1.5),
    "no networks": (("networks",), {}),
    "null for a mapping": (("recovery", "steps"), None),
    "null for what has to be there": (("networks",), None),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_it_takes(case: str) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(changed(*TAKEN[case]))] == []


@pytest.mark.parametrize("case", REFUSED)
def test_what_it_refuses_the_reader_refuses_too(case: str, tmp_path: Path) -> None:
    site = changed(*REFUSED[case])
    assert not VALIDATOR.is_valid(site)
    assert site_of(tmp_path, yaml.safe_dump(site, sort_keys=False)).findings


@pytest.mark.parametrize("key", ["site", "domain", "networks"])
def test_what_has_to_be_there(key: str) -> None:
    assert not VALIDATOR.is_valid({name: each for name, each in GOOD.items() if name != key})
