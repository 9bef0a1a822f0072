"""Words of the Open Inference Protocol (V2): datatypes, and what a version takes and gives in them.

https://github.com/kserve/open-inference-protocol. No numpy: the router answers for the metadata.
"""

from __future__ import annotations

from typing import Any

from ..core.model import ModelVersion

#: numpy's type → datatype. Whatever isn't here is text.
_DATATYPES = {
    "bool": "BOOL",
    **{f"int{bits}": f"INT{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"UINT{bits}" for bits in (8, 16, 32, 64)},
    **{f"float{bits}": f"FP{bits}" for bits in (16, 32, 64)},
}
_TEXT = "BYTES"

DATATYPES = frozenset({*_DATATYPES.values(), _TEXT})

#: The header that says who a request is about, as a URL has it.
KEY = "X-Mlops-Key"

#: The names of the only tensor that a model of arrays takes, and of the one that each model gives.
INPUT, OUTPUT = "input", "predict"


def datatype_of(dtype: str) -> str:
    """The datatype of a numpy type."""
    return _DATATYPES.get(dtype, _TEXT)


def fits(datatype: str, kind: str) -> bool:
    """Whether values of a datatype may be those of a column of numpy's `kind`; each value is looked at besides."""
    if datatype == _TEXT:
        return kind in "UM"
    return kind == "b" if datatype == "BOOL" else kind in "iuf"


def metadata(version: ModelVersion) -> dict[str, Any]:
    """What the protocol tells of a version."""
    signature = version.signature
    inputs = [
        {"name": column.name, "datatype": datatype_of(column.dtype), "shape": [-1]} for column in signature.columns
    ]
    if signature.kind == "array":
        inputs = [{"name": INPUT, "datatype": datatype_of(signature.dtype), "shape": [-1, *signature.shape]}]
    answer = {"name": OUTPUT, "datatype": datatype_of(signature.answer), "shape": [-1, *signature.answer_shape]}
    return {
        "name": version.model,
        "versions": [str(version.number)],
        "platform": version.flavor,
        "inputs": inputs,
        "outputs": [answer],
    }
