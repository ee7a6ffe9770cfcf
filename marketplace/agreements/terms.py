"""The rules of an agreement as a draft writes them: names for codes, defaults, and what cannot be.

What the contract would refuse is better refused here than when everybody has signed.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final, TypeVar

from contracts.errors import MessageError
from contracts.messages import Bylaws, Terms, from_json, to_json
from marketplace.errors import InvalidInput

METERING: Final = {"equal": 0, "size": 1, "common": 2, "local": 3}
MERGE_RULES: Final = {
    "mean": 0,
    "norm-clipped-mean": 1,
    "coordinate-median": 2,
    "geometric-median": 3,
    "trimmed-mean": 4,
    "krum": 5,
    "multi-krum": 6,
    "centered-clipping": 7,
    "server-momentum": 8,
    "server-adagrad": 9,
    "server-adam": 10,
    "server-yogi": 11,
    **{f"plug-in-{number}": number for number in range(128, 256)},
}
"""See docs/merge-rules.md. A plug-in has to be installed at every node of the agreement."""
TOPOLOGIES: Final = {"mesh": 0, "star": 1}
STOPPING: Final = {"loss": 0, "lowest-metric": 1, "highest-metric": 2}
BUDGET_RULES: Final = {"progress": 0, "per-round": 1}
PAYOUTS: Final = {"each-round": 0, "at-the-end": 1}
ADAPTIVE_SYNC: Final = 1 << 31
"""Added to sync_frequency where it falls with the loss; a draft says adaptive_sync: true."""
NO_HASH: Final = "0x" + "00" * 32
LEAST_PARTIES_METERED: Final = 3
LEAST_PARTIES_LOCAL: Final = 4
_MOST_STRIKES: Final = 6
_MOST_NODES: Final = 32
_ALL_BIPS: Final = 10_000
_OF_WEIGHT: Final = ("trimmed-mean", "krum", "multi-krum")
_HALF_E6: Final = 500_000
_S = TypeVar("_S", Terms, Bylaws)

CODES: Final = {
    "metering": METERING,
    "merge_rule": MERGE_RULES,
    "topology": TOPOLOGIES,
    "stopping": STOPPING,
    "budget_rule": BUDGET_RULES,
    "payout": PAYOUTS,
}
"""What fields of the terms may be set to, by name, and the code that the contract knows it by."""
_DEFAULTS: Final[dict[str, Any]] = {
    each.name: each.default
    for each in dataclasses.fields(Terms)
    if each.default is not dataclasses.MISSING
} | {
    "validation_root": NO_HASH,
    "min_samples": 64,
    "sync_frequency": 16,
    "stall_time": 3_600,
    "quorum_grace": 5_000,
    "leader_timeout": 30_000,
    "min_peers": 0,
    # What one site can do to the model is bounded, at hardly any cost where all are honest.
    "merge_rule": MERGE_RULES["norm-clipped-mean"],
}


def complete_terms(fields: dict[str, Any], parties: int) -> Terms:
    """The terms of a draft with names replaced by codes and defaults written out.

    Raises:
        InvalidInput: they cannot be meant, or nobody could run them.
    """
    values = defaults(parties)["terms"] | fields
    adaptive = values.pop("adaptive_sync", False)
    if type(adaptive) is not bool:
        raise InvalidInput("adaptive_sync must be true or false")
    if adaptive and type(values["sync_frequency"]) is int:
        values["sync_frequency"] |= ADAPTIVE_SYNC
    for name, codes in CODES.items():
        if isinstance(values[name], str):  # a number is one of the codes already
            values[name] = codes.get(values[name], values[name])
    terms = _read(Terms, "terms", values)
    for name, codes in CODES.items():
        _check_code(name, codes, getattr(terms, name))
    _check_merge(terms)
    _check_pay(terms, parties)
    _check_times(terms)
    _check_losses_and_files(terms)
    if terms.min_peers > parties:
        raise InvalidInput(f"min_peers asks for {terms.min_peers} of {parties} organizations")
    return terms


def complete_bylaws(fields: dict[str, Any], parties: int) -> Bylaws:
    """The bylaws of a draft with defaults written out.

    Raises:
        InvalidInput: they cannot be meant.
    """
    bylaws = _read(Bylaws, "bylaws", to_json(Bylaws()) | fields)
    if bylaws.min_stake and int(bylaws.penalty_recipient, 16) == 0:
        raise InvalidInput(
            "the bylaws ask for a stake and do not say who gets it when it is slashed",
            hint="set bylaws.penalty_recipient",
        )
    if bylaws.penalty_bips > _ALL_BIPS:
        raise InvalidInput(f"the bylaws' penalty_bips must be at most {_ALL_BIPS}")
    if bylaws.finder_bips > _ALL_BIPS // 2:
        raise InvalidInput(
            f"the bylaws' finder_bips must be at most {_ALL_BIPS // 2}",
            hint="who proves a contradiction of his own must not get most of it back",
        )
    if bylaws.votes and not parties // 2 < bylaws.votes <= parties:
        raise InvalidInput(
            f"the bylaws' votes must be more than half of the {parties} organizations, or zero",
            hint="zero stands for more than two thirds",
        )
    if not 1 <= bylaws.max_nodes <= _MOST_NODES:
        raise InvalidInput(f"the bylaws' max_nodes must be 1 to {_MOST_NODES}")
    return bylaws


def name_of(codes: dict[str, int], code: int) -> str:
    """The name of a metering, merge rule, …"""
    return next(name for name, known in codes.items() if known == code)


def batches(terms: Terms) -> tuple[int, bool]:
    """Batches between two rounds, and whether they become fewer as the loss falls."""
    return terms.sync_frequency & ~ADAPTIVE_SYNC, bool(terms.sync_frequency & ADAPTIVE_SYNC)


def named(name: str, value: Any) -> Any:
    """A value of the terms, by name if it is a code."""
    codes = {code: text for text, code in CODES.get(name, {}).items()}
    return codes.get(value, value)


def defaults(parties: int) -> dict[str, dict[str, Any]]:
    """What the terms and the bylaws of a draft say where it says nothing."""
    metering = METERING["common" if parties >= LEAST_PARTIES_METERED else "equal"]
    return {"terms": _DEFAULTS | {"metering": metering}, "bylaws": to_json(Bylaws())}


def _read(struct: type[_S], what: str, fields: dict[str, Any]) -> _S:
    try:
        return from_json(struct, fields)
    except MessageError as error:
        raise InvalidInput(
            f"the {what} of the draft: {error}",
            hint="hashes are 0x and 64 hexadecimal digits, losses are in 1e-9, integers beyond "
            "2^53 are strings of decimals",
        ) from error


def _check_code(name: str, codes: dict[str, int], code: int) -> None:
    words = name.replace("_", " ")
    if code not in codes.values():
        named = [each for each in codes if not each.startswith("plug-in")]
        raise InvalidInput(f"unknown {words}", hint=f"one of {', '.join(named)}")


def _check_merge(terms: Terms) -> None:
    rule = name_of(MERGE_RULES, terms.merge_rule)
    if rule in _OF_WEIGHT and terms.merge_parameter >= _HALF_E6:
        raise InvalidInput(
            f"the merge_parameter of {rule} is a part of the weight below one half, in 1e-6",
            hint=f"set terms.merge_parameter below {_HALF_E6}, or to zero for the rule's default",
        )


def _check_pay(terms: Terms, parties: int) -> None:
    if terms.metering == METERING["common"] and terms.validation_root == bytes(32):
        raise InvalidInput(
            "metering on a common validation set needs that set's hash",
            hint="set terms.validation_root, or terms.metering to equal or size",
        )
    if terms.metering == METERING["common"] and parties < LEAST_PARTIES_METERED:
        raise InvalidInput(
            "two organizations always split equally", hint='set terms.metering to "equal"'
        )
    if terms.metering == METERING["local"] and parties < LEAST_PARTIES_LOCAL:
        raise InvalidInput(
            "with fewer than four organizations, metering on local data splits equally",
            hint="of three, two could divide the third's pay: set terms.metering to common",
        )
    if terms.strikes > _MOST_STRIKES:
        raise InvalidInput(f"the terms' strikes must be at most {_MOST_STRIKES}")
    if terms.strikes and not (terms.strike_rounds and terms.quarantine_time):
        raise InvalidInput(
            "strikes without the rounds in which they count, or without a quarantine",
            hint="set terms.strike_rounds and terms.quarantine_time too",
        )


def _check_times(terms: Terms) -> None:
    if terms.leader_timeout <= terms.quorum_grace:
        raise InvalidInput("leader_timeout has to be longer than quorum_grace")
    if terms.stall_time * 1000 <= terms.leader_timeout:
        raise InvalidInput("stall_time has to be longer than leader_timeout")


def _check_losses_and_files(terms: Terms) -> None:
    if terms.target_loss >= terms.loss_ceiling:
        raise InvalidInput("the target loss has to be below the loss ceiling")
    values = {"max_rounds": terms.max_rounds, "sync_frequency": batches(terms)[0]}
    for name, value in values.items():
        if value == 0:
            raise InvalidInput(f"the terms' {name} must be above zero")
    for name in ("initial_root", "schema_hash"):
        if getattr(terms, name) == bytes(32):
            raise InvalidInput(f"the terms' {name} is missing", hint="it is a BLAKE3 hash")
    if int(terms.sponsor, 16) == 0:
        raise InvalidInput("the terms name no sponsor")
