// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SwarmToken} from "../../contracts/SwarmToken.sol";
import {IClaims} from "../../contracts/interfaces/IClaims.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {Swarm} from "./Swarm.sol";

/// @dev A funded run of three organizations, past round 0; half of the pool vests at a loss of 0.4.
contract RewardsTest is Swarm {
    bytes32 internal id;
    bytes32 internal runId;
    uint256 internal constant HALF = uint256(FUNDS) / 2;
    address internal constant BANK = address(0xBA27);

    function setUp() public override {
        super.setUp();
        id = gathered(3);
        runId = createRun(id);
        fund(runId, FUNDS);
        sealRound(runId, CEILING, "", 3);
    }

    function metered() internal pure returns (bytes memory) {
        return bytes.concat(share(0, 6000), share(1, 1000), share(2, 3000));
    }

    function refuse(IClaims.Claim memory wanted, uint256 walletKey, bytes memory reason) internal {
        bytes memory signature = sign(walletKey, digestOf(address(rewards), this.hashClaim(wanted)));
        expect(reason);
        rewards.claim(wanted, signature);
    }

    function test_isMadeByTrainingForItsConsortiumAndToken() public view {
        same(rewards.training(), address(training));
        same(address(rewards.consortium()), address(consortium));
        same(address(rewards.token()), address(token));
        same(address(training.consortium()), address(consortium));
    }

    function test_creditsEveryOrganizationByTheRow() public {
        vm.expectEmit(address(rewards));
        emit IRewards.Credited(runId, HALF, HALF);
        rewardsSeal(metered());
        same(rewards.account(runId, 0).accrued, HALF * 6 / 10);
        same(rewards.account(runId, 1).accrued, HALF / 10);
        same(rewards.account(runId, 2).accrued, HALF * 3 / 10);
        same(rewards.account(runId, 3).accrued, 0);
        same(rewards.pool(runId).credited, HALF);
    }

    function test_whatRoundingLeftIsCreditedLater() public {
        sealRound(runId, 0.4e9, equalRow(3), 3);
        uint256 left = HALF - rewards.pool(runId).credited;
        same(left, HALF / 10_000);
        sealRound(runId, 0.4e9, metered(), 3);
        same(rewards.pool(runId).credited, HALF);
        same(rewards.account(runId, 0).accrued, HALF * 3333 / 10_000 + left * 6 / 10);
    }

    function test_whatIsFundedLaterVestsAlike() public {
        sealRound(runId, 0.4e9, metered(), 3);
        fund(runId, FUNDS);
        sealRound(runId, 0.4e9, metered(), 3);
        same(rewards.pool(runId).credited, FUNDS);
    }

    function test_paysTheSignedRecipient() public {
        sealRound(runId, 0.4e9, metered(), 3);
        IClaims.Claim memory wanted = claimOf(runId, 1, BANK);
        bytes memory signature = sign(WALLET + 1, digestOf(address(rewards), this.hashClaim(wanted)));
        vm.expectEmit(address(rewards));
        emit IClaims.Claimed(runId, 1, BANK, HALF / 10);
        same(rewards.claim(wanted, signature), HALF / 10);
        same(token.balanceOf(BANK), HALF / 10);
        same(rewards.account(runId, 1).claimed, HALF / 10);
        same(rewards.pool(runId).claimed, HALF / 10);
        same(rewards.claimNonce(id, 1), 1);
    }

    function test_paysTheWalletItself() public {
        sealRound(runId, 0.4e9, metered(), 3);
        vm.prank(vm.addr(WALLET + 2));
        same(rewards.claimTo(only(runId), 2, BANK), HALF * 3 / 10);
        same(token.balanceOf(BANK), HALF * 3 / 10);
        expect(abi.encodeWithSelector(IClaims.Claims_NotTheParty.selector, 2, address(this)));
        rewards.claimTo(only(runId), 2, BANK);
    }

    function test_paysOnce() public {
        sealRound(runId, 0.4e9, metered(), 3);
        IClaims.Claim memory wanted = claimOf(runId, 0, BANK);
        claim(wanted, WALLET);
        refuse(wanted, WALLET, abi.encodeWithSelector(IClaims.Claims_WrongNonce.selector, 1, 0));
        refuse(claimOf(runId, 0, BANK), WALLET, abi.encodeWithSelector(IClaims.Claims_NothingToClaim.selector, id, 0));
    }

    function test_paysWhatCameSince() public {
        sealRound(runId, 0.4e9, metered(), 3);
        claim(claimOf(runId, 0, BANK), WALLET);
        sealRound(runId, TARGET, metered(), 3);
        same(claim(claimOf(runId, 0, BANK), WALLET), HALF * 6 / 10);
        same(token.balanceOf(BANK), uint256(FUNDS) * 6 / 10);
    }

    function test_aClaimOfItsOwnVoidsTheOneSignedBefore() public {
        sealRound(runId, 0.4e9, metered(), 3);
        IClaims.Claim memory regretted = claimOf(runId, 0, BANK);
        vm.prank(vm.addr(WALLET));
        rewards.claimTo(only(runId), 0, address(0x600D));
        sealRound(runId, TARGET, metered(), 3);
        refuse(regretted, WALLET, abi.encodeWithSelector(IClaims.Claims_WrongNonce.selector, 1, 0));
    }

    function test_refusesAClaimOutOfTime() public {
        sealRound(runId, 0.4e9, metered(), 3);
        IClaims.Claim memory wanted = claimOf(runId, 0, BANK);
        vm.warp(wanted.deadline + 1);
        refuse(wanted, WALLET, abi.encodeWithSelector(IClaims.Claims_DeadlinePassed.selector, wanted.deadline));
    }

    function test_refusesAClaimThatThePartyDidNotSign() public {
        sealRound(runId, 0.4e9, metered(), 3);
        refuse(
            claimOf(runId, 0, BANK),
            WALLET + 1,
            abi.encodeWithSelector(IClaims.Claims_NotTheParty.selector, 0, vm.addr(WALLET + 1))
        );
    }

    function test_refusesRecipientsThatWouldLoseIt() public {
        sealRound(runId, 0.4e9, metered(), 3);
        address[3] memory lost = [address(0), address(rewards), address(token)];
        for (uint256 i = 0; i < lost.length; ++i) {
            refuse(
                claimOf(runId, 0, lost[i]),
                WALLET,
                abi.encodeWithSelector(IClaims.Claims_BadRecipient.selector, lost[i])
            );
        }
    }

    function test_refusesASponsorThatCannotBeRefunded() public {
        IConsortium.Agreement memory agreement = draft(2);
        agreement.terms.sponsor = address(rewards);
        bytes32 other = gathered(agreement, 2);
        bytes memory signature = sign(WALLET, digestOf(address(training), this.hashRunRequest(request(other, "x"))));
        expect(abi.encodeWithSelector(IClaims.Claims_BadRecipient.selector, address(rewards)));
        training.createRun(request(other, "x"), agreement.terms, signature);
    }

    function test_refundsWhatNeverVestedOnceTheRunIsOver() public {
        expect(abi.encodeWithSelector(IRewards.Rewards_NotClosed.selector, runId));
        rewards.refund(runId);
        for (uint256 i = 0; i < 5; ++i) {
            sealRound(runId, 0.4e9, metered(), 3);
        }
        vm.expectEmit(address(rewards));
        emit IRewards.Refunded(runId, SPONSOR, HALF);
        same(rewards.refund(runId), HALF);
        same(token.balanceOf(SPONSOR), HALF);
        expect(abi.encodeWithSelector(IRewards.Rewards_NothingToRefund.selector, runId));
        rewards.refund(runId);
        same(claim(claimOf(runId, 0, BANK), WALLET), HALF * 6 / 10);
    }

    function test_nothingIsLeftToRefundWhenTheTargetIsReached() public {
        sealRound(runId, TARGET, metered(), 3);
        expect(abi.encodeWithSelector(IRewards.Rewards_NothingToRefund.selector, runId));
        rewards.refund(runId);
    }

    function test_takesNoFundsForARunThatIsOver() public {
        sealRound(runId, TARGET, metered(), 3);
        expect(abi.encodeWithSelector(IRewards.Rewards_Closed.selector, runId));
        rewards.fund(runId, 1);
    }

    function test_takesNoFundsForARunThatIsNotThere() public {
        bytes memory reason = abi.encodeWithSelector(IRewards.Rewards_UnknownRun.selector, keccak256("nothing"));
        expect(reason);
        rewards.fund(keccak256("nothing"), 1);
        expect(reason);
        rewards.refund(keccak256("nothing"));
        expect(reason);
        rewards.pool(keccak256("nothing"));
        expect(reason);
        rewards.claimTo(only(keccak256("nothing")), 0, BANK);
    }

    function test_takesNoEmptyFunds() public {
        expect(abi.encodeWithSelector(IRewards.Rewards_BadAmount.selector, 0));
        rewards.fund(runId, 0);
    }

    function test_fundsWithAPermit() public {
        (uint8 v, bytes32 r, bytes32 s) = permitFor(100);
        vm.prank(vm.addr(WALLET));
        same(rewards.fundWithPermit(runId, 100, START + 1, v, r, s), 100);
        same(rewards.pool(runId).funded, uint256(FUNDS) + 100);
    }

    function test_fundsWithAPermitThatSomebodyElsePostedFirst() public {
        (uint8 v, bytes32 r, bytes32 s) = permitFor(100);
        SwarmToken(address(token)).permit(vm.addr(WALLET), address(rewards), 100, START + 1, v, r, s);
        vm.prank(vm.addr(WALLET));
        same(rewards.fundWithPermit(runId, 100, START + 1, v, r, s), 100);
    }

    function test_onlyTrainingOpensSettlesAndCloses() public {
        bytes memory reason = abi.encodeWithSelector(IRewards.Rewards_OnlyTraining.selector, address(this));
        expect(reason);
        rewards.open(keccak256("mine"), id, address(this), false, 0);
        expect(reason);
        rewards.settle(runId, 1, 1, share(0, 10_000));
        expect(reason);
        rewards.settleParts(runId, 1, 1, new uint256[](0), 1);
        expect(reason);
        rewards.close(runId);
    }

    function testFuzz_vestsInProportionAndNeverMore(uint64 gain, uint64 span) public view {
        if (span == 0) span = 1;
        uint256 vested = rewards.vested(runId, gain, span);
        so(vested <= FUNDS);
        if (gain >= span) same(vested, FUNDS);
        else so(vested * span <= uint256(FUNDS) * gain && uint256(FUNDS) * gain < (vested + 1) * span);
    }

    function rewardsSeal(bytes memory row) internal {
        // Prepared by hand: the expected event has to be that of the very next call.
        (bytes memory all, uint16[] memory signers) = (signed(attestation(runId, 0.4e9, row), first(3)), first(3));
        training.seal(attestation(runId, 0.4e9, row), signers, all);
    }

    function permitFor(uint256 amount) internal returns (uint8 v, bytes32 r, bytes32 s) {
        address owner = vm.addr(WALLET);
        vm.prank(TREASURY);
        SwarmToken(address(token)).mint(owner, amount);
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                owner,
                address(rewards),
                amount,
                SwarmToken(address(token)).nonces(owner),
                START + 1
            )
        );
        return vm.sign(WALLET, digestOf(address(token), structHash));
    }
}
