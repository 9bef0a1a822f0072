from __future__ import annotations

import pytest

from jupyter_mlops.client.packages.compare import describe_or_refuse, differences
from jupyter_mlops.core.errors import VersionMismatch

HERE = {"python": "3.11.7", "dask": "2026.8.0", "distributed": "2026.8.0", "cloudpickle": "3.1.2", "numpy": "2.4.6"}


@pytest.mark.parametrize(
    ("there", "words", "todo"),
    [
        ({"python": "3.12.1"}, "Python differs", "jupyter mlops image"),
        ({"distributed": "2026.3.0"}, "distributed differs", "jupyter mlops image"),
        ({"cloudpickle": "2.2.0"}, "cloudpickle differs", "jupyter mlops image"),
        ({"numpy": "1.26.4"}, r"2\.4\.6 here, 1\.26\.4 there", "--sync"),
        ({"numpy": ""}, "numpy is not installed on the workers of 'far': this kernel has numpy 2.4.6", "--sync"),
    ],
)
def test_versions_that_break_runs_are_refused_with_what_to_do(there: dict[str, str], words: str, todo: str) -> None:
    with pytest.raises(VersionMismatch, match=words) as caught:
        describe_or_refuse(differences(HERE, HERE | there), "far")
    assert "cluster from this environment" in caught.value.todo and todo in caught.value.todo


def test_small_differences_are_only_said() -> None:
    assert describe_or_refuse(differences(HERE, HERE), "far") == ""
    assert describe_or_refuse(differences(HERE, HERE | {"numpy": "2.3.0"}), "far") == (
        "numpy is 2.4.6 here and 2.3.0 on the workers. Yours are brought there with --sync."
    )
    assert describe_or_refuse(differences(HERE, HERE | {"python": "3.11.2", "numpy": "?"}), "far") == (
        "Python is 3.11.7 here and 3.11.2 on the workers."
    )


def test_all_that_is_missing_is_in_one_sentence() -> None:
    here = HERE | {"toolz": "1.0.0", "yaml": "6.0.2", "mine": "?"}
    with pytest.raises(VersionMismatch) as caught:
        describe_or_refuse(differences(here, here | {"toolz": "", "yaml": "", "mine": ""}), "far")
    assert caught.value.what == "toolz, PyYAML and mine are not installed on the workers of 'far'"
    assert "toolz 1.0.0, PyYAML 6.0.2, mine" in caught.value.why
