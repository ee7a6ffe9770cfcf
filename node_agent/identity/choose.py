"""The source of SVIDs that the settings name."""

from __future__ import annotations

from node_agent.config import Settings, Source
from node_agent.errors import ConfigError
from node_agent.identity.builtin import BuiltinSource, Renew
from node_agent.identity.files import FileSource
from node_agent.identity.source import IdentitySource
from node_agent.identity.workload import WorkloadSource


def source_for(settings: Settings, renew: Renew) -> IdentitySource:
    """Makes the source; open it with `async with`.

    Args:
        settings: say which one, and who this node is.
        renew: asks the marketplace for a new SVID; only the built-in source uses it.
    """
    identity = settings.identity
    match identity.source:
        case Source.BUILTIN:
            return BuiltinSource(settings.folder, renew, spiffe_id=settings.spiffe_id)
        case Source.FILES if identity.chain and identity.key and identity.bundle:
            return FileSource(
                identity.chain,
                identity.key,
                identity.bundle,
                spiffe_id=settings.spiffe_id,
                federated=identity.federated,
            )
        case Source.WORKLOAD if identity.socket:
            return WorkloadSource(identity.socket, settings.spiffe_id)
    raise ConfigError(f"identity.source = {identity.source!r} lacks its paths")
