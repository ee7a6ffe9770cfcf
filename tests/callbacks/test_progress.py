from __future__ import annotations

from node_agent.callbacks.progress import Progress, bar


def trained(progress: Progress, batches: int, samples: int = 16, loss: float | None = None) -> None:
    for _ in range(batches):
        progress.batch(samples, loss)


def test_a_window_counts_what_was_trained_since_the_last_one() -> None:
    progress = Progress()
    progress.batch(16, 0.5)
    progress.batch(10, 0.3)
    assert progress.take_window() == {"samples": 26, "steps": 2, "epochs": 0.0, "loss": 0.4}
    trained(progress, 3)
    assert progress.take_window() == {"samples": 48, "steps": 3, "epochs": 0.0, "loss": None}


def test_samples_seen_again_in_the_next_epochs_do_not_count_as_more() -> None:
    progress = Progress()
    for _ in range(3):
        trained(progress, 2, samples=20)
        progress.epoch()
    trained(progress, 2, samples=20)
    window = progress.take_window()
    assert (window["samples"], window["steps"]) == (40, 8)


def test_epochs_are_fractions_once_the_length_of_one_is_known() -> None:
    progress = Progress()
    trained(progress, 4)
    assert progress.epochs == 0
    progress.epoch()
    trained(progress, 1)
    assert progress.epochs == 1.25


def test_a_loss_that_is_no_number_is_not_reported() -> None:
    progress = Progress()
    trained(progress, 1, loss=float("nan"))
    assert progress.take_window()["loss"] is None


def test_a_bar_tells_how_far_the_run_is_and_how_long_it_may_take() -> None:
    assert bar(0, 24, None) == "[....................] 0 of 24 rounds"
    assert bar(6, 24, 75.4) == "[#####...............] 6 of 24 rounds, at most 1:15 left"
    assert bar(30, 24, 0.0).startswith("[####################] 30 of 24")
