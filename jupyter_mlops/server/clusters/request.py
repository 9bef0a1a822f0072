"""What the bodies of requests on clusters may hold."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ...core.base import Input, read_request
from ...core.extend import LimitChange
from ...core.profile import MOST_WORKERS

Number = Annotated[int, Field(ge=0, le=MOST_WORKERS)]


class StartRequest(Input):
    """A cluster of `profile`; with `workers` in `group` (the first one) instead of the profile's number."""

    profile: str
    name: str | None = None
    workers: Number | None = None
    group: str | None = None


class ScaleRequest(Input):
    """`workers` workers in `group` (the first one); `now` doesn't wait for what they run."""

    workers: Number
    group: str | None = None
    now: bool = False


class LetGoRequest(Input):
    """At most `let_go` workers of `group` (the first one) that have long been idle shall go."""

    let_go: Number
    group: str | None = None


class AdaptRequest(Input):
    """As many workers in `group` (the first one) as the work needs, between these bounds."""

    minimum: Number
    maximum: Number
    group: str | None = None


def start_of(body: dict[str, Any]) -> StartRequest:
    """`body` as a request to start; raises `InvalidSpec`."""
    return read_request(StartRequest, body, "request")


def change_of(body: dict[str, Any]) -> AdaptRequest | LetGoRequest | ScaleRequest | LimitChange:
    """`body` as what it looks like; raises `InvalidSpec`."""
    if LimitChange.model_fields.keys() & body.keys():
        return read_request(LimitChange, body, "request")
    if "let_go" in body:
        return read_request(LetGoRequest, body, "request")
    if "minimum" in body or "maximum" in body:
        return read_request(AdaptRequest, body, "request")
    return read_request(ScaleRequest, body, "request")
