"""The templates that ship with the product: Markdown, with their questions in front."""
