// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICouncil} from "../../contracts/interfaces/ICouncil.sol";
import {IParticipation} from "../../contracts/interfaces/IParticipation.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Messages} from "../../contracts/libraries/Messages.sol";
import {SixOrganizations} from "./SixOrganizations.sol";

/// @dev How who was struck too often comes back before its time.
contract PardonsTest is SixOrganizations {
    function pardonOf(uint16 party) internal view returns (ITraining.Pardon memory) {
        return ITraining.Pardon(runId, party, soon(), training.clerk().pardonNonce(runId));
    }

    function votesFor(ITraining.Pardon memory pardon, uint256 count)
        internal
        view
        returns (uint16[] memory voters, bytes[] memory all)
    {
        voters = first(count);
        all = ballots(digestOf(address(training), this.hashPardon(pardon)), voters);
    }

    function hashPardon(ITraining.Pardon calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function quarantined() internal {
        reject(5, SCHEMA, 5);
        reject(5, SCHEMA, 5);
    }

    function test_aVotePardons() public {
        quarantined();
        ITraining.Pardon memory pardon = pardonOf(5);
        (uint16[] memory voters, bytes[] memory all) = votesFor(pardon, 5);
        vm.expectEmit(address(training.clerk()));
        emit IParticipation.Pardoned(runId, 5, 0);
        training.pardon(pardon, voters, all);
        same(training.run(runId).quarantined, 0);
        same(until(5), 0);
        same(active(), ALL & ~uint64(32));
        reject("", others(5));
        same(active(), ALL);

        expect(abi.encodeWithSelector(ITraining.Training_WrongNonce.selector, 1, 0));
        training.pardon(pardon, voters, all);
    }

    function test_tooFewVotesDoNotPardon() public {
        quarantined();
        ITraining.Pardon memory pardon = pardonOf(5);
        (uint16[] memory voters, bytes[] memory all) = votesFor(pardon, 4);
        expect(abi.encodeWithSelector(ICouncil.Council_TooFewVotes.selector, 4, 5));
        training.pardon(pardon, voters, all);
    }

    function test_aPardonIsForThisRunThisPartyAndThisTime() public {
        quarantined();
        ITraining.Pardon memory pardon = pardonOf(5);
        (uint16[] memory voters, bytes[] memory all) = votesFor(pardon, 5);
        pardon.party = 4;
        expect(abi.encodeWithSelector(ITraining.Training_NotQuarantined.selector, 4));
        training.pardon(pardon, voters, all);
        pardon.party = 5;
        pardon.deadline += 1;
        vm.expectRevert();
        training.pardon(pardon, voters, all);
        pardon.deadline -= 1;
        vm.warp(pardon.deadline + 1);
        expect(abi.encodeWithSelector(ITraining.Training_DeadlinePassed.selector, pardon.deadline));
        training.pardon(pardon, voters, all);
        pardon.runId = keccak256("nothing");
        pardon.deadline = soon();
        expect(abi.encodeWithSelector(ITraining.Training_NotQuarantined.selector, 5));
        training.pardon(pardon, voters, all);
    }
}
