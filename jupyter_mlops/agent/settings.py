"""Settings of modules that a notebook has changed: its runs have them, too.

Results depend on them (a decimal's digits, what an estimator gives), and so does what is shown: how numbers are
printed, what is logged, how figures look. Folder, environment and import paths are in `surroundings.py`.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import pickle
import sys
from abc import ABC, abstractmethod
from typing import Any

import cloudpickle

from .imported import when_imported


class ModuleSettings(ABC):
    """Those of one module."""

    #: Its name. It isn't imported for this.
    module: str

    @abstractmethod
    def taken(self, module: Any) -> Any:
        """What its user has set, as far as that can be told from what it is without; None for nothing."""

    @abstractmethod
    def give(self, module: Any, settings: Any) -> None:
        """Set what `taken` gave elsewhere."""


class Interpreter(ModuleSettings):
    """How deep calls may be."""

    module = "sys"

    def taken(self, module: Any) -> Any:
        """As `ModuleSettings.taken`."""
        return module.getrecursionlimit()

    def give(self, module: Any, settings: Any) -> None:
        """As `ModuleSettings.give`."""
        module.setrecursionlimit(settings)


class Decimals(ModuleSettings):
    """The thread's context: digits, rounding, what is an error."""

    module = "decimal"

    def taken(self, module: Any) -> Any:
        """As `ModuleSettings.taken`."""
        return module.getcontext().copy()

    def give(self, module: Any, settings: Any) -> None:
        """As `ModuleSettings.give`."""
        module.setcontext(settings)


class Numpy(ModuleSettings):
    """How arrays are printed, and what becomes of a division by zero."""

    module = "numpy"

    def taken(self, module: Any) -> Any:
        """As `ModuleSettings.taken`."""
        errors = {name: what for name, what in module.geterr().items() if what not in ("call", "log")}
        return module.get_printoptions(), errors  # what is called or written to stays here

    def give(self, module: Any, settings: Any) -> None:
        """As `ModuleSettings.give`."""
        shown, errors = settings
        module.seterr(**errors)
        for name, value in shown.items():
            with contextlib.suppress(Exception):  # another version has no such option
                module.set_printoptions(**{name: value})


class Pandas(ModuleSettings):
    """`pd.options`."""

    module = "pandas"

    #: Options whose default depends on where pandas is: in a notebook it is another one.
    _BY_PLACE = frozenset({"display.max_columns"})

    def taken(self, module: Any) -> Any:
        """As `ModuleSettings.taken`."""
        config = sys.modules["pandas._config.config"]
        known, deprecated = config._registered_options, config._deprecated_options  # noqa: SLF001 - defaults are there
        values = {
            name: (module.get_option(name), each.defval) for name, each in known.items() if name not in deprecated
        }
        changed = {name for name, (value, default) in values.items() if value is not default and value != default}
        return {name: values[name][0] for name in changed | self._BY_PLACE}

    def give(self, module: Any, settings: Any) -> None:
        """As `ModuleSettings.give`."""
        for name, value in settings.items():
            with contextlib.suppress(Exception):  # another version has no such option, or no such value
                module.set_option(name, value)


class Matplotlib(ModuleSettings):
    """`rcParams`, but for what says where figures go."""

    module = "matplotlib"

    _OWN = ("backend", "interactive", "toolbar", "webagg", "date.epoch")

    def taken(self, module: Any) -> Any:
        """As `ModuleSettings.taken`."""
        default, now = dict(dict.items(module.rcParamsDefault)), dict(dict.items(module.rcParams))  # without a warning
        return {name: value for name, value in now.items() if default.get(name) != value and not self._is_own(name)}

    def _is_own(self, name: str) -> bool:
        return name.startswith(self._OWN)

    def give(self, module: Any, settings: Any) -> None:
        """As `ModuleSettings.give`."""
        for name, value in settings.items():
            with contextlib.suppress(Exception):  # as of pandas
                module.rcParams[name] = value


class ScikitLearn(ModuleSettings):
    """`sklearn.set_config`."""

    module = "sklearn"

    def taken(self, module: Any) -> Any:
        """As `ModuleSettings.taken`."""
        return module.get_config()

    def give(self, module: Any, settings: Any) -> None:
        """As `ModuleSettings.give`."""
        module.set_config(**settings)


class Logging(ModuleSettings):
    """What loggers of the notebook's own let through, and those that write to its outputs, in their format."""

    module = "logging"

    def taken(self, module: Any) -> Any:
        """As `ModuleSettings.taken`."""
        loggers = {name: each for name, each in logging.root.manager.loggerDict.items() if self._is_users(name)}
        known = {"": logging.root, **loggers}
        found = {name: self._of(each) for name, each in known.items() if isinstance(each, logging.Logger)}
        return {name: each for name, each in found.items() if any(each[1:])}

    @staticmethod
    def _is_users(name: str) -> bool:
        return name == "__main__" or name.partition(".")[0] not in sys.modules

    def _of(self, logger: logging.Logger) -> tuple[int, list[Any], bool, bool, bool]:
        """Its level, handlers, and whether it, not only what is above it, has a level that somebody has set, whether it
        keeps lines from those above, and whether it is off."""
        handlers = []
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler and handler.stream in (sys.stdout, sys.stderr):
                handlers.append((handler.stream is sys.stdout, handler.level, handler.formatter))
        is_set = logger.level != (logging.WARNING if logger is logging.root else logging.NOTSET)
        return logger.level, handlers, is_set, not logger.propagate, bool(logger.disabled)

    def give(self, module: Any, settings: Any) -> None:
        """As `ModuleSettings.give`."""
        for name, (level, handlers, _, keeps, is_off) in settings.items():
            logger = logging.getLogger(name)
            logger.setLevel(level)
            logger.propagate, logger.disabled = not keeps, is_off
            for is_out, at, formatter in handlers:
                handler = logging.StreamHandler(sys.stdout if is_out else sys.stderr)
                handler.setLevel(at)
                handler.setFormatter(formatter)
                logger.addHandler(handler)


ALL: list[ModuleSettings] = [Interpreter(), Decimals(), Numpy(), Pandas(), Matplotlib(), ScikitLearn(), Logging()]


def taken() -> dict[str, bytes]:
    """What is set in this process, by module, pickled. Some of it is the thread's own."""
    found = {}
    for each in ALL:
        if each.module in sys.modules:
            with contextlib.suppress(Exception):  # another version may keep it elsewhere, and a value may not travel
                found[each.module] = cloudpickle.dumps(each.taken(sys.modules[each.module]), protocol=5)
    return found


def give(settings: dict[str, bytes]) -> None:
    """Set in this process what was `taken` in another one: at once in what is imported, else when it is."""
    for each in ALL:
        if each.module in settings:
            when_imported(each.module, functools.partial(_give, each, settings[each.module]))


def _give(owner: ModuleSettings, settings: bytes) -> None:
    with contextlib.suppress(Exception):  # another version may lack a setting
        owner.give(sys.modules[owner.module], pickle.loads(settings))  # noqa: S301 - the user's own
