"""Every noun that is stored or sent is read when another version wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from jupyter_mlops.core.base import Input, Record, read_input, read_record, read_request
from jupyter_mlops.core.cluster import ClusterSpec, Event, Receipt
from jupyter_mlops.core.errors import InvalidSpec, Unreadable
from jupyter_mlops.core.formats import FORMAT
from jupyter_mlops.core.ledger import LedgerEntry
from jupyter_mlops.core.lines import read_lines
from jupyter_mlops.core.profile import Profile
from jupyter_mlops.core.run import Entry

from .example import classes, everywhere, example

CLASSES = classes()
RECORDS = [cls for cls in CLASSES if issubclass(cls, Record)]

#: Words that mean nothing to a version that doesn't know them, so that what has them is left out instead.
CLOSED = {("LedgerEntry", "kind")}

#: The fields that every record of a class has, whatever version wrote it. A list may become shorter, never longer.
REQUIRED = json.loads((Path(__file__).parent / "required.json").read_text())


def add_field(data: dict[str, Any], known: dict[str, Any]) -> None:
    data["of_a_newer_version"] = {"deep": [1, 2]}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_an_unknown_field_is_passed_over_however_deep_it_is(cls: type[BaseModel]) -> None:
    plain, more = example(cls), everywhere(cls, add_field)
    assert more != plain
    assert read_record(cls, more) == read_record(cls, plain)
    assert read_record(cls, json.dumps(more)) == read_record(cls, json.dumps(plain).encode())


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if issubclass(cls, Input)], ids=lambda cls: cls.__name__)
def test_what_people_type_in_is_read_strictly(cls: type[BaseModel]) -> None:
    read_input(cls, example(cls))
    with pytest.raises(InvalidSpec, match="of_a_newer_version' is not a known field"):
        read_input(cls, everywhere(cls, add_field))
    with pytest.raises(ValueError, match="of_a_newer_version"):
        cls(**{**example(cls), "of_a_newer_version": 1})


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if issubclass(cls, Input)], ids=lambda cls: cls.__name__)
def test_what_programs_send_has_types_of_its_own(cls: type[BaseModel]) -> None:
    plain = example(cls)
    assert read_request(cls, plain) == read_input(cls, plain)
    for kind, wrong in {"boolean": ("yes", "true", 1), "integer": ("2", True), "number": ("2", False)}.items():
        for value in wrong:

            def spell(data: dict[str, Any], known: dict[str, Any], kind: str = kind, value: Any = value) -> None:
                for name, schema in known.items():
                    if kind in {each.get("type") for each in (schema, *schema.get("anyOf", []))}:
                        data[name] = value

            changed = everywhere(cls, spell)
            if json.dumps(changed) != json.dumps(plain):
                with pytest.raises(InvalidSpec):
                    read_request(cls, changed)


def test_strictness_goes_down_to_nested_fields_and_so_does_leniency() -> None:
    data = example(Profile)
    data["groups"][0]["wrokers"] = 4
    with pytest.raises(InvalidSpec, match=r"'groups\.0\.wrokers' is not a known field"):
        read_input(Profile, data)
    spec = read_record(ClusterSpec, {**example(ClusterSpec), "profile": data})
    assert spec.profile == read_input(Profile, example(Profile))


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_an_unknown_word_is_taken_for_one_that_is_known(cls: type[BaseModel]) -> None:
    def rename(data: dict[str, Any], known: dict[str, Any]) -> None:
        for name, schema in known.items():
            schemas = [schema, *schema.get("anyOf", [])]
            if any("enum" in each for each in schemas) and (cls.__name__, name) not in CLOSED:
                data[name] = "a-new-word"

    changed = everywhere(cls, rename)
    words = read_record(cls, changed).model_dump_json()
    assert "a-new-word" not in words
    if changed != example(cls):
        with pytest.raises(InvalidSpec):
            read_input(cls, changed)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_what_is_optional_may_be_missing(cls: type[BaseModel]) -> None:
    for name, field in cls.model_fields.items():
        if not field.is_required():
            read_record(cls, {key: value for key, value in example(cls).items() if key != name})


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
def test_no_field_that_is_added_is_required(cls: type[BaseModel]) -> None:
    required = {name for name, field in cls.model_fields.items() if field.is_required()}
    assert required <= set(REQUIRED.get(cls.__name__, required)), "an older version's record would not be read any more"


@pytest.mark.parametrize("cls", RECORDS, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("data", ["", "{", "null", "[1]", '"text"', "\x00\xff"])
def test_what_is_no_record_is_said_to_be_unreadable(cls: type[BaseModel], data: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_record(cls, data, "file")
    assert caught.value.what == "This file can't be read"
    assert caught.value.why


def test_a_newer_format_is_read_as_far_as_it_is_known_and_named_where_it_is_not() -> None:
    newer = {**example(ClusterSpec), "format": FORMAT + 1}
    assert read_record(ClusterSpec, newer).name == "flights"
    newer["profile"] = "its name"
    for data in (newer, json.dumps(newer)):
        with pytest.raises(Unreadable, match=r"a newer version of jupyter-mlops wrote it. Upgrade jupyter-mlops here."):
            read_record(ClusterSpec, data, "spec")


def test_lines_that_can_not_be_read_are_left_out() -> None:
    good = [Event(seq=seq, time=seq, kind="scale", text="2 → 4") for seq in (1, 2, 3)]
    lines = [event.model_dump_json() for event in good]
    text = "\n".join([lines[0], "", "garbage", '{"seq": "x"}', lines[1], "\ufffd", lines[2], lines[0][:-9]])
    assert read_lines(Event, text) == good


def test_a_line_of_a_sort_that_only_a_newer_version_knows_is_left_out() -> None:
    text = '{"time": 1, "kind": "open", "worker": "a", "cpus": 1}\n{"time": 2, "kind": "hold", "amount": 3}\n'
    assert [entry.kind for entry in read_lines(LedgerEntry, text)] == ["open"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x1c", "\x0b"])
def test_a_print_may_contain_what_other_tools_take_for_the_end_of_a_line(separator: str) -> None:
    entry = Entry(seq=1, time=1, kind="print", text=f"one{separator}two")
    assert read_lines(Entry, entry.model_dump_json() + "\n") == [entry]


def test_an_end_for_a_cause_of_a_newer_version_is_an_end() -> None:
    receipt = read_record(Receipt, {**example(Receipt), "cause": "quota"})
    assert receipt.cause == "other"
