// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Voting} from "./Voting.sol";

/// @dev max(minPeers, floor(A / 2) + 1) organizations, whatever the number of their nodes.
contract QuorumTest is Voting {
    function started(uint256 parties, uint256 active, uint16 minPeers) internal returns (bytes32 runId) {
        IConsortium.Agreement memory agreement = draft(parties);
        agreement.terms.minPeers = minPeers;
        return createRun(gathered(agreement, active));
    }

    function refuse(bytes32 runId, uint16[] memory signers, uint256 organizations, uint256 needed) internal {
        ITraining.Attestation memory attested = attestation(runId, CEILING, "");
        bytes memory all = signed(attested, signers);
        expect(abi.encodeWithSelector(ITraining.Training_NoQuorum.selector, organizations, needed));
        training.seal(attested, signers, all);
    }

    /// @dev Sealed by exactly `needed`, not by one fewer.
    function needs(uint256 parties, uint256 active, uint16 minPeers, uint256 needed) internal {
        deploy();
        bytes32 runId = started(parties, active, minPeers);
        same(training.quorum(runId), needed);
        if (needed > active) {
            refuse(runId, first(active), active, needed);
            return;
        }
        refuse(runId, first(needed - 1), needed - 1, needed);
        sealRound(runId, CEILING, "", needed);
    }

    function test_moreThanHalfOfTheActive() public {
        needs(6, 1, 1, 1);
        needs(6, 2, 1, 2);
        needs(6, 3, 1, 2);
        needs(6, 4, 1, 3);
        needs(6, 5, 1, 3);
        needs(6, 6, 1, 4);
    }

    function test_atLeastMinPeers() public {
        needs(6, 1, 3, 3);
        needs(6, 2, 3, 3);
        needs(6, 3, 3, 3);
        needs(6, 4, 3, 3);
        needs(6, 5, 3, 3);
        needs(6, 6, 3, 4);
        needs(6, 6, 6, 6);
        needs(6, 5, 6, 6);
    }

    function test_byDefaultMoreThanHalfOfTheParties() public {
        needs(6, 1, 0, 4);
        needs(6, 3, 0, 4);
        needs(6, 4, 0, 4);
        needs(6, 6, 0, 4);
        needs(5, 2, 0, 3);
        needs(5, 5, 0, 3);
        needs(2, 2, 0, 2);
    }

    function test_withNobodyEnrolledNothingIsSealed() public {
        bytes32 runId = started(3, 0, 1);
        refuse(runId, first(0), 0, 1);
    }

    function test_severalNodesOfAnOrganizationCountOnce() public {
        bytes32 id = gathered(3);
        enroll(id, 0, "n2");
        enroll(id, 0, "n3");
        bytes32 runId = createRun(id);
        refuse(runId, list(0, 4), 1, 2);
        uint16[] memory signers = new uint16[](3);
        (signers[0], signers[1], signers[2]) = (0, 3, 4);
        refuse(runId, signers, 1, 2);
        signers[0] = 1;
        seal(attestation(runId, CEILING, ""), signers);
    }

    function test_whoLeftIsNotCounted() public {
        IConsortium.Agreement memory agreement = draft(7);
        agreement.terms.minPeers = 1;
        bytes32 id = gathered(agreement, 7);
        for (uint16 p = 6; p >= 3; --p) {
            leave_(id, p);
        }
        bytes32 runId = createRun(id);
        same(training.quorum(runId), 2);
        refuse(runId, first(1), 1, 2);
        sealRound(runId, CEILING, "", 2);
    }

    function test_theEarliestEnrolledCannotPayThemselves() public {
        bytes32 runId = started(5, 1, 0);
        fund(runId, FUNDS);
        refuse(runId, first(1), 1, 3);
    }

    function testFuzz_aMinorityNeverSeals(uint256 parties, uint256 active, uint256 minPeers, uint64 who) public {
        parties = 2 + parties % 9;
        active = 1 + active % parties;
        minPeers = minPeers % (parties + 1);
        bytes32 runId = started(parties, active, uint16(minPeers));
        uint16[] memory signers = new uint16[](active);
        uint256 count;
        for (uint16 p = 0; p < active; ++p) {
            if (who >> p & 1 == 1) signers[count++] = p;
        }
        assembly {
            mstore(signers, count)
        }
        uint256 least = minPeers == 0 ? parties / 2 + 1 : minPeers;
        if (count * 2 <= active || count < least) {
            refuse(runId, signers, count, active / 2 + 1 > least ? active / 2 + 1 : least);
        } else {
            seal(attestation(runId, CEILING, ""), signers);
            same(training.run(runId).round, 1);
        }
    }
}
