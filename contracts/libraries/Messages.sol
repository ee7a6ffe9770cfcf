// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IConsortium} from "../interfaces/IConsortium.sol";
import {IRewards} from "../interfaces/IRewards.sol";
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

    bytes32 internal constant RUN_REQUEST_TYPEHASH =
        keccak256("RunRequest(bytes32 agreement,uint16 party,string name,bytes32 salt,uint64 deadline)");

    bytes32 internal constant ATTESTATION_TYPEHASH = keccak256(
        "Attestation(bytes32 runId,uint32 round,bytes32 prev,uint32 term,bytes32 rosterRoot,bytes32 mergedRoot,"
        "uint64 lossBefore,uint64 lossAfter,int64 metric,bytes shares,bytes rejects)"
    );

    bytes32 internal constant CLAIM_TYPEHASH =
        keccak256("Claim(bytes32 runId,uint16 party,address recipient,uint256 nonce,uint64 deadline)");

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

    function hash(ITraining.RunRequest calldata request) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                RUN_REQUEST_TYPEHASH,
                request.agreement,
                request.party,
                keccak256(bytes(request.name)),
                request.salt,
                request.deadline
            )
        );
    }

    function hash(ITraining.Attestation calldata attestation) internal pure returns (bytes32) {
        // In two halves: one call with all twelve words is more than the stack holds.
        return keccak256(
            bytes.concat(
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
            )
        );
    }

    function hash(IRewards.Claim calldata claim) internal pure returns (bytes32) {
        return keccak256(abi.encode(CLAIM_TYPEHASH, claim));
    }
}
