"""The JSON API, one router for each kind of object."""
