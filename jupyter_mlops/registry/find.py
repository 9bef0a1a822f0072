"""Models and versions by the names that people use: "churn", "churn@3", "churn@champion"."""

from __future__ import annotations

from ..core.errors import UnknownModel, UnknownVersion
from ..core.model import ModelVersion
from ..core.promotion import matches
from ..home.models import ModelFolder, model_folders


def find_model(name: str) -> ModelFolder:
    """The folder of a model that is there; raises `UnknownModel`."""
    known = {folder.name: folder for folder in model_folders()}
    if name not in known:
        raise UnknownModel.named(str(name), known)
    return known[name]


def search(text: str = "", owner: str | None = None, tag: str | None = None) -> list[ModelFolder]:
    """The models that are looked for, by name; the parameters are those of `core.promotion.matches`."""
    if not (text.split() or owner is not None or tag is not None):
        return model_folders()
    return [folder for folder in model_folders() if matches(folder.summary(), text, owner, tag)]


def find_version(folder: ModelFolder, number: int | str | None) -> ModelVersion:
    """The record of a version: by its number, by "champion", or the newest for None.

    Raises
    ------
    UnknownVersion : there is none.
    Unreadable : its record can't be read.
    """
    if number in (None, "newest"):
        numbers = folder.numbers()
        if not numbers:
            raise UnknownVersion(f"{folder.name} has no versions", "", "Save one: mlops.save_model(model, name).")
        number = numbers[-1]
    if number == "champion":
        number = folder.aliases().champion
        if number is None:
            todo = f"Promote one: mlops.model({folder.name!r}).promote({(folder.numbers() or [1])[-1]})."
            raise UnknownVersion(f"{folder.name} has no champion", "none of its versions was promoted", todo)
    text = str(number).removeprefix(f"{folder.name}@")
    if not text.isdigit() or int(text) not in folder.numbers():
        raise UnknownVersion.named(f"{folder.name}@{text}", [f"{folder.name}@{each}" for each in folder.numbers()])
    return folder.version(int(text)).record()


def split_name(name: str) -> tuple[str, str | None]:
    """The model and the version of "churn@3", "churn@champion" or "churn"."""
    model_name, _, number = name.partition("@")
    return model_name, number or None
