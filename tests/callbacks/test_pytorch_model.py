from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from node_agent.callbacks.errors import ModelError
from node_agent.callbacks.pytorch_model import TorchModel, write_tensors
from node_agent.parameters.format import ParameterFile, write


class Assorted(nn.Module):
    """Every kind of tensor that travels, and some shapes that are easily got wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Parameter(torch.randn(4, 3))
        self.brain = nn.Parameter(torch.randn(2, 5).bfloat16())
        self.short = nn.Parameter(torch.randn(3).half())
        self.strided = nn.Parameter(torch.randn(3, 4).t())
        self.scalar = nn.Parameter(torch.tensor(0.5))
        self.empty = nn.Parameter(torch.empty(0, 3))
        self.register_buffer("count", torch.tensor(2**40))
        self.register_buffer("small", torch.tensor([-3, 4], dtype=torch.int8))
        self.register_buffer("mask", torch.tensor([True, False, True]))
        self.register_buffer("scratch", torch.ones(2), persistent=False)


def state_bytes(module: nn.Module) -> dict[str, tuple[torch.dtype, torch.Size, bytes]]:
    """Everything in a model, bit for bit."""
    state = dict(module.state_dict()) | dict(module.named_buffers())
    return {
        name: (t.dtype, t.shape, t.contiguous().flatten().view(torch.uint8).numpy().tobytes())
        for name, t in state.items()
    }


def test_every_kind_of_tensor_comes_back_bit_for_bit(tmp_path: Path) -> None:
    sender, receiver = Assorted(), Assorted()
    with torch.no_grad():
        sender.wide[0, 0], sender.brain[0, 0] = -0.0, 3e38
        for buffer in receiver.buffers():
            buffer.zero_()
        receiver.scratch.fill_(1)
    model = TorchModel(sender)
    schema = model.attach().to_json()
    assert (schema["brain"], schema["scalar"]) == (["BF16", [2, 5]], ["F32", []])
    assert "scratch" not in schema
    model.write(tmp_path / "update", {"round": "3"})
    file = ParameterFile.open(tmp_path / "update")
    assert file.schema.to_json() == schema
    TorchModel(receiver).load(file)
    assert state_bytes(receiver) == state_bytes(sender)


def test_loading_keeps_what_the_optimizer_holds(tmp_path: Path) -> None:
    module = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    addresses = [p.data_ptr() for p in module.parameters()]
    model = TorchModel(module)
    model.write(tmp_path / "start", {})
    for _ in range(2):
        module(torch.ones(4, 3)).sum().backward()
        optimizer.step()
    model.load(ParameterFile.open(tmp_path / "start"))
    assert [p.data_ptr() for p in module.parameters()] == addresses
    assert all(
        p is held
        for p, held in zip(module.parameters(), optimizer.param_groups[0]["params"], strict=True)
    )
    assert all("momentum_buffer" in optimizer.state[p] for p in module.parameters())
    before = module.weight.clone()
    module(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    assert not torch.equal(module.weight, before)


def test_frozen_parameters_stay_at_home_and_buffers_travel(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    module[0].requires_grad_(False)
    model = TorchModel(module)
    assert sorted(model.attach()) == [
        "1.bias",
        "1.num_batches_tracked",
        "1.running_mean",
        "1.running_var",
        "1.weight",
        "2.bias",
        "2.weight",
    ]
    model.write(tmp_path / "update", {})
    frozen = module[0].weight.clone()
    model.load(ParameterFile.open(tmp_path / "update"))
    assert torch.equal(module[0].weight, frozen)


def test_unfreezing_while_training_is_refused_by_name(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    module[0].weight.requires_grad_(False)
    model = TorchModel(module)
    model.attach()
    module[0].weight.requires_grad_(True)
    with pytest.raises(ModelError, match=r"'0\.weight' was frozen"):
        model.write(tmp_path / "update", {})


def test_freezing_while_training_changes_nothing() -> None:
    module = nn.Linear(3, 1)
    model = TorchModel(module)
    schema = model.attach()
    module.weight.requires_grad_(False)
    assert model.schema() == schema


@pytest.mark.parametrize(
    ("shapes", "says"),
    [
        ({"weight": (1, 3)}, "tensor 'bias' is missing"),
        ({"weight": (1, 3), "bias": (1,), "more": (1,)}, "tensor 'more' is not part"),
        (
            {"weight": (3, 1), "bias": (1,)},
            r"tensor 'weight' is F32 \[3, 1\], expected F32 \[1, 3\]",
        ),
    ],
)
def test_parameters_that_do_not_fit_are_refused_by_the_tensors_name(
    tmp_path: Path, shapes: dict[str, tuple[int, ...]], says: str
) -> None:
    tensors = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    write(tmp_path / "merged", tensors, {})
    module = nn.Linear(3, 1)
    before = state_bytes(module)
    with pytest.raises(ModelError, match=says):
        TorchModel(module).load(ParameterFile.open(tmp_path / "merged"))
    assert state_bytes(module) == before


def test_a_model_in_float64_is_refused_with_the_way_out() -> None:
    with pytest.raises(ModelError, match=r"'weight' is torch\.float64") as error:
        TorchModel(nn.Linear(3, 1).double()).attach()
    assert "model.float()" in error.value.hint


def test_state_that_is_no_tensor_is_refused_by_name() -> None:
    class Chatty(nn.Linear):
        def get_extra_state(self) -> str:
            return "hello"

    with pytest.raises(ModelError, match=r"'_extra_state' .* is a str"):
        TorchModel(Chatty(3, 1)).attach()


def test_samples_are_counted_where_they_enter_a_model_in_training() -> None:
    module = nn.Linear(3, 1)
    model = TorchModel(module)
    model.attach()
    module(torch.ones(16, 3))
    module(torch.ones(16, 3))  # the same batch once more, as in contrastive losses
    module(input=torch.ones(10, 3))
    module.eval()(torch.ones(99, 3))
    with torch.no_grad():
        module.train()(torch.ones(99, 3))
    assert (model.take_batch_samples(), model.take_batch_samples()) == (16, 0)
    pickle.dumps(module)  # scripts save whole models while they train
    model.detach()
    module(torch.ones(16, 3))
    assert model.take_batch_samples() == 0
    assert not module._forward_pre_hooks


def test_tied_parameters_travel_under_both_names(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    module[1].weight = module[0].weight
    model = TorchModel(module)
    model.attach()
    model.write(tmp_path / "update", {})
    written = ParameterFile.open(tmp_path / "update").tensors()
    np.testing.assert_array_equal(written["0.weight"], written["1.weight"])
    assert "1.weight" not in model.gradient_targets()
    model.load(ParameterFile.open(tmp_path / "update"))
    assert module[1].weight is module[0].weight


def test_tensors_are_written_without_an_extra_copy(tmp_path: Path) -> None:
    import tracemalloc

    tensor = torch.zeros(4 << 20)  # 16 MiB
    tracemalloc.start()
    write_tensors(tmp_path / "update", {"weight": tensor}, {})
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 2 << 20
