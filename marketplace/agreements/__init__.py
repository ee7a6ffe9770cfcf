"""Agreements: from a draft, through the text and the message that stand for it, to signatures."""
