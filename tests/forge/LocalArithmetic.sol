// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {LocalReference, Said} from "./LocalReference.sol";
import {LocalSwarm} from "./LocalSwarm.sol";

/// @dev Runs under `local` that are played from a seed, in whatever order the rows come.
abstract contract LocalArithmetic is LocalSwarm {
    uint64 internal constant L0 = 0.6e9;
    uint256 internal constant POOL = 1e18 + 7;
    uint256 internal constant MAX_ROUNDS = 20;

    /// @dev What the pool should be at.
    struct Expected {
        int256 sum;
        int256 best;
        uint256 rounds;
        uint256 credited;
        uint256[] accrued;
    }

    function begun(uint256 organizations, uint8 budgetRule) internal returns (bytes32 runId) {
        IConsortium.Agreement memory agreement = localDraft(organizations);
        agreement.document = keccak256(abi.encode(organizations, budgetRule));
        agreement.terms.budgetRule = budgetRule;
        agreement.terms.maxRounds = uint32(MAX_ROUNDS);
        // Whatever the losses, these runs go on.
        agreement.terms.stopping = 2;
        agreement.terms.targetMetric = 1e9;
        vm.warp(START);
        runId = createRun(gathered(agreement, organizations));
        fund(runId, POOL);
        start(runId, L0, organizations);
    }

    /// @dev Everything about a round follows from a seed: who is heard, who abstains, what they say.
    function invent(uint256 organizations, uint256 seed) internal pure returns (Said[] memory said) {
        said = new Said[](organizations);
        uint256 cap = organizations < 2 ? 0 : 17_500 / (organizations - 1);
        for (uint256 j = 0; j < organizations; ++j) {
            uint256 dice = uint256(keccak256(abi.encode(seed, j)));
            said[j].heard = dice % 8 != 0;
            said[j].lossBefore = int256(dice >> 8 & 0x1fffffff) + 0.15e9; // better more often than worse
            said[j].lossAfter = int256(dice >> 40 & 0x1fffffff);
            said[j].bips = new uint256[](organizations);
            if (dice >> 72 & 7 == 0) continue;
            uint256 left = 10_000;
            for (uint256 i = 0; i < organizations; ++i) {
                uint256 bips = uint256(keccak256(abi.encode(seed, j, i))) % (cap + 1);
                if (i == j) continue;
                said[j].bips[i] = bips < left ? bips : left;
                left -= said[j].bips[i];
            }
            cut(said[j].bips);
        }
    }

    /// @dev Until (O - 1) * entry + what the row leaves is at most 17,500 for every entry.
    function cut(uint256[] memory bips) internal pure {
        for (bool again = true; again;) {
            uint256 total = 0;
            for (uint256 i = 0; i < bips.length; ++i) {
                total += bips[i];
            }
            again = false;
            for (uint256 i = 0; i < bips.length; ++i) {
                uint256 most = (7500 + total) / (bips.length - 1);
                if (bips[i] <= most) continue;
                bips[i] = most;
                again = true;
            }
        }
    }

    function rowBy(Said memory one) internal pure returns (ITraining.Row memory) {
        uint16[] memory bips = new uint16[](one.bips.length);
        for (uint256 i = 0; i < bips.length; ++i) {
            bips[i] = uint16(one.bips[i]);
        }
        return row(uint64(uint256(one.lossBefore)), uint64(uint256(one.lossAfter)), rowOf(bips));
    }

    function pick(Said[] memory said, uint256 who)
        internal
        pure
        returns (uint16[] memory signers, ITraining.Row[] memory rows)
    {
        signers = new uint16[](said.length);
        rows = new ITraining.Row[](said.length);
        uint256 count = 0;
        for (uint16 j = 0; j < said.length; ++j) {
            if (who >> j & 1 == 0) continue;
            (signers[count], rows[count]) = (j, rowBy(said[j]));
            ++count;
        }
        assembly {
            mstore(signers, count)
            mstore(rows, count)
        }
    }

    /// @dev Of whom to hear when: a quorum with the seal, of the others some by and by, some with the next seal.
    function schedule(Said[] memory said, uint256 dice)
        internal
        pure
        returns (uint256 early, uint256 between, uint256 late)
    {
        uint256 count = said.length;
        uint256 all = (1 << count) - 1;
        early = dice & all;
        // A quorum, whoever it is.
        for (uint256 j = dice >> 64 & 63; popcount(early) <= count / 2; ++j) {
            early |= 1 << j % count;
        }
        uint256 heard;
        for (uint256 j = 0; j < count; ++j) {
            if (said[j].heard) heard |= 1 << j;
        }
        between = heard & ~early & dice >> 128;
        late = heard & ~early & ~between;
    }

    function popcount(uint256 set) internal pure returns (uint256 bits) {
        for (; set != 0; set &= set - 1) {
            ++bits;
        }
    }

    /// @dev Seals these rounds, then settles the last; whoever signs early is heard, whatever was invented.
    function play(bytes32 runId, Said[][] memory rounds, uint256 seed) internal {
        uint256 late = 0;
        for (uint256 r = 0; r < rounds.length; ++r) {
            ITraining.Votes memory missing;
            if (late != 0) {
                (uint16[] memory who, ITraining.Row[] memory what) = pick(rounds[r - 1], late);
                missing = this.lateVotes(runId, who, what);
            }
            (uint256 early, uint256 between, uint256 next) =
                schedule(rounds[r], uint256(keccak256(abi.encode(seed, r))));
            (uint16[] memory signers, ITraining.Row[] memory rows) = pick(rounds[r], early);
            sealBy(runId, signers, rows, missing);
            for (uint256 j = 0; j < rounds[r].length; ++j) {
                if (early >> j & 1 == 1) rounds[r][j].heard = true;
            }
            if (between != 0) {
                (signers, rows) = pick(rounds[r], between);
                addRows(runId, signers, rows);
            }
            late = next;
        }
        if (late != 0) {
            (uint16[] memory who, ITraining.Row[] memory what) = pick(rounds[rounds.length - 1], late);
            addRows(runId, who, what);
        }
    }

    function lateVotes(bytes32 runId, uint16[] memory signers, ITraining.Row[] memory rows)
        external
        view
        returns (ITraining.Votes memory)
    {
        return late(runId, signers, rows);
    }

    function over(bytes32 runId) internal {
        (, uint64 notAfter) = consortium.period(training.agreementOf(runId));
        if (vm.getBlockTimestamp() <= notAfter) vm.warp(notAfter + 1);
        training.close(runId);
        vm.warp(vm.getBlockTimestamp() + 600);
        training.settle(runId);
    }

    function expectedOf(Said[][] memory rounds, bool perRound) internal pure returns (Expected memory expected) {
        expected.accrued = new uint256[](rounds[0].length);
        for (uint256 r = 0; r < rounds.length; ++r) {
            expected.sum += LocalReference.gain(rounds[r]);
            if (expected.sum > expected.best) expected.best = expected.sum;
            expected.rounds += 1;
            uint256 gain = perRound ? expected.rounds : uint256(expected.best);
            uint256 span = perRound ? MAX_ROUNDS : L0 - TARGET;
            uint256 vested = POOL * (gain < span ? gain : span) / span;
            uint256 available = vested - expected.credited;
            (uint256[] memory numerators, uint256 divisor) = LocalReference.parts(rounds[r]);
            for (uint256 i = 0; i < numerators.length; ++i) {
                uint256 credit = available * numerators[i] / divisor;
                expected.accrued[i] += credit;
                expected.credited += credit;
            }
        }
    }

    function checkPaid(bytes32 runId, Expected memory expected) internal view {
        for (uint256 i = 0; i < expected.accrued.length; ++i) {
            same(accrued(runId, i), expected.accrued[i]);
        }
        same(rewards.pool(runId).credited, expected.credited);
        so(book(runId).sum == expected.sum);
        so(book(runId).best == expected.best);
        same(training.run(runId).paidRounds, expected.rounds);
        uint256 best = uint256(expected.best);
        same(training.run(runId).bestLoss, best < L0 ? L0 - best : 0);
    }

    function inventAll(uint256 organizations, uint256 rounds, uint256 seed)
        internal
        pure
        returns (Said[][] memory said)
    {
        said = new Said[][](rounds);
        for (uint256 r = 0; r < rounds; ++r) {
            said[r] = invent(organizations, uint256(keccak256(abi.encode(seed, "round", r))));
        }
    }

    function check(uint256 organizations, uint256 rounds, uint256 seed, uint8 budgetRule) internal {
        bytes32 runId = begun(organizations, budgetRule);
        Said[][] memory said = inventAll(organizations, rounds, seed);
        play(runId, said, seed);
        over(runId);
        checkPaid(runId, expectedOf(said, budgetRule == 1));
    }
}
