"""What is counted for which round, and what of it outlives the process."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from node_agent.errors import AgentStateError
from node_agent.peers.protocol import Traffic
from node_agent.usage import meter as meter_module
from node_agent.usage.energy import Energy
from node_agent.usage.meter import Meter, Spent

RUN = "0x" + "01" * 32


class Node:
    """What a node counts with; `restart` is kill -9: nothing is closed or said goodbye to."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "usage.sqlite3"
        self.powercap = folder
        self.restart()

    def restart(self, run: str = RUN) -> None:
        self.traffic = Traffic()
        self.meter = Meter(self.file, run, self.traffic, Energy(self.powercap))


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_traffic_counts_for_the_round_that_is_open(node: Node) -> None:
    node.traffic.served_bytes = 7  # before any round
    node.meter.begin(3)
    node.traffic.served_bytes += 1000
    node.traffic.fetched_bytes += 200
    node.meter.begin(4)
    node.traffic.served_bytes += 30
    node.meter.begin(5)
    assert node.meter.over() == [3, 4]
    assert node.meter.spent(3) == Spent(bytes_served=1000, bytes_fetched=200)
    assert node.meter.spent(4) == Spent(bytes_served=30)


def test_work_counts_for_the_round_it_is_done_for_even_before_that_opens(node: Node) -> None:
    node.meter.begin(3)
    node.meter.merged(3, 0.25)
    node.meter.evaluated(3, 0.5)
    node.meter.trained(4, 2.0, 512)  # the seal of 3 is still awaited
    node.meter.begin(4)
    node.meter.evaluated(4, 0.75)
    node.meter.begin(5)
    assert node.meter.spent(3) == Spent(merge_s=0.25, evaluation_s=0.5)
    assert node.meter.spent(4) == Spent(training_s=2.0, samples=512, evaluation_s=0.75)


def test_work_that_ends_after_its_round_counts_for_the_open_one(node: Node) -> None:
    node.meter.begin(3)
    node.meter.begin(4)
    node.meter.trained(3, 9.0, 64)
    assert node.meter.spent(3) == Spent()
    assert node.meter.spent(4) == Spent(training_s=9.0, samples=64)


def test_a_round_that_is_opened_again_is_one_round(node: Node) -> None:
    node.meter.begin(3)
    node.meter.trained(3, 1.0, 64)
    node.meter.begin(3)
    assert node.meter.over() == []
    node.meter.merged(3, 0.5)
    assert node.meter.spent(3) == Spent(training_s=1.0, samples=64, merge_s=0.5)


def test_a_round_that_a_reorganization_takes_back_stays_as_it_was_told(node: Node) -> None:
    node.meter.begin(3)
    node.meter.merged(3, 1.0)
    node.meter.begin(4)
    node.meter.begin(3)
    node.meter.merged(3, 5.0)
    assert node.meter.over() == [3]
    assert node.meter.spent(3) == Spent(merge_s=1.0)
    assert node.meter.spent(4) == Spent(merge_s=5.0)


def test_a_node_that_is_not_in_a_round_has_nothing_to_report_of_it(node: Node) -> None:
    node.meter.begin(3)
    node.meter.finish_before(4)
    node.meter.finish_before(5)
    assert node.meter.over() == [3]


def test_kill_9_keeps_what_was_written_down_and_the_node_says_that_some_may_be_missing(
    node: Node,
) -> None:
    node.meter.begin(3)
    node.meter.merged(3, 0.5)
    node.meter.begin(4)
    node.traffic.fetched_bytes += 100
    node.meter.trained(4, 2.0, 512)
    node.traffic.fetched_bytes += 40  # nothing was written down after this
    node.restart()
    assert node.meter.last == (3, Spent(merge_s=0.5))
    node.meter.begin(4)
    node.meter.evaluated(4, 0.25)
    node.restart()
    node.meter.begin(5)
    assert node.meter.over() == [3, 4]
    assert node.meter.spent(3).restarts == 0
    assert node.meter.spent(4) == Spent(
        training_s=2.0, samples=512, evaluation_s=0.25, bytes_fetched=100, restarts=2
    )


def test_an_update_that_was_signed_proves_its_samples(node: Node) -> None:
    node.meter.begin(4)
    node.restart()  # in the middle of training
    node.meter.begin(4)
    node.meter.committed(4, 512)
    node.meter.trained(5, 1.0, 64)
    node.meter.trained(5, 1.0, 64)  # another training process began anew
    node.meter.committed(5, 64)
    assert node.meter.spent(4).samples == 512
    assert node.meter.spent(5).samples == 128


def test_what_was_reported_is_not_reported_again(node: Node) -> None:
    for number in (3, 4, 5):
        node.meter.begin(number)
    node.meter.forget(3)
    assert node.meter.over() == [4]
    node.restart()
    assert node.meter.over() == [4]
    node.meter.forget(4)
    node.restart()
    assert node.meter.over() == []
    assert node.meter.last == (4, Spent())


def test_another_run_in_the_same_folder_counts_for_itself(node: Node) -> None:
    node.meter.begin(3)
    node.meter.merged(3, 1.0)
    node.meter.begin(4)
    node.restart("0x" + "02" * 32)
    assert node.meter.over() == []
    assert node.meter.last is None
    node.meter.begin(3)
    node.restart()
    assert node.meter.spent(3) == Spent(merge_s=1.0)


def test_of_too_many_rounds_that_wait_the_oldest_goes(
    node: Node, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(meter_module, "WAITING_LIMIT", 3)
    for number in range(6):
        node.meter.begin(number)
    assert node.meter.over() == [2, 3, 4]
    assert [record.args for record in caplog.records] == [(0,), (1,)]


def test_energy_counts_for_the_open_round(node: Node) -> None:
    zone = node.powercap / "intel-rapl:0"
    zone.mkdir()
    for name, text in (("name", "package-0"), ("max_energy_range_uj", "9" * 9), ("energy_uj", "5")):
        (zone / name).write_text(text)
    node.restart()
    node.meter.begin(3)
    (zone / "energy_uj").write_text("2000005")
    node.meter.begin(4)
    (zone / "energy_uj").write_text("2500005")
    node.meter.begin(5)
    assert (node.meter.spent(3).energy_j, node.meter.spent(4).energy_j) == (2.0, 0.5)


def test_a_disk_that_takes_nothing_stops_no_round(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    node.meter.begin(3)
    with sqlite3.connect(node.file, isolation_level=None) as other:
        other.execute("PRAGMA busy_timeout=0")
        other.execute("DROP TABLE rounds")
    node.meter.merged(3, 1.0)
    node.meter.begin(4)
    assert node.meter.spent(3) == Spent(merge_s=1.0)
    assert "not written down" in caplog.text


def test_a_file_that_is_none_of_ours_is_refused_with_a_hint(node: Node) -> None:
    node.meter.close()
    node.file.write_bytes(b"nonsense" * 1000)
    with pytest.raises(AgentStateError) as caught:
        node.restart()
    assert "may be deleted" in caught.value.hint
