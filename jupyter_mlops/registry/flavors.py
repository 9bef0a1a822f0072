"""What a model may be, and how each is written in MLflow's format and read back.

The entries of the `MLmodel` file are those that MLflow 2 and 3 read (mlflow/sklearn, pytorch, xgboost, lightgbm, onnx
and pyfunc, of 3.17); nothing of MLflow is imported. scikit-learn is written by cloudpickle: of skops, MLflow's default,
a random forest can't be read back without a list of types that are trusted, which would come from the file itself.
"""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any, ClassVar

import numpy as np

from ..client.send.pickling import type_name
from ..core.errors import InvalidInput, NotPicklable

#: How deep is looked for what can't be pickled.
_DEEP = 8

#: The module by which MLflow loads functions, and objects with a predict that are of no library it knows.
_LOADER = "mlops_model_loader"
_LOADER_TEXT = '''"""How MLflow loads this model: a function, or an object with a method predict."""

import cloudpickle


class Loaded:
    """As MLflow wants a model."""

    def __init__(self, model):
        self.model = model

    def predict(self, data, params=None):
        """The model's answers."""
        return getattr(self.model, "predict", self.model)(data)


def _load_pyfunc(path):
    with open(path, "rb") as file:
        return Loaded(cloudpickle.load(file))
'''


class Flavor:
    """One kind of model: a function, or any object with a method `predict`."""

    name: ClassVar[str] = "function"
    #: Import names of what it needs besides what it is made of.
    packages: ClassVar[tuple[str, ...]] = ("cloudpickle",)
    #: Whether reading its file runs code that is in it.
    runs_code: ClassVar[bool] = True
    #: Its name among Hugging Face's libraries, for the card.
    library: ClassVar[str] = "python"

    def write(self, model: Any, folder: Path) -> dict[str, dict[str, Any]]:
        """Write the model into the folder; returns the flavors of its `MLmodel` file.

        Raises
        ------
        NotPicklable : names what can't be pickled.
        """
        (folder / "model.pkl").write_bytes(pickled(model))
        code = folder / "code"
        code.mkdir(exist_ok=True)
        (code / f"{_LOADER}.py").write_text(_LOADER_TEXT, encoding="utf-8")
        return {"python_function": {"loader_module": _LOADER, "data": "model.pkl"}}

    def read(self, folder: Path) -> Any:
        """The model; raises whatever its own code does."""
        return pickle.loads((folder / "model.pkl").read_bytes())  # noqa: S301 - the caller has seen whose it is

    def predict(self, model: Any, data: Any) -> Any:
        """What it answers to rows."""
        return getattr(model, "predict", model)(data)

    def chances(self, model: Any, data: Any) -> Any:
        """The chance of each class, and the classes; None where it has none."""
        ask = getattr(model, "predict_proba", None)
        if not callable(ask):
            return None
        try:
            return np.asarray(ask(data), float), getattr(model, "classes_", None)
        except (AttributeError, NotImplementedError):  # one that can only say in its steps that it can't
            return None


class Sklearn(Flavor):
    """An estimator or pipeline of scikit-learn, or of what builds on it."""

    name = "sklearn"
    packages = ("sklearn", "cloudpickle")
    library = "sklearn"

    def write(self, model: Any, folder: Path) -> dict[str, dict[str, Any]]:
        """As `Flavor.write`."""
        import sklearn

        (folder / "model.pkl").write_bytes(pickled(model))
        own = {"pickled_model": "model.pkl", "serialization_format": "cloudpickle"}
        return {
            "python_function": {"loader_module": "mlflow.sklearn", "model_path": "model.pkl", "predict_fn": "predict"},
            "sklearn": {**own, "sklearn_version": sklearn.__version__, "code": None},
        }


class Torch(Flavor):
    """A module of PyTorch, as a whole: its weights with its class."""

    name = "pytorch"
    packages = ("torch", "cloudpickle")
    library = "pytorch"

    def write(self, model: Any, folder: Path) -> dict[str, dict[str, Any]]:
        """As `Flavor.write`."""
        import cloudpickle
        import torch

        data = folder / "data"
        data.mkdir()
        target = io.BytesIO()  # a disk that is full isn't the model's fault
        try:
            torch.save(model, target, pickle_module=cloudpickle)
        except Exception as error:  # noqa: BLE001 - whatever an object raises that can't be pickled
            raise not_picklable(model, error) from None
        (data / "model.pth").write_bytes(target.getvalue())
        (data / "pickle_module_info.txt").write_text("pickle", encoding="utf-8")  # reads what cloudpickle writes
        how = {"data": "data", "pickle_module_name": "pickle", "model_config": {"device": None}}
        return {
            "python_function": {"loader_module": "mlflow.pytorch", **how},
            "pytorch": {"model_data": "data", "pytorch_version": str(torch.__version__), "code": None},
        }

    def read(self, folder: Path) -> Any:
        """The module, for answers, on the CPU."""
        import torch

        path = folder / "data" / "model.pth"
        model = torch.load(path, map_location="cpu", weights_only=False)
        model.eval()
        return model

    def predict(self, model: Any, data: Any) -> Any:
        """What it answers; rows become tensors of float32 where they aren't tensors or whole numbers."""
        import torch

        training = model.training
        model.eval()
        try:
            with torch.no_grad():
                return model(self._tensor(torch, model, data)).detach().cpu().numpy()
        finally:
            model.train(training)

    def chances(self, model: Any, data: Any) -> Any:
        """None: what its outputs mean is not known."""
        return None

    @staticmethod
    def _tensor(torch: Any, model: Any, data: Any) -> Any:
        if not hasattr(data, "detach"):
            array = np.asarray(data.to_numpy() if hasattr(data, "to_numpy") else data)
            data = torch.as_tensor(array if array.dtype.kind in "iub" else array.astype(np.float32))
        place = next((parameter.device for parameter in model.parameters()), None)
        return data.to(place) if place is not None else data


class Xgboost(Flavor):
    """A booster of XGBoost, or its estimator for scikit-learn, in XGBoost's own format."""

    name = "xgboost"
    packages = ("xgboost",)
    runs_code = False
    library = "xgboost"

    def write(self, model: Any, folder: Path) -> dict[str, dict[str, Any]]:
        """As `Flavor.write`."""
        import xgboost

        model.save_model(folder / "model.ubj")
        kind = f"{type(model).__module__}.{type(model).__qualname__}"
        own = {"data": "model.ubj", "model_class": kind, "model_format": "ubj", "xgb_version": xgboost.__version__}
        return {
            "python_function": {"loader_module": "mlflow.xgboost", "data": "model.ubj"},
            "xgboost": {**own, "code": None},
        }

    def read(self, folder: Path) -> Any:
        """The booster or estimator."""
        import xgboost
        import yaml

        kind = yaml.safe_load((folder / "MLmodel").read_text(encoding="utf-8"))["flavors"]["xgboost"]["model_class"]
        model = getattr(xgboost, kind.rpartition(".")[2])()
        model.load_model(folder / "model.ubj")
        return model

    def predict(self, model: Any, data: Any) -> Any:
        """What it answers to rows."""
        import xgboost

        return model.predict(xgboost.DMatrix(data) if isinstance(model, xgboost.Booster) else data)


class Lightgbm(Flavor):
    """A booster of LightGBM, in its own format; its estimators for scikit-learn are pickled as others are."""

    name = "lightgbm"
    packages = ("lightgbm",)
    runs_code = False
    library = "lightgbm"

    def write(self, model: Any, folder: Path) -> dict[str, dict[str, Any]]:
        """As `Flavor.write`."""
        import lightgbm

        model.save_model(folder / "model.lgb")
        own = {"data": "model.lgb", "model_class": "lightgbm.basic.Booster", "lgb_version": lightgbm.__version__}
        return {
            "python_function": {"loader_module": "mlflow.lightgbm", "data": "model.lgb"},
            "lightgbm": {**own, "code": None},
        }

    def read(self, folder: Path) -> Any:
        """The booster."""
        import lightgbm

        return lightgbm.Booster(model_file=str(folder / "model.lgb"))


class OnnxModel:
    """A graph of ONNX that answers by ONNX Runtime, with as many threads as this process is to have.

    Parameters
    ----------
    data : the graph, as `ModelProto.SerializeToString` gives it.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._session: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.data,)

    def predict(self, rows: Any) -> Any:
        """Its first output. A graph with several inputs is given the columns of a table by their names."""
        session = self._session or self._open()
        inputs = session.get_inputs()
        if len(inputs) == 1:
            values = np.asarray(rows.to_numpy() if hasattr(rows, "to_numpy") else rows)
            given = {inputs[0].name: values.astype(_ONNX.get(inputs[0].type, values.dtype), copy=False)}
        else:
            columns = {each.name: np.asarray(rows[each.name]).reshape(-1, 1) for each in inputs}
            given = {each.name: columns[each.name].astype(_ONNX.get(each.type, object)) for each in inputs}
        return session.run([session.get_outputs()[0].name], given)[0]

    def _open(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # who waits needs no core
        self._session = onnxruntime.InferenceSession(self.data, options, providers=["CPUExecutionProvider"])
        return self._session


#: ONNX's types of inputs, as numpy has them.
_ONNX: dict[str, type[Any]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}


class Onnx(Flavor):
    """A graph of ONNX, as `onnx.ModelProto` has it, or as it was read back. It answers with its first output."""

    name = "onnx"
    packages = ("onnxruntime",)
    runs_code = False
    library = "onnx"

    def write(self, model: Any, folder: Path) -> dict[str, dict[str, Any]]:
        """As `Flavor.write`."""
        (folder / "model.onnx").write_bytes(as_onnx(model).data)
        own = {"data": "model.onnx", "providers": ["CPUExecutionProvider"], "code": None}
        return {"python_function": {"loader_module": "mlflow.onnx", "data": "model.onnx"}, "onnx": own}

    def read(self, folder: Path) -> Any:
        """The graph, ready to answer."""
        return OnnxModel((folder / "model.onnx").read_bytes())

    def predict(self, model: Any, data: Any) -> Any:
        """What it answers to rows."""
        return as_onnx(model).predict(data)

    def chances(self, model: Any, data: Any) -> Any:
        """None: what its other outputs mean is not known."""
        return None


def as_onnx(model: Any) -> OnnxModel:
    """A graph, ready to answer."""
    return model if isinstance(model, OnnxModel) else OnnxModel(model.SerializeToString())


#: Flavors by the name that a version's record has.
FLAVORS: dict[str, Flavor] = {each.name: each() for each in (Flavor, Sklearn, Torch, Xgboost, Lightgbm, Onnx)}


def flavor_of(model: Any) -> Flavor:
    """What a model is.

    Raises
    ------
    InvalidInput : it is none: it has no predict, and can't be called; or it is a class.
    """
    kind = type(model)
    if isinstance(model, type):
        raise InvalidInput(f"{model.__name__} is a class", "a model is one object of it", f"Train {model.__name__}().")
    of = {each.__module__.partition(".")[0] for each in kind.__mro__}
    if "torch" in of and hasattr(model, "state_dict") and callable(model):
        return FLAVORS["pytorch"]
    if isinstance(model, OnnxModel) or ("onnx" in of and hasattr(model, "SerializeToString")):
        return FLAVORS["onnx"]
    if kind.__module__.startswith("xgboost") and hasattr(model, "save_model"):
        return FLAVORS["xgboost"]
    if kind.__module__.startswith("lightgbm") and kind.__name__ == "Booster":
        return FLAVORS["lightgbm"]
    if callable(getattr(model, "predict", None)):
        return FLAVORS["sklearn" if "sklearn" in of else "function"]
    if callable(model) and "sklearn" not in of:
        return FLAVORS["function"]
    raise InvalidInput(
        f"A {type_name(model)} can't be saved as a model",
        "it has no method predict, and can't be called",
        "Give a fitted estimator, a PyTorch module, or a function of rows that returns answers.",
    )


def pickled(model: Any) -> bytes:
    """The model's bytes, with the code of what is defined in the notebook; raises `NotPicklable`."""
    import cloudpickle

    target = io.BytesIO()
    try:
        cloudpickle.Pickler(target, protocol=5).dump(model)
    except Exception as error:  # noqa: BLE001 - whatever an object raises that can't be pickled
        raise not_picklable(model, error) from None
    return target.getvalue()


def not_picklable(model: Any, error: Exception) -> NotPicklable:
    """The error that names what of the model is at fault."""
    found = _culprit(model, "the model", _DEEP, set())
    where, value, why = found or ("the model", model, error)
    what = f"The model can't be saved: {where} is a {type_name(value)}"
    todo = "Leave it out of the model, or make it where the model is used."
    return NotPicklable(what, str(why) or type(why).__name__, todo)


def _culprit(value: Any, name: str, deep: int, seen: set[int]) -> tuple[str, Any, Exception] | None:
    """The innermost object that can't be pickled, with how it is reached."""
    import cloudpickle

    if id(value) in seen:
        return None
    seen.add(id(value))
    try:
        cloudpickle.dumps(value)
    except Exception as error:  # noqa: BLE001 - as above
        if deep:
            for inside, each in _parts(value, name):
                if (found := _culprit(each, inside, deep - 1, seen)) is not None:
                    return found
        return name, value, error
    return None


def _parts(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    base = "" if name == "the model" else name
    if isinstance(value, MethodType):
        yield from _parts(value.__self__, name)
    elif isinstance(value, FunctionType):
        for used in value.__code__.co_names:
            if used in value.__globals__:
                yield used, value.__globals__[used]
        for used, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            yield used, cell.cell_contents
    elif isinstance(value, dict):
        yield from ((f"{base}[{key!r}]", each) for key, each in value.items())
    elif isinstance(value, (list, tuple)):
        yield from ((f"{base}[{number}]", each) for number, each in enumerate(value))
    else:
        yield from ((f"{base}.{key}", each) for key, each in getattr(value, "__dict__", {}).items())
