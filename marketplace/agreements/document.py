"""The text of an agreement: Markdown that follows from the draft alone, byte for byte.

What people wrote is set as block quotes, so that no wording can pass for a section of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.messages import Bylaws, Terms, from_json
from marketplace.agreements.drafts import DAY_S, Draft
from marketplace.agreements.terms import (
    BUDGET_RULES,
    MERGE_RULES,
    METERING,
    NO_HASH,
    PAYOUTS,
    STOPPING,
    TOPOLOGIES,
    batches,
    name_of,
)
from marketplace.clock import iso

_E9 = 10**9
_E6 = 10**6
_TOKEN_WEI = 10**18
_METERING_TEXT = {
    "equal": "Every organization of a round's roster is credited the same.",
    "size": "Organizations are credited in proportion to the samples they declare.",
    "common": "Organizations are credited by what their updates did to the loss on the agreed "
    "validation set. Whoever trains on that set gains by it: keep it apart from training data.",
    "local": "Organizations are credited by what their updates did to the losses on the other "
    "organizations' own data, as each of these reports it.",
}
_BUDGET_TEXT = {
    "progress": "Rewards vest in proportion to the fall of the loss from the start of a run to the "
    "target",
    "per-round": "An equal part of the pool vests with each of the rounds that a run may have",
}
_PAYOUT_TEXT = {
    "each-round": "as soon as it is credited",
    "at-the-end": "when the run is over",
}
_STOPPING_TEXT = {
    "loss": "loss at which a run ends",
    "lowest-metric": "metric at or below which a run ends",
    "highest-metric": "metric at or above which a run ends",
}


def render(draft: Draft) -> str:
    """Renders a completed draft; the SHA-256 of the UTF-8 bytes goes into the message signed."""
    terms = from_json(Terms, draft.terms)
    not_before = draft.not_before or 0
    sections = [
        f"# Swarm learning agreement: {_cell(draft.title)}",
        "Each party signs the SHA-256 of this text together with the terms below. The agreement "
        "comes into force when all have signed and the signatures are recorded on chain.",
        "## Parties",
        _table(
            ("number", "organization", "name", "wallet", "weight"),
            [
                (str(number), each.organization, each.name, each.wallet, str(each.weight))
                for number, each in enumerate(draft.parties)
            ],
        ),
        "## Purpose",
        _quote(draft.purpose),
        "## Data that each party exposes to training at its own site",
        _quote(draft.data_exposure),
        "## What leaves a site, and who sees it",
        _quote(draft.shared),
        "## Model",
        _quote(draft.model),
        "## Expected outcome",
        _quote(draft.expected_outcome),
        "## Time",
        f"In force from {iso(not_before)} to {iso(not_before + draft.duration_days * DAY_S)} "
        f"({draft.duration_days} days).",
        "## Nodes",
        "Nodes have names of the form "
        f"`spiffe://{draft.trust_domain}/org/<organization>/node/<node>`. A node takes part when "
        "its party's wallet and its own key have signed its enrollment.",
        "## Rules of every run",
        _table(("rule", "value"), _rules(terms)),
        "## Money",
        _money(terms),
        "## How the parties govern themselves",
        _table(("rule", "value"), _governance(from_json(Bylaws, draft.bylaws))),
    ]
    if draft.remarks:
        sections += ["## Remarks", _quote(draft.remarks)]
    return "\n\n".join(sections) + "\n"


def tokens(amount_wei: int) -> str:
    """`12.5 tokens (12500000000000000000 wei)`"""
    return f"{token_amount(amount_wei)} tokens ({amount_wei} wei)"


def token_amount(amount_wei: int) -> str:
    """The exact decimal number of tokens, without trailing zeros."""
    whole, rest = divmod(amount_wei, _TOKEN_WEI)
    return f"{whole}.{rest:018d}".rstrip("0").rstrip(".")


def fixed_point(value_e9: int) -> str:
    """A loss or metric with all of its nine decimals."""
    whole, rest = divmod(abs(value_e9), _E9)
    return f"{'-' if value_e9 < 0 else ''}{whole}.{rest:09d}"


def _rules(terms: Terms) -> list[tuple[str, str]]:
    quorum = (
        f"at least {terms.min_peers} organizations, and more than half of those taking part"
        if terms.min_peers
        else "more than half of the parties"
    )
    validation = "0x" + terms.validation_root.hex()
    return [
        ("initial parameters (BLAKE3)", f"0x{terms.initial_root.hex()}"),
        ("schema of the parameters (BLAKE3)", f"0x{terms.schema_hash.hex()}"),
        ("validation set (BLAKE3)", "none" if validation == NO_HASH else validation),
        ("batches between two rounds", _batches(terms)),
        ("rounds at most", str(terms.max_rounds)),
        ("merge rule", _merge_rule(terms)),
        ("quorum", quorum),
        ("samples behind an update, at least", str(terms.min_samples)),
        _target(terms),
        ("loss at which all of the pool is vested", fixed_point(terms.target_loss)),
        ("initial loss is never taken higher than", fixed_point(terms.loss_ceiling)),
        ("rounds without a better value that end a run", _or(terms.patience, "any number")),
        ("a leader waits for late updates", f"{terms.quorum_grace} ms"),
        ("a leader is replaced after", f"{terms.leader_timeout} ms, doubling"),
        ("a stalled round may be reopened after", f"{terms.stall_time} s"),
        ("how updates travel", name_of(TOPOLOGIES, terms.topology)),
        ("rejected updates that lead to quarantine", _strikes(terms)),
        ("a newcomer may claim after", f"{terms.probation} s"),
    ]


def _batches(terms: Terms) -> str:
    first, adaptive = batches(terms)
    if not adaptive:
        return str(first)
    return f"{first} times the square root of loss / initial loss, at least {-(-first // 8)}"


def _merge_rule(terms: Terms) -> str:
    name = name_of(MERGE_RULES, terms.merge_rule)
    if not terms.merge_parameter:
        return name
    whole, parts = divmod(terms.merge_parameter, _E6)
    return f"{name}, parameter {whole}.{parts:06d}"


def _target(terms: Terms) -> tuple[str, str]:
    stopping = name_of(STOPPING, terms.stopping)
    target = terms.target_loss if stopping == "loss" else terms.target_metric
    return _STOPPING_TEXT[stopping], fixed_point(target)


def _strikes(terms: Terms) -> str:
    if not terms.strikes:
        return "never"
    return f"{terms.strikes} within {terms.strike_rounds} rounds, for {terms.quarantine_time} s"


def _money(terms: Terms) -> str:
    metering = name_of(METERING, terms.metering)
    vesting = _BUDGET_TEXT[name_of(BUDGET_RULES, terms.budget_rule)]
    payout = _PAYOUT_TEXT[name_of(PAYOUTS, terms.payout)]
    sale = (
        f"A license of a finished run's model costs {tokens(terms.license_price)}."
        if terms.license_price
        else "Licenses of the models are not for sale."
    )
    return (
        f"The sponsor `{terms.sponsor}` promises {tokens(terms.budget)} of the reward token. "
        f"{vesting}; what never vests returns to the sponsor. What is credited may be claimed "
        f"{payout}. Metering: **{metering}**. {_METERING_TEXT[metering]} {sale}"
    )


def _governance(bylaws: Bylaws) -> list[tuple[str, str]]:
    votes = f"{bylaws.votes} organizations" if bylaws.votes else "more than two thirds"
    stake = tokens(bylaws.min_stake) if bylaws.min_stake else "none"
    answer = f"{bylaws.answer_time} s" if bylaws.answer_time else "nobody may be suspected"
    return [
        ("votes that carry a motion", votes),
        ("a wallet replaced by vote changes after", f"{bylaws.wallet_delay} s"),
        ("nodes of an organization at once, at most", str(bylaws.max_nodes)),
        ("stake that an organization needs to be counted", stake),
        ("stake slashed for each proven contradiction", _percent(bylaws.penalty_bips)),
        ("part of that for who proved it", _percent(bylaws.finder_bips)),
        ("the rest of it goes to", f"`{bylaws.penalty_recipient}`"),
        ("evidence may take", f"{bylaws.dispute_time} s"),
        ("time to answer a suspicion of absence", answer),
    ]


def _or(number: int, otherwise: str) -> str:
    return str(number) if number else otherwise


def _percent(bips: int) -> str:
    return f"{bips // 100}.{bips % 100:02d} %"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [[_cell(each) for each in row] for row in (head, *rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        f"| {' | '.join(each.ljust(width) for each, width in zip(line, widths, strict=True))} |"
        for line in lines
    )


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _quote(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))
