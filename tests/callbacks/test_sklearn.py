from __future__ import annotations

import logging
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from node_agent.callbacks.errors import EvaluationError, InvalidParameter, ModelError
from node_agent.parameters.format import ParameterFile, write
from tests.callbacks.stand_in import Line, StandInAgent, load, stop

linear_model = pytest.importorskip("sklearn.linear_model")
from sklearn.neural_network import MLPClassifier  # noqa: E402 - after the check that it is there

from node_agent.callbacks.sklearn import SklearnTrainee, SwarmCallback  # noqa: E402 - as above

POINTS = ((0.1127016654, 5 / 18), (0.5, 8 / 18), (0.8872983346, 5 / 18))


def data(samples: int = 90) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(samples, 4))
    return x, (x[:, 0] + 0.3 * x[:, 1] > 0).astype(int) + (x[:, 2] > 1)


MODELS = {
    "SGDClassifier": lambda: linear_model.SGDClassifier(loss="log_loss", random_state=0),
    "hinge": lambda: linear_model.SGDClassifier(random_state=0),
    "SGDRegressor": lambda: linear_model.SGDRegressor(random_state=0),
    "MLPClassifier": lambda: MLPClassifier((6,), random_state=0),
    "LogisticRegression": lambda: linear_model.LogisticRegression(max_iter=3, warm_start=True),
}


def fitted(kind: str) -> Any:
    model = MODELS[kind]()
    if hasattr(model, "partial_fit"):
        classes = {} if kind == "SGDRegressor" else {"classes": [0, 1, 2]}
        return model.partial_fit(*data(), **classes)
    return model.fit(*data())


def trainee(model: Any) -> SklearnTrainee:
    return SklearnTrainee(model, data(), None, None)


def moved(model: Any, folder: Path) -> tuple[Path, Path]:
    made = trainee(model)
    made.write(folder / "base", {})
    further = {name: array * 0.5 for name, array in made.tensors().items()}
    write(folder / "merged", further, {})
    return folder / "base", folder / "merged"


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
@pytest.mark.parametrize("kind", MODELS)
def test_parameters_travel_and_training_goes_on_from_them(kind: str, tmp_path: Path) -> None:
    model = fitted(kind)
    made = trainee(model)
    schema = made.attach()
    assert {spec.dtype for spec in schema.values()} == {"F32"}
    trained = []
    for path in moved(model, tmp_path):
        copy = trainee(twin := deepcopy(model))
        copy.load(ParameterFile.open(path))
        loaded = copy.tensors()
        assert all(np.array_equal(ParameterFile.open(path).tensor(n), loaded[n]) for n in schema)
        getattr(twin, "partial_fit", twin.fit)(*data())
        trained.append(np.concatenate([array.ravel() for array in copy.tensors().values()]))
        assert copy.attach() == schema
    assert not np.array_equal(*trained), "training goes on from what was loaded"


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
@pytest.mark.parametrize("kind", [kind for kind in MODELS if kind != "hinge"])
def test_a_measured_gradient_explains_the_difference_of_the_losses(
    kind: str, tmp_path: Path
) -> None:
    model = fitted(kind)
    base, merged = moved(model, tmp_path)
    before = {name: array.copy() for name, array in trainee(model).tensors().items()}
    measured = trainee(model).evaluate(base, merged, POINTS, tmp_path / "gradient")
    gradient = ParameterFile.open(tmp_path / "gradient").tensors()
    start, end = (ParameterFile.open(path).tensors() for path in (base, merged))
    explained = sum(float(np.sum(g * (end[n] - start[n]))) for n, g in gradient.items())
    # Halves of a perceptron's units pass corners of their activation on the way.
    tolerance = 0.05 if kind == "MLPClassifier" else 0.005
    assert explained == pytest.approx(measured.loss_after - measured.loss_before, rel=tolerance)
    after = trainee(model).tensors()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_large_model_without_gradients_says_what_to_do(tmp_path: Path) -> None:
    model = MLPClassifier((900,), random_state=0).partial_fit(*data(), classes=[0, 1, 2])
    base, merged = moved(model, tmp_path)
    assert trainee(model).evaluate(base, merged, (), None).loss_after > 0
    with pytest.raises(EvaluationError, match="too many to measure one") as refused:
        trainee(model).evaluate(base, merged, POINTS, tmp_path / "gradient")
    assert "by size" in refused.value.hint


def test_a_model_that_was_never_fitted_is_refused_with_the_way_out() -> None:
    with pytest.raises(ModelError, match="SGDClassifier has no coef_") as refused:
        trainee(MODELS["SGDClassifier"]()).attach()
    assert "partial_fit" in refused.value.hint


def test_a_site_that_misses_a_class_is_told_which_tensor_differs(tmp_path: Path) -> None:
    _, merged = moved(fitted("SGDClassifier"), tmp_path)
    x, y = data()
    two = MODELS["SGDClassifier"]().partial_fit(x[y < 2], y[y < 2], classes=[0, 1])
    with pytest.raises(ModelError, match=r"tensor 'coef_' is F32 \[3, 4\], expected F32 \[1, 4\]"):
        trainee(two).load(ParameterFile.open(merged))


def test_a_loop_of_partial_fit_takes_part(socket_path: Path, tmp_path: Path) -> None:
    model = fitted("SGDClassifier")
    start, _ = moved(model, tmp_path)

    def agent(line: Line) -> None:
        line.welcome()
        line.load(start)
        for round_ in (1, 2):
            sync = line.hear()
            assert (sync["steps"], sync["samples"]) == (2, 60)
            line.ask({"do": "write", "path": str(tmp_path / "update"), "metadata": {}})
            line.ask(load(tmp_path / "update", round_) if round_ == 1 else stop(start))

    with StandInAgent(socket_path, agent) as stand_in:
        swarm = SwarmCallback(
            2, 2, model=model, adsValData=data(), logger=logging.getLogger("test")
        )
        x, y = data()
        for _ in swarm.epochs(9):
            for first in (0, 30, 60):
                if swarm.partial_fit(x[first : first + 30], y[first : first + 30]):
                    break
    assert stand_in.heard[0]["gradients"] is False
    np.testing.assert_array_equal(
        trainee(model).tensors()["coef_"], ParameterFile.open(start).tensor("coef_")
    )


def test_averaging_models_and_wrong_functions_are_refused() -> None:
    averaging = linear_model.SGDClassifier(average=True).partial_fit(*data(), classes=[0, 1, 2])
    with pytest.raises(ModelError, match="average"):
        trainee(averaging).attach()
    with pytest.raises(InvalidParameter, match="model must be an estimator"):
        SwarmCallback(2, 2)
    with pytest.raises(InvalidParameter, match="lossFunction must be a function"):
        SwarmCallback(2, 2, model=averaging, lossFunction="log_loss")
