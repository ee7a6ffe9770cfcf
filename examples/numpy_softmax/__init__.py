"""A framework of one's own in the swarm: see train.py."""
