"""Money as people see it: statements, reconciliation, announcements and who is told of them."""
