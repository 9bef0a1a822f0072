"""What all nouns share: how they are read, names, units.

What people send in is read strictly, by `read_input`: a typo is an error. What was stored or sent by us, perhaps by
another version, is read leniently, by `read_record`. The same class can be read in both ways: a profile is typed in,
and it is stored within a cluster's spec. So strictness belongs to the reading, and holds for everything nested.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any, TypeVar

import pydantic_core
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from .errors import MOST_SAID, InvalidSpec, Unreadable
from .formats import FORMAT
from .words import harmless

#: A name that is valid everywhere it goes: a Kubernetes label, a folder, a URL, an argument.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z]([-a-z0-9]{0,46}[a-z0-9])?$")]


def _bounded(most: int) -> BeforeValidator:
    """Reads what others wrote as `harmless`, with `most` characters."""
    return BeforeValidator(lambda value: harmless(value, most) if isinstance(value, str) else value)


#: What somebody or something is called (a run, a worker, an owner, a host), and what is said of it: an event, an error.
#: It comes from clusters, pods and files, goes to terminals and to every browser, and so has bounds.
Label = Annotated[str, _bounded(200)]
Saying = Annotated[str, _bounded(MOST_SAID)]


def first(most: int) -> BeforeValidator:
    """Reads the first `most` entries of a list or table, or characters of a text, and leaves out the others."""

    def read(value: object) -> object:
        if isinstance(value, Mapping):
            return dict(itertools.islice(value.items(), most))
        return value[:most] if isinstance(value, (list, tuple, str)) else value

    return BeforeValidator(read)


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
_PERIOD = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(s|min|m|h|d)\s*")


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
    """Seconds from `"20 min"`, `"90s"`, `"1h30m"`, `"1d"` or a number; anything else is left for pydantic to refuse."""
    if not isinstance(period, str) or not (parts := _PERIOD.findall(period)) or _PERIOD.sub("", period).strip():
        return period
    units = [_PERIODS[unit] for _, unit in parts]
    if units != sorted(set(units), reverse=True):  # "5m 1h", "1h 2h": a slip, rather than a way of writing
        return period
    return float(sum(float(number) * unit for (number, _), unit in zip(parts, units, strict=True)))


#: An amount of memory in bytes; also accepts "2 GiB".
Bytes = Annotated[int, BeforeValidator(parse_size), Field(gt=0)]

#: A duration in seconds; also accepts "20 min".
Period = Annotated[float, BeforeValidator(parse_period), Field(gt=0, allow_inf_nan=False)]


class Input(BaseModel):
    """The base of what people send in: profiles, groups, limits, prices, options, requests."""

    model_config = ConfigDict(extra="forbid")


class Record(BaseModel):
    """The base of what is stored or sent by us. A field that is added needs a default, for those written before."""

    model_config = ConfigDict(extra="ignore")


_T = TypeVar("_T")

#: The context of a lenient reading, for `otherwise`.
_LENIENT = {"lenient": True}

#: Faults that an error names one by one.
_NAMED = 3


def otherwise(word: str) -> WrapValidator:
    """For a list of words that may grow: the word that a lenient reading takes for one that it doesn't know."""

    def read(value: object, known: ValidatorFunctionWrapHandler, info: ValidationInfo) -> object:
        try:
            return known(value)
        except ValidationError:
            if info.context and isinstance(value, str):
                return word
            raise

    return WrapValidator(read)


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def read_input(kind: type[_T], data: object, noun: str = "", within: str = "") -> _T:
    """`data`, as people sent it, as a `kind`; the error calls it `noun`, else by the class's name.

    `within` is where in what was sent it stands: "options".

    Raises
    ------
    InvalidSpec : names each wrong or unknown field and what it should be.
    """
    adapter: TypeAdapter[_T] = _adapter(kind)  # type: ignore[arg-type]  # mypy: a type isn't hashable
    try:
        return adapter.validate_python(data, extra="forbid")
    except ValidationError as error:
        raise InvalidSpec(f"This {noun or kind.__name__.lower()} isn't valid", _faults(error, within)) from None


def read_record(kind: type[_T], data: object, noun: str = "") -> _T:
    """`data`, as one of us stored or sent it, as a `kind`: JSON if it is text or bytes, else what JSON becomes.

    Fields that are not known are ignored, and of words that are not known `otherwise` says what they are taken for.

    Raises
    ------
    Unreadable : calls it `noun`, else by the class's name, and names what is wrong with it.
    """
    adapter: TypeAdapter[_T] = _adapter(kind)  # type: ignore[arg-type]  # as above
    try:
        if isinstance(data, (str, bytes)):
            return adapter.validate_json(data, extra="ignore", context=_LENIENT)
        return adapter.validate_python(data, extra="ignore", context=_LENIENT)
    except ValidationError as error:
        newer = _format_of(data) > FORMAT
        raise Unreadable(
            f"This {noun or kind.__name__.lower()} can't be read",
            "a newer version of jupyter-mlops wrote it" if newer else _faults(error),
            "Upgrade jupyter-mlops here." if newer else "",
        ) from None


def read_word(words: Any, word: str) -> Any:
    """`word`, as one of us stored it, as one of `words`, which `otherwise` says what to do with when it is new."""
    return _adapter(words).validate_python(word, context=_LENIENT)


def _format_of(data: object) -> int:
    if isinstance(data, (str, bytes)):
        try:
            data = pydantic_core.from_json(data)
        except ValueError:
            return 0
    number = data.get("format") if isinstance(data, Mapping) else None
    return number if isinstance(number, int) else 0


def _faults(error: ValidationError, within: str = "") -> str:
    faults = [_fault(detail, within) for detail in error.errors()]
    more = [f"and {len(faults) - _NAMED} more"] if len(faults) > _NAMED else []
    return "; ".join([*faults[:_NAMED], *more])


def _fault(detail: object, within: str) -> str:
    assert isinstance(detail, dict)
    if detail["type"] == "json_invalid":
        return f"it is no whole JSON ({detail['ctx']['error']})"
    steps = [within, *detail["loc"]] if within else detail["loc"]
    place = ".".join(str(step) for step in steps) or "value"
    if detail["type"] == "extra_forbidden":
        return f"{place!r} is not a known field"
    if detail["type"] == "string_pattern_mismatch":
        return f"{place} may have up to 48 small letters, digits and dashes, and must start with a letter"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    given = f" (got {detail['input']!r})" if isinstance(detail["input"], (str, int, float, bool, type(None))) else ""
    return f"{place} {message[0].lower()}{message[1:]}{given}"
