"""A failure is shown when it happens, for a suite that is cut short has no summary. A plugin of `tests/conftest.py`."""

from __future__ import annotations

import pytest


class _AtOnce:
    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._terminal.ensure_newline()
            self._terminal.line(f"FAILED {report.nodeid} ({report.when}, {report.duration:.0f} s)", red=True)
            self._terminal.line(report.longreprtext)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """In the process that prints; the others only run tests."""
    if (terminal := config.pluginmanager.get_plugin("terminalreporter")) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_AtOnce(terminal))
