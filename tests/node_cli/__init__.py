"""The operator's side: settings, command line, enrollment."""
