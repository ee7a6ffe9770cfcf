"""Everything that can go wrong in the node agent, in one tree.

Raised where it happens, translated once at the rim: problem+json towards peers, a numbered exit
code and a `hint: …` line for the operator.

==== ========================== ================================================================
code error                      meaning
==== ========================== ================================================================
0                               it worked
1    NodeError                  none of the below; `healthcheck`, `validate`: something is wrong
2    ConfigError                the settings, or the command line, make no sense
3    IdentityError              no usable SVID or node key, or one that others may read
4    LeaseError                 no valid right to run the software
5    PeerError, MessageRefused  a peer is unreachable, or said or sent what it must not
6    MarketplaceError           the marketplace is unreachable or said no
7    ChainError (of contracts)  the chain is unreachable, or a contract refused
8    ParameterError             a parameter file is malformed or does not fit the run
9    TrainingSocketError        the training process broke the protocol, or may not use it
10   AgentStateError            the agent's folder is in use, incomplete or damaged
130                             interrupted from the keyboard
==== ========================== ================================================================
"""

from __future__ import annotations

from typing import ClassVar

CHAIN_EXIT_CODE = (
    7  # errors of `contracts` are no NodeErrors; the command line gives them this code
)


class NodeError(Exception):
    """Base of all errors that the node agent raises on purpose.

    `hint` tells the operator what to do next; empty when there is nothing to be done.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(NodeError):
    """The settings are missing, unknown, or contradict each other."""

    exit_code = 2


class IdentityError(NodeError):
    """No SVID, an expired one, one for another name, or a key that is not private."""

    exit_code = 3


class LeaseError(NodeError):
    """The software lease is missing, expired, forged, or for another node."""

    exit_code = 4


class PeerError(NodeError):
    """Another node could not be reached, or broke the rules.

    `reason` is one of the words of `node_agent.peers.protocol.Reason`: what to do next depends on
    it.
    """

    exit_code = 5

    def __init__(self, message: str, *, reason: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class MessageRefused(NodeError):
    """This node does not accept a message of a peer; `reason` goes back to the sender."""

    exit_code = 5

    def __init__(self, reason: str, *, hint: str = "") -> None:
        super().__init__(reason, hint=hint)
        self.reason = reason


class MarketplaceError(NodeError):
    """The marketplace could not be reached, or refused.

    `status` is its HTTP status, 0 without an answer.
    """

    exit_code = 6

    def __init__(self, message: str, *, status: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


class ParameterError(NodeError):
    """A parameter file is malformed, or is not what the run expects."""

    exit_code = 8


class TrainingSocketError(NodeError):
    """The training process broke the protocol of its socket, or is not allowed to use it."""

    exit_code = 9


class AgentStateError(NodeError):
    """The agent's folder is in use by another agent, incomplete, or damaged."""

    exit_code = 10
