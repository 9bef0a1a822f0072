"""The `MLmodel` file and what lies beside it, as MLflow writes and reads them (mlflow/models/model.py, 3.17)."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.model import Signature
from .environment import python_version
from .rows import Rows


def write(
    folder: Path,
    flavors: Mapping[str, dict[str, Any]],
    signature: Signature,
    packages: Mapping[str, str],
    modules: bool,
) -> None:
    """Complete the folder of a model that was written: `MLmodel`, requirements, environments.

    Parameters
    ----------
    modules : whether `code/` has modules that it needs.
    """
    import yaml

    env = {"conda": "conda.yaml", "virtualenv": "python_env.yaml"}
    function = {**flavors["python_function"], "env": env, "python_version": python_version()}
    known = {name: dict(entry) for name, entry in flavors.items()}
    known["python_function"] = {**function, "code": "code"} if modules else function
    for name, entry in known.items():
        if name != "python_function":
            entry["code"] = "code" if modules else None
    document: dict[str, Any] = {
        "flavors": known,
        "model_uuid": uuid.uuid4().hex,
        "utc_time_created": time.strftime("%Y-%m-%d %H:%M:%S.000000", time.gmtime()),
    }
    if signature.kind != "unknown":
        document["signature"] = _signature(signature)
    requirements = [f"{name}=={version}" for name, version in packages.items()]
    if not any(each.startswith(("mlflow==", "mlflow-skinny==")) for each in requirements):
        requirements.insert(0, "mlflow")
    conda = {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [f"python={python_version()}", "pip", {"pip": requirements}],
    }
    python = {"python": python_version(), "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    for name, content in (("MLmodel", document), ("conda.yaml", conda), ("python_env.yaml", python)):
        (folder / name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    (folder / "requirements.txt").write_text("\n".join(requirements) + "\n", encoding="utf-8")


def write_example(folder: Path, example: Rows) -> None:
    """Add an input example, as MLflow has it beside a model that it shows how to call."""
    import yaml

    columns = [column.values.tolist() for column in example.columns]
    if example.names is not None:
        rows = [[_plain(value) for value in row] for row in zip(*columns, strict=True)]
        content: dict[str, Any] = {"columns": example.names, "data": rows}
        told = {"artifact_path": "input_example.json", "type": "dataframe", "pandas_orient": "split"}
        serving: dict[str, Any] = {"dataframe_split": content}
    else:
        content = columns[0]
        told = {"artifact_path": "input_example.json", "type": "ndarray"}
        serving = {"inputs": content}
    text = json.dumps(content, default=str)
    (folder / "input_example.json").write_text(text, encoding="utf-8")
    (folder / "serving_input_example.json").write_text(json.dumps(serving, default=str), encoding="utf-8")
    path = folder / "MLmodel"
    known = yaml.safe_load(path.read_text(encoding="utf-8"))
    known["saved_input_example_info"] = {**told, "serving_input_path": "serving_input_example.json"}
    path.write_text(yaml.safe_dump(known, sort_keys=False), encoding="utf-8")


def _signature(signature: Signature) -> dict[str, Any]:
    if signature.kind == "table":
        inputs = [
            {"type": type_of(column.dtype), "name": column.name, "required": not column.optional}
            for column in signature.columns
        ]
    else:
        inputs = [_tensor(signature.dtype, signature.shape)]
    outputs = [_tensor(signature.answer, signature.answer_shape)] if signature.answer else None
    return {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs) if outputs else None, "params": None}


def _tensor(dtype: str, shape: list[int]) -> dict[str, Any]:
    return {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": [-1, *shape]}}


def type_of(dtype: str) -> str:
    """MLflow's word for a type as `Signature` has it."""
    if dtype.startswith(("int", "uint")):
        return "integer" if dtype in ("int8", "int16", "int32", "uint8", "uint16") else "long"
    if dtype.startswith("float"):
        return "float" if dtype in ("float16", "float32") else "double"
    return {"bool": "boolean", "str": "string"}.get(dtype, "datetime" if dtype.startswith("datetime") else "string")


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value
