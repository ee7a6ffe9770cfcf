"""Commands of `swarm-node` beyond those that enroll and run the agent."""
