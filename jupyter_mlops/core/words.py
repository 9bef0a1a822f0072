"""Money, time, sizes, numbers and causes as people read them: the sidebar's words, in Python.

The functions take plain numbers and names, so that every layer can use them. `labextension/src/words/` has the same
words in TypeScript; both are tested with the cases in `tests/core/words.json`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

_MINUTE, _HOUR, _DAY = 60, 3600, 86400

#: Currency → its sign, as browsers write it in English.
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "CNY": "¥", "INR": "₹", "KRW": "₩", "BRL": "R$", "ILS": "₪"}

_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")

#: The least that two decimals can tell.
_CENT = 0.01

#: Below this amount of money a cent is too coarse a unit. What is above it is written as 0.10.
_FINE = 0.0995

#: What a terminal obeys, or what makes a text look like another one: control characters but for tabs and line feeds,
#: marks of direction, separators of lines that aren't line feeds, and halves of characters, which nothing can write.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

#: What gives text a colour, which programs write to their logs.
_COLOUR = re.compile("\x1b\\[[0-9;]*m")

_CAUSES = {
    "user": "stopped by you",
    "idle": "stopped: nobody used it",
    "lifetime": "stopped: its longest lifetime was over",
    "budget": "stopped: its budget was used up",
    "failed": "failed",
    "killed": "its scheduler was killed",
    "machine restarted": "the machine restarted",
    "deleted": "deleted elsewhere",
}


def money(amount: float | None, currency: str) -> str:
    """Money with two decimals: "$0.42", "12.00 credits". Less than a cent is "< $0.01", since only nothing is nothing;
    "unknown" when nobody said what it costs."""
    if amount is None:
        return "unknown"
    if 0 < amount < _CENT:
        return f"< {_with_currency(f'{_CENT:.2f}', currency)}"
    return _with_currency(f"{amount:,.2f}", currency)


def fine_money(amount: float | None, currency: str) -> str:
    """Money for very little, with two significant digits where it is less than ten cents: "$0.0042". Rates are written
    so: they are compared, and stand still."""
    if amount is None or amount == 0 or amount >= _FINE:
        return money(amount, currency)
    digits = 1 - math.floor(math.log10(amount))
    return _with_currency(f"{amount:.{digits}f}".rstrip("0"), currency)


def exact_money(amount: float, currency: str) -> str:
    """An amount that somebody named, with all of its digits and at least two decimals: "$0.0316", "$3.00"."""
    whole, _, decimals = f"{amount:,.12f}".rstrip("0").partition(".")
    return _with_currency(f"{whole}.{decimals:0<2}", currency)


def per_hour(amount: float | None, currency: str, unpriced: int = 0) -> str:
    """Money for an hour: "$1.20/h", "$0.0042/h"; "$1.20/h + 2 workers unknown" where of so many nobody knows what they
    cost."""
    if amount is None:
        return "unknown"
    known = f"{fine_money(amount, currency)}/h"
    return f"{known} + {count(unpriced, 'worker')} unknown" if unpriced else known


def known_and_missing(amount: float | None, currency: str, missing: str) -> str:
    """What is known of a cost, and what is not: "$3.10 + 12.0 CPU-hours unknown". `missing` may be empty."""
    known = money(amount, currency)
    return f"{known} + {missing}" if missing else known


def about_and_assumed(spent: float, assumed: float, currency: str) -> str:
    """What is spent, and what is held beside it for usage without a price: "$4.00 + about $3.00 assumed"."""
    held = f"{'about ' if assumed >= _CENT else ''}{money(assumed, currency)} assumed" if assumed > 0 else ""
    known = money(spent, currency) if spent > 0 or not held else ""  # what nobody knows is not nothing
    return " + ".join(filter(None, [known, held]))


def reference(per_hour: float, currency: str) -> str:
    """What something without a price would cost elsewhere: "about $0.17/h if it were a cloud machine"."""
    return f"about {fine_money(per_hour, currency)}/h if it were a cloud machine"


def estimate(at_start: float | None, at_most: float | None, currency: str, is_about: bool = False) -> str:
    """What a profile costs an hour: at the start, and at most where that is more; "from …" where that isn't known.
    "about …" where nobody set a price, and it is known from machines like those that it will get."""
    if at_start is None:
        return "cost unknown"
    start, most = fine_money(at_start, currency), fine_money(at_most, currency)
    amount = f"{start}/h" if at_most is None or start == most else f"{start}–{most}/h"
    amount = f"about {amount}" if is_about else amount
    return f"from {amount}" if at_most is None else amount


def machines(whole: float | None, tail: float | None, currency: str, age: float) -> str:
    """What an estimate of machines rests on that were there `age` seconds ago, and what these cost as a whole."""
    parts = [f"About: the cheapest kind of machine that a worker fits on, of those that were there {span(age)} ago"]
    if whole and tail is not None:
        parts.append(f"Whole machines, if nobody else uses them: {fine_money(whole, currency)}/h")
        parts.append(f"An autoscaler keeps empty ones for about 10 min: about {money(tail, currency)} at the end")
    return sentences(*parts)


def quantity(amount: float) -> str:
    """A number of hours with the decimals that it deserves: "0.25", "12.3", "1,200"; "< 0.01" for less than that."""
    if 0 < amount < 0.01:
        return "< 0.01"
    return f"{amount:,.{0 if amount >= 100 else 1 if amount >= 1 else 2}f}"


def span(seconds: float) -> str:
    """A length of time in two units at most: "0.3 s", "40 s", "1 min 12 s", "2 h 5 min", "3 d 4 h"."""
    if seconds < 9.95 and seconds != int(seconds):
        return f"{max(0.0, seconds):.1f} s"
    whole = max(0, _round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _two_units(whole // _MINUTE, "min", whole % _MINUTE, "s")
    if whole < _DAY:
        return _two_units(whole // _HOUR, "h", whole % _HOUR // _MINUTE, "min")
    return _two_units(whole // _DAY, "d", whole % _DAY // _HOUR, "h")


def about(seconds: float) -> str:
    """A length of time that is an expectation, in one unit, so that it doesn't tick: "14 min", "3 days"."""
    if seconds < _MINUTE:
        return "less than a minute"
    if seconds < 2 * _HOUR:
        return f"{_round(seconds / _MINUTE)} min"
    return f"{_round(seconds / _HOUR)} h" if seconds < 2 * _DAY else f"{_round(seconds / _DAY)} days"


def left(seconds: float) -> str:
    """The time that is left of some work: seconds in tens, so that they can be read while they fall."""
    if seconds < 10:
        return f"{max(1, _round(seconds))} s"
    return f"{_round(seconds / 10) * 10} s" if seconds < 2 * _MINUTE else about(seconds)


def size(amount: float) -> str:
    """Bytes in decimal units, as prices count them: "600 MB", "1.6 GB"."""
    amount, power = max(0.0, amount), 0
    while amount >= 999.5 and power < len(_SIZES) - 1:
        amount, power = amount / 1000, power + 1
    digits = 1 if power > 2 and amount < 99.95 else 0
    return f"{amount:.{digits}f} {_SIZES[power]}"


def shape(cpus: float, memory: float, gpus: int = 0) -> str:
    """CPUs, memory in bytes and GPUs in words: "1 CPU and 1.6 GB"."""
    parts = [count(cpus, "CPU"), size(memory)]
    return listed([*parts, count(gpus, "GPU")] if gpus else parts)


def count(number: float, noun: str, nouns: str = "") -> str:
    """A number of things: "1 worker", "1,200 workers", "0.5 CPUs". `nouns` is the plural that isn't formed with s."""
    amount = f"{number:,}" if isinstance(number, int) else f"{number:.3g}" if number < 1000 else f"{number:,.0f}"
    return f"{amount} {noun if number == 1 else nouns or noun + 's'}"


def percent(part: float) -> str:
    """A part in whole hundredths: "12 %"."""
    return f"{part:.0%}".replace("%", " %")


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def first_of(names: Sequence[str], most: int) -> str:
    """The same of the first names, and how many more there are: "a, b and 3 more"."""
    return listed(names) if len(names) <= most else f"{', '.join(names[:most])} and {len(names) - most:,} more"


def sentences(*parts: str) -> str:
    """Parts of an explanation, each as a sentence with its full stop; empty ones are left out."""
    return " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts if part)


def harmless(text: str, most: int | None = None) -> str:
    """Text that others wrote, such that a terminal only shows it: what it would obey is written as an escape ("\\x1b"),
    colours are left out. Of more than `most` characters the middle is left out."""
    if most is not None and len(text) > most:
        text = f"{text[: most * 2 // 3]} … {text[-(most // 3) :]}"
    if text.isprintable():
        return text
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), _COLOUR.sub("", text))


def ending(cause: str | None) -> str:
    """Why a cluster ended, from its `EndCause`."""
    return _CAUSES.get(cause or "", "ended")


def _with_currency(number: str, currency: str) -> str:
    """Currencies are free text: what isn't one of the world's is written after the number."""
    if currency in _SIGNS:
        return f"{_SIGNS[currency]}{number}"
    is_code = len(currency) == 3 and currency.isascii() and currency.isupper()
    return f"{currency} {number}" if is_code else f"{number} {currency}"


def _two_units(large: int, unit: str, rest: int, smaller: str) -> str:
    return f"{large} {unit} {rest} {smaller}" if rest else f"{large} {unit}"


def _round(number: float) -> int:
    """To the nearest whole number, halves up, as browsers do."""
    return math.floor(number + 0.5)
