"""What all nouns share: how they are read, names, units.

What people send in is read strictly, by `read_input`: a typo is an error; and what programs send, by `read_request`:
a text is no number. What was stored or sent by us, perhaps by
another version, is read leniently, by `read_record`. The same class can be read in both ways: a profile is typed in,
and it is stored within a cluster's spec. So strictness belongs to the reading, and holds for everything nested.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Mapping
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
from pydantic_core import ErrorDetails

from .errors import MOST_SAID, Fault, InvalidSpec, Unreadable
from .formats import FORMAT
from .words import harmless

#: A name that is valid everywhere it goes: a Kubernetes label, a folder, a URL, an argument.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z]([-a-z0-9]{0,46}[a-z0-9])?$")]


def _bounded(most: int) -> BeforeValidator:
    """Reads what others wrote as `harmless`, with `most` characters."""
    return BeforeValidator(lambda value: harmless(value, most) if isinstance(value, str) else value)


#: What somebody or something is called (a run, a worker, an owner, a host), and what is said of it: an event, an error.
#: It comes from clusters, pods and files, goes to terminals and to every browser, and so has bounds: characters.
LONGEST = 200
Label = Annotated[str, _bounded(LONGEST)]
Saying = Annotated[str, _bounded(MOST_SAID)]


def first(most: int) -> BeforeValidator:
    """Reads the first `most` entries of a list or table, or characters of a text, and leaves out the others."""

    def read(value: object) -> object:
        if isinstance(value, Mapping):
            return dict(itertools.islice(value.items(), most))
        return value[:most] if isinstance(value, (list, tuple, str)) else value

    return BeforeValidator(read)


#: How many there are of something that is counted: what can be added up and divided, whoever says so.
Amount = Annotated[int, Field(ge=0, le=10**15)]

#: A moment: seconds since the epoch, UTC.
Time = float

#: A duration in seconds.
Seconds = float

_UNITS = {"b": 1}
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

#: A number with a comma, and perhaps a unit. "1,500" may be either of two numbers, so that nobody guesses.
_COMMA = re.compile(r"\s*[0-9]+,[0-9]+\s*[a-zA-Z]*\s*")


_UNKNOWN, _MISSING = "is not a known field", "is missing"


def parse_size(size: object) -> object:
    """Bytes from `"2 GiB"`, `"2Gi"`, `"500 MB"` or a number; what else is no text is left for pydantic to refuse.

    Raises
    ------
    ValueError : the text is no amount of memory, or has no unit: "2" may be typed for 2 GiB, and never for 2 bytes.
    """
    if size is None:
        raise ValueError(f"{_MISSING}; write it like '2 GiB'")
    if not isinstance(size, str):
        return size
    match = _SIZE.fullmatch(size)
    if match is None:
        raise ValueError(f"is no amount of memory; write it like {_with_point(size, '2 GiB')!r}")
    if not match[2]:
        raise ValueError("has no unit; write it like '2 GiB' or '500 MB'")
    if (unit := match[2].lower()) not in _UNITS:
        raise ValueError("has an unknown unit; write it like '2 GiB'")
    return round(Fraction(match[1]) * _UNITS[unit])


def parse_period(period: object) -> object:
    """Seconds from `"20 min"`, `"90s"`, `"1h30m"`, `"1d"` or a number; anything else than text is left for pydantic to
    refuse.

    Raises
    ------
    ValueError : the text is no length of time, or has no unit: "20" may be typed for 20 minutes as for 20 seconds.
    """
    if not isinstance(period, str):
        return period
    if re.fullmatch(r"\s*[0-9.]+\s*", period):
        raise ValueError("has no unit; write it like '20 min' or '90 s'")
    parts = _PERIOD.findall(period)
    units = [_PERIODS[unit] for _, unit in parts]
    slip = units != sorted(set(units), reverse=True)  # "5m 1h", "1h 2h": rather than a way of writing
    if not parts or _PERIOD.sub("", period).strip() or slip:
        raise ValueError(f"is no length of time; write it like {_with_point(period, '20 min')!r} or '1h 30min'")
    return float(sum(float(number) * unit for (number, _), unit in zip(parts, units, strict=True)))


def _with_point(text: str, example: str) -> str:
    """`text` with the point that half of the world writes as a comma; `example` where that isn't all there is to it."""
    return text.strip().replace(",", ".") if _COMMA.fullmatch(text) else example


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

    def __str__(self) -> str:
        return repr(self)  # what is printed is what a notebook shows


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
        raise _invalid(error, noun or kind.__name__.lower(), within) from None


def read_request(kind: type[_T], data: object, noun: str = "", within: str = "") -> _T:
    """As `read_input`, of what a program sent as JSON, which has numbers, true and false of its own: none of them is
    guessed from a text, or one from another. Sizes and times may be texts, as everywhere.

    Raises
    ------
    InvalidSpec : as `read_input`.
    """
    adapter: TypeAdapter[_T] = _adapter(kind)  # type: ignore[arg-type]  # as above
    try:
        return adapter.validate_json(pydantic_core.to_json(data), strict=True, extra="forbid")
    except ValidationError as error:
        raise _invalid(error, noun or kind.__name__.lower(), within) from None


def _invalid(error: ValidationError, noun: str, within: str) -> InvalidSpec:
    faults = [_fault(detail, within) for detail in error.errors()]
    return InvalidSpec(f"This {noun} isn't valid", sentence_of(faults), "", faults)


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
            "a newer version of jupyter-mlops wrote it" if newer else sentence_of(map(_fault, error.errors())),
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


def in_records(info: ValidationInfo) -> bool:
    """Whether a record is read: what is odd, but possible, was accepted by another version, and is there now."""
    return bool(info.context and info.context.get("lenient"))


def sentence_of(found: Iterable[Fault]) -> str:
    """Faults as a sentence; the first of many."""
    faults = [_sentence(fault) for fault in found]
    more = [f"and {len(faults) - _NAMED} more"] if len(faults) > _NAMED else []
    return "; ".join([*faults[:_NAMED], *more])


def _sentence(fault: Fault) -> str:
    name = repr(fault.at) if fault.words == _UNKNOWN else fault.at
    return f"{name} {fault.words}".strip() + (f" (got {fault.given})" if fault.given else "")


def _fault(detail: ErrorDetails, within: str = "") -> Fault:
    if detail["type"] == "json_invalid":
        return Fault("", f"it is no whole JSON ({detail['ctx']['error']})")
    steps = [within, *detail["loc"]] if within else detail["loc"]
    at = ".".join(str(step) for step in steps if step != "[key]")
    given = detail["input"]
    words = _words(detail)
    if words == _UNKNOWN or words.startswith(_MISSING):
        return Fault(at, words)
    if given is None:
        words = f"{_MISSING}: it {words}"
    return Fault(at, words, repr(given) if isinstance(given, (str, int, float, bool)) else "")


def _words(detail: ErrorDetails) -> str:
    """What is wrong, to go on after the field's name. What pydantic says of the rest is in its own words."""
    kind, given, limits = detail["type"], detail["input"], detail.get("ctx", {})
    number = "a whole number" if kind.startswith("int") else "a number"
    if kind in ("int_parsing", "int_type", "int_from_float", "float_parsing", "float_type", "finite_number"):
        comma = isinstance(given, str) and _COMMA.fullmatch(given) and number == "a number"
        return f"must be {number}" + (f", written with a point: {_with_point(str(given), '')}" if comma else "")
    if kind in _WORDS:
        return _WORDS[kind].format(**limits)
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{message[0].lower()}{message[1:]}"


#: Kind of error, as pydantic names it → what is wrong, in words.
_WORDS = {
    "missing": _MISSING,
    "extra_forbidden": _UNKNOWN,
    "string_pattern_mismatch": "may have up to 48 small letters, digits and dashes, and must start with a letter",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_too_long": "may have {max_length} characters at most",
    "string_too_short": _MISSING,
    "too_long": "may have {max_length} at most",
    "too_short": "must have {min_length} at least",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be {ge:g} at least",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be {le:g} at most",
}
