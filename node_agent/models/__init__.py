"""Models of finished runs: kept with what is known of them, to be looked at, exported and used."""
