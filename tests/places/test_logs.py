from __future__ import annotations

from pathlib import Path

from jupyter_mlops.home import logs


def test_a_long_log_keeps_its_end_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "default-1.log"
    with path.open("ab", buffering=0) as writer:
        for number in range(logs.MOST // 1000 + 1):
            writer.write(f"{number:>999}\n".encode())
        logs.bound_logs(tmp_path)
        assert path.stat().st_size < logs.KEPT + 100
        writer.write(b"after\n")
        logs.bound_logs(tmp_path)
    lines = path.read_text().splitlines()
    assert lines[0] == "... (the beginning was cut)"
    assert [int(line) for line in lines[-3:-1]] == [logs.MOST // 1000 - 1, logs.MOST // 1000]
    assert lines[-1] == "after"


def test_a_log_that_has_gone_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "gone.log").symlink_to(tmp_path / "nowhere")
    logs.bound_logs(tmp_path)
