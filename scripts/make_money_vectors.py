"""Writes tests/vectors/money.json: whole runs' settlements, for the contracts and metering alike.

    python -m scripts.make_money_vectors            write the file
    python -m scripts.make_money_vectors --check    fail if it is not what this program would write

Every case can be played on the contracts under `common` metering: round 0 is sealed with
`initial_loss_e9`, then the rounds in order; the run may end only with the last one.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from metering.split import equal_row, metered_row
from metering.vesting import Pool

PATH = Path(__file__).parents[1] / "tests" / "vectors" / "money.json"
TOKEN_WEI = 10**18

Round = tuple[int, Sequence[tuple[int, int]]]  # loss after [1e-9], row

VOID: Sequence[tuple[int, int]] = ()
THIRDS = equal_row([0, 1, 2])
HALVES = equal_row([0, 1])
METERED = metered_row({0: 0.31, 1: 0.02, 2: 0.11, 3: -0.4})


def case(
    name: str, funded_wei: int, initial_loss_e9: int, target_loss_e9: int, rounds: Sequence[Round]
) -> dict[str, Any]:
    """Settle the rounds and write down what each one credited."""
    pool = Pool(funded_wei, initial_loss_e9, target_loss_e9)
    settled = []
    for loss_after_e9, row in rounds:
        credited = pool.settle(loss_after_e9, row)
        settled.append(
            {
                "loss_after_e9": loss_after_e9,
                "shares": [list(share) for share in row],
                "credited_wei": {str(party): str(wei) for party, wei in credited.items()},
                "best_loss_e9": pool.best_loss_e9,
            }
        )
    return {
        "name": name,
        "funded_wei": str(funded_wei),
        "initial_loss_e9": initial_loss_e9,
        "target_loss_e9": target_loss_e9,
        "rounds": settled,
        "refund_wei": str(pool.refund_wei()),
    }


def long_run() -> list[Round]:
    """A noisy descent of 24 rounds over five organizations, some of them away, some rounds void."""
    chance = random.Random(20260101)
    rounds: list[Round] = []
    loss = 693_147_181
    for _ in range(24):
        loss = max(210_000_000, loss + chance.randrange(-60_000_000, 25_000_000))
        present = sorted(chance.sample(range(5), chance.randrange(2, 6)))
        row = metered_row({party: chance.gauss(0.02, 0.02) for party in present})
        rounds.append((loss, VOID if chance.random() < 0.1 else row))
    return rounds


def cases() -> list[dict[str, Any]]:
    return [
        case("straight to the target", 900, 700_000_000, 400_000_000, [(400_000_000, THIRDS)]),
        case(
            "three rounds, metered, past the target",
            1_000 * TOKEN_WEI,
            692_847_113,
            350_000_000,
            [(551_201_007, METERED), (430_000_001, METERED), (349_123_456, METERED)],
        ),
        case(
            "the loss rises and falls: only a new lowest one is paid",
            500 * TOKEN_WEI,
            700_000_000,
            300_000_000,
            [
                (600_000_000, THIRDS),
                (650_000_000, METERED),
                (600_000_000, METERED),
                (599_999_999, THIRDS),
                (640_000_000, THIRDS),
                (500_000_000, METERED),
            ],
        ),
        case(
            "void rows pay nobody and move nothing",
            70 * TOKEN_WEI,
            700_000_000,
            100_000_000,
            [
                (500_000_000, VOID),
                (600_000_000, THIRDS),
                (450_000_000, VOID),
                (550_000_000, METERED),
            ],
        ),
        case(
            "the target is met by a void row: the run is over, the rest returns",
            70 * TOKEN_WEI,
            700_000_000,
            100_000_000,
            [(600_000_000, THIRDS), (90_000_000, VOID)],
        ),
        case(
            "never better than the start",
            42 * TOKEN_WEI,
            500_000_000,
            250_000_000,
            [(500_000_000, THIRDS), (730_000_000, METERED), (500_000_001, THIRDS)],
        ),
        case(
            "one wei for three stays where it is",
            1,
            700_000_000,
            300_000_000,
            [(500_000_000, THIRDS), (300_000_000, THIRDS)],
        ),
        case(
            "one wei goes to a whole share",
            1,
            700_000_000,
            300_000_000,
            [
                (500_000_000, [(0, 10_000), (1, 0), (2, 0)]),
                (300_000_000, [(0, 0), (1, 0), (2, 10_000)]),
            ],
        ),
        case(
            "what rounding leaves is credited later",
            10,
            1_000_000_000,
            0,
            [(900_000_000 - 100_000_000 * n, THIRDS) for n in range(10)],
        ),
        case("two split equally", 10**9 + 7, 2, 0, [(1, HALVES), (0, HALVES)]),
        case(
            "an empty pool",
            0,
            700_000_000,
            300_000_000,
            [(500_000_000, THIRDS), (200_000_000, METERED)],
        ),
        case(
            "shares of little, parties with gaps",
            123_456_789_012_345_678_901,
            10_000_000_000,
            9_000_000_000,
            [
                (9_999_999_999, [(1, 1), (4, 9), (6, 9_990)]),
                (9_500_000_000, [(0, 1), (3, 1), (6, 1)]),
                (9_100_000_000, [(2, 3_333), (3, 0), (5, 6_666)]),
                (8_000_000_000, [(0, 0), (3, 10_000), (6, 0)]),
            ],
        ),
        case(
            "24 rounds of noise",
            1_000_000_007 * TOKEN_WEI + 3,
            693_147_181,
            200_000_000,
            long_run(),
        ),
    ]


def text() -> str:
    """Return the file's content, one line a round."""
    document = []
    for entry in cases():
        rounds = [f"   {json.dumps(settled)}" for settled in entry.pop("rounds")]
        head = json.dumps(entry, indent=2).removeprefix("{\n").removesuffix("\n}")
        document.append(f' {{\n{head},\n  "rounds": [\n' + ",\n".join(rounds) + "\n  ]\n }")
    return '{"cases": [\n' + ",\n".join(document) + "\n]}\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if parser.parse_args(arguments).check:
        if PATH.read_text() == text():
            return 0
        print(
            f"{PATH.name} is out of date: run python -m scripts.make_money_vectors", file=sys.stderr
        )
        return 1
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
