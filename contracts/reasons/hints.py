"""What can be done about more than one error."""

from __future__ import annotations

from typing import Final

SYNC: Final = "read the run again and sign what is now open"
RENEW: Final = "sign it again with a later deadline"
SIGNER: Final = "sign with the wallet that the agreement names for this party"
RUN: Final = "check the run's id, and that the deployment file is that of this chain"
NONCE: Final = "another one was posted meanwhile: read the nonce again and sign anew"
TOKEN: Final = "check the token's address and the accounts' balances"
