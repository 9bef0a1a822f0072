"""A version that is to be served, in parts that Kubernetes takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ....core.errors import InvalidSpec
from ....core.service import ServiceSpec
from ....core.words import size
from ....home.models import VersionFolder, model_folder
from ....home.parcels import PART, digest_of, parts_of

#: Parts that a version may have: its pods mount each.
MOST_PARTS = 30


@dataclass(frozen=True)
class ServiceParcel:
    """A version that is to be served, in parts.

    Parameters
    ----------
    count : how many there are. What Kubernetes has already isn't sent again: then there are no `parts` here.
    """

    digest: str
    count: int
    parts: Sequence[bytes] = ()

    @classmethod
    def of(cls, folder: VersionFolder, version: str) -> ServiceParcel:
        """The parcel of a version's folder. Raises `InvalidSpec` where it is too large, and FileNotFoundError."""
        try:
            parts = parts_of(folder, MOST_PARTS)
        except OverflowError:
            raise InvalidSpec(
                f"{version} is too large to be sent to Kubernetes",
                f"its files have more than {size(MOST_PARTS * PART)}, compressed",
                "Put large files on a volume that the profile's pod template mounts, and have the model read them.",
            ) from None
        return cls(digest_of(parts), len(parts), parts)


class Parcels(NamedTuple):
    """The version that is to serve, and the one that is to be tried beside it."""

    stable: ServiceParcel
    tried: ServiceParcel | None = None


def parcels_of(spec: ServiceSpec) -> Parcels:
    """The versions that a wish says, of this machine. Raises `InvalidSpec` where one is too large, and
    FileNotFoundError."""

    def parcel(number: int) -> ServiceParcel:
        return ServiceParcel.of(model_folder(spec.model).version(number), f"{spec.model}@{number}")

    return Parcels(parcel(spec.version), None if spec.candidate is None else parcel(spec.candidate.version))
