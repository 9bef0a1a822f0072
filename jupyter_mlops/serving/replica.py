"""The program that serves one version: `python -m jupyter_mlops.serving.replica MODEL NUMBER DIGEST FD`.

It speaks frames over the socket `FD`, whose other end the router has, and ends when that is closed: no replica
outlives its router. All happens in one thread: to hand each request from a thread that reads to one that answers takes
as long as to read it.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import traceback
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from ..core.base import read_record
from ..core.errors import InvalidInput, MlopsError
from ..core.logged import SampleSettings
from ..core.model import Baseline, Bins
from ..core.window import Window
from ..home.logs import write_what_can_be
from ..home.models import model_folder
from ..registry.measure import Array
from ..registry.rows import Rows
from .calibration import Calibration, calibration_of
from .channel import RouterChannel
from .counting import AnswerCounter, RowCounter
from .frames import COMPARE, COUNT, HELLO, INFER, LOG, PREDICT, AskedHead, Frame
from .predictor import NoAnswer, Predictor, described, load_predictor
from .sampling import RequestSampler
from .tensors import OUTPUT, datatype_of

#: Requests that are asked together at most.
_BATCH = 64

#: What callers ask.
_ASKED = (INFER, PREDICT)


class AskedRows(NamedTuple):
    """The rows of a request, by which id it is found again, and the key of who it is about."""

    rows: Rows
    id: str
    key: str


class Replica:
    """Answers what comes over a channel, until that is closed.

    Parameters
    ----------
    baseline : what its rows and answers are to be compared with; without it nothing is counted.
    doubts : how the version's doubts are to be read, and why they can't be.
    """

    def __init__(
        self,
        predictor: Predictor,
        model: str,
        number: int,
        channel: RouterChannel,
        baseline: Baseline | None,
        doubts: tuple[Calibration | None, str] = (None, ""),
    ) -> None:
        self._predictor, self._channel = predictor, channel
        self._counter = None if baseline is None else RowCounter(baseline)
        self._uncountable, self._doubts = "", doubts
        self._answers: AnswerCounter | None = None
        #: Nothing is logged before the router says what.
        self._sampler: RequestSampler | None = None
        self._told = {"model_name": model, "model_version": str(number)}

    def serve(self) -> None:
        """Does not return."""
        while True:
            self._answer(self._channel.next(_BATCH))

    def _answer(self, batch: list[Frame]) -> None:
        for frame in batch:
            if frame.code == LOG:
                self._log(frame)
            elif frame.code == COMPARE:
                self._compare(frame)
        asked = [(frame, read) for frame in batch if frame.code in _ASKED and (read := self._asked(frame)) is not None]
        answers = self._predictor.answers([each.rows for _, each in asked]) if asked else []
        self._tell(asked, answers)
        for (_, each), answer in zip(asked, answers, strict=True):
            if not isinstance(answer, NoAnswer):
                self._count(each, answer)
        self._channel.send([self._counts(frame) for frame in batch if frame.code == COUNT])

    def _tell(self, asked: list[tuple[Frame, AskedRows]], answers: list[Array | NoAnswer]) -> None:
        told = []
        for (frame, each), answer in zip(asked, answers, strict=True):
            if isinstance(answer, NoAnswer):
                told.append(_refusal(frame, answer.status, answer.words))
                continue
            body = self._inferred(each.id, answer) if frame.code == INFER else self._predicted(each.id, answer)
            told.append(Frame(frame.number, 200, to_json(body, inf_nan_mode="null"), len(answer)))
        self._channel.send(told)

    def _log(self, frame: Frame) -> None:
        """Log what the router wants."""
        settings = read_record(SampleSettings, frame.body)
        self._sampler = RequestSampler(settings, self._predictor, *self._doubts) if settings.share > 0 else None

    def _compare(self, frame: Frame) -> None:
        """Count answers by the bins that another version counts by, too; by none any more where there are none."""
        self._answers = AnswerCounter(read_record(Bins, frame.body)) if frame.body else None

    def _count(self, asked: AskedRows, answer: Array) -> None:
        try:
            if self._sampler is not None:
                self._sampler.add(asked.id, asked.key, asked.rows, answer)
        except Exception:  # noqa: BLE001 - who can't log can still answer
            traceback.print_exc()
            self._sampler = None
        try:
            if self._answers is not None:
                self._answers.add(answer)
            if self._counter is not None:
                self._counter.add(asked.rows, answer)
        except Exception as error:  # noqa: BLE001 - as above
            self._give_up(error)

    def _counts(self, frame: Frame) -> Frame:
        """What was counted since it was asked for last, or why nothing is; and behind it what was logged."""
        code, told = 500, b""
        try:
            if not self._uncountable:
                counts = Window() if self._counter is None else self._counter.take()
                if self._answers is not None:
                    counts.compared = self._answers.take()
                code, told = 200, counts.model_dump_json().encode()
        except Exception as error:  # noqa: BLE001 - as above
            self._give_up(error)
        told = told or self._uncountable.encode()
        return Frame(frame.number, code, told + self._logged(), len(told))

    def _logged(self) -> bytes:
        try:
            return b"" if self._sampler is None else self._sampler.take().model_dump_json().encode()
        except Exception:  # noqa: BLE001 - as above
            traceback.print_exc()
            self._sampler = None
            return b""

    def _give_up(self, error: Exception) -> None:
        traceback.print_exc()
        self._counter = self._answers = None
        self._uncountable = f"{type(error).__name__}: {error}"

    def _asked(self, frame: Frame) -> AskedRows | None:
        """What a request asks; None for one that was refused."""
        try:
            head, text = frame.parts
            body, (id, key) = _read_json(text), AskedHead.of(head)
            asked = self._predictor.asked
            if frame.code == PREDICT:
                return AskedRows(asked.predict(body), id, key)
            rows = asked.infer(body)
            named = body.get("id")
            return AskedRows(rows, named if isinstance(named, str) and named else id, key)
        except MlopsError as error:
            self._refuse(frame, 400, str(error))
        except Exception as error:  # noqa: BLE001 - what is odd in one request must not end those beside it
            traceback.print_exc()
            self._refuse(frame, 500, f"The request can't be read: {type(error).__name__}: {error}")
        return None

    def _refuse(self, frame: Frame, status: int, words: str) -> None:
        self._channel.send([_refusal(frame, status, words)])

    def _inferred(self, id: str, answer: Array) -> dict[str, Any]:
        dtype = "str" if answer.dtype.kind == "U" else str(answer.dtype)
        output = {
            "name": OUTPUT,
            "shape": list(answer.shape),
            "datatype": datatype_of(dtype),
            "data": _plain(answer).ravel().tolist(),
        }
        return {**self._told, "id": id, "outputs": [output]}

    def _predicted(self, id: str, answer: Array) -> dict[str, Any]:
        return {"predictions": _plain(answer).tolist(), **self._told, "id": id}


def _refusal(frame: Frame, status: int, words: str) -> Frame:
    return Frame(frame.number, status, to_json({"error": words}))


def _plain(answer: Array) -> Array:
    """What JSON has words for: times become text."""
    return answer.astype(str) if answer.dtype.kind in "mMc" else answer


def _read_json(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        todo = "JSON has no NaN: write null." if b"NaN" in body else ""
        raise InvalidInput("The request is no JSON", str(error), todo) from None


def main(model: str, number: int, digest: str, channel: RouterChannel) -> None:
    """Load the version, say so, and serve."""
    for each in (signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # it ends with its router
    try:
        folder = model_folder(model)
        version = folder.version(number).record()
        predictor = load_predictor(folder, version, digest)
        baseline, doubts = folder.version(number).baseline(), calibration_of(folder.version(number), version)
    except (MlopsError, OSError) as error:
        told = [error.what, error.why, error.todo] if isinstance(error, MlopsError) else [str(error), "", ""]
        words = dict(zip(("what", "why", "todo"), told, strict=True))
        channel.send([Frame(HELLO, 500, json.dumps({"error": type(error).__name__, **words}).encode())])
        sys.exit(1)
    sys.stderr.write(f"{described(predictor)}\n")
    channel.send([Frame(HELLO, 200, b"{}")])
    Replica(predictor, model, number, channel, baseline, doubts).serve()


if __name__ == "__main__":
    write_what_can_be()
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], RouterChannel(socket.socket(fileno=int(sys.argv[4]))))
