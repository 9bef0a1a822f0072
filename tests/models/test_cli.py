"""Models on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main

Say = Callable[..., tuple[int, str]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    def run(*arguments: str) -> tuple[int, str]:
        code = main(["models", *arguments])
        written = capsys.readouterr()
        return code, written.out + written.err

    return run


def test_models_are_listed_shown_promoted_and_verified(say: Say, home: Path) -> None:
    assert say() == (0, "No models.\n")
    valid = (np.ones((50, 1)), np.full(50, 2.0))
    for value in (2.0, 2.5):
        mlops.save_model(lambda X, value=value: np.full(len(X), value), "ones", valid=valid)
    mlops.model("ones").set_gates(metrics={"rmse": {"most": 0.1}})
    assert say()[1].splitlines()[1].split()[:4] == ["ones", "2", "rmse", "0.5"]
    assert json.loads(say("--json")[1])[0]["versions"][0]["number"] == 2
    code, text = say("promote", "ones@2", "--why", "later is better")
    assert code == 1 and "rmse: 0.5 (0.5 to 0.5), wanted at most 0.1" in text
    code, text = say("promote", "ones@1", "--why", "it is right")
    assert code == 0 and text.splitlines() == [
        "ones@1 is the champion.",
        "  passed  rmse: 0 (0 to 0), wanted at most 0.1",
    ]
    assert say("promote", "ones@2", "--override", "the board")[0] == 0
    text = say("show", "ones")[1]
    assert "ones@2 (champion)" in text and "(cli) promoted ones@1: it is right" in text and '"most": 0.1' in text
    assert "# ones@1" in say("show", "ones@1")[1] and "# ones@2" in say("show", "ones@champion")[1]
    assert say("verify")[0] == 0
    (mlops.model("ones").version(1).path / "MLmodel").write_text("")
    code, text = say("verify", "ones")
    assert code == 1 and "WRONG   ones: files of ones@1" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show"], "`models show` needs a name"),
        (["show", "nobody"], "There is no model named 'nobody'"),
        (["show", "../x"], "There is no model named '../x'"),
        (["promote", "ones"], "Which version is to be promoted?"),
        (["show", "ones@7"], "no version named 'ones@7'. Did you mean 'ones@1'?"),
        (["show", "ones@champion"], "ones has no champion"),
    ],
)
def test_what_is_not_there_is_said(say: Say, arguments: list[str], said: str) -> None:
    mlops.save_model(len, "ones")
    code, text = say(*arguments)
    assert code == 2 and said in text
