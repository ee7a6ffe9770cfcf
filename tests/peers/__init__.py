"""Nodes talking to nodes over real sockets."""
