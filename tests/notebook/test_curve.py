"""The small curve under a cell."""

from __future__ import annotations

from xml.etree import ElementTree

from jupyter_mlops.notebook.curve import MOST, SmallCurve, last_value


def test_it_is_well_formed_whatever_was_logged() -> None:
    curve = SmallCurve()
    assert curve.svg() == ""
    for value in (1.0, None, 1.7e308, -1.7e308, 3.0, None):
        curve.look({'a "loss" <b>': value, "acc": 1.0})
    drawn = ElementTree.fromstring(curve.svg())
    assert [each.tag for each in drawn] == ["title", "polyline"], "a single value between two gaps is no line"
    assert drawn.attrib["aria-label"].startswith('a "loss" <b>: from 1 to 3')
    assert last_value({"acc": 1.0, "val_loss": None}) == "val_loss NaN" and last_value({}) == ""


def test_it_stays_small_and_reaches_from_the_first_value_to_the_last() -> None:
    curve = SmallCurve()
    for step in range(10 * MOST):
        curve.look({"loss": float(step)})
    assert len(curve.svg()) < 20 * MOST and "from 0 to" in curve.svg()
