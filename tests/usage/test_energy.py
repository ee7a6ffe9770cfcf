"""Energy counters as Linux shows them: which count, that they overflow, and that they may be away.

The folder is a copy of the layout under /sys/class/powercap; the files are real.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from node_agent.usage.energy import Energy


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Two packages, one with memory; and zones that count the same energy once more."""
    zone(tmp_path, "intel-rapl:0", "package-0", 10_000_000)
    zone(tmp_path, "intel-rapl:0:0", "core", 7_000_000)
    zone(tmp_path, "intel-rapl:0:1", "dram", 500_000)
    zone(tmp_path, "intel-rapl:1", "package-1", 0)
    zone(tmp_path, "intel-rapl:2", "psys", 3_000_000)
    zone(tmp_path, "intel-rapl-mmio:0", "package-0", 10_000_000)
    (tmp_path / "intel-rapl").mkdir()
    return tmp_path


def zone(root: Path, folder: str, name: str, energy_uj: int, limit_uj: int = 100_000_000) -> None:
    (root / folder).mkdir()
    (root / folder / "name").write_text(f"{name}\n")
    (root / folder / "max_energy_range_uj").write_text(f"{limit_uj}\n")
    (root / folder / "energy_uj").write_text(f"{energy_uj}\n")


def counts(machine: Path, folder: str, energy_uj: int) -> None:
    (machine / folder / "energy_uj").write_text(f"{energy_uj}\n")


def test_packages_and_memory_count_from_now_on_and_nothing_counts_twice(machine: Path) -> None:
    energy = Energy(machine)
    assert energy.read_j() == 0
    counts(machine, "intel-rapl:0", 12_000_000)
    counts(machine, "intel-rapl:0:0", 9_000_000)
    counts(machine, "intel-rapl:0:1", 750_000)
    counts(machine, "intel-rapl:1", 4_000_000)
    counts(machine, "intel-rapl:2", 90_000_000)
    counts(machine, "intel-rapl-mmio:0", 12_000_000)
    assert energy.read_j() == 2 + 0.25 + 4
    assert energy.read_j() == 6.25


def test_a_counter_that_overflows_goes_on(machine: Path) -> None:
    counts(machine, "intel-rapl:0", 99_000_000)
    energy = Energy(machine)
    counts(machine, "intel-rapl:0", 1_500_000)
    assert energy.read_j() == 2.5


def test_a_machine_without_counters_has_no_figure_rather_than_zero(tmp_path: Path) -> None:
    energy = Energy(tmp_path / "nothing here")
    assert not energy.readable
    assert energy.read_j() is None


def test_counters_that_vanish_are_no_figure_either(machine: Path) -> None:
    energy = Energy(machine)
    (machine / "intel-rapl:1" / "energy_uj").unlink()
    assert energy.read_j() is None
    assert energy.read_j() is None


@pytest.mark.parametrize("content", ["", "many\n"])
def test_a_counter_that_makes_no_sense_is_left_out(machine: Path, content: str) -> None:
    (machine / "intel-rapl:0" / "energy_uj").write_text(content)
    energy = Energy(machine)
    counts(machine, "intel-rapl:1", 1_000_000)
    assert energy.read_j() == 1
