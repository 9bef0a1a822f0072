"""What is newer than a number: logs that grow, and the newest value of each key."""

from __future__ import annotations

from jupyter_mlops.core.changes import ChangeLog, ChangeTable


def test_a_log_tells_what_came_after_a_number() -> None:
    log = ChangeLog(2, ["before"])
    assert list(log) == ["before"] and log.after(0) == []
    for seq in (1, 2, 3):
        log.add(str(seq), seq)
    assert log.after(2) == ["3"] and log.after(0) == ["2", "3"] and len(log) == 2
    assert log.floor == 1, "whoever saw nothing after the first change has missed something"


def test_a_log_without_a_length_is_cut_by_its_owner() -> None:
    log: ChangeLog[str] = ChangeLog()
    for seq in (1, 2, 3):
        log.add(str(seq), seq)
    assert log.drop_oldest() == "1" and list(log) == ["2", "3"] and log.floor == 1


def test_a_table_tells_what_changed_after_a_number() -> None:
    table: ChangeTable[str, str] = ChangeTable(remembered=2)
    for seq, key in enumerate("abc", start=1):
        table.put(key, key, seq)
    table.put("a", "A", 4)
    assert table.get("a") == "A" and table.get("d") is None
    assert table.after(2) == [("c", "c"), ("a", "A")]
    assert table.drop("b", 6) and not table.drop("b", 7)
    assert table.after(4) == [("b", None)] and "b" not in table and table.floor == 0
    table.drop("c", 8)
    table.drop("a", 9)
    assert table.floor == 6, "that b is gone is forgotten"
    assert list(table.items()) == []


def test_a_key_that_comes_back_is_not_gone() -> None:
    table: ChangeTable[str, str] = ChangeTable(remembered=1)
    table.put("a", "1", 1)
    table.drop("a", 2)
    table.put("a", "2", 3)
    table.put("b", "1", 4)
    table.drop("b", 5)
    assert table.after(0) == [("a", "2"), ("b", None)] and table.floor == 0
