// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title Signatures of organizations (plain key or ERC-1271 contract) and of nodes (plain key)
library Wallets {
    /// @notice Whether `wallet` signed, by its key or as a contract.
    function signed(address wallet, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        return SignatureChecker.isValidSignatureNowCalldata(wallet, digest, signature);
    }

    /// @notice Whose key signed; zero when it is no signature at all.
    function signer(bytes32 digest, bytes calldata signature) internal pure returns (address recovered) {
        // Whatever the error, nobody is recovered.
        // slither-disable-next-line unused-return
        (recovered,,) = ECDSA.tryRecoverCalldata(digest, signature);
    }

    /// @notice As `signer`, of the signature number `index` in a row of them, 65 bytes each.
    /// @dev The caller has checked that there are that many.
    function signerAt(bytes32 digest, bytes calldata signatures, uint256 index)
        internal
        pure
        returns (address recovered)
    {
        bytes32 r;
        bytes32 s;
        uint8 v;
        assembly ("memory-safe") {
            let signature := add(signatures.offset, mul(index, 65))
            r := calldataload(signature)
            s := calldataload(add(signature, 32))
            v := byte(0, calldataload(add(signature, 64)))
        }
        // Whatever the error, nobody is recovered.
        // slither-disable-next-line unused-return
        (recovered,,) = ECDSA.tryRecover(digest, v, r, s);
    }
}
