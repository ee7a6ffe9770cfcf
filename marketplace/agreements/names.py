"""Whose name is whose: an organization's name is part of its nodes' SPIFFE IDs.

SPIFFE IDs are unique in a trust domain, agreements are many: so a name belongs to the wallet under
which it came into force first, and nobody else gets certificates for it here. Only agreements that
are admitted count: else whoever pays some gas could take a name that is not his. Before there is
one, an admission keeps the name.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from marketplace.errors import Conflict
from marketplace.storage.models import Admission, AdmittedAgreement, Event, Party


def must_own_name(session: Session, organization: str, wallet: str) -> None:
    """Refuses a name that another wallet holds.

    Raises:
        Conflict: it does.
    """
    holder = session.scalars(
        sa.select(Party.wallet)
        .join(Event, Event.agreement_id == Party.agreement_id)
        .join(AdmittedAgreement, AdmittedAgreement.agreement_id == Party.agreement_id)
        .where(Event.kind == "AgreementActivated", Party.organization == organization)
        .order_by(Event.block, Event.log_index)
        .limit(1)
    ).first()
    if holder is None and (admitted := session.get(Admission, organization)) is not None:
        holder = admitted.wallet
    if holder not in (None, wallet):
        raise Conflict(
            f"the name {organization} belongs to another wallet here, {holder}",
            hint="choose another name for the organization",
        )
