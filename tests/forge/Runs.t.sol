// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Swarm} from "./Swarm.sol";

/// @dev How runs begin, are opened again, and end without a seal.
contract RunsTest is Swarm {
    bytes32 internal id;

    function setUp() public override {
        super.setUp();
        id = gathered(3);
    }

    function refuse(ITraining.RunRequest memory wanted, uint256 walletKey, bytes memory reason) internal {
        bytes memory signature = sign(walletKey, digestOf(address(training), this.hashRunRequest(wanted)));
        expect(reason);
        training.createRun(wanted, termsOf[id], signature);
    }

    function test_aRunOpensInRoundZeroByTheLatestSnapshot() public {
        ITraining.RunRequest memory wanted = request(id, "breast-cancer");
        bytes32 expected =
            keccak256(abi.encode(block.chainid, address(training), id, "breast-cancer", uint32(1), keccak256("salt")));
        bytes32 prev = keccak256(abi.encode(expected, membersRoot(id)));
        bytes memory signature = sign(WALLET, digestOf(address(training), this.hashRunRequest(wanted)));
        vm.expectEmit(address(rewards));
        emit IRewards.PoolOpened(expected, SPONSOR);
        vm.expectEmit(address(training));
        emit ITraining.RunCreated(expected, id, "breast-cancer", 1, prev, 0);
        bytes32 runId = training.createRun(wanted, terms(), signature);

        same(runId, expected);
        same(training.runNamed(id, "breast-cancer"), runId);
        same(keccak256(abi.encode(training.terms(runId))), keccak256(abi.encode(terms())));
        same(rewards.pool(runId).sponsor, SPONSOR);
        ITraining.Run memory run = training.run(runId);
        same(run.agreement, id);
        same(run.name, "breast-cancer");
        same(run.generation, 1);
        so(run.state == ITraining.State.Open);
        same(run.round, 0);
        same(run.snapshotVersion, 3);
        same(run.openedAt, START);
        same(run.prev, prev);
        same(run.mergedRoot, terms().initialRoot);
        same(run.initialLoss, 0);
    }

    function test_anyPartyMayAskForARun() public {
        ITraining.RunRequest memory wanted = request(id, "another");
        wanted.party = 2;
        so(createRun(wanted, WALLET + 2) != createRun(id));
    }

    function test_aRunOfTheSameNameAndSaltUnderAnotherAgreementIsAnotherRun() public {
        IConsortium.Agreement memory agreement = draft(2);
        agreement.document = keccak256("of somebody who watches the pending transactions");
        bytes32 other = createRun(gathered(agreement, 2));
        so(createRun(id) != other);
    }

    function test_refusesANameThatIsTaken() public {
        createRun(id);
        refuse(
            request(id, "breast-cancer"),
            WALLET,
            abi.encodeWithSelector(ITraining.Training_WrongGeneration.selector, 2, 1)
        );
    }

    function test_refusesNamesThatCouldDeceive() public {
        refuse(request(id, ""), WALLET, abi.encodeWithSelector(ITraining.Training_BadName.selector, ""));
        refuse(request(id, "a/b"), WALLET, abi.encodeWithSelector(ITraining.Training_BadName.selector, "a/b"));
    }

    function test_refusesARequestThatThePartyDidNotSign() public {
        refuse(
            request(id, "x"),
            WALLET + 1,
            abi.encodeWithSelector(ITraining.Training_NotTheParty.selector, 0, vm.addr(WALLET + 1))
        );
        ITraining.RunRequest memory wanted = request(id, "x");
        wanted.party = 9;
        refuse(wanted, WALLET, abi.encodeWithSelector(IConsortium.Consortium_UnknownParty.selector, id, 9));
    }

    function test_refusesOtherTermsThanTheSigned() public {
        ITraining.RunRequest memory wanted = request(id, "x");
        IConsortium.Terms memory better = terms();
        better.sponsor = address(this);
        bytes memory signature = sign(WALLET, digestOf(address(training), this.hashRunRequest(wanted)));
        bytes memory reason = abi.encodeWithSelector(
            ITraining.Training_WrongTerms.selector, consortium.hashTerms(terms()), consortium.hashTerms(better)
        );
        expect(reason);
        training.createRun(wanted, better, signature);
    }

    function test_refusesARequestOutOfTime() public {
        ITraining.RunRequest memory wanted = request(id, "x");
        vm.warp(wanted.deadline + 1);
        refuse(wanted, WALLET, abi.encodeWithSelector(ITraining.Training_DeadlinePassed.selector, wanted.deadline));
        (, uint64 notAfter) = consortium.period(id);
        vm.warp(notAfter + 1);
        refuse(request(id, "x"), WALLET, abi.encodeWithSelector(ITraining.Training_NotInForce.selector, id));
    }

    function test_unknownRunsAreNamed() public {
        bytes32 nothing = keccak256("nothing");
        bytes memory reason = abi.encodeWithSelector(ITraining.Training_UnknownRun.selector, nothing);
        expect(reason);
        training.run(nothing);
        expect(reason);
        training.quorum(nothing);
        expect(reason);
        training.terms(nothing);
        expect(reason);
        training.reopen(nothing);
        expect(reason);
        training.close(nothing);
    }

    function test_aStalledRoundIsOpenedAgainByTheLatestSnapshot() public {
        bytes32 runId = createRun(id);
        bytes32 before = training.run(runId).prev;
        uint16 late = enroll(id, 0, "late");
        vm.warp(START + 599);
        expect(abi.encodeWithSelector(ITraining.Training_NotStalled.selector, START + 600));
        training.reopen(runId);

        vm.warp(START + 600);
        bytes32 prev = keccak256(abi.encode(before, membersRoot(id)));
        vm.expectEmit(address(training));
        emit ITraining.Reopened(runId, 0, prev, 4);
        training.reopen(runId);

        ITraining.Run memory run = training.run(runId);
        same(run.prev, prev);
        same(run.round, 0);
        same(run.openedAt, START + 600);
        same(run.snapshotVersion, 4);
        seal(attestation(runId, CEILING, ""), list(1, late));
        expect(abi.encodeWithSelector(ITraining.Training_NotStalled.selector, START + 1200));
        training.reopen(runId);
    }

    function test_whatWasSignedBeforeReopeningIsVoid() public {
        bytes32 runId = createRun(id);
        ITraining.Attestation memory old = attestation(runId, CEILING, "");
        bytes memory signatures = signed(old, first(2));
        vm.warp(START + 600);
        training.reopen(runId);
        bytes memory reason =
            abi.encodeWithSelector(ITraining.Training_WrongPrev.selector, training.run(runId).prev, old.prev);
        expect(reason);
        training.seal(old, first(2), signatures);
    }

    function test_aRoundThatNobodyCouldSealIsOpenedAgainAtOnce() public {
        bytes32 early = gathered(draftOf("started early", 4), 2);
        bytes32 runId = createRun(early);
        training.reopen(runId);
        enroll(early, 2, "n1");
        training.reopen(runId);
        same(training.quorum(runId), 3);
        expect(abi.encodeWithSelector(ITraining.Training_NotStalled.selector, START + 600));
        training.reopen(runId);
        sealRound(runId, CEILING, "", 3);
    }

    function test_lostKeysCannotEndARun() public {
        bytes32 runId = createRun(id);
        for (uint16 p = 0; p < 3; ++p) {
            retire(id, p, WALLET + p);
            enroll(id, p, "n2");
        }
        vm.warp(START + 600);
        training.reopen(runId);
        seal(attestation(runId, CEILING, ""), list(4, 5));
    }

    function test_closesOnceTheAgreementIsOver() public {
        bytes32 runId = createRun(id);
        sealRound(runId, CEILING, "", 2);
        (, uint64 notAfter) = consortium.period(id);
        vm.warp(notAfter);
        expect(abi.encodeWithSelector(ITraining.Training_StillInForce.selector, notAfter));
        training.close(runId);

        vm.warp(notAfter + 1);
        expect(abi.encodeWithSelector(ITraining.Training_NotInForce.selector, id));
        training.reopen(runId);
        vm.expectEmit(address(training));
        emit ITraining.Finished(runId, 0, ITraining.Ending.AgreementOver);
        training.close(runId);

        ITraining.Run memory run = training.run(runId);
        so(run.state == ITraining.State.Finished);
        same(run.round, 0);
        same(run.prev, 0);
        so(rewards.pool(runId).closed);
        bytes memory reason =
            abi.encodeWithSelector(ITraining.Training_WrongState.selector, runId, ITraining.State.Finished);
        expect(reason);
        training.close(runId);
        expect(reason);
        training.reopen(runId);
        ITraining.Attestation memory late;
        late.runId = runId;
        expect(reason);
        training.seal(late, first(0), "");
    }

    function draftOf(string memory title, uint256 parties)
        internal
        pure
        returns (IConsortium.Agreement memory agreement)
    {
        agreement = draft(parties);
        agreement.document = keccak256(bytes(title));
    }
}
