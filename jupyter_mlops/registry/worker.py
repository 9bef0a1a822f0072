"""The process that judges and promotes for the server: `python -m jupyter_mlops.registry.worker`.

Gates load models, which takes memory, seconds and the code that is in them: none of that belongs into the server. It
reads what is asked from standard input, and answers on standard output.
"""

from __future__ import annotations

import sys

from ..core.answer import refusal_as
from ..core.base import read_record
from ..core.errors import MlopsError
from ..core.promotion import PromotionAnswer, PromotionAsked
from .find import find_model
from .promote import ANY, promote


def answer(asked: PromotionAsked) -> PromotionAnswer:
    """Promote, and say how that went."""
    promotion = asked.promotion
    expected = ANY if promotion.expected is None else promotion.expected or None
    try:
        verdict = promote(
            find_model(asked.model),
            promotion.version,
            why=promotion.why,
            override=promotion.override,
            expected=expected,
            actor=asked.actor,
        )
    except MlopsError as error:
        return refusal_as(PromotionAnswer, error)
    return PromotionAnswer(verdict=verdict)


def main() -> None:
    """As a program."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what models print is no answer
    told = answer(read_record(PromotionAsked, sys.stdin.buffer.read(), "promotion"))
    answers.write(f"\n{told.model_dump_json()}\n")


if __name__ == "__main__":
    main()
