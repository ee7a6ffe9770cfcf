"""The marketplace from outside: real processes, real TLS, a real chain."""
