// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Market} from "./Market.sol";

/// @dev Whatever happens on the market, in whatever order.
contract InvariantsTest {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Market internal market;
    IRewards internal rewards;
    ITraining internal training;

    error Broken(string what);

    function setUp() public {
        market = new Market();
        market.setUp();
        rewards = market.books();
        training = market.referee();
    }

    /// @dev Forge asks for these two.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(market);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory calls = new bytes4[](13);
        calls[0] = Market.sponsorFunds.selector;
        // Seals more often than the rest: they are what brings a run forward.
        calls[1] = Market.quorumSeals.selector;
        calls[2] = Market.quorumSeals.selector;
        calls[3] = Market.quorumSeals.selector;
        calls[4] = Market.quorumSeals.selector;
        calls[5] = Market.somebodySealsAgain.selector;
        calls[6] = Market.aMinoritySeals.selector;
        calls[7] = Market.somebodyPostsAClaim.selector;
        calls[8] = Market.aWalletClaims.selector;
        calls[9] = Market.somebodyRefunds.selector;
        calls[10] = Market.somebodyReopens.selector;
        calls[11] = Market.somebodyCloses.selector;
        calls[12] = Market.membersChange.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(market), calls);
    }

    function invariant_nothingForbiddenSucceeded() public view {
        if (bytes(market.broken()).length != 0) revert Broken(market.broken());
    }

    function invariant_escrowHoldsWhatWasFundedAndNotPaidOut() public view {
        uint256 held;
        for (uint256 r = 0; r < 2; ++r) {
            IRewards.Pool memory pool = rewards.pool(market.runs(r));
            held += pool.funded - pool.claimed - pool.refunded;
        }
        if (rewards.token().balanceOf(address(rewards)) != held) revert Broken("escrow");
    }

    function invariant_claimedIsCreditedIsVestedIsFunded() public view {
        for (uint256 r = 0; r < 2; ++r) {
            bytes32 runId = market.runs(r);
            IRewards.Pool memory pool = rewards.pool(runId);
            if (pool.claimed > pool.credited) revert Broken("claimed more than credited");
            if (pool.credited > market.vested(runId)) revert Broken("credited more than vested");
            if (market.vested(runId) > pool.funded) revert Broken("vested more than funded");
            if (pool.refunded > pool.funded - pool.credited) revert Broken("refunded what is owed");
            if (pool.refunded != 0 && !pool.closed) revert Broken("refunded before the end");
        }
    }

    function invariant_accountsAddUpToThePool() public view {
        uint256 paid;
        uint256 returned;
        for (uint256 r = 0; r < 2; ++r) {
            bytes32 runId = market.runs(r);
            uint256 accrued;
            uint256 claimed;
            for (uint16 p = 0; p < market.parties(r); ++p) {
                IRewards.Account memory account = rewards.account(runId, p);
                accrued += account.accrued;
                claimed += account.claimed;
                if (account.claimed > account.accrued) revert Broken("an organization was paid more than it earned");
            }
            IRewards.Pool memory pool = rewards.pool(runId);
            if (accrued != pool.credited || claimed != pool.claimed) revert Broken("accounts");
            paid += claimed;
            returned += pool.refunded;
        }
        if (rewards.token().balanceOf(address(0xBA27)) != paid || market.paid() != paid) revert Broken("paid");
        if (market.returned() != returned) revert Broken("returned");
    }

    function invariant_everyRoundIsSealedOnceAndInOrder() public view {
        for (uint256 r = 0; r < 2; ++r) {
            bytes32 runId = market.runs(r);
            ITraining.Run memory run = training.run(runId);
            uint256 open = run.state == ITraining.State.Open ? run.round : run.round + 1;
            for (uint256 round = 0; round < 8; ++round) {
                uint256 seals = market.seals(runId, round);
                if (seals > 1) revert Broken("sealed twice");
                // A run that is closed by time has its last round unsealed, which for round 0 is its number still.
                if (round + 1 < open && seals != 1) revert Broken("a round was skipped");
                if (round >= open && seals != 0) revert Broken("sealed out of order");
            }
            if (run.bestLoss > run.initialLoss) revert Broken("the best loss is not the best");
        }
    }
}
