"""A branch or a line of a contract that no test takes is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.coverage import main

REPORT = """TN:
SF:contracts/Claims.sol
DA:10,3
DA:11,{hits}
BRDA:10,0,0,1
BRDA:10,0,1,{taken}
end_of_record
SF:tests/forge/Swarm.sol
DA:5,0
BRDA:5,0,0,-
end_of_record
"""


def test_a_branch_and_a_line_that_nobody_takes_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "lcov.info"
    report.write_text(REPORT.format(hits=0, taken="-"))
    assert main([str(report)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "contracts/Claims.sol:10: no test takes one of its branches",
        "contracts/Claims.sol:11: no test comes here",
    ]


def test_only_contracts_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "lcov.info"
    report.write_text(REPORT.format(hits=1, taken=2))
    assert main([str(report)]) == 0
    assert "All of 2 branches and 2 lines in 1 contracts" in capsys.readouterr().out


def test_a_report_of_nothing_is_no_success(tmp_path: Path) -> None:
    report = tmp_path / "lcov.info"
    report.write_text("")
    assert main([str(report)]) == 1
