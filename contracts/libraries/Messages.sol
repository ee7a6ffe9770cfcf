// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IClaims} from "../interfaces/IClaims.sol";
import {IConsortium} from "../interfaces/IConsortium.sol";
import {ICouncil} from "../interfaces/ICouncil.sol";
import {IPresence} from "../interfaces/IPresence.sol";
import {IRoyalties} from "../interfaces/IRoyalties.sol";
import {IStakes} from "../interfaces/IStakes.sol";
import {ITraining} from "../interfaces/ITraining.sol";

/// @title EIP-712 struct hashes of everything that the contracts check a signature under
/// @notice The domain of every contract is name "Swarm Learning", version "1", its chain and its own address.
library Messages {
    string internal constant DOMAIN_NAME = "Swarm Learning";
    string internal constant DOMAIN_VERSION = "1";

    bytes32 internal constant TERMS_TYPEHASH = keccak256(
        "Terms(bytes32 initialRoot,bytes32 schemaHash,bytes32 validationRoot,address sponsor,uint128 budget,"
        "uint128 licensePrice,uint64 lossCeiling,uint64 targetLoss,int64 targetMetric,uint64 minSamples,"
        "uint32 maxRounds,uint32 patience,uint32 syncFrequency,uint32 stallTime,uint32 quorumGrace,"
        "uint32 leaderTimeout,uint32 mergeParameter,uint32 probation,uint32 strikeRounds,uint32 quarantineTime,"
        "uint16 minPeers,uint8 strikes,uint8 mergeRule,uint8 topology,uint8 metering,uint8 stopping,"
        "uint8 budgetRule,uint8 payout)"
    );

    bytes32 internal constant BYLAWS_TYPEHASH = keccak256(
        "Bylaws(address penaltyRecipient,uint128 minStake,uint32 disputeTime,uint32 walletDelay,uint32 answerTime,"
        "uint16 votes,uint16 penaltyBips,uint16 finderBips,uint8 maxNodes)"
    );

    bytes32 internal constant PARTY_TYPEHASH = keccak256("Party(string organization,address wallet,uint16 weight)");

    bytes32 internal constant AGREEMENT_TYPEHASH = keccak256(
        "Agreement(bytes32 document,string purpose,string trustDomain,bytes32 previous,uint32 version,"
        "uint64 notBefore,uint64 notAfter,Bylaws bylaws,Terms terms,Party[] parties)"
        "Bylaws(address penaltyRecipient,uint128 minStake,uint32 disputeTime,uint32 walletDelay,uint32 answerTime,"
        "uint16 votes,uint16 penaltyBips,uint16 finderBips,uint8 maxNodes)"
        "Party(string organization,address wallet,uint16 weight)"
        "Terms(bytes32 initialRoot,bytes32 schemaHash,bytes32 validationRoot,address sponsor,uint128 budget,"
        "uint128 licensePrice,uint64 lossCeiling,uint64 targetLoss,int64 targetMetric,uint64 minSamples,"
        "uint32 maxRounds,uint32 patience,uint32 syncFrequency,uint32 stallTime,uint32 quorumGrace,"
        "uint32 leaderTimeout,uint32 mergeParameter,uint32 probation,uint32 strikeRounds,uint32 quarantineTime,"
        "uint16 minPeers,uint8 strikes,uint8 mergeRule,uint8 topology,uint8 metering,uint8 stopping,"
        "uint8 budgetRule,uint8 payout)"
    );

    bytes32 internal constant ENROLLMENT_TYPEHASH = keccak256(
        "Enrollment(bytes32 agreement,uint16 party,string node,address key,string url,bool mayLead,"
        "uint64 deadline,uint256 nonce)"
    );

    bytes32 internal constant RETIREMENT_TYPEHASH =
        keccak256("Retirement(bytes32 agreement,uint16 registration,uint64 deadline)");

    bytes32 internal constant LEAVING_TYPEHASH = keccak256("Leaving(bytes32 agreement,uint16 party,uint64 deadline)");

    bytes32 internal constant MOTION_TYPEHASH =
        keccak256("Motion(bytes32 agreement,uint8 action,uint16 party,address wallet,uint256 nonce,uint64 deadline)");

    bytes32 internal constant MOVE_TYPEHASH =
        keccak256("Move(bytes32 agreement,uint16 party,address wallet,uint256 nonce,uint64 deadline)");

    bytes32 internal constant VETO_TYPEHASH =
        keccak256("Veto(bytes32 agreement,uint16 party,address wallet,uint256 nonce,uint64 deadline)");

    bytes32 internal constant RUN_REQUEST_TYPEHASH = keccak256(
        "RunRequest(bytes32 agreement,uint16 party,string name,bytes32 salt,uint32 generation,bytes32 continues,"
        "uint64 deadline)"
    );

    bytes32 internal constant ATTESTATION_TYPEHASH = keccak256(
        "Attestation(bytes32 runId,uint32 round,bytes32 prev,uint32 term,bytes32 rosterRoot,bytes32 mergedRoot,"
        "uint64 lossBefore,uint64 lossAfter,int64 metric,bytes shares,bytes rejects)"
    );

    bytes32 internal constant PARDON_TYPEHASH =
        keccak256("Pardon(bytes32 runId,uint16 party,uint64 deadline,uint256 nonce)");

    bytes32 internal constant CLAIM_TYPEHASH =
        keccak256("Claim(bytes32[] runIds,uint16 party,address recipient,uint256 nonce,uint64 deadline)");

    bytes32 internal constant DELEGATION_TYPEHASH = keccak256(
        "Delegation(bytes32 agreement,uint16 party,address claimer,address recipient,uint256 nonce,uint64 deadline)"
    );

    bytes32 internal constant PRICING_TYPEHASH =
        keccak256("Pricing(bytes32 runId,uint128 price,uint256 nonce,uint64 deadline)");

    bytes32 internal constant UNLOCKING_TYPEHASH = keccak256(
        "Unlocking(bytes32 agreement,uint16 party,uint128 amount,address recipient,uint256 nonce,uint64 deadline)"
    );

    bytes32 internal constant UPDATE_TYPEHASH = keccak256(
        "Update(bytes32 runId,uint32 round,bytes32 prev,uint16 registration,bytes32 root,uint64 size,uint64 samples)"
    );

    bytes32 internal constant ROSTER_TYPEHASH =
        keccak256("Roster(bytes32 runId,uint32 round,bytes32 prev,uint32 term,uint16[] members,bytes32 updatesRoot)");

    bytes32 internal constant SUSPICION_TYPEHASH =
        keccak256("Suspicion(bytes32 agreement,uint16 party,uint16 by,uint32 number,uint64 deadline)");

    bytes32 internal constant ALIVE_TYPEHASH = keccak256("Alive(bytes32 agreement,uint16 registration,uint32 number)");

    // A static struct encodes as its fields one after the other, which is what EIP-712 hashes.

    function hash(IConsortium.Terms calldata terms) internal pure returns (bytes32) {
        return keccak256(abi.encode(TERMS_TYPEHASH, terms));
    }

    function hash(IConsortium.Bylaws calldata bylaws) internal pure returns (bytes32) {
        return keccak256(abi.encode(BYLAWS_TYPEHASH, bylaws));
    }

    function hash(IConsortium.Party calldata party) internal pure returns (bytes32) {
        return keccak256(abi.encode(PARTY_TYPEHASH, keccak256(bytes(party.organization)), party.wallet, party.weight));
    }

    function hash(IConsortium.Agreement calldata agreement) internal pure returns (bytes32) {
        bytes32[] memory parties = new bytes32[](agreement.parties.length);
        for (uint256 i = 0; i < parties.length; ++i) {
            parties[i] = hash(agreement.parties[i]);
        }
        // In two halves: one call with all eleven words is more than the stack holds.
        return keccak256(
            bytes.concat(
                abi.encode(
                    AGREEMENT_TYPEHASH,
                    agreement.document,
                    keccak256(bytes(agreement.purpose)),
                    keccak256(bytes(agreement.trustDomain)),
                    agreement.previous,
                    agreement.version
                ),
                abi.encode(
                    agreement.notBefore,
                    agreement.notAfter,
                    hash(agreement.bylaws),
                    hash(agreement.terms),
                    keccak256(abi.encodePacked(parties))
                )
            )
        );
    }

    function hash(IConsortium.Enrollment calldata enrollment) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                ENROLLMENT_TYPEHASH,
                enrollment.agreement,
                enrollment.party,
                keccak256(bytes(enrollment.node)),
                enrollment.key,
                keccak256(bytes(enrollment.url)),
                enrollment.mayLead,
                enrollment.deadline,
                enrollment.nonce
            )
        );
    }

    function hash(IConsortium.Retirement calldata retirement) internal pure returns (bytes32) {
        return keccak256(abi.encode(RETIREMENT_TYPEHASH, retirement));
    }

    function hash(IConsortium.Leaving calldata leaving) internal pure returns (bytes32) {
        return keccak256(abi.encode(LEAVING_TYPEHASH, leaving));
    }

    function hash(ICouncil.Motion calldata motion) internal pure returns (bytes32) {
        return keccak256(abi.encode(MOTION_TYPEHASH, motion));
    }

    function hash(ICouncil.Move calldata move) internal pure returns (bytes32) {
        return keccak256(abi.encode(MOVE_TYPEHASH, move));
    }

    function hash(ICouncil.Veto calldata veto) internal pure returns (bytes32) {
        return keccak256(abi.encode(VETO_TYPEHASH, veto));
    }

    function hash(ITraining.RunRequest calldata request) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                RUN_REQUEST_TYPEHASH,
                request.agreement,
                request.party,
                keccak256(bytes(request.name)),
                request.salt,
                request.generation,
                request.continues,
                request.deadline
            )
        );
    }

    function hash(ITraining.Attestation calldata attestation) internal pure returns (bytes32) {
        return keccak256(words(attestation));
    }

    /// @notice What is hashed of an attestation: its type and its eleven fields, a word each.
    function words(ITraining.Attestation calldata attestation) internal pure returns (bytes memory) {
        // In two halves: one call with all twelve words is more than the stack holds.
        return bytes.concat(
            abi.encode(
                ATTESTATION_TYPEHASH,
                attestation.runId,
                attestation.round,
                attestation.prev,
                attestation.term,
                attestation.rosterRoot
            ),
            abi.encode(
                attestation.mergedRoot,
                attestation.lossBefore,
                attestation.lossAfter,
                attestation.metric,
                keccak256(attestation.shares),
                keccak256(attestation.rejects)
            )
        );
    }

    /// @notice As the hash of an attestation, of which `words_` says what it has in common with others, and `row` the
    /// fields of its own: the words 7 to 10, which are written over.
    function hash(bytes memory words_, ITraining.Row calldata row) internal pure returns (bytes32) {
        (uint64 lossBefore, uint64 lossAfter, int64 metric) = (row.lossBefore, row.lossAfter, row.metric);
        bytes32 sharesHash = keccak256(row.shares);
        assembly ("memory-safe") {
            let own := add(words_, 256)
            mstore(own, lossBefore)
            mstore(add(own, 32), lossAfter)
            mstore(add(own, 64), metric)
            mstore(add(own, 96), sharesHash)
        }
        return keccak256(words_);
    }

    function hash(ITraining.Pardon calldata pardon) internal pure returns (bytes32) {
        return keccak256(abi.encode(PARDON_TYPEHASH, pardon));
    }

    function hash(IClaims.Claim calldata claim) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                CLAIM_TYPEHASH,
                keccak256(abi.encodePacked(claim.runIds)),
                claim.party,
                claim.recipient,
                claim.nonce,
                claim.deadline
            )
        );
    }

    function hash(IClaims.Delegation calldata delegation) internal pure returns (bytes32) {
        return keccak256(abi.encode(DELEGATION_TYPEHASH, delegation));
    }

    function hash(IRoyalties.Pricing calldata pricing) internal pure returns (bytes32) {
        return keccak256(abi.encode(PRICING_TYPEHASH, pricing));
    }

    function hash(IStakes.Unlocking calldata unlocking) internal pure returns (bytes32) {
        return keccak256(abi.encode(UNLOCKING_TYPEHASH, unlocking));
    }

    function hash(IStakes.Update calldata update) internal pure returns (bytes32) {
        return keccak256(abi.encode(UPDATE_TYPEHASH, update));
    }

    function hash(IStakes.Roster calldata roster) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                ROSTER_TYPEHASH,
                roster.runId,
                roster.round,
                roster.prev,
                roster.term,
                keccak256(abi.encodePacked(roster.members)), // each member fills a word
                roster.updatesRoot
            )
        );
    }

    function hash(IPresence.Suspicion calldata suspicion) internal pure returns (bytes32) {
        return keccak256(abi.encode(SUSPICION_TYPEHASH, suspicion));
    }

    function hash(IPresence.Alive calldata alive) internal pure returns (bytes32) {
        return keccak256(abi.encode(ALIVE_TYPEHASH, alive));
    }

    /// @notice The domain separator of another of these contracts, made from its address and never asked for: nobody
    /// can pass off messages for one contract as messages for another.
    function domain(address verifier) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(DOMAIN_NAME)),
                keccak256(bytes(DOMAIN_VERSION)),
                block.chainid,
                verifier
            )
        );
    }
}
