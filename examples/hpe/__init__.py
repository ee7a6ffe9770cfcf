"""Programs against the interface of HPE Swarm Learning, and the data that they train on."""
