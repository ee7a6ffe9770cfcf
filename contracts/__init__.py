"""The contracts' Python face: the only place that talks to the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contracts.deployment import Contracts

__all__ = ["Contracts"]


def __getattr__(name: str) -> Any:
    # web3 costs seconds to import; who only signs or checks messages shall not pay for it.
    if name == "Contracts":
        from contracts.deployment import Contracts

        return Contracts
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
