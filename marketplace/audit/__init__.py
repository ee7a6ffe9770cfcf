"""Audits of runs: every payment recomputed, from what the nodes sent to what was transferred.

    commits -> merged hash -> reports -> shares -> wei -> transactions

from the chain and the nodes' files alone; the marketplace's database is not asked. `records` is
what the chain has of a run, `artifacts` are the files; `walk` goes through the records in the order
of the chain and holds each to what it must be by `seals`, `commits`, `merging`, `rows` and `money`,
and stops at the first that is not; `retrain` adds what sites were worth to whole trainings.

The merge rules and the file format are the nodes' own code (`node_agent.merge`,
`node_agent.parameters`, `node_agent.scoring`): pure functions over files, without sockets, keys or
frameworks. It is the one place where one application imports from the other; see
docs/architecture.md.
"""
