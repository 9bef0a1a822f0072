"""What the package `kubernetes` has beneath its public face, as long as we use it."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from jupyter_mlops.places.kubernetes.api.rest import OF_CLIENT, OF_REST


async def test_the_client_still_has_what_no_documentation_promises() -> None:
    aio = pytest.importorskip("kubernetes.aio.client")
    client = aio.ApiClient(aio.Configuration())
    lacking = [name for name in OF_CLIENT if not hasattr(client, name)]
    lacking += [f"rest_client.{name}" for name in OF_REST if not hasattr(getattr(client, "rest_client", None), name)]
    await client.close()
    assert not lacking, (
        f"kubernetes {version('kubernetes')} has no {', '.join(lacking)} any more: look how it does that now, and "
        "change jupyter_mlops/places/kubernetes/api/rest.py, the only file that uses them"
    )
