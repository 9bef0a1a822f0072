from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..places.place import LocalPlace, opened


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalPlace]:
    with opened(LocalPlace(), tmp_path / "home", monkeypatch) as place:
        yield place
