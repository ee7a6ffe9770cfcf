"""Published versions: by who may, and by who may not."""

from __future__ import annotations

from contracts.registry import Entry
from tests.chain.machine.registry import Version
from tests.chain.machine.stage import STEP_S, Stage, key


class RegistryActs(Stage):
    """The poster holds the role; nobody else does."""

    async def publish(self, name: str, allowed: bool, there: bool) -> bool:
        version = Version(name, name.encode().ljust(32, b"."), self.world.now + STEP_S)
        location = self.contracts.training.address if there else key("nobody").address
        signer = self.poster if allowed else key("nobody")
        return await self.step(
            "publish version",
            lambda trial: trial.registry.publish(allowed, version, there),
            lambda: self.contracts.registry.publish(
                name, version.document, [Entry("Training", location)], signer=signer
            ),
        )

    async def retire_version(self, index: int, allowed: bool) -> bool:
        signer = self.poster if allowed else key("nobody")
        return await self.step(
            "retire version",
            lambda trial: trial.registry.retire(allowed, index, "found wanting"),
            lambda: self.contracts.registry.retire(index, "found wanting", signer=signer),
        )
