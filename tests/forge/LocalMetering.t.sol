// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Said} from "./LocalReference.sol";
import {LocalArithmetic} from "./LocalArithmetic.sol";

/// @dev `local` metering to the last wei, against LocalReference.
contract LocalMeteringTest is LocalArithmetic {
    /// forge-config: default.fuzz.runs = 48
    function testFuzz_paysWhatTheReferencePays(uint8 organizations, uint256 seed, bool perRound) public {
        check(4 + organizations % 9, 3, seed, perRound ? 1 : 0);
    }

    function test_paysSixtyFour() public {
        check(64, 2, 64, 0);
    }

    function test_paysFewEqually() public {
        check(2, 3, 2, 0);
        check(3, 3, 3, 0);
    }

    /// forge-config: default.fuzz.runs = 24
    function testFuzz_whoPostsAndWhenChangesNobodysPay(uint8 organizations, uint256 seed, uint256 other) public {
        uint256 count = 4 + organizations % 9;
        bytes32 one = begun(count, 0);
        bytes32 agreement = training.agreementOf(one);
        bytes32 two = createRun(request(agreement, "again"), WALLET);
        fund(two, POOL);
        start(two, L0, count);

        // All are heard in the end, whatever the order.
        Said[][] memory said = inventAll(count, 3, seed);
        for (uint256 r = 0; r < said.length; ++r) {
            for (uint256 j = 0; j < count; ++j) {
                said[r][j].heard = true;
            }
        }
        play(one, said, seed);
        play(two, said, other);
        over(one);
        over(two);
        for (uint256 p = 0; p < count; ++p) {
            same(accrued(one, p), accrued(two, p));
        }
    }

    /// @dev By a fixed amount for each round, since one's own loss is one of those that the median is taken of. In two
    /// rounds, so that nobody gains either by what he leaves over, but for what the others' amounts were rounded down by.
    /// forge-config: default.fuzz.runs = 24
    function testFuzz_whatOneSaysOrLeavesOutNeverChangesOnesShare(uint8 organizations, uint256 seed, uint256 own)
        public
    {
        uint256 count = 4 + organizations % 9;
        uint256 party = own % count;
        uint256[] memory now_ = new uint256[](3);
        uint256[] memory later = new uint256[](3);
        for (uint256 k = 0; k < 3; ++k) {
            deploy();
            bytes32 runId = begun(count, 1);
            uint256 all = (1 << count) - 1;
            for (uint256 r = 0; r < 2; ++r) {
                Said[] memory said = invent(count, uint256(keccak256(abi.encode(seed, r))));
                if (k == 1) said[party] = invent(count, uint256(keccak256(abi.encode(own, r))))[party];
                (uint16[] memory signers, ITraining.Row[] memory rows) = pick(said, k == 2 ? all & ~(1 << party) : all);
                sealBy(runId, signers, rows);
                if (r == 1) now_[k] = accrued(runId, party);
            }
            over(runId);
            later[k] = accrued(runId, party);
        }
        so(now_[0] != 0);
        same(now_[0], now_[1]);
        same(now_[0], now_[2]);
        so(later[0] + count >= later[1] && later[1] + count >= later[0]);
        so(later[0] + count >= later[2] && later[2] + count >= later[0]);
    }

    function test_theMedianOfRoundZeroIsTakenOfThoseWhoWereHeard() public {
        bytes32 runId = createRun(gathered(localDraft(5), 5));
        uint16[] memory three = new uint16[](3);
        (three[0], three[1], three[2]) = (0, 2, 3);
        ITraining.Row[] memory rows = new ITraining.Row[](3);
        rows[0] = row(0, 0.65e9, "");
        rows[1] = row(0, 0.2e9, "");
        rows[2] = row(0, 0.5e9, "");
        sealBy(runId, three, rows);
        rows[0] = row(0, 0.3e9, "");
        assembly {
            mstore(rows, 1)
        }
        uint16[] memory one = new uint16[](1);
        one[0] = 4;
        // 0.2, 0.3, 0.5, 0.65: of the two in the middle the lower.
        sealBy(runId, first(5), abstentions(5, 0, 0), late(runId, one, rows));
        same(training.run(runId).initialLoss, 0.3e9);
        same(training.run(runId).bestLoss, 0.3e9);
    }

    function test_whatIsMeasuredAboveTheCeilingDoesNotRaiseIt() public {
        bytes32 runId = createRun(gathered(localDraft(4), 4));
        start(runId, type(uint64).max, 4);
        sealBy(runId, first(4), abstentions(4, 0, 0));
        same(training.run(runId).initialLoss, CEILING);
    }

    function test_theLargestLossesAddUp() public {
        bytes32 runId = begun(4, 0);
        uint64 worst = type(uint64).max - 1;
        for (uint256 r = 0; r < 3; ++r) {
            sealBy(runId, first(4), abstentions(4, r == 1 ? worst : 0, r == 1 ? 0 : worst));
        }
        over(runId);
        so(book(runId).sum == -int256(uint256(worst)));
        so(book(runId).best == 0);
        same(rewards.pool(runId).credited, 0);
    }

    function test_aWorseRoundPaysNothingAndIsMadeUpForFirst() public {
        bytes32 runId = begun(4, 0);
        sealBy(runId, first(4), abstentions(4, 0.6e9, 0.5e9)); // + 0.1
        sealBy(runId, first(4), abstentions(4, 0.5e9, 0.55e9)); // - 0.05
        same(training.run(runId).bestLoss, 0.5e9);
        uint256 credited = rewards.pool(runId).credited;
        so(credited > POOL / 5 - 4);
        sealBy(runId, first(4), abstentions(4, 0.55e9, 0.5e9)); // + 0.05
        sealBy(runId, first(4), abstentions(4, 0.5e9, 0.49e9)); // + 0.01
        so(rewards.pool(runId).credited - credited < 4);
        over(runId);
        same(training.run(runId).bestLoss, 0.49e9);
        so(rewards.pool(runId).credited > POOL * 11 / 50 - 8);
    }

    function test_oneOutlierMovesNoMedian() public {
        bytes32 runId = begun(4, 0);
        ITraining.Row[] memory rows = abstentions(4, 0.6e9, 0.6e9);
        rows[2].lossBefore = type(uint64).max;
        sealBy(runId, first(4), rows);
        over(runId);
        same(rewards.pool(runId).credited, 0);
    }
}
