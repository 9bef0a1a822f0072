"""`mlops.costs`: what a month cost, what was saved, and what a million items cost over the months."""

from __future__ import annotations

import html
import time
from collections.abc import Sequence
from pathlib import Path

from ...core.base import Time
from ...core.bill import Bill
from ...core.cluster import SilentPlace
from ...core.costline import By, CostLine, cost_lines
from ...core.costrow import CostRow, cost_rows
from ...core.errors import InvalidInput, Refused
from ...core.followed import FollowedAdvice, followed
from ...core.month import Month, MonthSum, bills_in, month_sums
from ...core.profile import Profile
from ...core.unitcost import Trend, trends
from ...places.profiles import all_profiles
from ..clusters.kernel import loop_thread
from ..words import PLAIN, month_sentences, trend_sentence
from .export import Format, csv_of, format_of, parquet_of
from .focus import focus_of, without_row
from .gather import all_bills
from .page import page_of


class CostReport:
    """What a month cost. Made once: it doesn't follow what happens later.

    Parameters
    ----------
    month : which one, in UTC.
    bills : all there are: when a cluster would have been stopped, and how costs moved, is told by those of others.
    silent : places that did not answer, and may have more.
    now : when the bills were looked at, in seconds since the epoch.
    profiles : those that there are, of which some follow advice.
    """

    def __init__(
        self,
        month: Month,
        bills: Sequence[Bill],
        silent: Sequence[SilentPlace],
        now: Time,
        profiles: Sequence[Profile] = (),
    ) -> None:
        self._month, self._bills, self._now, self._profiles = month, bills, now, profiles
        self._of_month = bills_in(bills, month, now)
        #: Places that did not answer: what they have is not in here.
        self.silent = list(silent)

    @property
    def month(self) -> str:
        """The month: "2026-11"."""
        return str(self._month)

    @property
    def title(self) -> str:
        """What people call it: "November 2026"."""
        return self._month.title

    @property
    def sums(self) -> list[MonthSum]:
        """What it cost, will cost and saved; one for each currency."""
        return month_sums(self._bills, self._month, self._now)

    @property
    def rows(self) -> list[CostRow]:
        """A row for each group of each cluster. They add up to the clusters' receipts."""
        return cost_rows(self._of_month)

    @property
    def trends(self) -> list[Trend]:
        """What a million items cost, by name of the run, over all months."""
        return trends(self._bills, self._now)

    @property
    def followed(self) -> list[FollowedAdvice]:
        """What was promised of profiles that follow advice, and what is measured since, over all months."""
        return followed(self._bills, self._profiles)

    def lines(self, by: By = "cluster") -> list[CostLine]:
        """What each cluster, owner, profile or run cost, what cost most first. A run's share of the time in which its
        cluster booted, waited and left is in its amount."""
        return cost_lines(self._of_month, by)

    def content(self, wanted: Format) -> bytes:
        """What a file in this format has. Raises `Unavailable` where pyarrow is missing for Parquet."""
        if wanted == "html":
            ways: tuple[By, ...] = ("owner", "cluster", "run")
            return page_of(self.title, self.sums, {by: self.lines(by) for by in ways}, self.trends, self.followed)
        return {"csv": csv_of, "focus": focus_of, "parquet": parquet_of}[wanted](self.rows)

    def export(self, path: str | Path, format: str | None = None) -> list[Path]:
        """Write the month to a file; the files that were written.

        Parameters
        ----------
        path : a file; one that is there is replaced.
        format : "csv", "parquet", "focus" (FOCUS 1.2, as CSV) or "html"; by the file's name (`.csv`, `.parquet`,
            `.focus.csv`, `.html`), when not given. What FOCUS has no row for, such as usage without a price, is in a
            second file beside it, `NAME.rest.csv`.

        Raises
        ------
        InvalidInput : there is no such format, or no folder for the file.
        Unavailable : pyarrow, which Parquet needs, isn't installed.
        Refused : it can't be written.
        """
        file = Path(path).expanduser()
        wanted = format_of(file.name, format)
        if not file.parent.is_dir():
            raise InvalidInput(f"{file} can't be written", f"there is no folder {file.parent}")
        files = {file: self.content(wanted)}
        if wanted == "focus" and (rest := without_row(self.rows)):
            files[file.with_name(f"{file.name.removesuffix('.csv')}.rest.csv")] = csv_of(rest)
        for each, content in files.items():
            try:
                each.write_bytes(content)
            except OSError as error:
                raise Refused(f"{each} can't be written", error.strerror or "", "Name another file.") from error
        return list(files)

    def __str__(self) -> str:
        told = [sentence for each in self.sums for sentence in month_sentences(each, self._month, self._now)]
        silent = [f"{each.sentence(self._now)}." for each in self.silent]
        moved = [trend_sentence(each) for each in self.trends if len(each.months) > 1]
        return "\n".join([*told, *moved, *(each.sentence for each in self.followed), *silent])

    def __repr__(self) -> str:
        return f"<Costs of {self.title}>\n{self}"

    def _repr_html_(self) -> str:
        lines = "<br>".join(html.escape(line) for line in str(self).splitlines())
        return f"<div class='{PLAIN}'><b>{html.escape(self.title)}</b><br>{lines}</div>"


def costs(month: str | None = None) -> CostReport:
    """What a month cost, what it will, and what was saved.

        mlops.costs().export("november.csv")

    Parameters
    ----------
    month : "2026-11", in UTC; the current one, when not given. A cluster counts in the month in which it ended, one
        that lives in the current one.

    Raises
    ------
    InvalidInput : that is no month.
    Unreadable : the file with the bills of earlier clusters can't be read.
    """
    now = time.time()
    asked = Month.at(now) if month is None else Month.typed(month)
    return CostReport(asked, *loop_thread().call(all_bills()), now, all_profiles())
