"""The JSON Schema of site.yaml, with which editors complete and check it.

Its dialect is draft 7, the newest that every yaml-language-server reads: before 1.20 it knows no
later one. Patterns mean the same to ECMAScript, Python and pydantic. `patternErrorMessage` is
what editors show where a pattern does not match.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ByteSize
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from threerc.compiler.model import KINDS, Interface
from threerc.compiler.model.inventory import ENTRIES, Document, GroupSettings

Schema = dict[str, Any]

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_V4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
# Wider than RFC 4291; the compiler looks closer.
_V6 = rf"(?:[0-9A-Fa-f]{{0,4}}:){{2,8}}(?:[0-9A-Fa-f]{{0,4}}|{_V4})"
_FORMATS = {
    "ipv4": (_V4, "not an IPv4 address"),
    "ipv6": (_V6, "not an IPv6 address"),
    "ipv4network": (
        rf"{_V4}/(?:3[0-2]|[12]?[0-9]|{_V4})",
        "not an IPv4 prefix, such as 192.168.1.0/24",
    ),
    "ipv6network": (
        rf"{_V6}/(?:12[0-8]|1[01][0-9]|[1-9]?[0-9])",
        "not an IPv6 prefix, such as 2001:db8:1::/64",
    ),
}
_NAMES: Schema = {
    "type": "string",
    "pattern": r"^(?:[A-Za-z0-9]|\[[0-9, -]+\])(?:[A-Za-z0-9-]|\[[0-9, -]+\])*$",
    "patternErrorMessage": "not a host name, or a range of them, such as wn[001-200]",
}
_COUNTED = ("address", "address6", "mac")


def json_schema() -> Schema:
    """The schema of a whole site.yaml, as data for JSON."""
    raw = Document.model_json_schema(
        ref_template="#/definitions/{model}", schema_generator=_Generator
    )
    definitions, sections = raw.pop("$defs"), raw["properties"]
    for name, field in Document.model_fields.items():
        # A section whose entries are all commented out is null to YAML.
        if isinstance(field.default, dict | tuple | BaseModel):
            _allow_null(sections[name])
    for section, kind in KINDS.items():
        sections[section]["propertyNames"] = _NAMES
        definitions[ENTRIES[section].__name__]["description"] = kind.__doc__
    group = definitions[GroupSettings.__name__]
    group["description"] = "What hosts inherit: any key of their kinds."
    _tell_kinds(group["properties"])
    for model in (*ENTRIES.values(), GroupSettings):
        _allow_null(definitions[model.__name__])
        _widen(definitions[model.__name__]["properties"])
    _widen(definitions[Interface.__name__]["properties"])
    sections["defaults"] |= _defaults()
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "3RC site",
        "description": "What a site is: one file, from which 3RC compiles all others.",
        **_tidy(raw),
        "definitions": {name: _tidy(each) for name, each in definitions.items()},
    }


class _Generator(GenerateJsonSchema):
    """Pydantic's schema in our words for patterns, and without titles."""

    def field_title_should_be_set(self, _schema: Any) -> bool:
        """Titles would only repeat the keys."""
        return False

    def custom_error_schema(self, schema: core_schema.CustomErrorSchema) -> Schema:
        """What an `Explained` says, for editors too."""
        words = {"patternErrorMessage": schema["custom_error_message"]}
        return {**self.generate_inner(schema["schema"]), **words}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> Schema:
        """To leave a key out is how people write null; host entries may say it, see _widen."""
        return {**self.generate_inner(schema["schema"]), "nullable": True}

    def dict_schema(self, schema: core_schema.DictSchema) -> Schema:
        """Names by `propertyNames`: with `patternProperties` any other name would pass."""
        names = {
            "type": "object",
            "propertyNames": self.generate_inner(schema["keys_schema"]),
            "additionalProperties": self.generate_inner(schema["values_schema"]),
        }
        self.update_with_validations(names, schema, self.ValidationsMapping.object)
        return names

    def encode_default(self, dft: Any) -> Any:
        """Sizes as people write them; no decimals without need."""
        if isinstance(dft, ByteSize):
            return dft.human_readable().replace(".0", "")
        if isinstance(dft, float) and dft.is_integer():
            return int(dft)
        return super().encode_default(dft)


def _tidy(schema: Schema) -> Schema:
    """A schema and all below it in draft 7, without what says nothing to an editor."""
    left_out = {"title", "gt", "format", "nullable"}
    tidy = {key: value for key, value in schema.items() if key not in left_out}
    if "format" in schema:
        pattern, words = _FORMATS[schema["format"]]
        tidy |= {"pattern": f"^{pattern}$", "patternErrorMessage": words}
    default = tidy.get("default")
    if default is None or isinstance(default, dict) or default in ([], ""):
        tidy.pop("default", None)
    for key in ("items", "additionalProperties", "propertyNames"):
        if isinstance(tidy.get(key), dict):
            tidy[key] = _tidy(tidy[key])
    if "properties" in tidy:
        tidy["properties"] = {name: _tidy(each) for name, each in tidy["properties"].items()}
        tidy.pop("propertyNames", None)
    if "anyOf" in tidy:
        tidy["anyOf"] = [_tidy(each) for each in tidy["anyOf"]]
    if "$ref" in tidy and len(tidy) > 1:  # beside a $ref, draft 7 reads nothing
        tidy["allOf"] = [{"$ref": tidy.pop("$ref")}]
    return tidy


def _widen(properties: dict[str, Schema]) -> None:
    """What the keys of hosts take besides: ranges, and null for not what would be inherited."""
    for key, schema in properties.items():
        if key in _COUNTED:
            one, words = _one(schema)
            schema["pattern"] = f"^{one}(?: *- *{one})?$"
            schema["patternErrorMessage"] = f"{words}, or first-last in the entry of a range"
        elif key == "aliases":
            schema["items"] = _NAMES
        if schema.pop("nullable", False):
            _allow_null(schema)


def _allow_null(schema: Schema) -> None:
    if "$ref" in schema:
        schema["anyOf"] = [{"$ref": schema.pop("$ref")}, {"type": "null"}]
    else:
        schema["type"] = [schema["type"], "null"]


def _one(schema: Schema) -> tuple[str, str]:
    """The pattern of a single value, without its anchors, and the words for it."""
    if "format" in schema:
        return _FORMATS[schema.pop("format")]
    return schema["pattern"][1:-1], schema["patternErrorMessage"]


def _tell_kinds(properties: dict[str, Schema]) -> None:
    """A key of several kinds of hosts says what it means to each."""
    for key, schema in properties.items():
        fields = [kind.model_fields[key] for kind in KINDS.values() if key in kind.model_fields]
        meanings = dict.fromkeys(field.description or "" for field in fields)
        schema["description"] = " Or: ".join(meanings)


def _defaults() -> Schema:
    """Defaults by kind of host: of each an editor then offers the keys that it has."""
    no_groups = {"properties": {"groups": False}}
    kinds = {
        section: {
            "description": f"What all {section} inherit.",
            "allOf": [{"$ref": f"#/definitions/{entry.__name__}"}, no_groups],
        }
        for section, entry in ENTRIES.items()
    }
    return {"properties": kinds, "additionalProperties": False}
