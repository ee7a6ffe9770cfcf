"""The listener for people: JSON under /api, pages elsewhere."""
