"""A cluster of a profile that is made in Python, for once."""

from __future__ import annotations

import jupyter_mlops as mlops

from .cluster import until


def test_a_profile_that_is_not_saved_starts_a_cluster() -> None:
    group = mlops.Group(name="small", workers=0, maximum=1, memory="300 MB")
    made = mlops.start(mlops.Profile(name="once", groups=[group]), wait=False)
    try:
        until(lambda: made.state().phase == "running")
        assert (made.name, made.state().profile) == ("once", "once")
        assert [each.name for each in made.state().groups] == ["small"]
        assert "once" not in [profile.name for profile in mlops.profiles.list()]
    finally:
        made.stop()
        until(lambda: made.state().phase == "ended")
