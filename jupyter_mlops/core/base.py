"""What all models share: strictness, names, units."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from .errors import InvalidSpec

#: A name that is valid everywhere it goes: a Kubernetes label, a folder, a URL, an argument.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z]([-a-z0-9]{0,46}[a-z0-9])?$")]

#: A moment: seconds since the epoch, UTC.
Time = float

#: A duration in seconds.
Seconds = float

_UNITS = {"": 1, "b": 1}
for _power, _letter in enumerate("kmgtp", start=1):
    _UNITS |= {
        f"{_letter}b": 1000**_power,
        f"{_letter}ib": 1024**_power,
        f"{_letter}i": 1024**_power,
        _letter: 1000**_power,
    }
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*)\s*")
_PERIODS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_PERIOD = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(s|min|m|h|d)\s*")


def parse_size(size: object) -> object:
    """Bytes from `"2 GiB"`, `"2Gi"`, `"500 MB"` or a number; anything else is left for pydantic to refuse."""
    match = _SIZE.fullmatch(size) if isinstance(size, str) else None
    if match is None:
        return size
    unit = match[2].lower()
    if unit not in _UNITS:
        raise ValueError(f"{size!r} has an unknown unit; write it like '2 GiB'")
    return round(Fraction(match[1]) * _UNITS[unit])


def parse_period(period: object) -> object:
    """Seconds from `"20 min"`, `"90s"`, `"8 h"`, `"1d"` or a number; anything else is left for pydantic to refuse."""
    match = _PERIOD.fullmatch(period) if isinstance(period, str) else None
    return float(match[1]) * _PERIODS[match[2]] if match else period


#: An amount of memory in bytes; also accepts "2 GiB".
Bytes = Annotated[int, BeforeValidator(parse_size), Field(gt=0)]

#: A duration in seconds; also accepts "20 min".
Period = Annotated[float, BeforeValidator(parse_period), Field(gt=0, allow_inf_nan=False)]


class Model(BaseModel):
    """The base of every noun: unknown fields are an error, so that a typo is not silently ignored."""

    model_config = ConfigDict(extra="forbid")


_ModelT = TypeVar("_ModelT", bound=BaseModel)


def parse(model: type[_ModelT], data: object, noun: str = "") -> _ModelT:
    """`data` as a `model`.

    Raises
    ------
    InvalidSpec : names each wrong field and what it should be.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        noun = noun or model.__name__.lower()
        faults = "; ".join(_fault(detail) for detail in error.errors())
        raise InvalidSpec(f"This {noun} isn't valid", faults, "") from None


def _fault(detail: object) -> str:
    assert isinstance(detail, dict)
    place = ".".join(str(step) for step in detail["loc"]) or "value"
    if detail["type"] == "extra_forbidden":
        return f"{place!r} is not a known field"
    if detail["type"] == "string_pattern_mismatch":
        return f"{place} may have up to 48 small letters, digits and dashes, and must start with a letter"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    given = f" (got {detail['input']!r})" if isinstance(detail["input"], (str, int, float, bool, type(None))) else ""
    return f"{place} {message[0].lower()}{message[1:]}{given}"
