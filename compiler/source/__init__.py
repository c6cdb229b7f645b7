"""YAML text into a site model in which every value knows its file, line and column."""

READING = {
    "csv": "A line of an inventory that is not CSV.",
    "csv-fields": "A line of an inventory with more or fewer fields than its header, or no name.",
    "csv-header": "An inventory without a column `name`, or with one that no host has or twice.",
    "duplicate-key": "A key that stands twice in one mapping: YAML readers keep either.",
    "encoding": "A file that is not UTF-8 text.",
    "group-exists": "A group that is not declared under `groups`.",
    "inventory-exists": "An inventory that is not beside the site file.",
    "missing-key": "An entry without a key that it needs, also after groups and defaults.",
    "range": "A range such as `wn[001-200]` that cannot be expanded, or values that do not count "
    "up with it.",
    "read": "A file that cannot be read.",
    "type": "A host that is not a mapping of its settings.",
    "unique-name": "A host that is given twice, other than by a range and then by itself.",
    "unknown-key": "A key that the model does not know there; a near one is suggested.",
    "value": "A value that is too large, too small, or not one of those that can be chosen.",
    "yaml-alias": "An alias without its anchor, inside itself, or multiplied beyond reason.",
    "yaml-merge": "A merge key (`<<`): groups say the same, and errors can tell where from.",
    "yaml-syntax": "Text that is not YAML, or a key that is not text.",
    "yaml-tag": "A tag such as `!!int`: values have the types that the model gives them.",
    "yaml-trap": "An unquoted value on which YAML's versions disagree: `no`, `010`, a MAC address "
    "that reads as a number of base 60.",
}
"""The rules of the reader, with what each refuses."""
