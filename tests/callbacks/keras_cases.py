"""Run by test_frameworks.py, once for each backend."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from node_agent.callbacks.errors import EvaluationError, InvalidParameter, ModelError
from node_agent.callbacks.keras import SwarmCallback, load_parameters, save_parameters
from node_agent.callbacks.keras_data import ValidationData
from node_agent.callbacks.keras_feed import Feed
from node_agent.callbacks.keras_model import KerasTrainee
from node_agent.callbacks.keras_resume import KerasResume
from node_agent.callbacks.measure import Measured
from node_agent.parameters.format import ParameterFile, write
from tests.callbacks.readme import diff_in_readme
from tests.callbacks.stand_in import WELCOME, Line, StandInAgent, load, stop

L = keras.layers
POINTS = ((0.1127016654, 5 / 18), (0.5, 8 / 18), (0.8872983346, 5 / 18))


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(7)


def data(samples: int = 60) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(samples, 4)).astype(np.float32)
    return x, (x[:, :1] > 0).astype(np.float32)


def network(*, frozen: bool = False, graph: bool = False) -> Any:
    """A small network; eager where the test is not about graphs, which take a second to trace."""
    trunk = keras.Sequential([L.Input((4,)), L.Dense(5), L.BatchNormalization()], name="trunk")
    trunk.trainable = not frozen
    head = [L.Dense(3, activation="tanh"), L.Dropout(0.5), L.Dense(1, activation="sigmoid")]
    model = keras.Sequential([L.Input((4,)), trunk, *head])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"], run_eagerly=not graph)
    return model


def trainee(model: Any, validation: Any = None) -> KerasTrainee:
    source = ValidationData.of(data() if validation is None else validation, 25)
    made = KerasTrainee(source, None, None)
    made.model = model
    made.attach()
    return made


def everything(model: Any) -> list[bytes]:
    variables = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
    return [np.array(keras.ops.convert_to_numpy(v)).tobytes() for v in variables]


class Assorted(keras.layers.Layer):
    """One weight of each kind that travels."""

    def __init__(self) -> None:
        super().__init__()
        for dtype in ("float32", "float16", "bfloat16"):
            self.add_weight(name=dtype, shape=(3,), dtype=dtype, initializer="normal")
        for dtype in ("int64", "int32", "int8", "uint8", "bool"):
            self.add_weight(
                name=dtype, shape=(2,), dtype=dtype, initializer="zeros", trainable=False
            )

    def call(self, x: Any) -> Any:
        return x


def assorted() -> Any:
    model = keras.Sequential([L.Input((4,)), Assorted()])
    model.compile("sgd", "mse")
    return model


def test_every_kind_of_tensor_comes_back_bit_for_bit(tmp_path: Path) -> None:
    sender, receiver = assorted(), assorted()
    for variable in sender.weights:
        if "int" in variable.name or variable.name == "bool":
            variable.assign(np.array([1, 0]).astype(variable.name))
    save_parameters(sender, tmp_path / "file")
    tags = {name: spec.dtype for name, spec in ParameterFile.open(tmp_path / "file").schema.items()}
    assert sorted(tags.values()) == ["BF16", "BOOL", "F16", "F32", "I32", "I64", "I8", "U8"]
    load_parameters(receiver, tmp_path / "file")
    assert everything(receiver) == everything(sender)
    assert [v.dtype for v in receiver.weights] == [v.dtype for v in sender.weights]


def test_names_do_not_depend_on_what_the_process_built_before() -> None:
    names = list(trainee(network()).attach())
    for _ in range(3):
        network()
    assert list(trainee(network()).attach()) == names
    assert [name for name in names if "trunk" not in name] == [
        f"sequential/dense{number}/{part}" for number in ("", "_1") for part in ("bias", "kernel")
    ]


def test_what_is_frozen_stays_at_home_and_moving_statistics_travel() -> None:
    assert [name for name in trainee(network(frozen=True)).attach() if "trunk" in name] == [
        "trunk/batch_normalization/moving_mean",
        "trunk/batch_normalization/moving_variance",
    ]


def test_a_model_in_float64_is_refused_with_the_way_out() -> None:
    model = keras.Sequential([L.Input((4,)), L.Dense(1, dtype="float64")])
    model.compile("sgd", "mse")
    with pytest.raises(ModelError, match="'dense/kernel' is float64") as refused:
        trainee(model)
    assert refused.value.hint == "Build the model in float32."


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.pop("sequential/dense/bias"), "'sequential/dense/bias' is missing"),
        (lambda t: t.update(more=np.zeros(1, np.float32)), "'more' is not part"),
        (
            lambda t: t.update({"sequential/dense/bias": np.zeros(9, np.float32)}),
            r"'sequential/dense/bias' is F32 \[9\], expected F32 \[3\]",
        ),
    ],
)
def test_parameters_that_do_not_fit_are_refused_by_the_tensors_name(
    tmp_path: Path, change: Callable[[dict[str, np.ndarray]], Any], says: str
) -> None:
    model = network()
    tensors = dict(trainee(model).tensors())
    change(tensors)
    write(tmp_path / "other", tensors, {})
    before = everything(model)
    with pytest.raises(ModelError, match=says):
        load_parameters(model, tmp_path / "other")
    assert everything(model) == before


def moved(model: Any, folder: Path) -> tuple[Path, Path]:
    """Write the parameters as they are, and a little further on, statistics aside."""
    made = trainee(model)
    made.write(folder / "base", {})
    generator = np.random.default_rng(1)
    further = {
        name: array if "moving" in name else array + generator.normal(0, 0.2, array.shape)
        for name, array in made.tensors().items()
    }
    write(folder / "merged", {n: a.astype(np.float32) for n, a in further.items()}, {})
    return folder / "base", folder / "merged"


def evaluated(model: Any, folder: Path, **changes: Any) -> tuple[Measured, dict[str, np.ndarray]]:
    base, merged = moved(model, folder)
    measured = trainee(model, **changes).evaluate(base, merged, POINTS, folder / "gradient")
    return measured, ParameterFile.open(folder / "gradient").tensors()


def test_loss_and_metric_are_those_of_keras_itself(tmp_path: Path) -> None:
    model = network()
    measured, _ = evaluated(model, tmp_path)
    x, y = data()
    before, _ = model.evaluate(x, y, verbose=0)
    load_parameters(model, tmp_path / "merged")
    after, accuracy = model.evaluate(x, y, verbose=0)
    assert (measured.loss_before, measured.loss_after, measured.metric) == pytest.approx(
        (before, after, accuracy), rel=1e-5
    )


def test_the_gradient_along_the_way_explains_the_difference_of_the_losses(tmp_path: Path) -> None:
    measured, gradient = evaluated(network(graph=True), tmp_path)
    base, merged = (ParameterFile.open(tmp_path / name).tensors() for name in ("base", "merged"))
    explained = sum(float(np.sum(g * (merged[n] - base[n]))) for n, g in gradient.items())
    assert explained == pytest.approx(measured.loss_after - measured.loss_before, rel=1e-3)
    assert not any("moving" in name for name in gradient)


def test_an_evaluation_leaves_no_trace(tmp_path: Path) -> None:
    model = network()
    model.fit(*data(), verbose=0)
    before = everything(model)
    evaluated(model, tmp_path)
    assert everything(model) == before


def test_a_diverged_model_has_no_gradient_and_harms_nobody(tmp_path: Path) -> None:
    model = network()
    tensors = dict(trainee(model).tensors())
    write(tmp_path / "base", tensors, {})
    write(tmp_path / "nan", {n: np.full_like(a, np.nan) for n, a in tensors.items()}, {})
    measured = trainee(model).evaluate(
        tmp_path / "base", tmp_path / "nan", POINTS, tmp_path / "gradient"
    )
    assert np.isnan(measured.loss_after)
    gradient = ParameterFile.open(tmp_path / "gradient").tensors()
    assert all(not array.any() for array in gradient.values())


def test_validation_data_come_in_every_form_that_fit_takes(tmp_path: Path) -> None:
    x, y = data()

    class Pairs(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> Any:
            return x[index * 20 : index * 20 + 20], y[index * 20 : index * 20 + 20]

    cut = [(x[i : i + 20], y[i : i + 20]) for i in (0, 20, 40)]
    forms = [(x, y), (x, y, np.ones(60, np.float32)), Pairs(), iter(cut)]
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        forms.append(tf.data.Dataset.from_tensor_slices((x, y)).batch(16))
    model = network()
    base, merged = moved(model, tmp_path)
    losses = []
    for form in forms:
        made = trainee(model, form)
        measured = [made.evaluate(base, merged, (), None) for _ in range(2)]
        assert measured[0] == measured[1], "the data come again"
        losses.append(measured[0].loss_after)
    assert losses == pytest.approx([losses[0]] * len(forms), rel=1e-5)


def test_data_of_no_use_are_refused() -> None:
    x, y = data()
    with pytest.raises(InvalidParameter, match="differ in length"):
        SwarmCallback(2, 2, adsValData=(x, y[:3]))
    with pytest.raises(InvalidParameter, match="cannot be a int"):
        SwarmCallback(2, 2, adsValData=3)
    with pytest.raises(EvaluationError, match="yields a ndarray"):
        list(ValidationData.of([x], None).batches())


def test_fit_starts_from_the_common_start_syncs_and_stops_with_the_run(
    socket_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    model = network(graph=True)
    start, final = tmp_path / "start", tmp_path / "final"
    save_parameters(network(), start)
    last = network()
    load_parameters(last, start)
    last.layers[-1].bias.assign([9.0])
    save_parameters(last, final)

    def agent(line: Line) -> None:
        line.welcome(terms=WELCOME["terms"] | {"syncFrequency": 3})
        line.load(start)
        sync = line.hear()
        assert (sync["op"], sync["steps"], sync["samples"]) == ("sync", 3, 48)
        assert sync["loss"] == pytest.approx(0.7, abs=0.3)
        written = line.ask({"do": "write", "path": str(tmp_path / "update"), "metadata": {}})
        assert written["op"] == "written"
        same = {"base": str(start), "merged": str(tmp_path / "update")}
        line.ask({"do": "evaluate", **same, "points": POINTS, "gradient": str(tmp_path / "g")})
        assert line.ask(load(tmp_path / "update", 1)) == {"op": "loaded"}
        sync = line.hear()
        # The first epoch's fourth batch has 12 samples left.
        assert (sync["steps"], sync["samples"], sync["epochs"]) == (3, 44, 1.5)
        line.ask(stop(final))

    with StandInAgent(socket_path, agent) as stand_in:
        swarm = SwarmCallback(3, 2, adsValData=data(), logger=logging.getLogger("test"))
        history = model.fit(*data(), batch_size=16, epochs=9, verbose=0, callbacks=[swarm])
    assert stand_in.heard[0]["framework"] == "keras"
    assert len(history.history["loss"]) == 2
    assert keras.ops.convert_to_numpy(model.layers[-1].bias)[0] == 9.0
    assert "epochs 0.8 of 9" in caplog.text or "epochs 0.0 of 9" in caplog.text
    assert "Final Swarm model was loaded." in caplog.messages[-1]


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras has it on TensorFlow only")
def test_several_batches_in_one_execution_are_counted(socket_path: Path, tmp_path: Path) -> None:
    model = network()
    model.compile("sgd", "binary_crossentropy", steps_per_execution=2)
    save_parameters(model, tmp_path / "start")

    def agent(line: Line) -> None:
        line.welcome(terms=WELCOME["terms"] | {"syncFrequency": 4})
        line.load(tmp_path / "start")
        sync = line.hear()
        assert (sync["steps"], sync["samples"]) == (4, 60)
        line.ask(stop(None))

    with StandInAgent(socket_path, agent):
        swarm = SwarmCallback(4, 2, adsValData=data())
        model.fit(*data(), batch_size=16, epochs=3, verbose=0, callbacks=[swarm])
    odd = SwarmCallback(3, 2, adsValData=data())
    with pytest.raises(ModelError, match="steps_per_execution is 2"):
        model.fit(*data(), batch_size=16, epochs=3, verbose=0, callbacks=[odd])


def test_an_unknown_parameter_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(InvalidParameter, match="no parameter 'adsValdata'") as refused:
        SwarmCallback(2, 2, adsValdata=data())
    assert refused.value.hint == "Did you mean adsValData?"


def test_the_readmes_script_becomes_a_swarm_script_by_the_lines_it_shows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SWARM_LOOPBACK", "True")
    before, after, added = diff_in_readme("keras")
    assert added <= 5
    trained = []
    for script in (before, after):
        keras.utils.set_random_seed(7)
        x, y = data(16)
        model = network()
        shorter = script.replace("epochs=100", "epochs=3")
        exec(shorter, {"x": x, "y": y, "model": model, "validation": data()})
        trained.append(everything(model))
    assert trained[0] == trained[1], "in loopback the script trains as it did"


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="Keras imports both itself")
def test_on_tensorflow_nothing_of_pytorch_is_imported() -> None:
    assert not {"torch", "transformers"} & sys.modules.keys()


def test_a_restart_whose_batches_come_out_otherwise_is_refused() -> None:
    batches = [(np.full((2, 1), k), np.zeros((2, 1))) for k in range(4)]
    feed = Feed(batches)
    feed.start(0, 0, "")
    for index in range(3):
        feed[index]
    last = feed.trained(3)
    again = Feed(batches)
    again.start(0, 3, last)
    assert again[3][0][0] == 3
    with pytest.raises(ModelError, match="batch 3 of epoch 0 is not the one"):
        Feed(batches[::-1]).start(0, 3, last)


def test_data_without_a_known_length_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="how many batches"):
        Feed(batch for batch in [data()])


def test_what_cannot_be_kept_exactly_is_refused(tmp_path: Path) -> None:
    if keras.backend.backend() != "tensorflow":
        with pytest.raises(InvalidParameter, match="deterministic is for Keras on TensorFlow"):
            KerasResume(network)
        return
    import tensorflow as tf

    class Noise(L.Layer):  # type: ignore[misc]  # Keras has no types
        def call(self, x: Any) -> Any:
            return x + tf.random.normal(tf.shape(x))

    noisy = keras.Sequential([L.Input((4,)), Noise(), L.Dense(1)])
    noisy.compile("sgd", "mse")
    noisy.fit(*data(8), verbose=0)
    resume = KerasResume(lambda: noisy)
    resume.feed([data(8)])
    resume.start_epoch(0)
    resume.trained(1)
    with pytest.raises(ModelError, match="RandomStandardNormal"):
        resume.joined(tmp_path)
