"""A gradient measured instead of derived, for small models whose framework tells none."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

CENTRAL_LIMIT = 4096  # parameters; each costs two evaluations per point
_STEP = 0.005  # about the cube root of float32's precision


def central_differences(
    place: Mapping[str, np.ndarray],
    assign: Callable[[Mapping[str, np.ndarray]], None],
    loss: Callable[[], float],
) -> dict[str, np.ndarray]:
    """Return dL/dw for every number w in `place`, by (L(w + h) - L(w - h)) / 2h.

    With h the cube root of the precision, times |w| or one, the error of rounding is as small as
    that of the formula. The step counted is the one that the tensor's dtype really took.

    Args:
        place: float tensors by name; the model has them, and has them again afterwards.
        assign: puts tensors into the model.
        loss: the mean loss of the model as it is.
    """
    gradients = {}
    for name, array in place.items():
        gradient = np.zeros(array.size, np.float32)
        moved = np.array(array).reshape(-1)
        for index in range(array.size):
            kept = moved[index]
            step = _STEP * max(1.0, abs(float(kept)))
            losses, places = [], []
            for signed in (step, -step):
                moved[index] = float(kept) + signed
                places.append(float(moved[index]))
                assign({name: moved.reshape(array.shape)})
                losses.append(loss())
            moved[index] = kept
            gradient[index] = (losses[0] - losses[1]) / (places[0] - places[1])
        assign({name: array})
        gradients[name] = gradient.reshape(array.shape)
    return gradients
