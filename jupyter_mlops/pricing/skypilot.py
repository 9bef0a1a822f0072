"""Price lists in the format of SkyPilot's catalogues: CSV with InstanceType, Region, Price and more columns."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from ..core.errors import InvalidInput
from .node import Node, NodePrice

#: Columns that there must be; AvailabilityZone and SpotPrice are used where they are.
NEEDED = ("InstanceType", "Region", "Price")
_FORMAT = "A list in SkyPilot's format has the columns InstanceType, vCPUs, MemoryGiB, Region, Price, SpotPrice, …"


class Row(NamedTuple):
    """A line of a list. A price that is zero or missing is None: unknown."""

    kind: str
    region: str
    zone: str
    price: float | None
    spot: float | None


class SkyPilot:
    """A list's prices.

    Parameters
    ----------
    rows : the lines.
    source : what to call it on the screen.
    date : of its prices.
    """

    def __init__(self, rows: Iterable[Row], source: str, date: str = "") -> None:
        self.source, self.date = source, date
        self._rows: dict[str, list[Row]] = {}
        for row in rows:
            self._rows.setdefault(row.kind, []).append(row)

    @classmethod
    def read(cls, lines: Iterable[str], source: str, date: str = "") -> SkyPilot:
        """The list in the lines of a file, the first of which names the columns.

        Raises
        ------
        InvalidInput : it isn't a list; names the line and what is wrong with it.
        """
        return cls(_rows(lines, source), source, date)

    @property
    def kinds(self) -> list[str]:
        """Instance types that it has."""
        return list(self._rows)

    @property
    def rows(self) -> list[Row]:
        """All of its lines."""
        return [row for rows in self._rows.values() for row in rows]

    def price(self, node: Node) -> NodePrice | None:
        """As `Table.price`: the zone's own price, else the region's lowest."""
        rows = [row for row in self._rows.get(node.kind, []) if row.region == node.region]
        near = [row for row in rows if row.zone == node.zone] or rows
        known = [amount for row in near if (amount := row.spot if node.spot else row.price) is not None]
        return NodePrice(min(known), f"{node}: {self.source}", self.date) if known else None

    def within(self, regions: Collection[str]) -> SkyPilot:
        """The part of these regions; all of it when none is given."""
        return SkyPilot((row for row in self.rows if not regions or row.region in regions), self.source, self.date)

    def as_json(self) -> dict[str, Any]:
        """What `SkyPilot.of` makes it of again."""
        return {"source": self.source, "date": self.date, "rows": [list(row) for row in self.rows]}

    @classmethod
    def of(cls, sent: dict[str, Any]) -> SkyPilot:
        """The list that was sent."""
        return cls((Row(*row) for row in sent["rows"]), sent["source"], sent["date"])


def _rows(lines: Iterable[str], source: str) -> list[Row]:
    reader = csv.DictReader(lines, strict=True)
    rows = []
    try:
        missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
        if missing:
            raise InvalidInput(f"{source} isn't a price list", f"line 1 has no column {', '.join(missing)}", _FORMAT)
        for row in reader:
            if (row["InstanceType"] or "").strip():  # a GPU alone, which can be added to machines, has no type
                rows.append(_row(row, source, reader.line_num))
    except csv.Error as error:
        raise InvalidInput(f"{source} isn't a price list", f"line {reader.reader.line_num}: {error}", _FORMAT) from None
    if not rows:
        raise InvalidInput(f"{source} has no prices", "it has no line with an InstanceType", _FORMAT)
    return rows


def _row(row: dict[str, Any], source: str, line: int) -> Row:
    if None in row or None in row.values():
        raise _fault(source, line, f"it doesn't have the {len(row) - (None in row)} values that line 1 names")
    return Row(
        row["InstanceType"].strip(),
        row["Region"].strip(),
        row.get("AvailabilityZone", "").strip(),
        _amount(row["Price"], "Price", source, line),
        _amount(row.get("SpotPrice", ""), "SpotPrice", source, line),
    )


def _amount(text: str, column: str, source: str, line: int) -> float | None:
    if not text.strip():
        return None
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not 0 <= amount < math.inf:
        raise _fault(source, line, f"the {column} {text.strip()!r} isn't an amount of money")
    return amount or None


def _fault(source: str, line: int, why: str) -> InvalidInput:
    return InvalidInput(f"Line {line} of {source} isn't valid", why, "Correct the line, or leave it out.")
