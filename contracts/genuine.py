"""Is what stands at an address one of our contracts, or only something that answers alike?"""

from __future__ import annotations

import functools
import json
import re
from importlib import resources

from contracts.chain import Chain
from contracts.kinds import checksum_address

# Immutable values are written into the code when it is deployed, in places that the compiler leaves
# at zero: what PUSH32 pushes.
_IMMUTABLE = re.compile(rb"\x7f\x00{32}", re.DOTALL)


async def is_genuine(chain: Chain, name: str, address: str) -> bool:
    """Returns whether the code at the address is that of the contract, but for immutable values."""
    answer = await chain.request("eth_getCode", checksum_address(address), "latest")
    found, expected = bytearray.fromhex(str(answer)[2:]), _code(name)
    if len(found) != len(expected):
        return False
    for place in _IMMUTABLE.finditer(expected):
        found[place.start() : place.end()] = place.group()
    return bytes(found) == expected


@functools.cache
def _code(name: str) -> bytes:
    file = resources.files("contracts") / "artifacts" / f"{name}.json"
    code: str = json.loads(file.read_text(encoding="utf-8"))["deployedBytecode"]
    return bytes.fromhex(code.removeprefix("0x"))
