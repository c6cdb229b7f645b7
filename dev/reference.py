"""Write docs/reference/site.md: every key of site.yaml, from its JSON Schema. `make docs` runs it.

With --check it only says whether the page is current.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from threerc.compiler.model import KINDS, Host
from threerc.compiler.schema import json_schema

Schema = dict[str, Any]

FOLDER = Path(__file__).resolve().parents[1] / "docs/reference"
PAGE = FOLDER / "site.md"
EXAMPLE = FOLDER / "example/site.yaml"
SCHEMA = json_schema()
PLAIN = ("", "SecretReference")
MOST = 2**31 - 1
# From "not a host name: 1 to 63 ..." the words for the type, and what is said of it.
WORDS = re.compile(
    r"not (?:an? |the |one )?(.+?)(?:: |, (?=such as|or a range|or first-last)| (?=\()|$)(.*)"
)

HEAD = """\
<!-- Written by `make docs` from compiler/model/ and docs/reference/example/: do not edit. -->
# site.yaml

One file says what a site is. This page lists all its keys; the examples are the pieces of one
site, [example/site.yaml](example/site.yaml). An unknown key is an error, so a misspelling cannot
pass. [An editor](../how-to/editor.md) can complete and check the keys while you type.

A key that is neither **required** nor has a default may be left out; lists and mappings are empty
then. What the words under "type" stand for is [at the end](#types).
"""
HOSTS = """\

## Hosts

Four sections hold the hosts, each named by its key. A host of any section has these keys, and
those of its section; all may be inherited, the **required** ones too. A host that says nothing of
its own is just `name:`.

"""
INHERITANCE = """\

## What hosts inherit

Nothing has to be said twice. Each key of a host is looked for in these places; the first that has
it gives its whole value (lists and mappings are replaced, not merged):

1. the host's own entry;
2. the range that the host is of, or its line in an inventory;
3. its groups, of which the last one named is the nearest (then those of its range or inventory);
4. the `defaults` of its section;
5. the default in the tables of this page.

`null` in a nearer place takes back what a farther one says: `dual_boot: null`. Errors in an
inherited value point at the line that gives it, and name the host.

### Ranges

A key such as `wn[001-200]` stands for many hosts. Numbers keep the width of the first one; a range
may have pieces (`wn[01-08,11]`) and there may be several (`r[1-2]n[01-40]`). In such an entry, and
in its `interfaces`, `address`, `address6` and `mac` are written `first-last` and count up with the
names; `aliases` are ranges as long as that of the names. Everything else is the same for all. One
host of a range may have an entry of its own, which overrides the range's.
"""
INVENTORY = """\

The first line of the file names its columns: `name`, and any keys of the section whose value is
text, a number, or a list of words or ssh keys (written with spaces between them); `ip` and `ip6`
are short for `address` and `address6`. Empty fields are left out, lines that start with `#` are
skipped.

```csv
{rows}```
"""
TYPES = """\

## Types

A value that looks like something else to other readers of YAML has to be quoted: `"no"`,
`"010"`, `"1e3"`.

| type | |
|---|---|
"""


class Page:
    """The page while it grows, and where on it each definition is described."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.anchors: dict[str, str] = {}
        pieces = re.split(r"(?m)^(?=[a-z_0-9]+:)", EXAMPLE.read_text(encoding="utf-8"))
        self.examples = {piece.partition(":")[0]: piece.rstrip() for piece in pieces if piece}

    def write(self) -> str:
        """The text of the page."""
        sections: dict[str, Schema] = SCHEMA["properties"]
        kinds = {name: target(each) for name, each in sections.items()}
        apart = {"networks", *KINDS, "groups", "defaults", "inventories"}
        top = [name for name, kind in kinds.items() if kind in PLAIN and name not in apart]
        self.parts.append(f"{HEAD}\n## The site itself\n\n")
        keys = {name: sections[name] for name in top}
        self.keys("the site", keys, set(SCHEMA["required"]), examples=top)
        self.section("networks")
        self.hosts()
        self.inheritance()
        for name in sections:
            if name not in apart and name not in top:
                self.section(name)
        self.types()
        return "".join(self.parts)

    def section(self, name: str) -> None:
        """One section of the file: what it is, its keys, an example, and what is below them."""
        schema = SCHEMA["properties"][name]
        body = SCHEMA["definitions"][target(schema)]
        about = "" if reference(schema) else f"{schema['description']} "
        self.parts.append(f"\n## {name}\n\n{about}{body['description']}\n\n")
        self.keys(name, body["properties"], set(body.get("required", ())), examples=[name])

    def keys(
        self,
        name: str,
        keys: dict[str, Schema],
        required: set[str],
        examples: Iterable[str] = (),
    ) -> None:
        """A table, examples of these sections, and the definitions that no table has used yet."""
        new = {key: found for key, each in keys.items() if (found := target(each))}
        new = {key: found for key, found in new.items() if found not in self.anchors}
        for key, found in new.items():
            self.anchors.setdefault(found, f"{key}-of-{name.replace(' ', '-')}")
        self.table(keys, required)
        self.example(*examples)
        for key, found in new.items():
            body = SCHEMA["definitions"][found]
            self.parts.append(f"\n### {key} of {name}\n\n{body['description']}\n\n")
            self.keys(key, body["properties"], set(body.get("required", ())))

    def table(self, keys: dict[str, Schema], required: set[str]) -> None:
        """Key, type, default and meaning."""
        self.parts.append("| key | type | default | meaning |\n|---|---|---|---|\n")
        for key, schema in keys.items():
            default = "**required**" if key in required else shown(schema.get("default"))
            meaning = cell(schema["description"])
            self.parts.append(f"| `{key}` | {self.type(schema)} | {default} | {meaning} |\n")

    def example(self, *names: str) -> None:
        """The pieces of the example site of that name, if it has any."""
        found = [self.examples[name] for name in names if name in self.examples]
        if found:
            self.parts.append("\n```yaml\n" + "\n".join(found) + "\n```\n")

    def hosts(self) -> None:
        """What all hosts have, then what the kinds have besides."""
        entries = {name: self.entry(name) for name in KINDS}
        shared = {key: entries["service_hosts"][key] for key in Host.model_fields if key != "name"}
        self.parts.append(HOSTS)
        self.keys("hosts", shared, set())
        for section, keys in entries.items():
            kind = KINDS[section]
            required = {key for key, field in kind.model_fields.items() if field.is_required()}
            self.parts.append(f"\n## {section}\n\n{kind.__doc__}\n\n")
            own = {key: each for key, each in keys.items() if key not in shared}
            self.keys(section, own, required, examples=[section])

    def entry(self, section: str) -> dict[str, Schema]:
        """The keys of a kind of host."""
        found: dict[str, Schema] = SCHEMA["definitions"][target(SCHEMA["properties"][section])]
        return found["properties"]

    def inheritance(self) -> None:
        """Ranges, groups, defaults and inventories."""
        self.parts.append(INHERITANCE)
        for name in ("groups", "defaults"):
            self.parts.append(f"\n### {name}\n\n{SCHEMA['properties'][name]['description']}\n")
            self.example(name)
        self.section("inventories")
        rows = (EXAMPLE.parent / "nodes.csv").read_text(encoding="utf-8")
        self.parts.append(INVENTORY.format(rows=rows))

    def type(self, schema: Schema) -> str:
        """A schema in words."""
        if found := reference(schema):
            return f"[settings](#{self.anchors[found]})"
        if "enum" in schema:
            return ", ".join(f"`{each}`" for each in schema["enum"])
        if "anyOf" in schema:
            kinds = [each for each in schema["anyOf"] if each != {"type": "null"}]
            return ", or ".join(self.type(each) for each in kinds)
        kind = next(each for each in listed(schema["type"]) if each != "null")
        if kind == "array":
            return f"list{count(schema)}: {self.type(schema['items'])}"
        if kind == "object":
            names, values = schema["propertyNames"], schema["additionalProperties"]
            return f"for each {self.type(names)}: {self.type(values)}"
        return scalar(kind, schema)

    def types(self) -> None:
        """What the words for types mean, for those of which there is more to say."""
        meanings: dict[str, str] = {}
        for schema in strings(SCHEMA):
            word, meaning = words(schema)
            meanings[word] = max(meanings.get(word, ""), meaning, key=len)
        self.parts.append(TYPES)
        self.parts += [
            f"| {word} | {cell(meaning)} |\n"
            for word, meaning in sorted(meanings.items(), key=lambda each: each[0].lower())
            if meaning
        ]


def listed(value: Any) -> list[Any]:
    """A list, or a single value as one."""
    return value if isinstance(value, list) else [value]


def reference(schema: Schema) -> str:
    """The definition that a schema is, possibly or null; empty if none."""
    for each in (schema, *schema.get("allOf", ()), *schema.get("anyOf", ())):
        if "$ref" in each:
            return str(each["$ref"]).rpartition("/")[2]
    return ""


def target(schema: Schema) -> str:
    """The definition that a schema is, lists or maps to; empty if none."""
    within = (schema, schema.get("items"), schema.get("additionalProperties"))
    found = [reference(each) for each in within if isinstance(each, dict)]
    return next(filter(None, found), "")


def strings(node: Any) -> Iterator[Schema]:
    """Every schema of a text that has a pattern."""
    if isinstance(node, list):
        for each in node:
            yield from strings(each)
    elif isinstance(node, dict):
        if isinstance(node.get("pattern"), str):
            yield node
        for each in node.values():
            yield from strings(each)


def words(schema: Schema) -> tuple[str, str]:
    """The name of a type of text, and what more is said of it."""
    match = WORDS.fullmatch(schema.get("patternErrorMessage", "not a text"))
    if match is None:
        raise ValueError(f"no words for {schema}")
    return match[1], match[2].strip()


def scalar(kind: str, schema: Schema) -> str:
    """The words for a type without parts."""
    if kind == "string":
        return words(schema)[0]
    names = {"integer": "number", "number": "decimal number", "boolean": "`true` or `false`"}
    return names[kind] + span(schema)


def count(schema: Schema) -> str:
    """How many items a list has, where that is fixed."""
    least, most = schema.get("minItems"), schema.get("maxItems")
    if least is None:
        return ""
    return (
        f" of {least}"
        if least == most
        else f" of {least} to {most}"
        if most
        else f" of {least} or more"
    )


def span(schema: Schema) -> str:
    """The span of a number."""
    least, most = schema.get("minimum"), schema.get("maximum", MOST)
    if least is None:
        return ""
    return f", {least} or more" if most == MOST else f", {least} to {most}"


def shown(default: Any) -> str:
    """A default as YAML."""
    if default is None:
        return ""
    if isinstance(default, list):
        return f"`[{', '.join(default)}]`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def cell(text: str) -> str:
    """Text in a table."""
    return text.replace("|", "\\|")


def main() -> int:
    """Write the page, or with --check compare it."""
    text = Page().write()
    if "--check" in sys.argv[1:]:
        current = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        if not current:
            print(f"{PAGE.name} is not current: run `make docs`", file=sys.stderr)
        return 0 if current else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
