"""Training scripts that take part in a swarm, as an ML engineer would write them."""
