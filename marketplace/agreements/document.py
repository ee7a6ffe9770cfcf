"""The text of an agreement: Markdown that follows from the draft alone, byte for byte.

What people wrote is set as block quotes, so that no wording can pass for a section of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.messages import Bylaws, Terms, from_json
from marketplace.agreements.drafts import DAY_S, Draft, TemplatedDraft
from marketplace.agreements.templating import Template, quoted
from marketplace.agreements.terms import (
    BUDGET_RULES,
    MERGE_RULES,
    METERING,
    PAYOUTS,
    STOPPING,
    TOPOLOGIES,
    batches,
    name_of,
)
from marketplace.clock import iso

_E9 = 10**9
_E6 = 10**6
_TO_AGREE = "to be agreed before signing"
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


@dataclass(frozen=True, slots=True)
class Amends:
    """Which agreement a text amends, and as which version."""

    agreement_id: str
    version: int

    @property
    def text(self) -> str:
        return (
            f"This is version {self.version} of the agreement `{self.agreement_id}`. It replaces "
            "the version before when all parties, those that it adds among them, have signed it. "
            "Runs that exist keep the terms that they were created with."
        )


def render(draft: Draft, amends: Amends | None = None) -> str:
    """Renders a completed draft; the SHA-256 of the UTF-8 bytes goes into the message signed.

    Args:
        draft: with every default written out; zero hashes and wallets are those to be agreed yet.
        amends: for an amendment.
    """
    sections = [
        f"# Swarm learning agreement: {_cell(draft.title)}",
        "Each party signs the SHA-256 of this text together with the terms below. The agreement "
        "comes into force when all have signed and the signatures are recorded on chain.",
        *([amends.text] if amends else []),
        "## Parties",
        parties(draft),
        "## Purpose",
        quoted(draft.purpose),
        "## Data that each party exposes to training at its own site",
        quoted(draft.data_exposure),
        "## What leaves a site, and who sees it",
        quoted(draft.shared),
        "## Model",
        quoted(draft.model),
        "## Expected outcome",
        quoted(draft.expected_outcome),
        "## Time",
        period(draft),
        "## Nodes",
        nodes(draft),
        "## Rules of every run",
        rules(draft),
        "## Money",
        money(draft),
        "## How the parties govern themselves",
        governance(draft),
    ]
    if draft.remarks:
        sections += ["## Remarks", quoted(draft.remarks)]
    return "\n\n".join(sections) + "\n"


def render_from(template: Template, draft: TemplatedDraft, amends: Amends | None = None) -> str:
    """Renders a completed draft by the template that it was made from."""
    sections = {
        "parties": parties(draft),
        "period": period(draft),
        "nodes": nodes(draft),
        "rules": rules(draft),
        "money": money(draft),
        "governance": governance(draft),
    }
    text = template.write(draft.answers, sections)
    if amends:
        title, _, rest = text.partition("\n\n")
        text = f"{title}\n\n{amends.text}\n\n{rest}"
    return (
        f"{text}\nTemplate {template.name}, version {template.version}, "
        f"SHA-256 {template.sha256}.\n"
    )


def parties(draft: Draft) -> str:
    """Who takes part, as a table."""
    return _table(
        ("number", "organization", "name", "wallet", "weight"),
        [
            (str(number), each.organization, each.name, _wallet(each.wallet), str(each.weight))
            for number, each in enumerate(draft.parties)
        ],
    )


def period(draft: Draft) -> str:
    not_before = draft.not_before or 0
    return (
        f"In force from {iso(not_before)} to {iso(not_before + draft.duration_days * DAY_S)} "
        f"({draft.duration_days} days)."
    )


def nodes(draft: Draft) -> str:
    return (
        "Nodes have names of the form "
        f"`spiffe://{draft.trust_domain}/org/<organization>/node/<node>`. A node takes part when "
        "its party's wallet and its own key have signed its enrollment."
    )


def rules(draft: Draft) -> str:
    """The terms of every run, as a table."""
    return _table(("rule", "value"), rule_rows(from_json(Terms, draft.terms)))


def money(draft: Draft) -> str:
    return _money(from_json(Terms, draft.terms))


def governance(draft: Draft) -> str:
    """The bylaws, as a table."""
    return _table(("rule", "value"), _governance(from_json(Bylaws, draft.bylaws)))


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


def rule_rows(terms: Terms) -> list[tuple[str, str]]:
    """What the terms say about every run, each rule with its value."""
    quorum = (
        f"at least {terms.min_peers} organizations, and more than half of those taking part"
        if terms.min_peers
        else "more than half of the parties"
    )
    return [
        ("initial parameters (BLAKE3)", _hash(terms.initial_root)),
        ("schema of the parameters (BLAKE3)", _hash(terms.schema_hash)),
        ("validation set (BLAKE3)", _validation(terms)),
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
        ("a stalled round may be reopened after", _time(terms.stall_time)),
        ("how updates travel", name_of(TOPOLOGIES, terms.topology)),
        ("rejected updates that lead to quarantine", _strikes(terms)),
        ("a newcomer may claim after", _time(terms.probation)),
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


def _hash(value: bytes) -> str:
    return "0x" + value.hex() if any(value) else _TO_AGREE


def _validation(terms: Terms) -> str:
    unused = name_of(METERING, terms.metering) != "common" and not any(terms.validation_root)
    return "none" if unused else _hash(terms.validation_root)


def _wallet(address: str) -> str:
    return f"`{address}`" if int(address, 16) else _TO_AGREE


def _recipient(bylaws: Bylaws) -> str:
    return f"`{bylaws.penalty_recipient}`" if int(bylaws.penalty_recipient, 16) else "nobody"


def _target(terms: Terms) -> tuple[str, str]:
    stopping = name_of(STOPPING, terms.stopping)
    target = terms.target_loss if stopping == "loss" else terms.target_metric
    return _STOPPING_TEXT[stopping], fixed_point(target)


def _strikes(terms: Terms) -> str:
    if not terms.strikes:
        return "never"
    return (
        f"{terms.strikes} within {terms.strike_rounds} rounds, for {_time(terms.quarantine_time)}"
    )


def _money(terms: Terms) -> str:
    metering = name_of(METERING, terms.metering)
    vesting = _BUDGET_TEXT[name_of(BUDGET_RULES, terms.budget_rule)]
    payout = _PAYOUT_TEXT[name_of(PAYOUTS, terms.payout)]
    sale = (
        f"A license of a finished run's model costs {tokens(terms.license_price)}."
        if terms.license_price
        else "Licenses of the models are not for sale."
    )
    sponsor = _wallet(terms.sponsor) if int(terms.sponsor, 16) else f"({_TO_AGREE})"
    return (
        f"The sponsor {sponsor} promises {tokens(terms.budget)} of the reward token. "
        f"{vesting}; what never vests returns to the sponsor. What is credited may be claimed "
        f"{payout}. Metering: **{metering}**. {_METERING_TEXT[metering]} {sale}"
    )


def _governance(bylaws: Bylaws) -> list[tuple[str, str]]:
    votes = f"{bylaws.votes} organizations" if bylaws.votes else "more than two thirds"
    stake = tokens(bylaws.min_stake) if bylaws.min_stake else "none"
    answer = _time(bylaws.answer_time) if bylaws.answer_time else "nobody may be suspected"
    return [
        ("votes that carry a motion", votes),
        ("a wallet replaced by vote changes after", _time(bylaws.wallet_delay)),
        ("nodes of an organization at once, at most", str(bylaws.max_nodes)),
        ("stake that an organization needs to be counted", stake),
        ("stake slashed for each proven contradiction", _percent(bylaws.penalty_bips)),
        ("part of that for who proved it", _percent(bylaws.finder_bips)),
        ("the rest of it goes to", _recipient(bylaws)),
        ("evidence may take", _time(bylaws.dispute_time)),
        ("time to answer a suspicion of absence", answer),
    ]


def _or(number: int, otherwise: str) -> str:
    return str(number) if number else otherwise


def _time(seconds: int) -> str:
    """`86400 s (1 day)`"""
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds and seconds % size == 0:
            count = seconds // size
            return f"{seconds} s ({count} {unit}{'s' if count > 1 else ''})"
    return f"{seconds} s"


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
