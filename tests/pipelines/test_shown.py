"""What a step showed is shown again as it was in the end."""

from __future__ import annotations

from jupyter_mlops.client.runs.execution.channel import Display
from jupyter_mlops.client.runs.view import Quiet
from jupyter_mlops.core.run import Entry
from jupyter_mlops.pipelines import shown
from jupyter_mlops.pipelines.shown import ListeningView, shown_again


def _print(seq: int, text: str, stream: str = "stdout") -> Entry:
    return Entry.model_validate({"seq": seq, "time": 1, "kind": "print", "text": text, "stream": stream})


def test_what_is_shown_again_is_what_stood_there_in_the_end() -> None:
    view = ListeningView(Quiet())
    view.show(
        None,
        [_print(0, "Packing …\n"), _print(1, "a\n"), _print(2, "\r1 %", "stderr"), _print(3, "\r9 %\r\n", "stderr")],
    )
    view.show(
        None, [Display({"text/plain": "1"}, "bar", update=False), Entry(seq=4, time=1, kind="metric", key="loss")]
    )
    view.show(None, [_print(5, "b"), _print(6, "c\n"), Display({"image/png": b"2"}, "bar", update=True)])
    again = shown_again(view.heard())
    told = [each.bundle if isinstance(each, Display) else (each.stream, each.text) for each in again]
    assert told == [("stdout", "a\n"), ("stderr", "9 %\n"), {"image/png": b"2"}, ("stdout", "bc\n")]


def test_what_is_too_much_is_left_out() -> None:
    view = ListeningView(Quiet())
    view.show(None, [_print(1, "a\n"), Display({"text/html": "x" * shown.MOST}, None, update=False), _print(2, "b\n")])
    assert view.heard() == [{"stream": "stdout", "text": "a\nb\n"}]
    view.show(None, [_print(3, "x" * shown.MOST), _print(4, "c\n")])
    assert len(view.heard()[0]["text"]) == shown.MOST + 4
