"""How fast the marketplace's pages are with a consortium of fifty in it, see `__main__`."""
