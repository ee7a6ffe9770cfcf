"""How a consortium comes about: drafts, invitations, negotiation, the offer for signature."""
