"""Data for any class of ours, made from its JSON Schema, and ways to change it as another version would."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import jupyter_mlops
from jupyter_mlops.core.base import Input, Record

#: A value for each pattern that a text of ours may have.
_MATCHING = {"^[a-z]": "flights", "^[0-9a-f]{12}": "0123456789ab"}

#: Tables, of which each key is a name of somebody's and no field: no version adds one of its own.
TABLES = {"environment", "options", "versions", "shape", "metrics", "params", "kinds", "last_used", "listed", "sized"}
TABLES |= {"holds", "rates", "tabs", "pods", "accounts", "looked"}


def _classes(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for cls in base.__subclasses__():
        yield cls
        yield from _classes(cls)


def classes() -> list[type[BaseModel]]:
    """All nouns of the package: a new one is tested without being named here."""
    root = Path(jupyter_mlops.__file__).parent
    for path in root.rglob("*.py"):
        if (
            re.search(r"^class \w+\(", path.read_text(encoding="utf-8"), re.MULTILINE)
            and "base import" in path.read_text()
        ):
            importlib.import_module(".".join(path.relative_to(root.parent).with_suffix("").parts))
    found = {cls for base in (Input, Record) for cls in _classes(base) if cls.__module__.startswith("jupyter_mlops.")}
    return sorted(found, key=lambda cls: (cls.__module__, cls.__qualname__))


def example(cls: type[BaseModel]) -> dict[str, Any]:
    """A value for every field, in what JSON becomes."""
    schema = cls.model_json_schema()
    data: dict[str, Any] = _example(schema, schema.get("$defs", {}))
    return data


def _example(schema: dict[str, Any], defs: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _example(defs[schema["$ref"].rpartition("/")[2]], defs)
    if "allOf" in schema:
        return _example(schema["allOf"][0], defs)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return _example(next(each for each in schema[several] if each.get("type") != "null"), defs)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "examples" in schema:
        return schema["examples"][0]
    if "properties" in schema:
        return {name: _example(each, defs) for name, each in schema["properties"].items()}
    kind = schema.get("type")
    if kind == "array":
        return [_example(each, defs) for each in schema.get("prefixItems", [schema.get("items", {})])]
    if kind == "object":
        values = schema.get("additionalProperties")
        return {"key": _example(values, defs)} if isinstance(values, dict) else {}
    if kind == "string":
        pattern = schema.get("pattern", "")
        return next((text for start, text in _MATCHING.items() if pattern.startswith(start)), "USD")
    return {"integer": 2, "number": 2.0, "boolean": True}.get(kind or "", "anything")


def everywhere(cls: type[BaseModel], change: Callable[[dict[str, Any], dict[str, Any]], None]) -> dict[str, Any]:
    """The example with each object in it, however deep, changed by `change(object, its properties)`."""
    schema = cls.model_json_schema()
    data = example(cls)
    _visit(schema, schema.get("$defs", {}), data, change)
    return data


def _visit(schema: dict[str, Any], defs: dict[str, Any], data: Any, change: Callable[..., None]) -> None:
    if "$ref" in schema:
        return _visit(defs[schema["$ref"].rpartition("/")[2]], defs, data, change)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return _visit(next(each for each in schema[several] if each.get("type") != "null"), defs, data, change)
    if isinstance(data, list):
        for each in data:
            _visit(schema.get("items", {}), defs, each, change)
    elif isinstance(data, dict) and "properties" in schema:
        for name, value in data.items():
            _visit(schema["properties"][name], defs, value, change)
        change(data, schema["properties"])
    elif isinstance(data, dict) and isinstance(schema.get("additionalProperties"), dict):
        for value in data.values():
            _visit(schema["additionalProperties"], defs, value, change)
    return None
