// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IClaims} from "contracts/interfaces/IClaims.sol";
import {IConsortium} from "contracts/interfaces/IConsortium.sol";
import {ICouncil} from "contracts/interfaces/ICouncil.sol";
import {IPresence} from "contracts/interfaces/IPresence.sol";
import {IRoyalties} from "contracts/interfaces/IRoyalties.sol";
import {IStakes} from "contracts/interfaces/IStakes.sol";
import {ITaskrunner} from "contracts/interfaces/ITaskrunner.sol";
import {ITraining} from "contracts/interfaces/ITraining.sol";
import {Messages} from "contracts/libraries/Messages.sol";
import {Rounds} from "contracts/libraries/Rounds.sol";
import {TaskMessages} from "contracts/libraries/TaskMessages.sol";

/// @dev What the contracts hash and what nodes hash among themselves, one function each, for the test vectors. The
/// contracts' own libraries wherever there is one; the rest is written out, as a second implementation would.
contract Hashes {
    // Messages that never reach a contract of ours: between nodes, and of EIP-2612.

    struct TlsBindingMessage {
        bytes32 agreement;
        bytes32 spkiHash;
        uint64 notAfter;
    }

    struct HoldingsMessage {
        bytes32 runId;
        uint32 round;
        bytes32 prev;
        uint32 term;
        uint16 registration;
        bytes32 rosterRoot;
        bytes bitmap;
    }

    struct RefusalMessage {
        bytes32 runId;
        uint32 round;
        bytes32 prev;
        uint32 term;
        uint16 registration;
        bytes32 attestation;
        string reason;
    }

    struct PermitMessage {
        address owner;
        address spender;
        uint256 value;
        uint256 nonce;
        uint256 deadline;
    }

    function TlsBinding(TlsBindingMessage calldata message) external pure returns (bytes32) {
        bytes32 kind = keccak256("TlsBinding(bytes32 agreement,bytes32 spkiHash,uint64 notAfter)");
        return keccak256(abi.encode(kind, message));
    }

    function Holdings(HoldingsMessage calldata message) external pure returns (bytes32) {
        bytes32 kind = keccak256(
            "Holdings(bytes32 runId,uint32 round,bytes32 prev,uint32 term,uint16 registration,bytes32 rosterRoot,"
            "bytes bitmap)"
        );
        return keccak256(
            abi.encode(
                kind,
                message.runId,
                message.round,
                message.prev,
                message.term,
                message.registration,
                message.rosterRoot,
                keccak256(message.bitmap)
            )
        );
    }

    function Refusal(RefusalMessage calldata message) external pure returns (bytes32) {
        bytes32 kind = keccak256(
            "Refusal(bytes32 runId,uint32 round,bytes32 prev,uint32 term,uint16 registration,bytes32 attestation,"
            "string reason)"
        );
        return keccak256(
            abi.encode(
                kind,
                message.runId,
                message.round,
                message.prev,
                message.term,
                message.registration,
                message.attestation,
                keccak256(bytes(message.reason))
            )
        );
    }

    function Permit(PermitMessage calldata message) external pure returns (bytes32) {
        bytes32 kind =
            keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        return keccak256(abi.encode(kind, message));
    }

    // What is signed, and by whom.

    function digest(uint256 chainId, address verifyingContract, bytes32 structHash) external pure returns (bytes32) {
        bytes32 separator = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(Messages.DOMAIN_NAME)),
                keccak256(bytes(Messages.DOMAIN_VERSION)),
                chainId,
                verifyingContract
            )
        );
        return MessageHashUtils.toTypedDataHash(separator, structHash);
    }

    function personalDigest(string calldata text) external pure returns (bytes32) {
        return MessageHashUtils.toEthSignedMessageHash(bytes(text));
    }

    function recover(bytes32 signed, bytes calldata signature) external pure returns (address) {
        return ECDSA.recover(signed, signature);
    }

    // Chains of rounds and snapshots.

    function runId(
        uint256 chainId,
        address training,
        bytes32 agreement,
        string calldata name,
        uint32 generation,
        bytes32 salt
    ) external pure returns (bytes32) {
        return keccak256(abi.encode(chainId, training, agreement, name, generation, salt));
    }

    function membersRoot(bytes32 snapshotRoot, uint64 active) external pure returns (bytes32) {
        return keccak256(abi.encode(snapshotRoot, active));
    }

    function prevFrom(bytes32 before, bytes32 members) external pure returns (bytes32) {
        return Rounds.prevFrom(before, members);
    }

    function prevAfter(ITraining.Attestation calldata attestation, bytes32 members) external pure returns (bytes32) {
        return Rounds.prevAfter(attestation, members);
    }

    function snapshotRoot(
        bytes32 before,
        uint8 change,
        uint16 registration,
        uint16 party,
        address key,
        string calldata spiffeId,
        string calldata url,
        bool mayLead
    ) external pure returns (bytes32) {
        return keccak256(
            abi.encode(
                before, change, registration, party, key, keccak256(bytes(spiffeId)), keccak256(bytes(url)), mayLead
            )
        );
    }

    function changedSnapshotRoot(bytes32 before, uint8 change, uint16 party) external pure returns (bytes32) {
        return keccak256(abi.encode(before, change, uint256(0), party, address(0), bytes32(0), bytes32(0), false));
    }

    function leaderRank(bytes32 run, uint256 round, bytes32 mergedRoot, string calldata organization)
        external
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(run, round, mergedRoot, organization));
    }

    function updatesRoot(bytes32[] calldata digests) external pure returns (bytes32) {
        return keccak256(abi.encodePacked(digests));
    }

    // Messages that contracts check.

    function Terms(IConsortium.Terms calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Bylaws(IConsortium.Bylaws calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Party(IConsortium.Party calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Agreement(IConsortium.Agreement calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Enrollment(IConsortium.Enrollment calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Retirement(IConsortium.Retirement calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Leaving(IConsortium.Leaving calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Motion(ICouncil.Motion calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Move(ICouncil.Move calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Veto(ICouncil.Veto calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Suspicion(IPresence.Suspicion calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Alive(IPresence.Alive calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function RunRequest(ITraining.RunRequest calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Attestation(ITraining.Attestation calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Pardon(ITraining.Pardon calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Update(IStakes.Update calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Roster(IStakes.Roster calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Unlocking(IStakes.Unlocking calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Claim(IClaims.Claim calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Delegation(IClaims.Delegation calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function Pricing(IRoyalties.Pricing calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function TaskRequest(ITaskrunner.TaskRequest calldata message) external pure returns (bytes32) {
        return TaskMessages.hash(message);
    }

    function TaskChange(ITaskrunner.TaskChange calldata message) external pure returns (bytes32) {
        return TaskMessages.hash(message);
    }

    function TaskrunnerRequest(ITaskrunner.TaskrunnerRequest calldata message) external pure returns (bytes32) {
        return TaskMessages.hash(message);
    }

    function Assignment(ITaskrunner.Assignment calldata message) external pure returns (bytes32) {
        return TaskMessages.hash(message);
    }

    function ResetRequest(ITaskrunner.ResetRequest calldata message) external pure returns (bytes32) {
        return TaskMessages.hash(message);
    }
}
