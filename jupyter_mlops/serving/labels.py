"""Labels as people have them: a file, a table, records, or ids beside what turned out to be true."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from ..core.base import LONGEST
from ..core.errors import InvalidInput
from ..core.words import first_of

#: The columns of a table or file.
ID, LABEL = "id", "label"

#: What a file may be.
_ENDINGS = (".csv", ".parquet", ".json", ".jsonl")

#: Columns that an error names, and characters of a value.
_NAMED, _SHOWN = 5, 60


def read_labels(data: Any, labels: Any = None) -> list[tuple[str, object]]:
    """Ids, each with its label.

    Parameters
    ----------
    data : a file (.csv, .parquet, .json, .jsonl) or table with the columns `id` and `label`, a list of such records, a
        dict of id → label; or ids, with `labels` beside them.

    Raises
    ------
    InvalidInput : it is none of these; says where.
    """
    if labels is not None:
        ids, values = _listed(data), _listed(labels)
        if len(ids) != len(values):
            why = f"{len(ids):,} ids, and {len(values):,} labels"
            raise InvalidInput("Each id must have a label", why, "")
        return _checked(zip(ids, values, strict=True))
    if isinstance(data, (str, Path)):
        return _checked(_of_file(Path(data)))
    if hasattr(data, "columns"):
        columns = [str(name) for name in data.columns]
        _check_columns(columns, "The table")
        return _checked(zip(_listed(data[ID]), _listed(data[LABEL]), strict=True))
    if isinstance(data, Mapping):
        return _checked(data.items())
    if isinstance(data, Iterable):
        return _checked(_of_records(data, "Record"))
    raise InvalidInput(
        f"Labels can't be a {type(data).__name__}", "", "Give a table with the columns id and label, a file, or a dict."
    )


def _of_file(path: Path) -> Iterator[tuple[object, object]]:
    ending = path.suffix.lower()
    if ending not in _ENDINGS:
        raise InvalidInput(f"{path} can't be read as labels", f"there are {first_of(_ENDINGS, len(_ENDINGS))}", "")
    try:
        if ending == ".parquet":
            yield from _of_parquet(path)
        elif ending == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                table = csv.DictReader(file)
                _check_columns(table.fieldnames or [], str(path))
                for row in table:
                    yield row[ID], row[LABEL]
        else:
            text = path.read_bytes()
            by_line = ending == ".jsonl"
            told = [from_json(line) for line in text.splitlines() if line.strip()] if by_line else from_json(text)
            if not isinstance(told, (dict, list)):
                raise ValueError(f"it holds {told!r:.{_SHOWN}}, and neither records nor a table of id and label")
            yield from told.items() if isinstance(told, dict) else _of_records(told, f"{path}: record")
    except FileNotFoundError:
        raise InvalidInput(f"There is no file {path}") from None
    except ImportError as error:
        raise InvalidInput(f"{path} can't be read as labels", str(error), "Install pyarrow, or give a .csv.") from None
    except (OSError, ValueError, csv.Error) as error:
        why = (error.strerror or "") if isinstance(error, OSError) else str(error)
        raise InvalidInput(f"{path} can't be read as labels", why, "") from error


def _of_parquet(path: Path) -> Iterator[tuple[object, object]]:
    from pyarrow import parquet

    _check_columns(parquet.read_schema(path).names, str(path))
    table = parquet.read_table(path, columns=[ID, LABEL])
    yield from zip(table.column(ID).to_pylist(), table.column(LABEL).to_pylist(), strict=True)


def _of_records(records: Iterable[Any], what: str) -> Iterator[tuple[object, object]]:
    for number, record in enumerate(records):
        if not isinstance(record, Mapping) or ID not in record or LABEL not in record:
            raise InvalidInput(f"{what} {number:,} has no id and label", f"it is {record!r:.{_SHOWN}}", "")
        yield record[ID], record[LABEL]


def _check_columns(names: Iterable[str], what: str) -> None:
    if missing := [name for name in (ID, LABEL) if name not in set(names)]:
        why = f"it has {first_of(list(names), _NAMED) or 'no columns'}"
        raise InvalidInput(f"{what} has no column {missing[0]!r}", why, "Rename the columns to 'id' and 'label'.")


def _checked(pairs: Iterable[tuple[object, object]]) -> list[tuple[str, object]]:
    found = []
    for number, (id, label) in enumerate(pairs):
        if isinstance(id, int) and not isinstance(id, bool):
            id = str(id)  # a table has such an id as a number, whoever chose it
        if not isinstance(id, str) or not 0 < len(id) <= LONGEST:
            why = f"the id of label {number:,} is {id!r:.{_SHOWN}}, and an id is text of up to {LONGEST} characters"
            raise InvalidInput("Labels are joined by the ids that answers have", why, "Take the id of each answer.")
        found.append((id, label))
    return found


def _listed(values: Any) -> list[Any]:
    return list(values.tolist()) if hasattr(values, "tolist") else list(values)
