"""The cells of a notebook's file, and which of them are steps."""

from __future__ import annotations

import ast
import builtins
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..client.runs.split import split, unquoted
from ..client.send.capture import Names, names_of, stars
from ..client.send.mutation import changed_in_place
from ..client.send.syntax import parse
from ..client.send.texts import names_in_texts
from ..core.errors import InvalidSpec, MlopsError, NotFound, Unreadable
from ..core.step import check_step_name
from .written import entered, reads_files, writes_files

#: Magics that take a whole cell as it is.
_AROUND = re.compile(r"\s*%%(time|capture)\b.*")

#: How the line of a step's cell begins; in a plain Python file it is a remark.
_MLRUN = re.compile(r"\s*(?:# ?)?%%mlrun\b(.*)")

#: How a cell of a plain Python file begins.
_PERCENT = re.compile(r"# ?%%")

#: Lines of a notebook's own commands, help among them: those that may set variables that nobody can see, those that
#: are in front of code, and those that set a variable.
_COMMAND = re.compile(r"\s*(?:[%!?]|(?:pip|conda|mamba) \w|[\w.*]+\?{1,2}\s*$)")
_HIDDEN, _TIMED = re.compile(r"\s*%(run|store|load)\b"), re.compile(r"\s*%time\s+(.+)")
SET_BY_COMMAND = re.compile(r"(\s*[\w, ]+=\s*)[%!]")

#: What stands for such a line.
LEFT_OUT = "..."

#: What decides how others behave, whoever changes it.
_OF_ALL = frozenset({"os", "sys"})


@dataclass(frozen=True, eq=False)
class CodeCell:
    """A cell of code.

    Parameters
    ----------
    number : of the cells of code in its notebook, from 1 on.
    source : as it is written.
    options : those of its `%%mlrun`; None for a cell that has none.
    body : without magics.
    """

    number: int
    source: str
    options: dict[str, str] | None
    body: str

    @property
    def step(self) -> str:
        """The name of the step that it is; empty for a cell that is none."""
        return (self.options or {}).get("--step", "")

    @property
    def label(self) -> str:
        """What it is called."""
        return f"step {self.step}" if self.step else f"cell {self.number}"

    @property
    def item(self) -> str:
        """What it calls the item of its map; empty where it has none."""
        return (self.options or {}).get("--as", "item") if self.items else ""

    @property
    def items(self) -> str:
        """What its map is over, as it is written; empty where it has none."""
        return (self.options or {}).get("--map", "")

    @property
    def out(self) -> list[str]:
        """The names that `--out` says."""
        names = (self.options or {}).get("--out", "").split(",")
        return [name.strip().partition("@")[0] for name in names if name.strip()]

    @cached_property
    def tree(self) -> ast.Module:
        """Its code; nothing, where that can't be parsed."""
        try:
            return parse(self.body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ast.Module([], [])

    @cached_property
    def fault(self) -> str:
        """Why that is nothing; empty where it is Python."""
        try:
            parse(self.body)
        except SyntaxError as error:
            return f"line {error.lineno} of its code: {error.msg}"
        except (ValueError, RecursionError, MemoryError) as error:
            return str(error) or "it is nested too deeply"
        return ""

    @cached_property
    def saves(self) -> tuple[str, ...]:
        """The models that it saves a version of; empty for one whose name doesn't stand in it."""
        calls = (node for node in ast.walk(self.tree) if isinstance(node, ast.Call))
        return tuple(_named_model(call) for call in calls if _name_of(call.func) == "save_model")

    @cached_property
    def _names(self) -> Names:
        return names_of(self.tree, {self.item} - {""})

    @cached_property
    def reads(self) -> frozenset[str]:
        """The names that it takes from cells before it."""
        return self._names.reads | ({self.items} if self.items.isidentifier() else frozenset())

    @cached_property
    def may_read(self) -> frozenset[str]:
        """Those that its texts may mean, besides, the items of its map, if they are no pattern, and names of files."""
        tree = _expression(self.items) if self.items else None
        found = names_in_texts(self.tree) | (names_of(tree).reads if tree is not None else frozenset())
        return (found | reads_files(self.tree)) - self.reads

    @cached_property
    def makes(self) -> frozenset[str]:
        """The names that it sets, or whose objects it changes; and those of files that it writes, which no variable
        has."""
        if self.items or self.out:
            return writes_files(self.tree).union(self.out)
        changed = frozenset(changed_in_place(self.tree)) | self._handed_over
        return writes_files(self.tree).union(self._names.assigns, changed & self.reads)

    @cached_property
    def _handed_over(self) -> frozenset[str]:
        """What it gives to functions of which it takes nothing: `prepare(table)` may change the table."""
        calls = [
            node.value for node in self.tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        ]
        own = [call for call in calls if isinstance(call.func, ast.Name) and not _only_shows(call.func.id)]
        given = [each for call in own for each in [*call.args, *(word.value for word in call.keywords)]]
        return frozenset(each.id for each in given if isinstance(each, ast.Name))

    @cached_property
    def values(self) -> tuple[str, ...]:
        """The names that it makes, without those of what it imports."""
        imports = [node for node in self.tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
        named = {(alias.asname or alias.name).partition(".")[0] for node in imports for alias in node.names}
        shown = self.makes - named - writes_files(self.tree) - entered(self.tree)
        return tuple(sorted(shown if self.out else shown - (self._handed_over - frozenset(self._names.assigns))))

    @cached_property
    def hides_names(self) -> bool:
        """Whether it sets names that can't be seen."""
        return bool(stars(self.tree)) or any(_HIDDEN.match(line) for line in self.source.splitlines())

    @property
    def is_for_all(self) -> bool:
        """Whether it sets such names, or what others depend on without a name, like `sys.path`."""
        return self.hides_names or bool(_OF_ALL & set(changed_in_place(self.tree)))


def read_cells(path: Path) -> list[CodeCell]:
    """The cells of code of a notebook, or of a plain Python file whose cells begin with `# %%`.

    Raises
    ------
    NotFound : there is no such file.
    Unreadable : it is no notebook.
    InvalidSpec : a step's line can't be read; it names the cell.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"There is no notebook {path}", "", "Save it first, or look at the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path} can't be read", str(error), "") from None
    sources = _of_python(text) if path.suffix == ".py" else _of_notebook(path, text)
    return [cell_of(number, source) for number, source in enumerate(sources, start=1)]


def cell_of(number: int, source: str) -> CodeCell:
    """A cell from its text. Raises `InvalidSpec`."""
    lines = source.splitlines()
    first = next((at for at, line in enumerate(lines) if line.strip() and not _AROUND.fullmatch(line)), len(lines))
    match = _MLRUN.match(lines[first]) if first < len(lines) else None
    if match is None:
        return CodeCell(number, source, None, _without_commands(source))
    try:
        options = {option: value if option == "--map" else unquoted(value) for option, value in split(match[1])}
        if "--step" in options:
            check_step_name(options["--step"])
    except MlopsError as error:
        raise InvalidSpec(f"Cell {number} can't be read: {error.what}", error.why, error.todo) from None
    return CodeCell(number, source, options, "\n".join(lines[first + 1 :]))


def _without_commands(source: str) -> str:
    """The code of a cell without the notebook's own commands; what `%time` is in front of is code."""
    if _is_python(source):
        return source
    lines, goes_on = list[str](), False
    for line in source.splitlines():
        plain = LEFT_OUT if goes_on else _plain(line)
        goes_on = plain.strip() == LEFT_OUT and line.rstrip().endswith("\\")
        lines.append(plain)
    body = "\n".join(lines)
    return "" if body.lstrip().startswith("%%") else body


def _plain(line: str) -> str:
    """A line without a command; `files = !ls` sets a name all the same."""
    indent = line[: len(line) - len(line.lstrip())]
    if timed := _TIMED.fullmatch(line):
        return f"{indent}{timed[1]}"
    if _COMMAND.match(line) and not line.lstrip().startswith("%%"):
        return f"{indent}{LEFT_OUT}"
    match = SET_BY_COMMAND.match(line)
    return f"{match[1]}None" if match else "" if _AROUND.fullmatch(line) else line


def _is_python(text: str) -> bool:
    try:
        parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _of_notebook(path: Path, text: str) -> list[str]:
    try:
        cells: list[dict[str, Any]] = json.loads(text)["cells"]
        return ["".join(each["source"]) for each in cells if each["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError):
        raise Unreadable(f"{path} can't be read", "it is no notebook", "") from None


def _of_python(text: str) -> list[str]:
    """Each cell, whose `# %%mlrun` is its first line; the other lines that begin with `# %%` are titles."""
    cells: list[list[str]] = [[]]
    for line in text.splitlines():
        if _PERCENT.match(line):
            cells.append([line] if _MLRUN.match(line) else [])
        else:
            cells[-1].append(line)
    return ["\n".join(lines) for lines in cells if any(line.strip() for line in lines)]


def _named_model(call: ast.Call) -> str:
    """The name that a call of `save_model` gives the model; empty where it is no text."""
    named = [*call.args[1:2], *(word.value for word in call.keywords if word.arg == "name")]
    value = named[0].value if named and isinstance(named[0], ast.Constant) else ""
    return value if isinstance(value, str) else ""


def _name_of(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _only_shows(function: str) -> bool:
    """Whether a function changes nothing that it is given: one of Python's, or of the notebook itself."""
    return function == "display" or hasattr(builtins, function)


def _expression(text: str) -> ast.Module | None:
    try:
        return parse(text)
    except SyntaxError:  # a pattern of files
        return None
