"""`%%mlrun`: from a cell and its options to a run, and its results into the notebook's variables."""

from __future__ import annotations

import argparse
import ast
import io
import keyword
import sys
import tokenize
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from IPython.utils.text import DollarFormatter

from ..agent.pickling import dumps
from ..client.runs.execution.arrived import arrived
from ..client.runs.execution.channel import Display
from ..client.runs.execution.outcomes import FailedItem
from ..client.runs.launch import launch
from ..client.runs.options import Options, of_gang, parse_seconds, parse_workers
from ..client.runs.origin import number_of_cell, origin_of_kernel
from ..client.runs.run import Run
from ..client.runs.split import VALUED, split, unquoted
from ..client.runs.view import View, display
from ..client.send.capture import parse_cell
from ..client.send.payload import RunPayload, ship_body, ship_cell
from ..core.errors import InvalidSpec, RunError, RunFailed
from ..core.run import FINAL, RESTARTS
from ..core.step import StepRecord, check_step_name
from ..core.words import count, listed
from ..pipelines.shown import ListeningView, shown_again
from ..pipelines.steps import StepAtHand, path_of_notebook, remarks, told_of
from ..pipelines.written import entered
from .errors import hide_own_frames
from .expression import evaluate
from .progress import view_for
from .renew import renew


def run_cell(shell: Any, parser: Any, line: str, cell: str) -> Any:
    """Run `cell` as the magic's `line` says; returns what is shown as the cell's output."""
    return hide_own_frames(shell, lambda: CellRun(shell, arguments(parser, line, shell.user_ns), cell).result())


def arguments(parser: Any, line: str, space: dict[str, Any]) -> argparse.Namespace:
    """The options of the magic's `line`. As in any magic, `{name}` and `$name` stand for the notebook's variables, but
    for the expression of `--map`, which has braces of its own.

    Raises
    ------
    InvalidSpec : as `split`.
    UsageError : IPython's: a value isn't one of those that an option takes.
    """
    words = []
    for option, value in split(line):
        text = value if option == "--map" else unquoted(_expanded(value, space))
        words.append(f"{option}={text}" if option in VALUED or text else option)
    args: argparse.Namespace = parser.parse_args(words)
    return args


def _expanded(text: str, space: dict[str, Any]) -> str:
    if "{" not in text and "$" not in text:
        return text
    try:
        return str(DollarFormatter().vformat(text, [], space))
    except Exception:  # noqa: BLE001 - as IPython does: what can't be filled in stays as it is written
        return text


class CellRun:
    """One execution of a `%%mlrun` cell."""

    def __init__(self, shell: Any, args: argparse.Namespace, cell: str) -> None:
        self._shell, self._args, self._cell = shell, args, cell
        self._options = options_of(args)
        args.of_all = []
        self._check_combinations()
        self._check_step()
        source = "\n" + cell  # the magic's own line comes first, so that line numbers are those of the notebook
        filename = shell.compile.cache("%%mlrun" + source, number_of_cell(shell))
        tree = parse_cell(source, filename)
        compile(tree_for_check(tree, args.map is not None), filename, "exec", dont_inherit=True, flags=_AWAIT)
        self._tree = parse_cell(cell, filename) if args.step is not None else tree  # shipping a map changes it
        self._payload = self._ship(source, tree, filename)

    def _check_combinations(self) -> None:
        args = self._args
        if args.item and args.map is None:
            raise InvalidSpec("--as needs --map", "it names the item of a map", "Add --map ITEMS.")
        if args.item:
            args.item = _checked("--as", args.item, "Use a name like item.")
        sizes = {"--pilot": args.pilot, "--by": args.by, "--for": args.money}
        for option in [option for option, value in sizes.items() if value is not None and args.map is None]:
            raise InvalidSpec(f"{option} needs --map", "sizes are tried with the items of a map", "Add --map ITEMS.")
        if args.map is not None and args.gang is not None:
            raise InvalidSpec("--map and --gang can't be combined", "a gang is one program", "Leave one of them out.")
        if args.out:
            words = [name.partition("@") for name in _names(args.out) or []]
            args.of_all = [name for name, _, of in words if of == "all" and args.gang is not None]
            if any(at and name not in args.of_all for name, at, _ in words):
                raise InvalidSpec(f"--out can't be {args.out!r}", "", "NAME@all goes with --gang: of each rank.")
            args.out = ",".join(_checked("--out", name, "Use names like a,b.") for name, _, _ in words)
        if args.map is not None and args.out and "," in args.out:
            raise InvalidSpec(f"--out can't be {args.out!r}", "a map has one list of results", "Use one name.")

    def _check_step(self) -> None:
        args = self._args
        if args.again and args.step is None:
            raise InvalidSpec("--again needs --step", "only what a step has made is kept", "Add --step NAME.")
        if args.step is None:
            return
        check_step_name(args.step)
        others = {"--detach": args.detach, "--keep": args.keep}
        for option in [option for option, used in others.items() if used]:
            why = "the values of a step come to the notebook, and are kept"
            raise InvalidSpec(f"--step and {option} can't be combined", why, "Leave one of them out.")

    def _ship(self, source: str, tree: Any, filename: str) -> RunPayload:
        space = self._shell.user_ns
        if self._args.map is not None:
            payload = ship_body(source, tree, filename, space, self._args.item or "item", self._say)
        else:
            payload = ship_cell(source, tree, filename, space, _names(self._args.out), self._say)
            payload.head["of_all"] = self._args.of_all
        payload.code = self._cell
        return payload

    def result(self) -> Any:
        """Run it, and put what comes back where it belongs. The values of a step may be there already."""
        values = evaluate(self._args.map, self._shell.user_ns) if self._args.map is not None else None
        step = self._step(values) if self._args.step is not None else None
        if step is not None:
            if not self._args.again and (found := step.kept()) is not None:
                return self._from_kept(step, *found)
            if not self._args.again and (why := step.why()):
                self._say(why)
        run = launch(self._payload, values, self._options, origin_of_kernel(), self._say)
        self._shell.user_ns["_mlrun"] = run
        if self._options.detach:
            return self._detached(run)
        view = view_for(self._options.quiet)
        heard = ListeningView(view)
        try:
            self._follow(run, view if step is None else heard)
        except RunFailed:
            self._bring_so_far(run)
            raise
        finally:
            if step is not None and run.state != "done":
                step.failed(run, run.record.error or run.state)
        if step is not None:
            return self._of_step(step, run, heard.heard())
        return self._map_result(run) if self._args.map is not None else self._cell_result(run)

    def _step(self, items: Any) -> StepAtHand:
        args = self._args
        options = {"map": args.map, "as": args.item, "out": args.out, "gang": args.gang, "per-worker": args.per_worker}
        notebook = path_of_notebook(origin_of_kernel().notebook)
        return StepAtHand(notebook, args.step, self._tree, self._payload, self._shell.user_ns, options, items)

    def _of_step(self, step: StepAtHand, run: Run, heard: list[dict[str, Any]]) -> Any:
        """What the cell shows, once what it has made is kept, with what it printed and displayed."""
        if self._args.map is not None:
            shown, names = self._map_result(run), [self._args.out] if self._args.out else []
            unkept = f"{count(len(run.errors), 'item')} raised" if run.errors else ""
            given: dict[str, Any] = {} if unkept else {"results": dumps(run.result(view=view_for(quiet=True)))}
        else:
            given = self._given(run)
            if "refused" in given:
                given["refused"] = _missed(given["refused"], self._tree)
            quiet = self._options.quiet  # else what isn't kept is said in one line
            names, shown = self._bring(given if quiet else _without_refused(given)), self._cell_shown(given)
            stayed = [f"{name!r}, a {kind}, can't travel" for name, kind in given.get("refused", {}).items()]
            unkept = listed(stayed)
        record = step.keep({**given, "heard": heard}, self._now(names), run, unkept)
        for remark in remarks(record, self._tree, step.moved, step.known):
            self._say(remark)
        return shown

    def _from_kept(self, step: StepAtHand, record: StepRecord, given: dict[str, Any]) -> Any:
        """The same, of what a step has made before."""
        self._say(told_of(record))
        view_for(self._options.quiet).show(None, shown_again(given.get("heard", ())))
        if "results" in given:
            results = arrived(given["results"], kept=True)
            names, shown = [self._args.out] if self._args.out else [], self._map_shown(results)
        else:
            names, shown = self._bring(given, kept=True), self._cell_shown(given, kept=True)
        step.taken(record, self._now(names))
        return shown

    def _now(self, names: Iterable[str]) -> dict[str, Any]:
        space = self._shell.user_ns
        return {name: space[name] for name in names if name in space}

    def _say(self, text: str) -> None:
        if not self._options.quiet:
            print(text)

    def _follow(self, run: Run, view: View) -> None:
        try:
            run.wait(view=view)
        except KeyboardInterrupt:
            if run.state not in FINAL:
                run.cancel("the kernel was interrupted")
                run.wait(timeout=20, view=view)
        run.check()

    def _detached(self, run: Run) -> Run | None:
        self._say(
            f"{run.name!r} runs on {run.cluster!r} without this notebook. "
            f"Its result, from anywhere: mlops.get_run({run.id!r}).result()"
        )
        if self._args.out and self._args.map is not None:
            self._shell.user_ns[self._args.out] = run
        return run

    def _map_result(self, run: Run) -> Any:
        results = run.result(view=view_for(quiet=True))
        self._say_failures(run)
        return self._map_shown(results)

    def _map_shown(self, results: Any) -> Any:
        if self._args.out:
            self._shell.user_ns[self._args.out] = results
            return None
        return None if _hides_value(self._cell) else results

    def _say_failures(self, run: Run) -> None:
        errors = run.errors
        if not errors or self._options.quiet:
            return
        lines = [
            f"{len(errors):,} of {run.record.done + run.record.failed:,} items raised; each has a "
            f"{FailedItem.__name__} in the results. The first:"
        ]
        lines += [f"  item {error.index}: {error.item} → {error.error}" for error in errors[:5]]
        if errors[0].traceback:
            lines.append(errors[0].traceback.rstrip())
        print("\n".join(lines), file=sys.stderr)

    def _cell_result(self, run: Run) -> Any:
        if self._options.keep:
            self._shell.user_ns.update(run.kept_names())
            return None
        given = self._given(run)
        self._bring(given)
        return self._cell_shown(given)

    def _cell_shown(self, given: dict[str, Any], kept: bool = False) -> Any:
        if not given["has_value"] or _hides_value(self._cell):
            return None
        return arrived(given["value"], kept) if given["value"] is not None else _Appearance(given["bundle"])

    def _given(self, run: Run) -> dict[str, Any]:
        """What a cell gave, as plain data; in a gang with what is asked of all ranks."""
        of_all = self._args.of_all and "refused" in run.given  # a rank that failed has none
        ranks = [each["names"] for each in run.of_ranks()] if of_all else []
        return {**{name: run.given[name] for name in _OF_CELLS if name in run.given}, "ranks": ranks}

    def _bring_so_far(self, run: Run) -> None:
        """As in a plain cell, what came before its error is done."""
        try:
            self._bring(self._given(run))
        except Exception as error:  # noqa: BLE001 - a user's class may raise anything; the cell's own error comes next
            why = f"{type(error).__name__}: {error}"
            print(f"What the cell had assigned before its error can't be read here: {why}", file=sys.stderr)

    def _bring(self, given: Mapping[str, Any], kept: bool = False) -> list[str]:
        """Put the names that come back where they belong. Returns them. `kept` is as for `arrived`."""
        if "refused" not in given:  # a map's, or one of which nothing comes back
            return []
        values: dict[str, Any] = arrived(given["names"], kept)
        if self._args.of_all:
            ranks = [arrived(each, kept) for each in given["ranks"]]
            values |= {name: [names.get(name) for names in ranks] for name in self._args.of_all}
        renew(self._shell.user_ns, values, given.get("changed", ()))
        for name in given.get("deleted", ()):
            self._shell.user_ns.pop(name, None)
        for name, kind in given["refused"].items():
            print(f"{name!r} stayed on the worker: a {kind} can't travel.", file=sys.stderr)
        return list(values)


def _missed(refused: Mapping[str, str], tree: ast.Module) -> dict[str, str]:
    """What stayed on the worker of what somebody may need: what is closed again, and what updates a display, is not."""
    closed = entered(tree)
    return {name: kind for name, kind in refused.items() if name not in closed and not kind.endswith(_HANDLE)}


def _without_refused(given: dict[str, Any]) -> dict[str, Any]:
    return {**given, "refused": {}} if "refused" in given else given


def _checked(option: str, name: str, todo: str) -> str:
    """A variable's name as Python itself spells it.

    Raises
    ------
    InvalidSpec : it is none.
    """
    if keyword.iskeyword(name):
        raise InvalidSpec(f"{option} can't be {name!r}", "it is a word of Python's own", todo)
    if not name.isidentifier():
        raise InvalidSpec(f"{option} can't be {name!r}", "it is a variable's name", todo)
    return unicodedata.normalize("NFKC", name)


#: What is taken over of what a cell gives.
_OF_CELLS = ("names", "refused", "changed", "deleted", "value", "bundle", "has_value")

#: What `display` gives on a worker.
_HANDLE = ".displays.Handle"

_AWAIT = 0x2000  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


def tree_for_check(tree: Any, mapped: bool) -> Any:
    """What must compile: the cell; of a map's body, where `return` and `await` are fine, as a function."""
    import ast

    if not mapped:
        return tree
    module = ast.parse("async def cell(): pass")
    function = module.body[0]
    assert isinstance(function, ast.AsyncFunctionDef)
    function.body = tree.body or function.body
    return module


def options_of(args: argparse.Namespace) -> Options:
    """The options as they were written.

    Raises
    ------
    InvalidSpec : one has a wrong type or range.
    """
    return Options(
        name=args.name or args.step or None,
        cluster=args.cluster,
        workers=parse_workers(args.workers) if args.workers is not None else None,
        group=args.group,
        timeout=parse_seconds(args.timeout) if args.timeout is not None else None,
        budget=_money("--budget", args.budget),
        retries=args.retries,
        detach=args.detach,
        quiet=args.quiet,
        keep=args.keep,
        on_error=args.on_error,
        sync=args.sync,
        **(_gang(args.gang) if args.gang is not None else {}),
        per_worker=_number("--per-worker", args.per_worker) if args.per_worker is not None else None,
        restarts=_number("--restarts", args.restarts) if args.restarts is not None else RESTARTS,
        checkpoint=args.checkpoint,
        fresh=args.fresh,
        resume=args.resume,
        hang=_hang(args.hang) if args.hang is not None else None,
        pilot=args.pilot,
        by=args.by,
        money=_money("--for", args.money),
    )


def _money(option: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise InvalidSpec(f"{option} can't be {text!r}", "it is a sum", f"Write it like {option} 20.") from None


def _hang(text: str) -> float:
    return 0.0 if text == "off" else parse_seconds(text, "hang")


def _gang(text: str) -> dict[str, Any]:
    numbers = [_number("--gang", number) for number in text.split(":", 1)]
    return of_gang(numbers if len(numbers) > 1 else numbers[0])


def _number(option: str, text: str) -> int:
    if not text.isdecimal():
        raise InvalidSpec(f"{option} can't be {text!r}", "it is a number", f"Write it like {option} 2.")
    return int(text)


def _names(out: str | None) -> list[str] | None:
    return [name.strip() for name in out.split(",") if name.strip()] if out else None


def _hides_value(cell: str) -> bool:
    """Whether the cell ends with a semicolon, which hides its value."""
    last = ""
    try:
        for token in tokenize.generate_tokens(io.StringIO(cell).readline):
            if token.type not in (tokenize.COMMENT, tokenize.NEWLINE, tokenize.NL, tokenize.ENDMARKER, tokenize.DEDENT):
                last = token.string
    except tokenize.TokenError:
        return False
    return last == ";"


class _Appearance:
    """A value that couldn't travel, as it looked on the worker."""

    def __init__(self, bundle: dict[str, Any]) -> None:
        self._bundle = bundle

    def _ipython_display_(self) -> None:
        display(Display(self._bundle, None, update=False))

    def __repr__(self) -> str:
        return str(self._bundle.get("text/plain", ""))


__all__ = ["CellRun", "RunError", "options_of", "run_cell"]
