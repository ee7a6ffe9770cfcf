// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Rewards} from "../../contracts/Rewards.sol";
import {IClaims} from "../../contracts/interfaces/IClaims.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {BlockingToken, Changeable, Vaults} from "./Vaults.sol";
import {ContractWallet} from "./Voting.sol";

/// @dev Two finished runs of one agreement: of 1000 and of 500 tokens, split 60 : 10 : 30.
contract ClaimsTest is Vaults {
    address internal constant BANK = address(0xBA27);
    address internal constant CLERK = address(0xC1E2);

    bytes32 internal id;
    bytes32 internal larger;
    bytes32 internal smaller;

    function setUp() public override {
        super.setUp();
        id = gathered(3);
        larger = finished(id, "larger", 1000e18, metered());
        smaller = finished(id, "smaller", 500e18, metered());
    }

    function metered() internal pure returns (bytes memory) {
        return bytes.concat(share(0, 6000), share(1, 1000), share(2, 3000));
    }

    function both() internal view returns (bytes32[] memory) {
        return pair(larger, smaller);
    }

    function refuse(IClaims.Claim memory wanted, uint256 walletKey, bytes memory reason) internal {
        bytes memory signature = sign(walletKey, digestOf(address(rewards), this.hashClaim(wanted)));
        expect(reason);
        rewards.claim(wanted, signature);
    }

    function refuse(IClaims.Delegation memory wanted, uint256 walletKey, bytes memory reason) internal {
        bytes memory signature = sign(walletKey, digestOf(address(rewards), this.hashDelegation(wanted)));
        expect(reason);
        rewards.delegate(wanted, signature);
    }

    // Several runs at once

    function test_takesWhatSeveralRunsOweInOneTransfer() public {
        IClaims.Claim memory wanted = claimOf(rewards, id, both(), 0, BANK);
        bytes memory signature = sign(WALLET, digestOf(address(rewards), this.hashClaim(wanted)));
        vm.expectEmit(address(rewards));
        emit IClaims.Claimed(larger, 0, BANK, 600e18);
        vm.expectEmit(address(rewards));
        emit IClaims.Claimed(smaller, 0, BANK, 300e18);
        vm.expectEmit(address(token));
        emit IERC20.Transfer(address(rewards), BANK, 900e18);
        same(rewards.claim(wanted, signature), 900e18);
        same(token.balanceOf(BANK), 900e18);
        same(rewards.account(smaller, 0).claimed, 300e18);
        same(rewards.pool(smaller).claimed, 300e18);
    }

    function test_runsThatOweNothingAreSkipped() public {
        claim(rewards, claimOf(rewards, id, only(larger), 0, BANK), WALLET);
        same(claim(rewards, claimOf(rewards, id, both(), 0, BANK), WALLET), 300e18);
        refuse(
            claimOf(rewards, id, both(), 0, BANK),
            WALLET,
            abi.encodeWithSelector(IClaims.Claims_NothingToClaim.selector, id, 0)
        );
    }

    function test_theSameRunTwiceIsPaidOnce() public {
        same(claim(rewards, claimOf(rewards, id, pair(larger, larger), 1, BANK), WALLET + 1), 100e18);
    }

    function test_theWalletTakesSeveralRunsItself() public {
        vm.prank(vm.addr(WALLET + 2));
        same(rewards.claimTo(both(), 2, BANK), 450e18);
    }

    function test_refusesNoRunsAtAll() public {
        bytes32[] memory none = new bytes32[](0);
        bytes memory reason = abi.encodeWithSelector(IClaims.Claims_NoRuns.selector);
        refuse(claimOf(rewards, id, none, 0, BANK), WALLET, reason);
        expect(reason);
        rewards.claimTo(none, 0, BANK);
        expect(reason);
        rewards.claimFor(none, 0);
    }

    function test_refusesRunsOfDifferentAgreements() public {
        IConsortium.Agreement memory another = draft(3);
        another.document = keccak256("another");
        bytes32 elsewhere = finished(gathered(another, 3), "elsewhere", 100e18, metered());
        refuse(
            claimOf(rewards, id, pair(larger, elsewhere), 0, BANK),
            WALLET,
            abi.encodeWithSelector(IClaims.Claims_OtherAgreement.selector, elsewhere, id)
        );
    }

    function test_refusesARunThatIsNotThere() public {
        bytes32 nothing = keccak256("nothing");
        refuse(
            claimOf(rewards, id, pair(larger, nothing), 0, BANK),
            WALLET,
            abi.encodeWithSelector(IRewards.Rewards_UnknownRun.selector, nothing)
        );
    }

    function test_oneNonceServesAllRunsOfAnAgreement() public {
        IClaims.Claim memory other = claimOf(rewards, id, only(smaller), 0, BANK);
        IClaims.Claim memory others = claimOf(rewards, id, only(smaller), 1, BANK);
        claim(rewards, claimOf(rewards, id, only(larger), 0, BANK), WALLET);
        same(rewards.claimNonce(id, 0), 1);
        refuse(other, WALLET, abi.encodeWithSelector(IClaims.Claims_WrongNonce.selector, 1, 0));
        same(claim(rewards, others, WALLET + 1), 50e18);
    }

    // Delegated claimers

    function test_theClaimerHasItPaidToTheRecipientOfTheDelegation() public {
        vm.expectEmit(address(rewards));
        emit IClaims.Delegated(id, 0, CLERK, BANK);
        delegateTo(CLERK, BANK);
        (address claimer, address recipient) = rewards.delegateOf(id, 0);
        same(claimer, CLERK);
        same(recipient, BANK);
        vm.prank(CLERK);
        same(rewards.claimFor(both(), 0), 900e18);
        same(token.balanceOf(BANK), 900e18);
    }

    function test_nobodyElseIsTheClaimer() public {
        delegateTo(CLERK, BANK);
        expect(abi.encodeWithSelector(IClaims.Claims_NotTheClaimer.selector, 0, address(this)));
        rewards.claimFor(both(), 0);
        expect(abi.encodeWithSelector(IClaims.Claims_NotTheClaimer.selector, 1, CLERK));
        vm.prank(CLERK);
        rewards.claimFor(both(), 1);
    }

    function test_theClaimerCannotChooseTheRecipient() public {
        uint256 clerk = 0xC1E2C;
        delegateTo(vm.addr(clerk), BANK);
        bytes memory reason = abi.encodeWithSelector(IClaims.Claims_NotTheParty.selector, 0, vm.addr(clerk));
        expect(reason);
        vm.prank(vm.addr(clerk));
        rewards.claimTo(both(), 0, vm.addr(clerk));
        refuse(claimOf(rewards, id, both(), 0, vm.addr(clerk)), clerk, reason);
        refuse(delegation(rewards, id, 0, vm.addr(clerk), vm.addr(clerk)), clerk, reason);
    }

    function test_theClaimerCannotHinderItsDismissal() public {
        delegateTo(CLERK, BANK);
        IClaims.Delegation memory dismissal = delegation(rewards, id, 0, address(0), address(0));
        vm.prank(CLERK);
        rewards.claimFor(only(larger), 0);
        delegate(rewards, dismissal, WALLET);
        expect(abi.encodeWithSelector(IClaims.Claims_NotTheClaimer.selector, 0, CLERK));
        vm.prank(CLERK);
        rewards.claimFor(only(smaller), 0);
    }

    function test_anotherClaimerReplacesTheFirst() public {
        delegateTo(address(0xC1E3), address(0xBAD));
        delegateTo(CLERK, BANK);
        expect(abi.encodeWithSelector(IClaims.Claims_NotTheClaimer.selector, 0, address(0xC1E3)));
        vm.prank(address(0xC1E3));
        rewards.claimFor(both(), 0);
        vm.prank(CLERK);
        rewards.claimFor(both(), 0);
        same(token.balanceOf(BANK), 900e18);
    }

    function test_aDelegationIsUsedOnce() public {
        IClaims.Delegation memory wanted = delegation(rewards, id, 0, CLERK, BANK);
        delegate(rewards, wanted, WALLET);
        delegateTo(address(0), address(0));
        refuse(wanted, WALLET, abi.encodeWithSelector(IClaims.Claims_WrongNonce.selector, 2, 0));
    }

    function test_refusesADelegationOutOfTimeOrToNowhere() public {
        IClaims.Delegation memory wanted = delegation(rewards, id, 0, CLERK, address(token));
        refuse(wanted, WALLET, abi.encodeWithSelector(IClaims.Claims_BadRecipient.selector, address(token)));
        wanted.recipient = BANK;
        vm.warp(wanted.deadline + 1);
        refuse(wanted, WALLET, abi.encodeWithSelector(IClaims.Claims_DeadlinePassed.selector, wanted.deadline));
    }

    function delegateTo(address claimer, address recipient) internal {
        delegate(rewards, delegation(rewards, id, 0, claimer, recipient), WALLET);
    }

    // Contract wallets

    function test_aContractWalletSignsItsClaims() public {
        ContractWallet wallet = new ContractWallet(vm.addr(WALLET));
        IConsortium.Agreement memory another = draft(3);
        another.parties[0].wallet = address(wallet);
        id = gathered(another, 3);
        bytes32 runId = finished(id, "by-contract", 1000e18, metered());

        IClaims.Claim memory wanted = claimOf(rewards, id, only(runId), 0, BANK);
        refuse(wanted, WALLET + 1, abi.encodeWithSelector(IClaims.Claims_NotTheParty.selector, 0, vm.addr(WALLET + 1)));
        same(claim(rewards, wanted, WALLET), 600e18);
        delegate(rewards, delegation(rewards, id, 0, CLERK, BANK), WALLET);
        (address claimer,) = rewards.delegateOf(id, 0);
        same(claimer, CLERK);
    }

    // When it is paid

    function test_payoutAtTheEndPaysNothingBefore() public {
        IConsortium.Agreement memory patient = draft(3);
        patient.document = keccak256("patient");
        patient.terms.payout = 1;
        bytes32 other = gathered(patient, 3);
        bytes32 runId = createRun(request(other, "patient"), WALLET);
        fund(runId, 1000e18);
        sealRound(runId, CEILING, "", 3);

        // While nothing is due it is simply nothing.
        IClaims.Claim memory wanted = claimOf(rewards, other, only(runId), 0, BANK);
        refuse(wanted, WALLET, abi.encodeWithSelector(IClaims.Claims_NothingToClaim.selector, other, 0));

        sealRound(runId, 0.4e9, metered(), 3);
        so(rewards.pool(runId).atEnd);
        same(rewards.account(runId, 0).accrued, 300e18);
        refuse(wanted, WALLET, abi.encodeWithSelector(IRewards.Rewards_PaidAtTheEnd.selector, runId));

        sealRound(runId, TARGET, metered(), 3);
        same(claim(rewards, wanted, WALLET), 600e18);
    }

    function test_aNewcomerIsMeasuredAtOnceAndPaidLater() public {
        (bytes32 other, bytes32 runId) = withNewcomer(1);
        IClaims.Claim memory wanted = claimOf(rewards, other, only(runId), 2, BANK);
        uint256 until = START + 1 + 30 days;
        same(rewards.account(runId, 2).accrued, 300e18);
        refuse(wanted, WALLET + 2, abi.encodeWithSelector(IRewards.Rewards_OnProbation.selector, runId, 2, until));
        same(claim(rewards, claimOf(rewards, other, only(runId), 0, BANK), WALLET), 600e18);
        vm.warp(until - 1);
        wanted.deadline = uint64(until);
        refuse(wanted, WALLET + 2, abi.encodeWithSelector(IRewards.Rewards_OnProbation.selector, runId, 2, until));
        vm.warp(until);
        same(claim(rewards, wanted, WALLET + 2), 300e18);
    }

    function test_whoJoinedBeforeTheRunIsNoNewcomer() public {
        (bytes32 other, bytes32 runId) = withNewcomer(0);
        same(claim(rewards, claimOf(rewards, other, only(runId), 2, BANK), WALLET + 2), 300e18);
    }

    function test_whatIsOnProbationIsNotHiddenAmongOtherRuns() public {
        (bytes32 other, bytes32 runId) = withNewcomer(1);
        bytes32 later = finished(other, "later", 100e18, metered());
        refuse(
            claimOf(rewards, other, pair(later, runId), 2, BANK),
            WALLET + 2,
            abi.encodeWithSelector(IRewards.Rewards_OnProbation.selector, runId, 2, START + 1 + 30 days)
        );
        same(claim(rewards, claimOf(rewards, other, only(later), 2, BANK), WALLET + 2), 30e18);
    }

    /// @dev Party 2 joins `later` seconds after the run was created.
    function withNewcomer(uint256 later) internal returns (bytes32 other, bytes32 runId) {
        IConsortium.Agreement memory careful = draft(3);
        careful.document = keccak256("careful");
        careful.terms.probation = 30 days;
        other = gathered(careful, 2);
        runId = createRun(request(other, "careful"), WALLET);
        fund(runId, 1000e18);
        vm.warp(START + later);
        enroll(other, 2, "n1");
        sealRound(runId, CEILING, "", 2);
        sealRound(runId, TARGET, metered(), 3);
    }
}

/// @dev This test stands where Training stands, and moves wallets as Consortium would.
contract MovedWalletsTest is Vaults {
    address internal constant BANK = address(0xBA27);
    bytes32 internal constant AGREEMENT = keccak256("agreement");
    bytes32 internal constant RUN = keccak256("run");

    Changeable internal people;
    Rewards internal pools;

    function setUp() public override {
        super.setUp();
        people = new Changeable();
        people.setWallet(0, vm.addr(WALLET));
        pools = new Rewards(token, IConsortium(address(people)));
        pools.open(RUN, AGREEMENT, SPONSOR, false, 0);
        allow(address(this), address(pools), 100);
        pools.fund(RUN, 100);
        pools.settle(RUN, 1, 1, share(0, 10_000));
    }

    function test_whatIsDueFollowsTheWallet() public {
        people.setWallet(0, vm.addr(WALLET + 9));
        expect(abi.encodeWithSelector(IClaims.Claims_NotTheParty.selector, 0, vm.addr(WALLET)));
        vm.prank(vm.addr(WALLET));
        pools.claimTo(only(RUN), 0, BANK);
        vm.prank(vm.addr(WALLET + 9));
        same(pools.claimTo(only(RUN), 0, BANK), 100);
    }

    function test_aReplacedWalletLeavesNoClaimerBehind() public {
        delegate(pools, delegation(pools, AGREEMENT, 0, address(this), address(0x7417F)), WALLET);
        people.setWallet(0, vm.addr(WALLET + 9));
        (address claimer,) = pools.delegateOf(AGREEMENT, 0);
        same(claimer, address(0));
        expect(abi.encodeWithSelector(IClaims.Claims_NotTheClaimer.selector, 0, address(this)));
        pools.claimFor(only(RUN), 0);
    }
}

/// @dev A token that refuses to send to some.
contract BlockedPayeesTest is Vaults {
    BlockingToken internal blocking;
    bytes32 internal id;
    bytes32 internal runId;
    address internal constant BANK = address(0xBA27);
    address internal constant OTHER = address(0xBA28);

    function setUp() public override {
        super.setUp();
        blocking = new BlockingToken();
        token = blocking;
        deploy();
        id = gathered(3);
        runId = createRun(id);
        blocking.mint(address(this), 1000);
        blocking.approve(address(rewards), 1000);
        rewards.fund(runId, 1000);
        sealRound(runId, CEILING, "", 3);
        sealRound(runId, 0.4e9, bytes.concat(share(0, 5000), share(1, 5000), share(2, 0)), 3);
    }

    function test_aPayeeThatCannotBePaidBlocksNobodyElse() public {
        blocking.block_(BANK, true);
        IClaims.Claim memory wanted = claimOf(rewards, id, only(runId), 0, BANK);
        bytes memory signature = sign(WALLET, digestOf(address(rewards), this.hashClaim(wanted)));
        expect(abi.encodeWithSelector(BlockingToken.Blocked.selector, BANK));
        rewards.claim(wanted, signature);

        same(claim(rewards, claimOf(rewards, id, only(runId), 1, OTHER), WALLET + 1), 250);
        // Nothing was booked, and the party takes it elsewhere.
        same(claim(rewards, claimOf(rewards, id, only(runId), 0, OTHER), WALLET), 250);
    }

    function test_aSponsorThatCannotBePaidBlocksNobodyElse() public {
        blocking.block_(SPONSOR, true);
        vm.warp(START + 366 days);
        training.close(runId);
        expect(abi.encodeWithSelector(BlockingToken.Blocked.selector, SPONSOR));
        rewards.refund(runId);
        same(claim(rewards, claimOf(rewards, id, only(runId), 0, BANK), WALLET), 250);
        blocking.block_(SPONSOR, false);
        same(rewards.refund(runId), 500);
    }
}
