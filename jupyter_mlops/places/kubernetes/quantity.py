"""Kubernetes' amounts of resources, as numbers and back."""

from __future__ import annotations

import re

from ...core import words

_SUFFIXES = {
    "": 1.0,
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
    "Ei": 2.0**60,
}
_QUANTITY = re.compile(r"([+-]?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)(n|u|m|k|Ki|Mi|Gi|Ti|Pi|Ei|M|G|T|P|E)?")


def parse(quantity: object) -> float:
    """CPUs, bytes or a count from `"50m"`, `"16Gi"`, `"4"` or a number.

    Raises
    ------
    ValueError : it is none of these.
    """
    if isinstance(quantity, (int, float)):
        return float(quantity)
    match = _QUANTITY.fullmatch(str(quantity).strip())
    if match is None:
        raise ValueError(f"{quantity!r} is not a Kubernetes quantity; write it like '500m' or '4Gi'")
    return float(match[1]) * _SUFFIXES[match[2] or ""]


def of_cpus(cpus: float) -> str:
    """CPUs as Kubernetes writes them, in thousandths, rounded up so that nothing becomes zero."""
    thousandths = max(1, -int(-cpus * 1000 // 1))
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"


def in_words(resource: str, amount: float) -> str:
    """An amount of `resource` for people: "2.5 CPUs", "16.0 GB of memory", "1 GPU"."""
    if resource == "cpu":
        return words.count(amount, "CPU")
    if resource in ("memory", "ephemeral-storage"):
        return f"{words.size(amount)} of {'memory' if resource == 'memory' else 'disk'}"
    return words.count(amount, "GPU") if resource.endswith("/gpu") else words.count(amount, resource, resource)
