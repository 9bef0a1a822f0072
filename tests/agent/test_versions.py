"""Which distribution brings what is imported."""

from __future__ import annotations

import importlib.metadata

import pytest

from jupyter_mlops.agent.versions import distributions, name_and_version


def test_it_is_what_pythons_own_slow_way_finds() -> None:
    ours = distributions()
    for package, brought in importlib.metadata.packages_distributions().items():
        if package.isidentifier() and package != "__pycache__":
            assert set(ours[package]) == set(brought), package
    for each in importlib.metadata.distributions():
        assert name_and_version(each) == (each.metadata["Name"], each.metadata["Version"])


class Written(importlib.metadata.Distribution):
    """A distribution of which only some files are there."""

    def __init__(self, **files: str) -> None:
        self.files_ = files

    def read_text(self, filename: str) -> str | None:
        return self.files_.get(filename.replace(".", "_").replace("-", "_"))

    def locate_file(self, path: object) -> object:  # type: ignore[override]
        return path


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"top_level_txt": "one\ntwo\n", "RECORD": "three/__init__.py,,\n"}, {"one", "two"}),
        (
            {
                "RECORD": "six.py,sha256=x,1\n__pycache__/six.cpython-311.pyc,,\n../../bin/run,,\n"
                "d-1.dist-info/METADATA,,\nfast.cpython-311-x86_64-linux-gnu.so,,\nnum/core/a.py,,\n"
                'num.libs/b.py,,\n"odd,name/c.py",,\ndata/x.txt,,\n'
            },
            {"six", "num"},
        ),
        ({"SOURCES_txt": ""}, set()),
    ],
)
def test_what_a_distribution_brings(files: dict[str, str], names: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    written = Written(**files, PKG_INFO="Metadata-Version: 2.1\nName: Of.It\nVersion: 1.0\n\nName: not this\n")
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: [written])
    distributions.cache_clear()
    try:
        found = distributions()
    finally:
        monkeypatch.undo()
        distributions.cache_clear()
    assert set(found) - {"fast"} == names and all(each == ["Of.It"] for each in found.values())
    assert name_and_version(written) == ("Of.It", "1.0")
