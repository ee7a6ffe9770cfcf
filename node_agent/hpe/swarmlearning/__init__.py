"""The import names of HPE Swarm Learning, so that programs written for it run unchanged.

`swarmlearning.tf`, `swarmlearning.pyt` and `swarmlearning.hf_transformers` have `SwarmCallback`,
`swarmlearning.swci` has `Swci`. Each is thin: the work is done in `node_agent.callbacks`.
"""
