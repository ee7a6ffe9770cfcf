"""scikit-learn: a perceptron with Adam, whose batches and noise come from three generators."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.neural_network import MLPClassifier

from node_agent.callbacks.sklearn import SwarmCallback
from tests.callbacks.deterministic.killed import (
    BATCH_SIZE,
    DETERMINISTIC,
    FEATURES,
    ROWS,
    SEED,
    WINDOW,
    in_a_batch,
)


def main() -> None:
    np.random.seed(SEED)
    x = np.random.normal(size=(ROWS, FEATURES)).astype(np.float32)
    y = (x.sum(1) > 0).astype(int)
    order = np.random.default_rng(SEED)
    # It shuffles each batch, which it is given whole, with this:
    model = MLPClassifier((8,), batch_size=3, random_state=np.random.RandomState(0))
    model.partial_fit(x[:1] * 0, y[:1], classes=[0, 1])

    def batches(epoch: int) -> Iterator[np.ndarray]:
        for rows in np.array_split(order.permutation(ROWS), ROWS // BATCH_SIZE + 1):
            yield rows + 0 * epoch

    swarm = SwarmCallback(
        syncFrequency=WINDOW,
        minPeers=2,
        model=model,
        adsValData=(x, y),
        deterministic=DETERMINISTIC,
        state=[order],
    )
    for _ in swarm.epochs(100):
        for rows in swarm.batches(batches):
            in_a_batch()
            noise = 0.1 * np.random.normal(size=x[rows].shape).astype(np.float32)
            if swarm.partial_fit(x[rows] + noise, y[rows]):
                break


if __name__ == "__main__":
    main()
