"""Rules that make one model of many updates; `registry.merge` runs them, `rules` lists them."""
