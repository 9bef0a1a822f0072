from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .place import PLACES, LocalPlace, opened


@pytest.fixture(params=list(PLACES))
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalPlace]:
    with opened(request.param, tmp_path / "home", monkeypatch) as place:
        yield place


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalPlace]:
    with opened("local", tmp_path / "home", monkeypatch) as place:
        yield place
