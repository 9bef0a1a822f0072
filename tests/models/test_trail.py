"""The trail: what was changed in it is told, what a crash left is not taken for a change."""

from __future__ import annotations

from pathlib import Path

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.core.trail import breaks
from jupyter_mlops.home.models import model_folder


@pytest.fixture
def trail(home: Path) -> Path:
    for _ in range(4):
        mlops.save_model(len, "lengths")
    return home / "models" / "lengths" / "trail.jsonl"


def test_it_says_who_did_what(trail: Path) -> None:
    entries = mlops.model("lengths").trail
    assert [(each.seq, each.verb, each.object, each.actor.how) for each in entries] == [
        (number, "saved", f"lengths@{number}", "other") for number in (1, 2, 3, 4)
    ]
    assert entries[0].digest == mlops.model("lengths").version(1).record.digest
    assert breaks(trail.read_text()) == []


@pytest.mark.parametrize(
    ("spoil", "line", "said"),
    [
        (lambda lines: [lines[0].replace("saved", "ruled"), *lines[1:]], 2, "the line before this one isn't the one"),
        (lambda lines: [lines[0], *lines[2:]], 2, "entry 2 is missing before this line"),
        (lambda lines: [lines[0], lines[2], lines[1], lines[3]], 2, "entry 2 is missing"),
        (lambda lines: [*lines, lines[0]], 5, "entry 1 stands after entry 4"),
        (lambda lines: [lines[0], "garbage", *lines[2:]], 3, "entry 2 is missing"),
        (lambda lines: lines[1:], 1, "entry 1 is missing"),
    ],
)
def test_what_was_changed_is_told_with_its_line(trail: Path, spoil: object, line: int, said: str) -> None:
    lines = spoil(trail.read_text().splitlines())  # type: ignore[operator]
    trail.write_text("\n".join(lines) + "\n")
    finding = mlops.model("lengths").verify()[0]
    assert not finding.passed and f"line {line}: {said}" in finding.words


def test_a_line_that_a_crash_cut_short_is_no_change(trail: Path) -> None:
    text = trail.read_text()
    trail.write_text(text[:-40])
    assert [each.harmless for each in breaks(trail.read_text())] == [True]
    mlops.save_model(len, "lengths")
    finding = mlops.model("lengths").verify()[0]
    assert finding.passed and "line 4 was cut short by a crash" in finding.words
    assert [each.object for each in mlops.model("lengths").trail][-1] == "lengths@5", "no number is given twice"


def test_lines_that_are_gone_from_the_end_are_missed_by_who_noted_them(trail: Path) -> None:
    folder = model_folder("lengths")
    entry, digest = folder.add_to_trail(
        lambda seq, before: folder.trail()[-1].model_copy(update={"seq": seq, "previous": before})
    )
    text = trail.read_text()
    assert breaks(text, entry.seq, digest) == []
    assert "entries up to number 5 were there" in breaks(text.rsplit("\n", 2)[0], entry.seq, digest)[0].what
    assert "isn't the one that was written" in breaks(text, entry.seq, "0" * 64)[0].what
