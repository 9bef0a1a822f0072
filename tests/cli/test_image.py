"""`jupyter mlops image`: the file is right for the environment that it describes."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from jupyter_mlops.cli.main import FAILED, WRONG, main


def test_a_dockerfile_with_exactly_this_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["image"]) == 0
    lines = (tmp_path / "requirements.txt").read_text().splitlines()
    pins = {pin.name: next(iter(pin.specifier)) for pin in map(Requirement, filter(_is_pin, lines))}
    assert {"dask", "distributed", "cloudpickle", "numpy", "cryptography"} <= set(pins)
    for name, pin in pins.items():
        assert pin.operator == "==" and pin.version == version(name), name
    text = (tmp_path / "Dockerfile").read_text()
    instructions = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    assert instructions[0] == ["FROM", f"python:{'.'.join(map(str, sys.version_info[:3]))}-slim"]
    assert [word for word, _ in instructions] == ["FROM", "COPY", "RUN", "RUN", "USER", "WORKDIR"]
    assert ["USER", "1000"] in instructions
    # Installed as editable in a checkout, from a file elsewhere: never from an index under test
    assert "jupyter-mlops" not in pins and "# Not included, since no index has it: jupyter-mlops, " in text
    assert "Not included: jupyter-mlops" in capsys.readouterr().out
    assert main(["image"]) == 0  # its own file may be written again
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    assert main(["image"]) == FAILED and (tmp_path / "Dockerfile").read_text() == "FROM scratch\n"
    assert "Dockerfile exists" in capsys.readouterr().err


def test_of_another_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "other")], check=True)
    output, python = str(tmp_path / "there.Dockerfile"), str(tmp_path / "other" / "bin" / "python")
    assert main(["image", "--output", output, "--python", python]) == 0
    assert not list(filter(_is_pin, (tmp_path / "requirements.txt").read_text().splitlines()))
    assert "Pods need these, too, which this environment lacks: dask" in Path(output).read_text()
    assert main(["image", "--output", output, "--python", str(tmp_path / "none")]) == WRONG
    assert "is no Python" in capsys.readouterr().err


def _is_pin(line: str) -> bool:
    return bool(re.match(r"[A-Za-z0-9]", line))
