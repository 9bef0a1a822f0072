"""What travels between a worker's seat, its runners and their template arrives as it was sent."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.agent import buffers
from jupyter_mlops.agent.wire import LARGE, Wire

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.fixture
def lines() -> Iterator[tuple[Wire, Wire]]:
    ours, theirs = (Wire(end) for end in socket.socketpair())
    yield ours, theirs
    ours.close()
    theirs.close()


@given(message=st.dictionaries(st.text(min_size=1), PLAIN | st.binary(min_size=LARGE, max_size=2 * LARGE), max_size=4))
def test_messages_arrive_as_they_were_sent(message: dict[str, Any]) -> None:
    ours, theirs = (Wire(end) for end in socket.socketpair())
    sender = threading.Thread(target=lambda: ours.send(message))
    sender.start()
    assert theirs.receive() == message
    sender.join()
    ours.close()
    theirs.close()


def test_files_arrive_and_can_be_read(lines: tuple[Wire, Wire]) -> None:
    file = buffers.shared(b"content")
    lines[0].send({"do": "look"}, [file, file])
    assert lines[1].receive() == {"do": "look"}
    assert [bytes(buffers.mapped(one)) for one in lines[1].files] == [b"content"] * 2
    os.close(file)


def test_text_that_no_encoding_knows_arrives_all_the_same(lines: tuple[Wire, Wire]) -> None:
    lines[0].send({"name": "caf\udce9"})
    assert lines[1].receive() == {"name": "caf?"}


def test_a_line_that_was_hung_up_is_no_message(lines: tuple[Wire, Wire]) -> None:
    lines[0].send({"last": "words"})
    lines[0].end.sendall(b"half a h")
    lines[0].close()
    assert lines[1].receive() == {"last": "words"}
    assert lines[1].receive() is None


@given(rows=st.integers(0, 200), columns=st.integers(1, 3), text=st.text())
def test_large_variables_arrive_and_can_be_changed(rows: int, columns: int, text: str) -> None:
    value = {"array": np.arange(rows * columns).reshape(rows, columns), "bytes": bytearray(text.encode()), "text": text}
    file = buffers.shared(buffers.packed(value))
    first, second = (buffers.loaded(buffers.mapped(file)) for _ in range(2))
    os.close(file)
    np.testing.assert_array_equal(first["array"], value["array"])
    assert (first["bytes"], first["text"]) == (value["bytes"], text)
    first["array"] += 1
    np.testing.assert_array_equal(second["array"], value["array"])


def test_what_versions_before_kept_is_read() -> None:
    import pickle

    file = buffers.shared(buffers.of_pickle(pickle.dumps([1, 2])))
    assert buffers.loaded(buffers.mapped(file)) == [1, 2]
    os.close(file)
