// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClaims} from "../../../contracts/interfaces/IClaims.sol";
import {ICouncil} from "../../../contracts/interfaces/ICouncil.sol";
import {IRoyalties} from "../../../contracts/interfaces/IRoyalties.sol";
import {Bonds} from "./Bonds.sol";

/// @dev Budgets, claims, refunds, licenses and royalties.
abstract contract Purse is Bonds {
    function sponsorFunds(uint256 seed) external dice(seed) {
        bytes32 runId = anyRun(anyAgreement());
        if (rewards.pool(runId).closed) return;
        fund(runId, 1 + roll(1e21));
        did[Deed.Funded] += 1;
    }

    function somebodyPostsAClaim(uint256 seed) external dice(seed) {
        bool ofRoyalties = roll(3) == 0;
        bool several = roll(2) == 0;
        IClaims payer = ofRoyalties ? IClaims(royalties) : IClaims(rewards);
        bytes32 agreement = anyAgreement();
        uint16 party = anyParty(agreement);
        bytes32[] memory which = several ? runsOf[agreement] : only(anyRun(agreement));
        IClaims.Claim memory wanted = claimOf(payer, agreement, which, party, BANK);
        bytes memory signature = sign(walletOf(agreement, party), digestOf(address(payer), this.hashClaim(wanted)));
        uint256 before = token.balanceOf(BANK);
        try payer.claim(wanted, signature) returns (uint256 amount) {
            if (token.balanceOf(BANK) - before != amount) broken = "paid another amount than claimed";
            did[ofRoyalties ? Deed.RoyaltiesClaimed : several ? Deed.ClaimedForSeveral : Deed.Claimed] += 1;
        } catch {
            return;
        }
        try payer.claim(wanted, signature) {
            broken = "a claim was paid twice";
        } catch {}
    }

    function aWalletClaims(uint256 seed) external dice(seed) {
        bytes32 agreement = anyAgreement();
        uint16 party = anyParty(agreement);
        uint16 caller = roll(3) == 0 ? anyParty(agreement) : party;
        address wallet = vm.addr(walletOf(agreement, caller));
        bytes32[] memory which = only(anyRun(agreement));
        vm.prank(wallet);
        try rewards.claimTo(which, party, BANK) {
            did[Deed.ClaimedByWallet] += 1;
            if (caller != party) broken = "somebody claimed for another";
        } catch {}
    }

    function aWalletDelegates(uint256 seed) external dice(seed) {
        bytes32 agreement = anyAgreement();
        uint16 party = anyParty(agreement);
        address claimer = address(uint160(0xC000 + roll(2)));
        delegate(rewards, delegation(rewards, agreement, party, claimer, BANK), walletOf(agreement, party));
        did[Deed.Delegated] += 1;
    }

    function aClerkClaims(uint256 seed) external dice(seed) {
        bytes32 agreement = anyAgreement();
        uint16 party = anyParty(agreement);
        (address claimer,) = rewards.delegateOf(agreement, party);
        address caller = address(uint160(0xC000 + roll(2)));
        bytes32[] memory which = runsOf[agreement];
        vm.prank(caller);
        try rewards.claimFor(which, party) {
            did[Deed.ClaimedByDelegate] += 1;
            if (caller != claimer) broken = "somebody claimed who was not delegated to";
        } catch {}
    }

    function somebodyRefunds(uint256 seed) external dice(seed) {
        bytes32 runId = anyRun(anyAgreement());
        bool closed = rewards.pool(runId).closed;
        uint256 before = token.balanceOf(SPONSOR);
        try rewards.refund(runId) returns (uint256 amount) {
            did[Deed.Refunded] += 1;
            if (!closed) broken = "refunded before the end";
            if (token.balanceOf(SPONSOR) - before != amount) broken = "a refund went elsewhere";
        } catch {}
    }

    function organizationsVoteForAPrice(uint256 seed) external dice(seed) {
        bytes32 agreement = anyAgreement();
        IRoyalties.Pricing memory wanted = pricing(anyRun(agreement), uint128(roll(2e18)));
        ICouncil.Motion memory like = motion(agreement, ICouncil.Action.Terminate);
        bool tooFew = roll(3) == 0;
        uint16[] memory voters = electors(like, tooFew);
        bytes[] memory all = votesOf(agreement, digestOf(address(royalties), this.hashPricing(wanted)), voters);
        try royalties.setPrice(wanted, voters, all) {
            did[Deed.Priced] += 1;
            if (tooFew) broken = "a price was set by too few";
        } catch {}
    }

    function somebodyBuys(uint256 seed) external dice(seed) {
        bytes32 runId = anyRun(anyAgreement());
        uint256 price = royalties.price(runId);
        allow(BUYER, address(royalties), price);
        bool closed = rewards.pool(runId).closed;
        vm.prank(BUYER);
        try royalties.buy(runId, BUYER, price) {
            did[Deed.Bought] += 1;
            if (price == 0) broken = "sold for nothing";
            if (!closed) broken = "sold before the end";
        } catch {}
    }

    function somebodyPays(uint256 seed) external dice(seed) {
        bytes32 runId = anyRun(anyAgreement());
        uint256 amount = roll(1e20);
        allow(BUYER, address(royalties), amount);
        vm.prank(BUYER);
        try royalties.pay(runId, amount) {
            did[Deed.Paid] += 1;
        } catch {}
    }
}
