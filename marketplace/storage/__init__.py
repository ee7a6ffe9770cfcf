"""What the marketplace remembers, and how: models, transactions, migrations."""
