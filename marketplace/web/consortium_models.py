"""What the API answers with about drafts, amendments, motions and admissions; see `models`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from marketplace.web.models import Operation, PartyShown, Shown


class TemplateLine(Shown):
    """A template on one line of a list."""

    name: str
    label: str
    version: int
    summary: str
    sha256: str = Field(description="of the file and the questions that it shares")


class TemplateChoice(Shown):
    value: str
    label: str


class TemplateField(Shown):
    """A question of a template."""

    name: str
    label: str
    kind: str
    group: str
    help: str
    default: str
    required: bool
    unit: str
    choices: list[TemplateChoice]


class Template(TemplateLine):
    fields: list[TemplateField]
    text: str = Field(description="Markdown with placeholders")


class ProposedParty(Shown):
    organization: str
    name: str
    wallet: str = Field(description="empty while it is not named")
    weight: int


class NegotiationLine(Shown):
    """A draft that is negotiated, on one line of a list."""

    id: str
    title: str
    state: str = Field(description="open, offered or withdrawn")
    amends: str | None = Field(description="id of the agreement that it would amend")
    version: int = Field(description="number of the last one")
    template: str
    parties: list[ProposedParty]
    open_items: list[str] = Field(description="what has to be agreed before it can be signed")
    offered: str | None = Field(description="id of the agreement, or hash of the amendment")
    started_by: str
    created_s: int
    updated_s: int


class VersionLine(Shown):
    version: int
    author: str
    organization: str | None
    note: str
    document_sha256: str
    open_items: list[str]
    created_s: int


class Remark(Shown):
    version: int
    author: str
    organization: str | None
    text: str
    created_s: int


class InvitationLine(Shown):
    id: str
    organization: str
    created_s: int
    expires_s: int
    revoked_s: int | None
    used_by: str | None
    used_s: int | None


class Negotiation(NegotiationLine):
    """A draft: the last version in full, the others in short."""

    document: str = Field(description="the text, in Markdown")
    document_sha256: str
    proposal: dict[str, Any]
    versions: list[VersionLine]
    comments: list[Remark]
    invitations: list[InvitationLine]


class Version(Shown):
    """One version of a draft."""

    draft: str
    version: int
    proposal: dict[str, Any]
    document: str
    document_sha256: str
    open_items: list[str]
    author: str
    note: str
    created_s: int


class ChangedTerm(Shown):
    name: str
    label: str
    before: str
    after: str


class TextPiece(Shown):
    change: str = Field(description="same, removed or added")
    text: str


class TextPassage(Shown):
    same: bool
    before: list[TextPiece]
    after: list[TextPiece]


class Changes(Shown):
    """What two versions say otherwise."""

    since: int = Field(alias="from", description="number of the earlier version")
    to: int = Field(description="number of the later one")
    terms: list[ChangedTerm]
    text: list[TextPassage]


class NewLink(Shown):
    """An invitation that was just made."""

    id: str
    secret: str = Field(description="shown this once")
    link: str = Field(description="for the one who is invited")
    organization: str
    expires_s: int


class Invited(Shown):
    """The draft behind a link."""

    id: str
    title: str
    state: str
    version: int
    parties: list[ProposedParty]
    open_items: list[str]
    document: str
    document_sha256: str
    started_by: str
    organization: str = Field(description="whose seat it is")
    expires_s: int


class Change(Shown):
    """Something that happened to an agreement."""

    kind: str
    what: str
    undo: str = Field(description="how to undo it")
    transaction: str
    block: int
    time_s: int | None = Field(description="of the block")


class AmendmentLine(Shown):
    """A version of an agreement that was offered for signature."""

    hash: str
    agreement: str
    version: int
    title: str
    state: str = Field(
        description="offered, posting, failed, in force, replaced, outrun or withdrawn"
    )
    document_sha256: str
    not_before_s: int
    not_after_s: int
    parties: list[PartyShown]
    operation: Operation | None
    created_s: int


class Amendment(AmendmentLine):
    document: str
    agreement_message: dict[str, Any] = Field(description="the message that the parties sign")
    typed_data: dict[str, Any] = Field(description="the same, for eth_signTypedData_v4")


class Voter(Shown):
    party: int
    organization: str
    wallet: str
    signed_s: int | None


class Motion(Shown):
    """What a party proposed, and who is in favor."""

    id: str
    agreement: str
    agreement_title: str
    action: str
    organization: str | None
    wallet: str | None
    run: str | None
    reason: str
    effect: str
    state: str = Field(description="open, posting, carried, failed, outrun, withdrawn or over")
    votes: int
    needed: int
    voters: list[Voter]
    proposed_by: str
    deadline_s: int
    message: dict[str, Any]
    typed_data: dict[str, Any]
    operation: Operation | None
    created_s: int


class PreparedAct(Shown):
    """What a party has to sign to act on its own."""

    kind: str
    agreement: str
    organization: str
    message: dict[str, Any]
    typed_data: dict[str, Any]
    effect: str


class Admission(Shown):
    """An organization that an admin vouches for."""

    organization: str
    wallet: str
    admitted_by: str
    created_s: int
