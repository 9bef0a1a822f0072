"""Places are open: other packages add some, with options of their own, and a broken one hides no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops import home, places
from jupyter_mlops.client.clusters.listing import list_clusters, placed
from jupyter_mlops.client.clusters.spec import new_spec
from jupyter_mlops.core.errors import ClusterUnreachable, InvalidSpec, Unavailable
from jupyter_mlops.core.profile import Group, Profile

#: Subclasses of what they are about, so that they have all methods.
BROKEN = {
    "unimportable": "import a_module_that_nobody_has",
    "no-backend": "class Backend_: pass",
    "raises": """
from jupyter_mlops.places.local.backend import LocalBackend
class Backend_(LocalBackend):
    place = "raises"
    async def clusters(self):
        raise KeyError("partition")
""",
}

#: A place that knows its own options.
QUEUES = """
from jupyter_mlops.core.base import Input
from jupyter_mlops.places.local.backend import LocalBackend
class Options(Input):
    partition: str
    nodes: int = 1
class GroupOptions(Input):
    queue: str = "short"
class Backend_(LocalBackend):
    place = "queues"
    title = "the queues"
    profile_options = Options
    group_options = GroupOptions
    def shipped_profiles(self):
        return []
    async def clusters(self):
        return []
"""

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a package that adds a place: an entry point of that name, and the code of its module."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))

    def make(name: str, code: str) -> None:
        module = f"place_{name.replace('-', '_')}"
        folder = tmp_path / module
        info = folder / f"{module}-2.1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 2.1\n")
        (info / "entry_points.txt").write_text(f"[jupyter_mlops.places]\n{name} = {module}:Backend_\n")
        (folder / f"{module}.py").write_text(code)
        monkeypatch.syspath_prepend(str(folder))

    return make


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("unimportable", "ModuleNotFoundError in place_unimportable 2.1"),
        ("no-backend", "TypeError in place_no_backend 2.1: place_no_backend:Backend_ is no Backend whose place is"),
        ("raises", "KeyError in place_raises 2.1: 'partition'"),
    ],
)
async def test_a_broken_place_is_said_and_names_its_package(install: Install, name: str, fault: str) -> None:
    install(name, BROKEN[name])
    assert name in places.names()
    await places.get("local").start(new_spec(Profile(name="mine", groups=[Group(workers=0)])))
    try:
        listing = await list_clusters()
        assert [state.name for state in listing.clusters] == ["mine"]
        (silent,) = listing.silent
        assert silent.place == name and fault in silent.problem.why
        assert "Update the package place_" in silent.problem.todo
        assert (await placed("mine"))[0].place == "local"
    finally:
        await places.get("local").stop("mine", force=True)


async def test_a_place_that_is_broken_says_so_when_it_is_used(install: Install) -> None:
    install("unimportable", BROKEN["unimportable"])
    with pytest.raises(Unavailable, match="a_module_that_nobody_has"):
        places.get("unimportable")
    with pytest.raises(ClusterUnreachable, match="remove it"):
        await placed("nobody")  # it may be there


def test_a_place_that_comes_with_the_package_is_not_replaced(install: Install) -> None:
    install("local", BROKEN["raises"])
    assert type(places.get("local")).__module__.startswith("jupyter_mlops.")


def test_an_unknown_place_is_refused_by_the_registry_alone() -> None:
    profile = Profile(name="mine", place="moon", groups=[Group()])
    with pytest.raises(InvalidSpec, match=r"no place named 'moon' here\. Use one of: local, kubernetes"):
        new_spec(profile)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"options": {"partition": "gpu", "nods": 2}}, "'options.nods' is not a known field"),
        ({"options": {}}, "options.partition is missing"),
        ({"options": {"partition": "gpu", "nodes": "many"}}, "options.nodes must be a whole number"),
        ({"groups": [{}, {"name": "b", "options": {"que": 1}}]}, "'groups.1.options.que' is not a known field"),
        ({"place": "local", "options": {"partition": "gpu"}}, "'options.partition' is not a known field"),
        ({"place": "kubernetes", "options": {"imag": "a:1"}}, "'options.imag' is not a known field"),
        ({"place": "moon"}, "Use one of: local, kubernetes, queues"),
    ],
)
async def test_options_are_checked_by_their_place(install: Install, fields: dict[str, Any], said: str) -> None:
    install("queues", QUEUES)
    whole = {"name": "mine", "place": "queues", "groups": [{}], "options": {"partition": "gpu"}}
    read = places.profiles.read(whole)
    await places.get("queues").check(read)
    with pytest.raises(InvalidSpec) as refused:
        places.profiles.read({**whole, **fields})
    assert said in str(refused.value)
    wrong = Profile.model_validate({**whole, **fields})
    with pytest.raises(InvalidSpec):
        places.profiles.save(wrong)
    with pytest.raises(InvalidSpec):
        await places.get(wrong.place).check(wrong)


def test_an_administrators_file_with_wrong_options_is_named_and_skipped(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("queues", QUEUES)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(tmp_path / "admin"))
    folder = home.private(tmp_path / "admin" / "jupyter-mlops" / "profiles")
    for name, options in (("good", {"partition": "gpu"}), ("bad", {"partitoin": "gpu"})):
        profile = Profile(name=name, place="queues", groups=[Group()], options=options)
        home.write(folder / f"{name}.json", profile.model_dump_json())
    with pytest.warns(UserWarning, match=r"bad\.json is skipped.*'options\.partitoin' is not a known field"):
        names = [profile.name for profile in places.profiles.all_profiles()]
    assert "good" in names and "bad" not in names
