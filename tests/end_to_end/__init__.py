"""The whole product, from outside: several processes, several hosts, as people would run it."""
