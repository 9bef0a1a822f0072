"""What all REST handlers share: the login, the services, JSON in and out, errors as sentences."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlparse

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.utils import ensure_async, origin_matches_pat
from tornado import web

from ..core.errors import InvalidInput, MlopsError
from ..core.words import size
from .errors import body_of, status_of

if TYPE_CHECKING:
    from pydantic import BaseModel

    from .services import Services

#: The resource that an authorizer is asked about.
RESOURCE = "jupyter-mlops"

#: The key of the extension in the web application's settings.
SETTING = "jupyter_mlops"


def is_same_origin(handler: JupyterHandler) -> bool:
    """Whether the page that made the request is the server's own, or one that the server's configuration allows.

    Stricter than Jupyter's own check, which lets any origin pass that knows the token: a page elsewhere must not drive
    clusters with a token that leaked into a URL. A request without an origin comes from a program, not from a page.
    """
    origin = handler.request.headers.get("Origin") or handler.request.headers.get("Sec-Websocket-Origin")
    if origin is None or handler.allow_origin == "*":
        return True
    origin = origin.lower()
    if urlparse(origin).netloc == handler.request.headers.get("Host", "").lower():
        return True
    if handler.allow_origin:
        return bool(handler.allow_origin == origin)
    return bool(handler.allow_origin_pat and origin_matches_pat(handler.allow_origin_pat, origin))


#: How numbers are written in a URL, as in JSON.
_WHOLE, _NUMBER = re.compile(r"-?[0-9]{1,20}"), re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?")

#: Bytes of a request at most.
MOST_BYTES = 1_000_000


class HasServices(Protocol):
    """The extension, as its handlers know it."""

    async def services(self) -> Services:
        """The managers, made at the first request."""


async def services_of(handler: JupyterHandler) -> Services:
    """The managers of the server that got the request."""
    extension: HasServices = handler.settings[SETTING]
    return await extension.services()


def finish_with_sentence(handler: JupyterHandler, status: int, error: BaseException) -> None:
    """Finish with what went wrong, as text."""
    if isinstance(error, MlopsError):
        status = status_of(error)
    known = isinstance(error, MlopsError) or status < 500
    said = getattr(error, "log_message", None) or (str(error) if known else "Something went wrong")
    handler.set_status(status)
    handler.set_header("Content-Type", "text/plain; charset=utf-8")
    handler.set_header("X-Content-Type-Options", "nosniff")
    handler.finish(f"{said}\n")


class Handler(APIHandler):
    """The base of the REST handlers: parse, one call, `reply`.

    Methods are `@web.authenticated` and `@authorized`; a `MlopsError` becomes the status of `errors.STATUSES`.
    """

    auth_resource = RESOURCE

    async def prepare(self) -> None:  # type: ignore[override]  # as Jupyter's own APIHandler narrows it
        """Refuse foreign pages, then have the services ready, which are made at the first request."""
        await super().prepare()
        if not is_same_origin(self):
            raise web.HTTPError(403, "This page may not use this server")
        if self.current_user and self.request.method != "OPTIONS":
            self.services = await services_of(self)

    @allow_unauthenticated
    def options(self, *args: Any, **kwargs: Any) -> None:
        """What a browser asks before a request from another page; it tells nothing and does nothing."""
        super().options()

    def body(self) -> dict[str, Any]:
        """The request's JSON object; raises `InvalidInput`."""
        if len(self.request.body) > MOST_BYTES:
            raise InvalidInput("This request is too large", f"it may have {size(MOST_BYTES)}")
        from pydantic_core import from_json  # not at the server's start

        try:  # unlike Python's own, it has bounds on depth, and takes no halves of characters
            body = from_json(self.request.body or b"{}", allow_inf_nan=False)
        except ValueError as error:
            raise InvalidInput("This request isn't valid JSON", str(error)) from None
        if not isinstance(body, dict):
            raise InvalidInput("This request isn't valid", f"it must be an object, got a {type(body).__name__}")
        return body

    async def check_may(self, action: str, resource: str) -> None:
        """Refuse who may not do something else as well."""
        if not await ensure_async(self.authorizer.is_authorized(self, self.current_user, action, resource)):
            raise web.HTTPError(403, f"User is not authorized to {action} on resource: {resource}.")

    @property
    def asker(self) -> str:
        """Who asks, for the trail; empty where the server gives everybody a name of its own making."""
        user = self.current_user
        return "" if user.name is None or user.name.startswith("Anonymous") else str(user.username)

    def number(self, name: str, default: float, least: float, most: float) -> float:
        """The argument `name` of the URL as a number; raises `InvalidInput`."""
        return self._number(name, _NUMBER, default, least, most)

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """The argument `name` of the URL as a whole number; raises `InvalidInput`."""
        return int(self._number(name, _WHOLE, default, least, most))

    def switch(self, name: str) -> bool:
        """Whether the argument `name` of the URL is 1, and not 0 or missing; raises `InvalidInput`."""
        return bool(self.whole(name, 0, 0, 1))

    def _number(self, name: str, form: re.Pattern[str], default: float, least: float, most: float) -> float:
        text = self.get_query_argument(name, "")
        value = float(text) if form.fullmatch(text) else default
        if (text and not form.fullmatch(text)) or not least <= value <= most:
            number = "a whole number" if form is _WHOLE else "a number"
            why = f"it must be {number} from {least:g} to {most:g}, got {text!r}"
            raise InvalidInput(f"The argument {name!r} isn't valid", why)
        return value

    def reply(self, answer: BaseModel | list[Any] | dict[str, Any] | None, status: int = 200) -> None:
        """Finish with `answer` as JSON; with 204 when it is None."""
        if answer is None:
            self.set_status(204)
            self.finish()
            return
        from .encode import encode  # pydantic: not at the server's start

        self.set_status(status)
        self.finish(encode(answer))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """An error as what, why, todo."""
        error = kwargs.get("exc_info", (None, None))[1]
        if isinstance(error, MlopsError):
            self.set_status(status_of(error))
            self.finish(json.dumps(body_of(error)))
            return
        what = getattr(error, "log_message", None) or self._reason
        todo = "The server's log says more." if status_code >= 500 else ""
        self.finish(json.dumps({"error": f"HTTP {status_code}", "what": what, "why": "", "todo": todo}))

    def log_exception(self, kind: Any, error: Any, trace: Any) -> None:
        """A refused request is no fault of the server: no traceback in its log."""
        if isinstance(error, MlopsError):
            self.log.debug("jupyter-mlops: %s %s: %s", self.request.method, self.request.path, error)
        else:
            super().log_exception(kind, error, trace)


class QuietHandler(Handler):
    """For what browsers ask by themselves: it doesn't count as activity, which would keep an unused server alive."""

    _track_activity = False
