// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {IPresence} from "../../contracts/interfaces/IPresence.sol";
import {Messages} from "../../contracts/libraries/Messages.sol";
import {Vaults} from "./Vaults.sol";
import {ContractWallet} from "./Voting.sol";

/// @dev Tries to collect once more while it is being paid.
contract Greedy {
    IPresence public immutable presence;
    bool public refused;

    constructor(IPresence presence_) {
        presence = presence_;
    }

    function answer(IPresence.Alive calldata said, bytes calldata signature) external {
        presence.alive(said, false, signature);
    }

    receive() external payable {
        try presence.collect(address(this)) {}
        catch {
            refused = true;
        }
    }
}

/// @dev Three organizations with one node each; one hour to answer, and gas at 1 gwei.
contract PresenceTest is Vaults {
    uint256 internal constant GAS_PRICE = 1e9;
    address internal constant POSTER = address(0x905);
    address internal constant HELPER = address(0x4E1);

    bytes32 internal id;
    uint256 internal deposit_;

    function setUp() public override {
        super.setUp();
        id = gathered(3);
        coinVm.txGasPrice(GAS_PRICE);
        deposit_ = presence.ANSWER_GAS() * GAS_PRICE;
        coinVm.deal(POSTER, 1 ether);
        coinVm.deal(address(this), 1 ether);
    }

    /// @dev Node 0 suspects organization 1; somebody posts it.
    function suspected() internal returns (uint64 answerBy) {
        IPresence.Suspicion memory raised = suspicion(id, 1, 0);
        bytes memory signature = sign(nodeKey[id][0], digestOf(address(presence), this.hashSuspicion(raised)));
        vm.prank(POSTER);
        presence.suspect{value: deposit_}(raised, signature);
        return presence.suspicion(id, 1).answerBy;
    }

    function refuse(IPresence.Suspicion memory raised, uint256 key, bytes memory reason) internal {
        bytes memory signature = sign(key, digestOf(address(presence), this.hashSuspicion(raised)));
        expect(reason);
        presence.suspect{value: deposit_}(raised, signature);
    }

    function refuse(IPresence.Alive memory said, uint256 key, bool byWallet, bytes memory reason) internal {
        bytes memory signature = sign(key, digestOf(address(presence), this.hashAlive(said)));
        expect(reason);
        presence.alive(said, byWallet, signature);
    }

    function signOfLife() internal {
        bytes memory signature = sign(nodeKey[id][1], digestOf(address(presence), this.hashAlive(answer(id, 1, 1))));
        IPresence.Alive memory said = answer(id, 1, 1);
        vm.prank(HELPER);
        presence.alive(said, false, signature);
    }

    // Suspicions

    function test_aMemberSuspectsAndSomebodyPostsIt() public {
        IPresence.Suspicion memory raised = suspicion(id, 1, 0);
        bytes memory signature = sign(nodeKey[id][0], digestOf(address(presence), this.hashSuspicion(raised)));
        vm.expectEmit(address(presence));
        emit IPresence.Suspected(id, 1, 0, 1, uint64(START + 1 hours), deposit_);
        vm.prank(POSTER);
        presence.suspect{value: deposit_}(raised, signature);
        IPresence.Case memory case_ = presence.suspicion(id, 1);
        same(case_.number, 1);
        same(case_.answerBy, START + 1 hours);
        same(case_.challenger, POSTER);
        same(case_.deposit, deposit_);
        so(case_.open);
        // Nothing has changed yet.
        same(presence.away(id), 0);
        same(address(presence).balance, deposit_);
    }

    function test_whoAnswersIsPaidForIt() public {
        suspected();
        bytes memory signature = sign(nodeKey[id][1], digestOf(address(presence), this.hashAlive(answer(id, 1, 1))));
        IPresence.Alive memory said = answer(id, 1, 1);
        vm.expectEmit(address(presence));
        emit IPresence.Answered(id, 1, 1, HELPER);
        vm.prank(HELPER);
        presence.alive(said, false, signature);
        same(presence.owed(HELPER), deposit_);
        vm.expectEmit(address(presence));
        emit IPresence.Collected(HELPER, deposit_);
        same(presence.collect(HELPER), deposit_);
        same(HELPER.balance, deposit_);
        same(presence.away(id), 0);
        expect(abi.encodeWithSelector(IPresence.Presence_NothingOwed.selector, HELPER));
        presence.collect(HELPER);
    }

    function test_whoDoesNotAnswerIsLeftOut() public {
        uint64 answerBy = suspected();
        vm.warp(answerBy);
        expect(abi.encodeWithSelector(IPresence.Presence_NotYet.selector, answerBy));
        presence.leaveOut(id, 1);
        vm.warp(answerBy + 1);
        vm.expectEmit(address(presence));
        emit IPresence.LeftOut(id, 1, 1);
        presence.leaveOut(id, 1);
        same(presence.away(id), 2);
        same(presence.owed(POSTER), deposit_);
        same(presence.collect(POSTER), deposit_);
        same(POSTER.balance, 1 ether);
        expect(abi.encodeWithSelector(IPresence.Presence_NotSuspected.selector, id, 1));
        presence.leaveOut(id, 1);
    }

    function test_isBackAsSoonAsItSaysSo() public {
        vm.warp(suspected() + 1);
        presence.leaveOut(id, 1);
        bytes memory signature = sign(nodeKey[id][1], digestOf(address(presence), this.hashAlive(answer(id, 1, 1))));
        IPresence.Alive memory said = answer(id, 1, 1);
        vm.expectEmit(address(presence));
        emit IPresence.Returned(id, 1, 1);
        presence.alive(said, false, signature);
        same(presence.away(id), 0);
        // The deposit went back to the challenger's poster before.
        same(presence.owed(address(this)), 0);
        same(presence.owed(POSTER), deposit_);
    }

    function test_aLateAnswerCountsUntilTheSuspicionIsCarriedOut() public {
        vm.warp(suspected() + 1 days);
        signOfLife();
        same(presence.owed(HELPER), deposit_);
        expect(abi.encodeWithSelector(IPresence.Presence_NotSuspected.selector, id, 1));
        presence.leaveOut(id, 1);
    }

    function test_othersAreNotConcerned() public {
        vm.warp(suspected() + 1);
        suspect(suspicion(id, 2, 0), deposit_);
        presence.leaveOut(id, 1);
        same(presence.away(id), 2);
        vm.warp(presence.suspicion(id, 2).answerBy + 1);
        presence.leaveOut(id, 2);
        same(presence.away(id), 6);
        alive(answer(id, 1, 1), nodeKey[id][1], false);
        same(presence.away(id), 4);
    }

    function test_oneSuspicionAtATime() public {
        uint64 answerBy = suspected();
        refuse(
            suspicion(id, 1, 2), nodeKey[id][2], abi.encodeWithSelector(IPresence.Presence_TooSoon.selector, answerBy)
        );
        // Nor in the same window once it is answered.
        signOfLife();
        vm.warp(answerBy);
        refuse(
            suspicion(id, 1, 2), nodeKey[id][2], abi.encodeWithSelector(IPresence.Presence_TooSoon.selector, answerBy)
        );
        vm.warp(answerBy + 1);
        suspect(suspicion(id, 1, 2), deposit_);
        same(presence.suspicion(id, 1).number, 2);
    }

    function test_anOpenSuspicionIsNotOverwrittenHoweverOldItIs() public {
        uint64 answerBy = suspected();
        vm.warp(answerBy + 30 days);
        refuse(
            suspicion(id, 1, 2), nodeKey[id][2], abi.encodeWithSelector(IPresence.Presence_TooSoon.selector, answerBy)
        );
    }

    function test_whoIsLeftOutIsNotSuspectedAgain() public {
        vm.warp(suspected() + 1);
        presence.leaveOut(id, 1);
        refuse(suspicion(id, 1, 0), nodeKey[id][0], abi.encodeWithSelector(IPresence.Presence_NotPresent.selector, 1));
    }

    function test_whoHasNoNodeIsNotSuspected() public {
        retire(id, 1, WALLET + 1);
        refuse(suspicion(id, 1, 0), nodeKey[id][0], abi.encodeWithSelector(IPresence.Presence_NotPresent.selector, 1));
        refuse(suspicion(id, 63, 0), nodeKey[id][0], abi.encodeWithSelector(IPresence.Presence_NotPresent.selector, 63));
        refuse(
            suspicion(id, 300, 0), nodeKey[id][0], abi.encodeWithSelector(IPresence.Presence_NotPresent.selector, 300)
        );
    }

    function test_onlyMembersOfOtherOrganizationsSuspect() public {
        refuse(suspicion(id, 1, 1), nodeKey[id][1], abi.encodeWithSelector(IPresence.Presence_OfItself.selector, 1));
        refuse(suspicion(id, 1, 9), nodeKey[id][0], abi.encodeWithSelector(IPresence.Presence_NotAMember.selector, 9));
        refuse(
            suspicion(id, 1, 0),
            nodeKey[id][2],
            abi.encodeWithSelector(
                IPresence.Presence_WrongSignature.selector, 0, vm.addr(nodeKey[id][0]), vm.addr(nodeKey[id][2])
            )
        );
        retire(id, 0, WALLET);
        refuse(suspicion(id, 1, 0), nodeKey[id][0], abi.encodeWithSelector(IPresence.Presence_NotAMember.selector, 0));
    }

    function test_aSuspicionIsUsedOnceAndInTime() public {
        IPresence.Suspicion memory raised = suspicion(id, 1, 0);
        uint64 answerBy = suspected();
        signOfLife();
        vm.warp(answerBy + 1);
        refuse(
            raised, nodeKey[id][0], abi.encodeWithSelector(IPresence.Presence_DeadlinePassed.selector, raised.deadline)
        );
        raised.deadline = answerBy + 2;
        refuse(raised, nodeKey[id][0], abi.encodeWithSelector(IPresence.Presence_WrongNumber.selector, 2, 1));
    }

    function test_theDepositPaysForTheAnswer() public {
        IPresence.Suspicion memory raised = suspicion(id, 1, 0);
        bytes memory signature = sign(nodeKey[id][0], digestOf(address(presence), this.hashSuspicion(raised)));
        expect(abi.encodeWithSelector(IPresence.Presence_DepositTooSmall.selector, deposit_, deposit_ - 1));
        presence.suspect{value: deposit_ - 1}(raised, signature);
        // Where gas is free there is nothing to pay for.
        coinVm.txGasPrice(0);
        presence.suspect(raised, signature);
        signOfLife();
        same(presence.owed(HELPER), 0);
    }

    function test_withoutATimeToAnswerNobodyIsSuspected() public {
        IConsortium.Agreement memory trusting = draft(3);
        trusting.bylaws.answerTime = 0;
        bytes32 other = gathered(trusting, 3);
        refuse(
            suspicion(other, 1, 0),
            nodeKey[other][0],
            abi.encodeWithSelector(IPresence.Presence_NoSuspicions.selector, other)
        );
    }

    function test_whenTheAgreementIsOverNobodyIsSuspectedAndDepositsReturn() public {
        suspected();
        vm.warp(START + 366 days);
        refuse(suspicion(id, 2, 0), nodeKey[id][0], abi.encodeWithSelector(IPresence.Presence_NotPresent.selector, 2));
        presence.leaveOut(id, 1);
        same(presence.collect(POSTER), deposit_);
    }

    function test_whoLeftTheAgreementSuspectsNobody() public {
        IConsortium.Leaving memory wanted = IConsortium.Leaving(id, 0, soon());
        bytes32 digest = digestOf(address(consortium), this.hashLeaving(wanted));
        consortium.leaveAgreement(wanted, sign(WALLET, digest));
        refuse(suspicion(id, 1, 0), nodeKey[id][0], abi.encodeWithSelector(IPresence.Presence_NotAMember.selector, 0));
    }

    // Signs of life

    function test_onlyTheOrganizationSaysThatItIsAlive() public {
        suspected();
        refuse(
            answer(id, 1, 1),
            nodeKey[id][0],
            false,
            abi.encodeWithSelector(
                IPresence.Presence_WrongSignature.selector, 1, vm.addr(nodeKey[id][1]), vm.addr(nodeKey[id][0])
            )
        );
        // Another organization's sign of life is about another organization.
        refuse(
            IPresence.Alive(id, 2, 1),
            nodeKey[id][2],
            false,
            abi.encodeWithSelector(IPresence.Presence_WrongNumber.selector, 0, 1)
        );
        refuse(
            IPresence.Alive(id, 9, 1),
            nodeKey[id][2],
            false,
            abi.encodeWithSelector(IPresence.Presence_NotAMember.selector, 9)
        );
        refuse(
            IPresence.Alive(id, 9, 1),
            WALLET + 1,
            true,
            abi.encodeWithSelector(IPresence.Presence_NotAMember.selector, 9)
        );
    }

    function test_anyNodeOfTheOrganizationWillDo() public {
        uint16 second = enroll(id, 1, "n2");
        suspected();
        alive(answer(id, 1, second), nodeKey[id][second], false);
        so(!presence.suspicion(id, 1).open);
    }

    function test_theWalletSaysItWhereTheNodesKeysAreLost() public {
        suspected();
        retire(id, 1, WALLET + 1);
        refuse(
            answer(id, 1, 1), nodeKey[id][1], false, abi.encodeWithSelector(IPresence.Presence_NotAMember.selector, 1)
        );
        refuse(
            answer(id, 1, 1),
            WALLET,
            true,
            abi.encodeWithSelector(IPresence.Presence_WrongSignature.selector, 1, vm.addr(WALLET + 1), vm.addr(WALLET))
        );
        alive(answer(id, 1, 1), WALLET + 1, true);
        same(presence.owed(address(this)), deposit_);
    }

    function test_aContractWalletSaysIt() public {
        IConsortium.Agreement memory another = draft(3);
        another.parties[1].wallet = address(new ContractWallet(vm.addr(WALLET + 1)));
        id = activate(another);
        enroll(id, 0, "n1");
        enroll(id, 1, "n1");
        suspected();
        alive(answer(id, 1, 1), WALLET + 1, true);
        so(!presence.suspicion(id, 1).open);
    }

    function test_aSignOfLifeAnswersOneSuspicion() public {
        IPresence.Alive memory early = IPresence.Alive(id, 1, 0);
        refuse(early, nodeKey[id][1], false, abi.encodeWithSelector(IPresence.Presence_NothingToAnswer.selector, id, 1));
        uint64 answerBy = suspected();
        refuse(early, nodeKey[id][1], false, abi.encodeWithSelector(IPresence.Presence_WrongNumber.selector, 1, 0));
        IPresence.Alive memory said = answer(id, 1, 1);
        alive(said, nodeKey[id][1], false);
        refuse(said, nodeKey[id][1], false, abi.encodeWithSelector(IPresence.Presence_NothingToAnswer.selector, id, 1));
        vm.warp(answerBy + 1);
        suspected();
        refuse(said, nodeKey[id][1], false, abi.encodeWithSelector(IPresence.Presence_WrongNumber.selector, 2, 1));
    }

    // Payees

    function test_aPayeeThatRefusesCoinsBlocksNobodyElse() public {
        // This test has no way to receive any.
        suspected();
        alive(answer(id, 1, 1), nodeKey[id][1], false);
        same(presence.owed(address(this)), deposit_);
        expect(abi.encodeWithSelector(Errors.FailedCall.selector));
        presence.collect(address(this));
        vm.warp(presence.suspicion(id, 1).answerBy + 1);
        suspected();
        signOfLife();
        same(presence.collect(HELPER), deposit_);
    }

    function test_aPayeeThatCallsBackIsPaidOnce() public {
        Greedy greedy = new Greedy(presence);
        suspected();
        bytes memory signature = sign(nodeKey[id][1], digestOf(address(presence), this.hashAlive(answer(id, 1, 1))));
        greedy.answer(answer(id, 1, 1), signature);
        vm.warp(presence.suspicion(id, 1).answerBy + 1);
        suspected();
        same(presence.collect(address(greedy)), deposit_);
        so(greedy.refused());
        same(address(greedy).balance, deposit_);
        same(address(presence).balance, deposit_);
    }

    function hashLeaving(IConsortium.Leaving calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }
}
