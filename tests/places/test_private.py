"""A cluster of this machine imports nothing from where other users write."""

from __future__ import annotations

import io
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from jupyter_mlops.agent.packages import CantBring, bring
from jupyter_mlops.client.packages.plugins import for_scheduler
from jupyter_mlops.core.cluster import ClusterSpec
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.places import get

from ..controller.cluster import until


def bundle() -> dict[str, Any]:
    """A package, as it is brought to a cluster."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("brought_there/__init__.py", "")
    return {"digest": "0123456789abcdef", "files": target.getvalue(), "pins": [], "modules": ["brought_there"]}


def looked() -> tuple[list[str], str]:
    """In the scheduler: where it imports from, and where a package is that was brought."""
    import brought_there  # type: ignore[import-not-found]  # it is brought there

    return [str(Path(path).resolve()) for path in sys.path if path], str(Path(brought_there.__file__).resolve())


async def test_a_scheduler_imports_nothing_from_a_shared_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "everybodys"
    for path in (shared, shared / "dask-scratch-space"):  # somebody was quicker
        path.mkdir()
        path.chmod(0o777)
    monkeypatch.setenv("TMPDIR", str(shared))
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    local = get("local")
    group = Group(workers=0, maximum=1, memory=500 * 1024**2)
    profile = Profile(name="small", groups=[group])
    await local.start(ClusterSpec(name="one", owner="me", profile=profile, created=time.time()))
    address = await local.address("one", 150.0)
    client: Any = await Client(address.url, security=address.security, asynchronous=True)  # type: ignore[no-untyped-call]
    try:
        await client.scheduler.register_scheduler_plugin(plugin=for_scheduler(bundle()), name="b", idempotent=True)
        path, brought = await client.run_on_scheduler(looked)
    finally:
        await client.close()
        await local.stop("one", force=True)
    folder = (tmp_path / "home" / "clusters" / "one").resolve()
    assert not [entry for entry in path if entry.startswith(str(shared.resolve()))]
    assert Path(brought).is_relative_to(folder / "work") and folder.stat().st_mode & 0o077 == 0
    await until(lambda: not Path(brought).exists(), lambda: brought)


def test_packages_are_not_unpacked_where_others_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(CantBring, match="others may write"):
        bring(bundle(), tmp_path)
    assert not list(tmp_path.iterdir())
