"""The model of published versions."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.chain.machine.refusal import Refused


@dataclass(slots=True)
class Version:
    """What was published; `retired` says why it is not to be used any more."""

    name: str
    document: bytes
    at: int  # [unix s]
    retired: str = ""


@dataclass(slots=True)
class Registry:
    """In the order in which they came; `allowed`: by who may."""

    versions: list[Version] = field(default_factory=list)

    @property
    def latest(self) -> int:
        """The number of the last one that is not retired; -1 where there is none."""
        good = (each for each, version in enumerate(self.versions) if not version.retired)
        return max(good, default=-1)

    def publish(self, allowed: bool, version: Version, there: bool) -> None:
        """`there`: what it names has code."""
        _check_role(allowed)
        for index, known in enumerate(self.versions):
            if known.name == version.name:
                raise Refused("Registry_NameTaken", name=version.name, index=index)
        if not there:
            raise Refused("Registry_BadEntry", entry=0)
        self.versions.append(version)

    def retire(self, allowed: bool, index: int, reason: str) -> None:
        _check_role(allowed)
        if index >= len(self.versions):
            raise Refused("Registry_UnknownVersion", index=index)
        if self.versions[index].retired:
            raise Refused("Registry_AlreadyRetired", index=index)
        self.versions[index].retired = reason


def _check_role(allowed: bool) -> None:
    if not allowed:
        raise Refused("AccessManagedUnauthorized")
