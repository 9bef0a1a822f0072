"""A step that is to run: whether its values are kept, why it is computed otherwise, and the keeping of them."""

from __future__ import annotations

import ast
import builtins
import contextlib
import hashlib
import os
import pickle
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from types import FunctionType
from typing import Any

from ..agent import seals
from ..agent.versions import versions_of
from ..client.runs.run import Run
from ..client.send.modules import Module, imports_from, reached
from ..client.send.payload import RunPayload
from ..client.words import moment
from ..core.base import Time
from ..core.errors import InvalidSpec, MlopsError, NotFound, StorageFull
from ..core.step import StepRecord, check_step_name, key_of, what_differs
from ..core.words import first_of, listed
from ..home.steps import pipelines_dir, seal_key, step_folder
from .files import stamps, texts_by, texts_in
from .fingerprints import Fingerprint, fingerprint
from .written import writes_files, wrote

#: This package.
_OWN = __name__.partition(".")[0]

#: What is behind the name of a function that a step reads.
OR_USED = " or what it uses"

#: Bytes of a step's values that are kept at most.
MOST = 4 * 1024**3

#: Digest of a variable in this process → that of the one that its step made: what was unpickled need not have the same
#: pickle as what was computed.
_SAME: dict[str, str] = {}

#: Beginnings of the settings of libraries that decide what comes out, and not how it is shown; and those that these
#: have where nobody has changed them, if they come all the same.
_DECIDE = {"pandas": ("future.", "io.", "mode."), "sklearn": ("enable_metadata", "transform_output")}
_USUAL = {"enable_metadata_routing": False, "transform_output": "default"}

#: What tells other things each time: its last name, where there is one with the module's or object's before it.
_RANDOM = frozenset({"choice", "randint", "randn", "rand", "random", "shuffle", "sample", "uniform", "normal"})
_DRAWS = frozenset({"sample", "train_test_split"})
_NOW = frozenset({"now", "utcnow", "today", "time_ns", "uuid4", "uuid1", "urandom", "token_hex"})


class StepAtHand:
    """A step of a notebook, as its cell is now, with the variables that it reads now.

    Parameters
    ----------
    notebook, name : which step.
    tree : the cell, parsed.
    payload : what its run would send.
    space : the notebook's variables.
    options : what else decides what comes out of it, by the name of the option.
    items : of a map: what it is mapped over.
    """

    def __init__(
        self,
        notebook: str,
        name: str,
        tree: ast.Module,
        payload: RunPayload,
        space: Mapping[str, Any],
        options: Mapping[str, Any],
        items: Any = None,
    ) -> None:
        self.name = check_step_name(name)
        self._folder = step_folder(notebook, name)
        reads = {variable: space[variable] for variable in payload.variables}
        found = {variable: fingerprint(value) for variable, value in reads.items()}
        if items is not None:
            found["its items"] = _of_items(items)
            reads["its items"] = items
        self._texts = {*_texts_of(tree), *(text for each in found.values() for text in each.texts)}
        self._texts |= {text for value in reads.values() for text in texts_in(value)}
        self._texts |= {text for module, file in _trees(payload) for text in _texts_of(module, file)}
        environment = {name: os.environ[name] for name in sorted(self._texts & os.environ.keys())}
        self._texts |= set(environment.values())
        self.parts = {
            "its code": digest_of_cell(tree),
            **{f"--{option}": repr(value) for option, value in options.items() if value is not None},
            **{_spelled(name, reads[name]): _SAME.get(each.digest, each.digest) for name, each in found.items()},
            **_installed(payload),
            **_settings(payload),
            **{f"${name}": _text_digest(value) for name, value in environment.items()},
            **_modules(payload),
        }
        self.key = key_of(self.parts)
        self._read = {variable: each.digest for variable, each in found.items()}
        self._started: Time = time.time()
        #: The files that it depends on, as they are before it runs; and those that changed while it ran.
        self.files = stamps(self._texts)
        self.moved: list[str] = []
        self._writes = writes_files(tree)
        #: Why it wasn't kept the last time, which was said.
        self.known = ""

    def kept(self) -> tuple[StepRecord, dict[str, Any]] | None:
        """What is kept of it as it is now, as plain data with pickles in it; None where that is nothing, or isn't what
        was kept."""
        record = self._folder.kept(self.key)
        if record is None or record.files != self.files:
            return None
        try:
            sealed = self._folder.values(self.key)
            given: dict[str, Any] = seals.plain(seals.opened(sealed, seal_key(), sealed_for(record)))
        except (OSError, seals.BrokenSeal, pickle.UnpicklingError, EOFError):
            return None
        with contextlib.suppress(MlopsError):  # as in `_note`, and it is of less use
            self._folder.note(record.model_copy(update={"seen": time.time()}))
        return record, given

    def why(self) -> str:
        """Why it is computed though it was before, in a sentence; empty where it never was.

        Raises
        ------
        NotFound : it lacks a variable that it read then, and can only fail.
        """
        last = self._folder.last()
        if last is None:
            return ""
        if gone := self._gone(last):
            todo = "Run the cells that make them first; --again runs it all the same."
            raise NotFound(f"{self.name} lacks {first_of(gone, 3)}", "it read them when it ran last", todo)
        if last.error:
            how = "was cancelled" if last.error.startswith("RunCancelled") else "failed"
            return f"{self.name} {how} when it ran last."
        if last.unkept:
            self.known = last.unkept
            return f"{self.name} is computed each time: {last.unkept}."
        differs = what_differs(last, self.parts, self.files)
        if not differs:
            return f"{self.name} is computed: what it made isn't kept any more, or isn't what was kept."
        return f"{self.name} is computed: {differs} changed since {moment(last.made, time.time())}."

    def _gone(self, last: StepRecord) -> list[str]:
        """The variables that the same code read before, and that aren't there now."""
        if last.parts.get("its code") != self.parts["its code"]:
            return []
        names = [part.partition(" ")[0] for part in last.parts if part.startswith("'")]
        now = {part.partition(" ")[0] for part in self.parts}
        return [name for name in names if name not in now and not hasattr(builtins, name.strip("'"))]

    def keep(self, given: Mapping[str, Any], names: Mapping[str, Any], run: Run, unkept: str = "") -> StepRecord:
        """Keep what its run gave.

        Parameters
        ----------
        given : as plain data with pickles in it.
        names : the variables that it made, as they are now.
        unkept : why it can't be kept, in words.
        """
        made = {name: fingerprint(value).digest for name, value in names.items()}
        files = stamps(self._texts)
        self.moved = sorted(name for name, stamp in self.files.items() if files.get(name, stamp) != stamp)
        self.moved = [name for name in self.moved if not wrote(self._writes, name)]
        # what came back as another object need not be changed
        changes = sorted(
            name for name in given.get("changed", ()) if name not in made or made[name] != self._read.get(name)
        )
        record = self._record(run).model_copy(update={"makes": made, "files": files, "changes": changes})
        data = b"" if unkept else pickle.dumps(dict(given), protocol=5)
        if len(data) > MOST:
            unkept = f"its values are more than {MOST // 1024**3} GiB"
        try:
            if not unkept:
                self._folder.keep(record, seals.seal(data, seal_key(), sealed_for(record)))
        except MlopsError as error:
            unkept = _in_short(error)
        record = record.model_copy(update={"unkept": unkept})
        self._note(record)
        return record

    def failed(self, run: Run, error: str) -> None:
        """Note that it failed."""
        self._note(self._record(run).model_copy(update={"error": error}))

    def taken(self, record: StepRecord, names: Mapping[str, Any]) -> None:
        """The variables that came out of what was kept are those that it had made."""
        for name, value in names.items():
            if name in record.makes:
                _SAME[fingerprint(value).digest] = record.makes[name]

    def _record(self, run: Run) -> StepRecord:
        now = time.time()
        return StepRecord(
            name=self.name,
            key=self.key,
            parts=self.parts,
            run=run.id,
            started=self._started,
            made=now,
            took=now - self._started,
            cost=run.cost,
        )

    def _note(self, record: StepRecord) -> None:
        try:
            self._folder.note(record)
        except MlopsError as error:  # a full disk costs the note and nothing else
            if not record.unkept:  # which says it
                print(f"What became of {self.name} isn't noted: {_in_short(error)}.", file=sys.stderr)


def sealed_for(record: StepRecord) -> str:
    """What the values of a step are sealed for. With the run: of two kernels that keep the same, none takes the values
    of one for what the other's record says."""
    return f"step {record.name} {record.key} {record.run}"


def _in_short(error: MlopsError) -> str:
    if isinstance(error, StorageFull):
        return f"the disk with {pipelines_dir()} is full"
    return str(error).rstrip(".")


def digest_of_cell(tree: ast.Module) -> str:
    """A digest of a cell's code, however it is written."""
    return hashlib.sha256(ast.dump(tree).encode(errors="surrogatepass")).hexdigest()[:32]


def path_of_notebook(told: str) -> str:
    """The path of a notebook, as its kernel was told of it; of the folder, where there is none.

    Jupyter puts the notebook's path behind its folder's, though the former may have the latter in it.
    """
    here = Path.cwd()
    if not told:
        return str(here)
    for path in (here / told, here / PurePath(told).name):
        if path.exists():
            return str(path.resolve())
    return str(here / told)


def told_of(record: StepRecord) -> str:
    """That a step's values are kept, in a sentence."""
    when = moment(record.made, time.time())
    return f"{record.name} is as it was at {when}; its values are taken from there. --again computes it."


def remarks(record: StepRecord, tree: ast.Module, moved: Sequence[str] = (), known: str = "") -> Iterator[str]:
    """What is worth knowing of a step that was computed, a sentence each; `moved` are files that changed meanwhile,
    `known` is why it isn't kept, if that was said before it ran."""
    if moved and not record.unkept:
        yield f"{first_of(moved, 3)} changed while {record.name} ran: if it didn't do that itself, write --again once."
    if record.unkept and record.unkept != known:
        yield f"{record.name} isn't kept: {record.unkept}. It is computed each time."
    if record.changes:
        names = listed([repr(name) for name in record.changes])
        told = "Run again by itself, it starts from what it has made: give its result a name of its own."
        yield f"{record.name} changes what it reads: {names}. {told}"
    if not record.unkept and (told := _varies(tree)):
        until = "its values stay as they are until its code or inputs change; --again computes it"
        yield f"{record.name} uses {told}: {until}."


def _varies(tree: ast.Module) -> str:
    """What in a cell is another each time, in words."""
    every = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    calls = [node for node in every if isinstance(node.func, ast.Attribute)]
    names = {(node.func.attr, ast.unparse(node.func.value)) for node in calls if isinstance(node.func, ast.Attribute)}
    found = ["the time or a name made up"] if any(name in _NOW for name, _ in names) else []
    found += ["the time"] if ("time", "time") in names and not found else []
    modules = {"random", "np.random", "numpy.random"}
    seeded = any(name in ("seed", "manual_seed") for name, _ in names)
    drawn = any(name in _RANDOM and owner in modules for name, owner in names)
    if not seeded and (drawn or any(map(_draws, every))):
        found.append("random numbers without a seed in its cell")
    return listed(found)


def _draws(call: ast.Call) -> bool:
    """Whether it draws of a table, and isn't told how: `df.sample(3)`, `train_test_split(df)`."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in _DRAWS and not any(word.arg in ("random_state", "seed", None) for word in call.keywords)


def _of_items(items: Any) -> Fingerprint:
    """Raises `InvalidSpec` for items that are gone once they were looked at."""
    if isinstance(items, Iterator):
        raise InvalidSpec("A step can't map over a generator", "its items can be had once", "Make a list of it.")
    return fingerprint(items)


def _spelled(variable: str, value: Any) -> str:
    if " " in variable:
        return variable
    return f"{variable!r}{OR_USED}" if isinstance(value, FunctionType) else repr(variable)


def _installed(payload: RunPayload) -> dict[str, str]:
    """Versions of what it uses, whether that is loaded here yet or not."""
    brought = _brought(payload)
    named = {name.partition(".")[0] for name in imports_from(brought, payload.uses, lazy=True)}
    used = named - {"__main__", _OWN, *sys.stdlib_module_names, *(name.partition(".")[0] for name in brought)}
    versions = versions_of(sorted(used))
    return {name: versions[name] for name in ["python", *sorted(used)] if versions[name] not in ("", "?")}


def _modules(payload: RunPayload) -> dict[str, str]:
    """Those beside the notebook that it reaches; others travel, too, since the notebook has them."""
    brought = _brought(payload)
    return {f"{name}.py": _text_digest(brought[name].text) for name in reached(brought, payload.uses)}


def _trees(payload: RunPayload) -> Iterator[tuple[ast.Module, str]]:
    """The code of the modules that it reaches, each with its file."""
    brought = _brought(payload)
    for name in reached(brought, payload.uses):
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            yield ast.parse(brought[name].text), brought[name].path


def _brought(payload: RunPayload) -> dict[str, Module]:
    return {name: Module(*module) for name, module in payload.head["modules"].items()}


def _settings(payload: RunPayload) -> dict[str, str]:
    """Settings of libraries that somebody has changed, which travel, too."""
    found = {}
    for name in sorted(_DECIDE.keys() & payload.packages & payload.head["settings"].keys()):
        settings = pickle.loads(payload.head["settings"][name])  # noqa: S301 - made here
        own = {key: value for key, value in settings.items() if key.startswith(_DECIDE[name])}
        if changed := {key: value for key, value in own.items() if key not in _USUAL or value != _USUAL[key]}:
            found[f"settings of {name}"] = repr(sorted(changed.items()))
    return found


def _text_digest(text: str) -> str:
    """Of a module: what it says, however it is written."""
    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        text = ast.dump(ast.parse(text))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


def _texts_of(tree: ast.Module, file: str = "") -> set[str]:
    """The texts that stand in code, or for its names; with the folders of the file that it stands in, if it asks."""
    nodes = list(ast.walk(tree))
    found = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    names = {node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "") for node in nodes}
    folders = Path(file).parents[:2] if "__file__" in names and file else ()
    return {*found, *texts_by(names), *map(str, folders)}
