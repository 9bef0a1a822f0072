from __future__ import annotations

import pytest

from jupyter_mlops.core.errors import VersionMismatch
from jupyter_mlops.runs.compare import differences

HERE = {"python": "3.11.7", "dask": "2026.8.0", "distributed": "2026.8.0", "cloudpickle": "3.1.2", "numpy": "2.4.6"}


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ({"python": "3.12.1"}, "Python differs"),
        ({"distributed": "2026.3.0"}, "distributed differs"),
        ({"cloudpickle": "2.2.0"}, "cloudpickle differs"),
        ({"numpy": "1.26.4"}, r"2\.4\.6 here, 1\.26\.4 there"),
        ({"numpy": ""}, "numpy is not installed on the workers of 'far'"),
    ],
)
def test_versions_that_break_runs_are_refused_with_what_to_do(there: dict[str, str], words: str) -> None:
    with pytest.raises(VersionMismatch, match=words) as caught:
        differences(HERE, HERE | there, "far")
    assert "cluster from this environment" in caught.value.todo


def test_small_differences_are_only_said() -> None:
    assert differences(HERE, HERE | {"numpy": "2.3.0"}, "far") == ["numpy is 2.4.6 here and 2.3.0 on the workers"]
    assert differences(HERE, HERE | {"python": "3.11.2", "numpy": "?"}, "far") == [
        "python is 3.11.7 here and 3.11.2 on the workers"
    ]
