"""Models as their users hold them: `mlops.save_model`, `mlops.model`, `mlops.models`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..core.errors import Unavailable
from ..core.gate import GateRules, Verdict
from ..core.model import Baseline, Finding, Measured, ModelState, ModelVersion, PackageCheck
from ..core.price import Cost
from ..core.trail import TrailEntry
from ..home.models import ModelFolder, model_folder
from ..tracking.child import bring_models
from .describe import describe
from .find import find_model, find_version, search
from .lines import cost_of, line, model_lines
from .load import load, verify, verify_trail

#: Seconds that MLflow is waited for.
_PATIENCE = 120.0


def save_model(
    model: Any,
    name: str,
    *,
    valid: Any = None,
    train: Any = None,
    example: Any = None,
    metrics: Mapping[str, float] | None = None,
    task: str | None = None,
    run: Any = None,
    note: str = "",
    keep_rows: bool = True,
    tags: Iterable[str] = (),
    description: str | None = None,
) -> Version:
    """Save a model as a new version, in a notebook or in the code of a run on this machine.

    Parameters
    ----------
    model : an estimator or pipeline of scikit-learn, a module of PyTorch, a booster, an object with `predict`, or a
        function of rows; or a run whose result is one of these.
    name : of the model: up to 48 small letters, digits and dashes.
    valid : (X, y), rows that it wasn't trained on, of which metrics, example, signature and, without `train`, the
        baseline are taken. Of more than 100,000 rows a part is.
    train : X or (X, y), rows that it was trained on, for the baseline and their digest.
    example : rows by which it is tried when it is loaded; default: the first five.
    metrics : numbers that were measured elsewhere, by name.
    task : classification, regression or other; default: what model and y look like.
    run : the run that made it; default: the one in whose code this is called.
    note : a sentence for people.
    keep_rows : whether the held-out rows are kept in the version's folder, so that a later version can be compared on
        them (up to 64 MB). Without them their digest and the answers to them are.
    tags : by which others find the model; they are added to those that it has.
    description : what the model is for; default: as it was.

    Raises
    ------
    InvalidInput : it is no model, has such no name, or can't answer `valid`, which isn't whole.
    NotPicklable : names what of it can't be pickled.
    Conflict : this code runs where the home folder isn't.
    StorageFull, Refused : nothing was kept.
    """
    from .save import save

    if hasattr(model, "record") and hasattr(model, "result"):  # a run
        run, model = (model if run is None else run), model.result()
    record = save(
        model,
        name,
        valid=valid,
        train=train,
        example=example,
        metrics=metrics,
        task=task,
        run=run,
        note=note,
        keep_rows=keep_rows,
        tags=tags,
        description=description,
    )
    return Version(model_folder(name), record)


def model(name: str) -> Model:
    """The model of that name, from any kernel.

    Raises
    ------
    UnknownModel : there is none; a near name is suggested.
    """
    return Model(find_model(name))


def models(text: str = "", *, owner: str | None = None, tag: str | None = None, mlflow: bool = False) -> Models:
    """Models, by name; as a list that shows itself, a line each.

    Parameters
    ----------
    text : only those that have all of these words in their name, owner, tags, description, metric or the gates that
        they failed, as the sidebar's filter does.
    owner, tag : only those of this owner, or with this tag, in any case of letters.
    mlflow : whether MLflow is asked first for versions that others have registered there, which takes seconds; else
        those are listed that were seen the last time.

    Raises
    ------
    Unavailable : MLflow can't be asked.
    """
    if mlflow and not bring_models(_PATIENCE):
        raise Unavailable("MLflow can't be asked for its models", "", "Look at the tracking URI in the settings.")
    return Models(map(Model, search(text, owner, tag)))


class Version:
    """A version of a model. It never changes."""

    def __init__(self, folder: ModelFolder, record: ModelVersion) -> None:
        self._folder = folder
        self.record = record

    @property
    def name(self) -> str:
        """As people name it: "churn@3"."""
        return self.record.name

    @property
    def number(self) -> int:
        """Its number, from 1 on."""
        return self.record.number

    @property
    def metrics(self) -> dict[str, Measured]:
        """Its metrics on the held-out rows, each with `value`, and the 95 % interval from `low` to `high`."""
        return self.record.metrics

    @property
    def path(self) -> Path:
        """The folder of its artifact, which `mlflow.pyfunc.load_model` takes, too."""
        return self._folder.version(self.number).artifact

    @property
    def card(self) -> str:
        """Its card, in Markdown."""
        return self._folder.version(self.number).card()

    @property
    def baseline(self) -> Baseline | None:
        """What its data looked like."""
        return self._folder.version(self.number).baseline()

    @property
    def cost(self) -> Cost | None:
        """What the run cost that made it; None where it wasn't made by one."""
        return cost_of(self.record)

    def notebook(self, folder: str | Path | None = None) -> Path:
        """Write a copy of the notebook that it was saved from, as that was, beside yours; where it lies.

        It is as it had been saved last, without outputs, and says so in a cell before the others. No file is written
        over.

        Parameters
        ----------
        folder : default: where this process works, which is the folder of its notebook.

        Raises
        ------
        NotFound : none is kept: it wasn't saved from a notebook, or that couldn't be read, or had more than 5 MB.
        StorageFull, Refused
        """
        from .notebook import write_copy

        return write_copy(self._folder.version(self.number), self.record, Path(folder or ".").absolute())

    def load(self) -> Any:
        """The model, once its files are seen to be those that were saved, and its example to give its stored answer.

        Warns where the environment differs, and says how.

        Raises
        ------
        ModelChanged : a file or the example's answer has changed.
        Refused : others could have written it, or registered it in MLflow.
        Conflict : it can't be loaded in this environment.
        """
        return load(self._folder, self.record)

    def verify(self) -> list[Finding]:
        """Whether files, environment and trail are as they were; nothing is loaded."""
        return verify(self._folder, self.record)

    def check_packages(self) -> PackageCheck:
        """Look its packages up for known weaknesses, by pip-audit, which asks PyPI; the answer is kept.

        Raises
        ------
        Unavailable : pip-audit isn't installed, or can't ask.
        """
        from .promote import check_packages

        return check_packages(self._folder, self.record)

    def __repr__(self) -> str:
        champion = self._folder.aliases().champion == self.number
        return f"<{line(self.record, champion, time.time())}>"


class Model:
    """A model: its versions, and which of them its name means."""

    def __init__(self, folder: ModelFolder) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        """Its name."""
        return self._folder.name

    @property
    def state(self) -> ModelState:
        """All that is known of it now."""
        return self._folder.state()

    @property
    def versions(self) -> list[Version]:
        """Its versions, the newest first; those that others registered in MLflow at the end."""
        return [Version(self._folder, record) for record in self.state.versions]

    @property
    def champion(self) -> Version | None:
        """The version that was promoted last; None where none was."""
        found = self.state.champion
        return None if found is None else Version(self._folder, found)

    def version(self, number: int | str | None = None) -> Version:
        """A version by its number, or "champion"; the newest by default. Raises `UnknownVersion`."""
        return Version(self._folder, find_version(self._folder, number))

    def load(self, number: int | str = "champion") -> Any:
        """The model of a version, the champion's by default; raises as `Version.load`, and `UnknownVersion`."""
        return self.version(number).load()

    @property
    def owner(self) -> str:
        """Whose it is, as `describe` said; else who saved its champion, or its newest version."""
        return self.state.owner

    @property
    def tags(self) -> list[str]:
        """Its tags."""
        return self._folder.description().tags

    @property
    def description(self) -> str:
        """What it is for."""
        return self._folder.description().text

    def describe(self, text: str | None = None, *, owner: str | None = None, why: str = "") -> None:
        """Say what it is for, or whose it is, so that others find it; what isn't given stays.

        Parameters
        ----------
        text : up to 500 characters.
        owner : a person or a team; "" is who saved its champion.
        why : for the trail.

        Raises
        ------
        InvalidInput, StorageFull, Refused
        """
        describe(self._folder, text=text, owner=owner, why=why)

    def tag(self, *tags: str, why: str = "") -> None:
        """Add tags, of up to 40 characters each; a model has 20 at most. Raises as `describe`."""
        describe(self._folder, add=tags, why=why)

    def untag(self, *tags: str, why: str = "") -> None:
        """Take tags away. Raises as `describe`."""
        describe(self._folder, remove=tags, why=why)

    @property
    def gates(self) -> GateRules:
        """What a version has to fulfil to become the champion."""
        return self._folder.rules()

    def set_gates(self, *, why: str = "", **rules: Any) -> GateRules:
        """Set the gates: those that are given, and no others.

        Parameters
        ----------
        why : for the trail.
        rules : `metrics={"accuracy": {"least": 0.8}}`, `improvement={"metric": "accuracy", "least": 0.005}`,
            `latency="0.05 s"`, `size="200 MB"`, `slices=[{"column": "region", "metric": "accuracy", "least": 0.7}]`,
            `packages={"licences": ["BSD", "MIT"], "forbidden": ["x"], "checked_within": "30d"}`.

        Raises
        ------
        InvalidSpec : names what is wrong with them.
        """
        from .promote import set_rules

        return set_rules(self._folder, rules, why)

    def judge(self, number: int | str | None = None, valid: Any = None) -> Verdict:
        """How a version does at the gates, by default the newest; nothing is changed, and no trail written."""
        from .judge import judge

        champion = self._folder.aliases().champion
        compared = None if champion is None else find_version(self._folder, champion)
        return judge(self._folder, find_version(self._folder, number), compared, self.gates, valid)

    def promote(
        self, number: int | str | None = None, *, why: str = "", override: str = "", valid: Any = None
    ) -> Verdict:
        """Make a version the champion, which the model's name then means; by default the newest.

        Parameters
        ----------
        why : for the trail.
        override : why it is promoted though it fails a gate; in the trail, with the gates' figures.
        valid : (X, y), other held-out rows for the comparison than those that it was saved with.

        Raises
        ------
        GatesFailed : it fails a gate; says which, with figures. That it was refused is in the trail.
        Conflict : somebody has promoted another version meanwhile.
        ModelChanged : a file isn't the one that was saved.
        UnknownVersion, InvalidInput
        """
        from .promote import promote

        return promote(self._folder, number, why=why, override=override, valid=valid)

    @property
    def trail(self) -> list[TrailEntry]:
        """Who did what to it and why, the first first."""
        return self._folder.trail()

    def verify(self) -> list[Finding]:
        """Whether trail and versions are as they were; nothing is loaded."""
        found = []
        for record in self.state.versions:
            if record.problem is None and not record.registered:
                found += [
                    each.model_copy(update={"what": f"{each.what} of {record.name}"})
                    for each in verify(self._folder, record)
                    if each.what != "trail"
                ]
        return [verify_trail(self._folder), *found]

    def __repr__(self) -> str:
        return "\n".join(model_lines(self.state, time.time()))


class Models(list[Model]):
    """Models, which show themselves a line each."""

    def __init__(self, found: Iterator[Model]) -> None:
        super().__init__(found)

    def __repr__(self) -> str:
        now, lines = time.time(), []
        for each in self:
            state = each.state
            shown = state.champion or next(iter(state.versions), None)
            told = line(shown, shown.number == state.aliases.champion, now) if shown else f"{each.name}: no versions"
            lines.append(told)
        return "\n".join(lines) or "No models. Save one: mlops.save_model(model, name, valid=(X, y))"
