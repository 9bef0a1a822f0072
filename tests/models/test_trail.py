"""The trail: what was changed in it is told, what a crash left is not taken for a change."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.trail import breaks
from jupyter_mlops.home.models import model_folder
from jupyter_mlops.serving.noted import note

#: Seconds that two processes may take on a busy machine.
LONG = 150.0


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


def test_those_of_all_models_are_one_and_are_verified(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mlops.save_model(len, "sizes")
    assert [each.object for each in mlops.trail()][-2:] == ["lengths@4", "sizes@1"]
    assert "(other) saved sizes@1" in repr(mlops.trail("sizes")) and len(mlops.trail("sizes")) == 1
    assert main(["trail", "-n", "2"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "unbroken  lengths: 4 entries, each follows the one before",
        "unbroken  sizes: 1 entry, each follows the one before",
    ]
    lines = trail.read_text().splitlines()
    trail.write_text("\n".join([lines[0], *lines[2:]]) + "\n")
    assert main(["trail"]) == 1
    assert "BROKEN  lengths: line 2: entry 2 is missing before this line" in capsys.readouterr().out
    assert main(["trail", "sises"]) == 2 and "Did you mean 'sizes'?" in capsys.readouterr().err


def test_two_processes_that_write_at_once_leave_one_chain(trail: Path) -> None:
    code = """
import sys
from jupyter_mlops.core.trail import Actor
from jupyter_mlops.home.models import model_folder
from jupyter_mlops.registry.save import write_trail

folder = model_folder("lengths")
for number in range(20):
    with folder.locked():
        write_trail(folder, Actor(name=sys.argv[1]), "checked", f"lengths@{number}")
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, name]) for name in ("ada", "grace")]
    assert [writer.wait(LONG) for writer in writers] == [0, 0]
    assert breaks(trail.read_text()) == [] and len(mlops.trail("lengths")) == 4 + 2 * 20


def test_what_is_done_is_done_also_where_the_trail_can_not_be_written(trail: Path) -> None:
    trail.unlink()
    trail.mkdir()
    with pytest.warns(UserWarning, match=r"The trail of lengths lacks what was done to svc \(let in\): .*trail"):
        asyncio.run(note("lengths", None, "let in", "lengths", "svc", after="ada"))
    asyncio.run(note("", None, "stopped", "", "svc"))  # a service of which nobody knows any more what it served


def test_lines_that_are_gone_from_the_end_are_missed_by_who_noted_them(trail: Path) -> None:
    folder = model_folder("lengths")
    entry, digest = folder.add_to_trail(
        lambda seq, before: folder.trail()[-1].model_copy(update={"seq": seq, "previous": before})
    )
    text = trail.read_text()
    assert breaks(text, entry.seq, digest) == []
    assert "entries up to number 5 were there" in breaks(text.rsplit("\n", 2)[0], entry.seq, digest)[0].what
    assert "isn't the one that was written" in breaks(text, entry.seq, "0" * 64)[0].what
