// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Roles} from "../../contracts/Roles.sol";
import {SwarmToken} from "../../contracts/SwarmToken.sol";
import {IClaims} from "../../contracts/interfaces/IClaims.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {IRoyalties} from "../../contracts/interfaces/IRoyalties.sol";
import {CallingToken, TollToken} from "./Tokens.t.sol";
import {BlockingToken, Vaults} from "./Vaults.sol";

/// @dev A finished run that credited 60 : 10 : 30; a license costs 10 tokens.
contract RoyaltiesTest is Vaults {
    uint128 internal constant PRICE = 10e18;
    address internal constant BANK = address(0xBA27);
    address internal constant LICENSEE = address(0x11CE);

    bytes32 internal id;
    bytes32 internal runId;

    function setUp() public override {
        super.setUp();
        id = gathered(priced(), 3);
        runId = finished(id, "model", 1000e18, metered());
        allow(BUYER, address(royalties), 1000e18);
    }

    function priced() internal pure returns (IConsortium.Agreement memory agreement) {
        agreement = draft(3);
        agreement.terms.licensePrice = PRICE;
    }

    function metered() internal pure returns (bytes memory) {
        return bytes.concat(share(0, 6000), share(1, 1000), share(2, 3000));
    }

    function buy() internal returns (uint64) {
        vm.prank(BUYER);
        return royalties.buy(runId, LICENSEE, PRICE);
    }

    function pay(uint256 amount) internal returns (uint256) {
        vm.prank(BUYER);
        return royalties.pay(runId, amount);
    }

    function take(bytes32 run, uint16 party) internal returns (uint256) {
        return claim(royalties, claimOf(royalties, id, only(run), party, BANK), WALLET + party);
    }

    function entitled(bytes32 run, uint16 party) internal view returns (uint256 amount) {
        (amount,) = royalties.account(run, party);
    }

    function refuse(IRoyalties.Pricing memory wanted, uint256 voters, bytes memory reason) internal {
        bytes[] memory votes = vote(wanted, voters);
        expect(reason);
        royalties.setPrice(wanted, first(voters), votes);
    }

    // Licenses

    function test_belongsToARunsTrainingAndItsRewards() public view {
        same(address(royalties.training()), address(training));
        same(address(royalties.rewards()), address(rewards));
        same(address(royalties.token()), address(token));
        same(address(royalties.consortium()), address(consortium));
    }

    function test_aLicenseIsBoughtForALicensee() public {
        vm.expectEmit(address(royalties));
        emit IRoyalties.Licensed(runId, LICENSEE, BUYER, 1, PRICE);
        same(buy(), 1);
        same(royalties.licensed(runId, LICENSEE), 1);
        same(royalties.licensed(runId, BUYER), 0);
        same(buy(), 2);
        same(royalties.licensed(runId, LICENSEE), 2);
        same(royalties.sale(runId).licenses, 2);
        same(royalties.sale(runId).received, 2 * PRICE);
        same(token.balanceOf(address(royalties)), 2 * PRICE);
    }

    function test_buysWithAPermitThatSomebodyElsePostedFirst() public {
        (uint8 v, bytes32 r, bytes32 s) = permit(WALLET, address(royalties), PRICE);
        SwarmToken(address(token)).permit(vm.addr(WALLET), address(royalties), PRICE, START + 1, v, r, s);
        vm.prank(vm.addr(WALLET));
        same(royalties.buyWithPermit(runId, LICENSEE, PRICE, START + 1, v, r, s), 1);
    }

    function test_buysAndPaysWithAPermit() public {
        (uint8 v, bytes32 r, bytes32 s) = permit(WALLET, address(royalties), PRICE);
        vm.prank(vm.addr(WALLET));
        royalties.buyWithPermit(runId, LICENSEE, PRICE, START + 1, v, r, s);
        (v, r, s) = permit(WALLET, address(royalties), 7);
        vm.prank(vm.addr(WALLET));
        same(royalties.payWithPermit(runId, 7, START + 1, v, r, s), 7);
        same(royalties.sale(runId).received, PRICE + 7);
        same(royalties.sale(runId).licenses, 1);
    }

    function test_refusesBuyersWhoWouldPayMoreThanTheyThink() public {
        expect(abi.encodeWithSelector(IRoyalties.Royalties_TooExpensive.selector, PRICE, PRICE - 1));
        royalties.buy(runId, LICENSEE, PRICE - 1);
    }

    function test_refusesALicenseForNobody() public {
        expect(abi.encodeWithSelector(IRoyalties.Royalties_NoLicensee.selector));
        royalties.buy(runId, address(0), PRICE);
    }

    function test_whatIsNotPricedIsNotForSale() public {
        IConsortium.Agreement memory unpriced = draft(3);
        bytes32 run = finished(gathered(unpriced, 3), "unpriced", 0, metered());
        expect(abi.encodeWithSelector(IRoyalties.Royalties_NotForSale.selector, run));
        royalties.buy(run, LICENSEE, PRICE);
    }

    function test_aModelIsSoldOnceItIsFinished() public {
        bytes32 running = createRun(request(id, "running"), WALLET);
        expect(abi.encodeWithSelector(IRoyalties.Royalties_NotFinished.selector, running));
        royalties.buy(running, LICENSEE, PRICE);
        expect(abi.encodeWithSelector(IRoyalties.Royalties_NotFinished.selector, running));
        royalties.pay(running, 1);
        expect(abi.encodeWithSelector(IRewards.Rewards_UnknownRun.selector, keccak256("nothing")));
        royalties.pay(keccak256("nothing"), 1);
    }

    // The price

    function test_theOrganizationsVoteForAnotherPrice() public {
        same(royalties.price(runId), PRICE);
        IRoyalties.Pricing memory wanted = pricing(runId, 3);
        bytes[] memory votes = vote(wanted, 3);
        vm.expectEmit(address(royalties));
        emit IRoyalties.Priced(runId, 3);
        royalties.setPrice(wanted, first(3), votes);
        same(royalties.price(runId), 3);
        buy();
        same(royalties.sale(runId).received, 3);
    }

    function test_aPriceOfZeroTakesItOffTheMarket() public {
        IRoyalties.Pricing memory wanted = pricing(runId, 0);
        royalties.setPrice(wanted, first(3), vote(wanted, 3));
        expect(abi.encodeWithSelector(IRoyalties.Royalties_NotForSale.selector, runId));
        royalties.buy(runId, LICENSEE, PRICE);
    }

    function test_fewerThanTheAgreementAsksForChangeNoPrice() public {
        IRoyalties.Pricing memory wanted = pricing(runId, 3);
        bytes[] memory votes = vote(wanted, 2);
        vm.expectRevert();
        royalties.setPrice(wanted, first(2), votes);
        same(royalties.price(runId), PRICE);
    }

    function test_aVoteForAPriceIsUsedOnceAndInTime() public {
        IRoyalties.Pricing memory wanted = pricing(runId, 3);
        royalties.setPrice(wanted, first(3), vote(wanted, 3));
        refuse(wanted, 3, abi.encodeWithSelector(IRoyalties.Royalties_WrongNonce.selector, 1, 0));
        wanted = pricing(runId, 4);
        vm.warp(wanted.deadline + 1);
        refuse(wanted, 3, abi.encodeWithSelector(IRoyalties.Royalties_DeadlinePassed.selector, wanted.deadline));
    }

    function test_noPriceForARunThatIsNotThere() public {
        IRoyalties.Pricing memory wanted = pricing(keccak256("nothing"), 3);
        refuse(wanted, 3, abi.encodeWithSelector(IRewards.Rewards_UnknownRun.selector, keccak256("nothing")));
    }

    // Royalties

    function test_areSplitByWhatTheRunCredited() public {
        buy();
        same(entitled(runId, 0), PRICE * 6 / 10);
        same(entitled(runId, 1), PRICE / 10);
        same(entitled(runId, 2), PRICE * 3 / 10);
        same(entitled(runId, 3), 0);
        same(take(runId, 0), PRICE * 6 / 10);
        same(token.balanceOf(BANK), PRICE * 6 / 10);
        same(royalties.sale(runId).claimed, PRICE * 6 / 10);
    }

    function test_theSplitIsThatOfAllRoundsTogether() public {
        bytes32 run = createRun(request(id, "rounds"), WALLET);
        fund(run, 1000e18);
        sealRound(run, CEILING, "", 3);
        sealRound(run, 0.4e9, share2(10_000, 0), 3);
        sealRound(run, TARGET, share2(0, 10_000), 3);
        vm.prank(BUYER);
        royalties.pay(run, 1000);
        same(entitled(run, 0), 500);
        same(entitled(run, 1), 500);
        same(entitled(run, 2), 0);
    }

    function share2(uint16 a, uint16 b) internal pure returns (bytes memory) {
        return bytes.concat(share(0, a), share(1, b), share(2, 0));
    }

    function test_claimedRewardsDoNotChangeTheSplit() public {
        claim(claimOf(runId, 0, BANK), WALLET);
        pay(100);
        same(entitled(runId, 0), 60);
    }

    function test_whereNobodyWasCreditedAllPartiesShareAlike() public {
        bytes32 run = finished(id, "unfunded", 0, metered());
        vm.prank(BUYER);
        royalties.pay(run, 100);
        for (uint16 p = 0; p < 3; ++p) {
            same(entitled(run, p), 33);
        }
        same(entitled(run, 3), 0);
        same(take(run, 1), 33);
    }

    function test_manySmallPaymentsLoseNothing() public {
        for (uint256 i = 0; i < 30; ++i) {
            pay(1);
            // Whoever claims often does not get less in the end.
            if (entitled(runId, 1) > i / 10) take(runId, 1);
        }
        same(entitled(runId, 0), 18);
        same(entitled(runId, 1), 3);
        same(entitled(runId, 2), 9);
        take(runId, 0);
        take(runId, 2);
        same(token.balanceOf(BANK), 30);
        same(token.balanceOf(address(royalties)), 0);
    }

    function test_paysWhatCameSince() public {
        pay(100);
        same(take(runId, 0), 60);
        bytes memory signature;
        IClaims.Claim memory wanted = claimOf(royalties, id, only(runId), 0, BANK);
        signature = sign(WALLET, digestOf(address(royalties), this.hashClaim(wanted)));
        expect(abi.encodeWithSelector(IClaims.Claims_NothingToClaim.selector, id, 0));
        royalties.claim(wanted, signature);
        pay(10);
        same(royalties.claim(wanted, signature), 6);
        (uint256 all, uint256 claimed) = royalties.account(runId, 0);
        same(all, 66);
        same(claimed, 66);
    }

    function test_severalRunsAndDelegatesAsForRewards() public {
        bytes32 other = finished(id, "other", 10e18, metered());
        pay(100);
        vm.prank(BUYER);
        royalties.pay(other, 200);
        delegate(royalties, delegation(royalties, id, 0, address(this), BANK), WALLET);
        same(royalties.claimFor(pair(runId, other), 0), 180);
        // A delegation for one contract is none for another.
        (address claimer,) = rewards.delegateOf(id, 0);
        same(claimer, address(0));
        vm.prank(vm.addr(WALLET + 2));
        same(royalties.claimTo(pair(runId, other), 2, BANK), 90);
    }

    function test_aClaimForRewardsIsNoneForRoyalties() public {
        pay(100);
        IClaims.Claim memory wanted = claimOf(rewards, id, only(runId), 0, BANK);
        bytes memory signature = sign(WALLET, digestOf(address(rewards), this.hashClaim(wanted)));
        vm.expectRevert();
        royalties.claim(wanted, signature);
        same(rewards.claim(wanted, signature), 600e18);
    }

    function test_aRunThatReceivedNothingOwesNothing() public {
        same(entitled(runId, 0), 0);
        expect(abi.encodeWithSelector(IClaims.Claims_NothingToClaim.selector, id, 0));
        vm.prank(vm.addr(WALLET));
        royalties.claimTo(only(runId), 0, BANK);
    }

    function test_refusesEmptyPayments() public {
        expect(abi.encodeWithSelector(IRoyalties.Royalties_BadAmount.selector, 0));
        royalties.pay(runId, 0);
    }

    function test_paymentsSayWhoPaid() public {
        vm.expectEmit(address(royalties));
        emit IRoyalties.Paid(runId, BUYER, 5);
        same(pay(5), 5);
        same(royalties.sale(runId).licenses, 0);
    }

    function testFuzz_nobodyIsEverPaidMoreThanWasReceived(uint96[6] memory amounts, uint256 order) public {
        uint256 received;
        for (uint256 i = 0; i < amounts.length; ++i) {
            uint256 amount = 1 + amounts[i] % 1e25;
            allow(BUYER, address(royalties), amount);
            pay(amount);
            received += amount;
            uint16 party = uint16((order >> 8 * i) % 3);
            if (entitled(runId, party) > claimedBy(party)) take(runId, party);
            same(royalties.sale(runId).received, received);
            same(token.balanceOf(address(royalties)), received - royalties.sale(runId).claimed);
        }
        for (uint16 p = 0; p < 3; ++p) {
            if (entitled(runId, p) > claimedBy(p)) take(runId, p);
        }
        // Less than one wei for each of them.
        so(token.balanceOf(address(royalties)) < 3);
    }

    function claimedBy(uint16 party) internal view returns (uint256 claimed) {
        (, claimed) = royalties.account(runId, party);
    }
}

/// @dev The same with tokens that do as they like.
contract OtherTokensRoyaltiesTest is Vaults {
    bytes32 internal id;
    bytes32 internal runId;

    function begin() internal {
        deploy();
        deployVaults();
        id = gathered(3);
        runId = finished(id, "model", 0, equalRow(3));
    }

    function test_theLargestAmountFits() public {
        SwarmToken big = new SwarmToken("Big", "BIG", type(uint256).max, address(new Roles(address(this))));
        token = big;
        begin();
        big.mint(address(this), type(uint256).max);
        big.approve(address(royalties), type(uint256).max);
        expect(abi.encodeWithSelector(IRoyalties.Royalties_BadAmount.selector, uint256(1) << 128));
        royalties.pay(runId, uint256(1) << 128);
        royalties.pay(runId, type(uint128).max);
        expect(abi.encodeWithSelector(IRoyalties.Royalties_BadAmount.selector, 1));
        royalties.pay(runId, 1);
        same(claim(royalties, claimOf(royalties, id, only(runId), 0, address(0xBA27)), WALLET), type(uint128).max / 3);
    }

    function test_theLargestAmountTimesTheLargestPoolIsSplit() public {
        SwarmToken big = new SwarmToken("Big", "BIG", type(uint256).max, address(new Roles(address(this))));
        token = big;
        deploy();
        deployVaults();
        id = gathered(3);
        runId = createRun(id);
        big.mint(address(this), type(uint256).max);
        big.approve(address(royalties), type(uint256).max);
        big.approve(address(rewards), type(uint256).max);
        rewards.fund(runId, type(uint120).max);
        sealRound(runId, CEILING, "", 3);
        sealRound(runId, TARGET, bytes.concat(share(0, 10_000), share(1, 0), share(2, 0)), 3);
        royalties.pay(runId, type(uint128).max);
        same(claim(royalties, claimOf(royalties, id, only(runId), 0, address(0xBA27)), WALLET), type(uint128).max);
    }

    function test_aTollIsTakenFromThePayer() public {
        TollToken toll = new TollToken();
        token = toll;
        begin();
        toll.mint(address(this), 1000);
        toll.approve(address(royalties), 1000);
        same(royalties.pay(runId, 1000), 900);
        same(royalties.sale(runId).received, 900);
        same(claim(royalties, claimOf(royalties, id, only(runId), 0, address(0xBA27)), WALLET), 300);
    }

    function test_aTokenThatCallsBackGetsNothingTwice() public {
        CallingToken calling = new CallingToken();
        token = calling;
        begin();
        calling.mint(address(this), 1000);
        calling.approve(address(royalties), 1000);
        calling.arm(address(royalties), abi.encodeCall(IRoyalties.pay, (runId, 1)));
        same(royalties.pay(runId, 900), 900);
        same(calling.refused(), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        delegate(royalties, delegation(royalties, id, 0, address(calling), address(0xBA27)), WALLET);
        calling.arm(address(royalties), abi.encodeCall(IClaims.claimFor, (only(runId), 0)));
        vm.prank(address(calling));
        same(royalties.claimFor(only(runId), 0), 300);
        same(calling.refused(), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        same(calling.balanceOf(address(royalties)), 600);
    }

    function test_aPartyThatCannotBePaidBlocksNobodyElse() public {
        BlockingToken blocking = new BlockingToken();
        token = blocking;
        begin();
        blocking.mint(address(this), 900);
        blocking.approve(address(royalties), 900);
        royalties.pay(runId, 900);
        blocking.block_(address(0xBA27), true);
        expect(abi.encodeWithSelector(BlockingToken.Blocked.selector, address(0xBA27)));
        vm.prank(vm.addr(WALLET));
        royalties.claimTo(only(runId), 0, address(0xBA27));
        vm.prank(vm.addr(WALLET + 1));
        same(royalties.claimTo(only(runId), 1, address(0xBA28)), 300);
    }
}
