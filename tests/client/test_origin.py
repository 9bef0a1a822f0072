"""What a run is called that nobody gave a name."""

from __future__ import annotations

import pytest

from jupyter_mlops.client.runs.origin import name_of
from jupyter_mlops.core.run import Origin

FLIGHTS = Origin(notebook="/home/ada/work/flights.ipynb", number=12)


@pytest.mark.parametrize(
    ("code", "origin", "name"),
    [
        ("# clean the flights\nimport os\nx = 1", FLIGHTS, "clean the flights"),
        ("import os\nx = os.getpid()", FLIGHTS, "flights [12]"),
        ("x = 1", Origin(notebook="flights.ipynb"), "flights"),
        ("x = 1", Origin(notebook="n" * 60 + ".ipynb", number=3), "n" * 39 + "… [3]"),
        ("\nimport os\nfrom sys import path\n%matplotlib inline\nx = os.getpid()", Origin(number=2), "x = os.getpid()"),
        ("import os", Origin(), "import os"),
        ("#\n# \nx = 1", Origin(), "x = 1"),
        ("y" * 60, Origin(), "y" * 39 + "…"),
        ("", Origin(), ""),
    ],
)
def test_a_run_without_a_name(code: str, origin: Origin, name: str) -> None:
    assert name_of(code, origin) == name
