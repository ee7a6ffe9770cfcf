// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {LocalSwarm} from "./LocalSwarm.sol";

/// @dev Runs that are reset, or go on from what another has reached; and what an amendment leaves as it was.
contract GenerationsTest is LocalSwarm {
    bytes32 internal id;
    bytes32 internal one;

    function setUp() public override {
        super.setUp();
        id = gathered(3);
        one = createRun(id);
    }

    function next(uint32 generation, bytes32 continues) internal view returns (ITraining.RunRequest memory wanted) {
        wanted = request(id, "breast-cancer");
        (wanted.generation, wanted.continues) = (generation, continues);
    }

    function refuse(ITraining.RunRequest memory wanted, bytes memory reason) internal {
        bytes memory signature = sign(WALLET, digestOf(address(training), this.hashRunRequest(wanted)));
        IConsortium.Terms memory agreed = termsOf[wanted.agreement];
        expect(reason);
        training.createRun(wanted, agreed, signature);
    }

    function finish(bytes32 runId, uint64 loss) internal {
        sealRound(runId, CEILING, "", 2);
        sealRound(runId, loss, equalRow(3), 2);
    }

    function test_aNameIsResetWhenItsRunIsFinished() public {
        refuse(next(2, 0), abi.encodeWithSelector(ITraining.Training_WrongState.selector, one, ITraining.State.Open));
        finish(one, TARGET);
        bytes32 two = createRun(next(2, 0), WALLET);
        so(two != one);
        same(training.runNamed(id, "breast-cancer"), two);
        same(training.runOf(id, "breast-cancer", 1), one);
        same(training.runOf(id, "breast-cancer", 2), two);
        ITraining.Run memory run = training.run(two);
        same(run.generation, 2);
        same(run.round, 0);
        same(run.mergedRoot, terms().initialRoot);
        // What was stays as it was.
        same(training.run(one).generation, 1);
        same(training.run(one).bestLoss, TARGET);
        refuse(next(3, 0), abi.encodeWithSelector(ITraining.Training_WrongState.selector, two, ITraining.State.Open));
    }

    function test_generationsAreCounted() public {
        finish(one, TARGET);
        refuse(next(1, 0), abi.encodeWithSelector(ITraining.Training_WrongGeneration.selector, 2, 1));
        refuse(next(3, 0), abi.encodeWithSelector(ITraining.Training_WrongGeneration.selector, 2, 3));
        ITraining.RunRequest memory wanted = request(id, "new");
        wanted.generation = 0;
        refuse(wanted, abi.encodeWithSelector(ITraining.Training_WrongGeneration.selector, 1, 0));
        wanted.generation = 2;
        refuse(wanted, abi.encodeWithSelector(ITraining.Training_WrongGeneration.selector, 1, 2));
    }

    function test_aRequestIsGoodForOneRun() public {
        ITraining.RunRequest memory wanted = request(id, "breast-cancer");
        finish(one, TARGET);
        refuse(wanted, abi.encodeWithSelector(ITraining.Training_WrongGeneration.selector, 2, 1));
    }

    function test_whatIsNotThereHasNoRun() public view {
        same(training.runNamed(id, "another"), 0);
        same(training.runOf(id, "breast-cancer", 0), 0);
        same(training.runOf(id, "breast-cancer", 2), 0);
    }

    function test_aRunGoesOnFromWhatAFinishedOneReached() public {
        ITraining.RunRequest memory wanted = request(id, "further");
        wanted.continues = one;
        refuse(wanted, abi.encodeWithSelector(ITraining.Training_WrongState.selector, one, ITraining.State.Open));
        finish(one, TARGET);
        bytes32 reached = training.run(one).mergedRoot;
        so(reached != terms().initialRoot);
        bytes32 further = createRun(wanted, WALLET);
        same(training.run(further).initialRoot, reached);
        same(training.run(further).mergedRoot, reached);

        ITraining.Attestation memory attested = attestation(further, CEILING, "");
        attested.mergedRoot = terms().initialRoot;
        bytes memory all = signed(attested, first(2));
        expect(abi.encodeWithSelector(ITraining.Training_NotTheStart.selector, reached, terms().initialRoot));
        training.seal(attested, first(2), all);
        sealRound(further, CEILING, "", 2);
        sealRound(further, 0.5e9, equalRow(3), 2);
        sealRound(further, 0.4e9, equalRow(3), 2);
        same(training.run(further).initialRoot, reached);
        so(training.run(further).mergedRoot != reached);
    }

    function test_aResetCanGoOnFromTheGenerationBefore() public {
        finish(one, TARGET);
        bytes32 two = createRun(next(2, one), WALLET);
        same(training.run(two).initialRoot, training.run(one).mergedRoot);
    }

    function test_whatIsContinuedIsARunOfTheAgreement() public {
        finish(one, TARGET);
        IConsortium.Agreement memory agreement = draft(3);
        agreement.document = keccak256("another");
        ITraining.RunRequest memory wanted = request(gathered(agreement, 3), "stolen");
        wanted.continues = one;
        refuse(wanted, abi.encodeWithSelector(ITraining.Training_OtherAgreement.selector, one, id));
        wanted.continues = keccak256("nothing");
        refuse(wanted, abi.encodeWithSelector(ITraining.Training_UnknownRun.selector, keccak256("nothing")));
    }

    function test_aRunThatIsNotSettledIsNotFinished() public {
        bytes32 agreement = gathered(localDraft(3), 3);
        bytes32 runId = createRun(agreement);
        start(runId, 0.6e9, 3);
        sealBy(runId, first(3), abstentions(3, 0.6e9, TARGET));
        ITraining.RunRequest memory wanted = request(agreement, "breast-cancer");
        wanted.generation = 2;
        refuse(wanted, abi.encodeWithSelector(ITraining.Training_WrongState.selector, runId, ITraining.State.Settling));
        training.settle(runId);
        createRun(wanted, WALLET);
    }

    function test_anAmendmentChangesLaterRunsOnly() public {
        sealRound(one, CEILING, "", 2);
        IConsortium.Agreement memory next_ = amendment(id, draft(3));
        next_.terms.maxRounds = 1;
        next_.terms.targetLoss = 0.5e9;
        IConsortium.Agreement memory bigger = grown(next_);
        amend(bigger);
        uint16 newcomer = enroll(id, 3, "n1");

        // The run goes on by its own terms, without the newcomer, whose signature counts for nothing.
        sealRound(one, 0.5e9, equalRow(3), 2);
        ITraining.Run memory run = training.run(one);
        so(run.state == ITraining.State.Open);
        same(run.active, 7);
        same(training.terms(one).maxRounds, terms().maxRounds);
        ITraining.Attestation memory attested = attestation(one, 0.4e9, equalRow(3));
        uint16[] memory signers = list(0, newcomer);
        bytes memory all = signed(attested, signers);
        expect(abi.encodeWithSelector(ITraining.Training_NoQuorum.selector, 1, 2));
        training.seal(attested, signers, all);
        attested.shares = equalRow(4);
        all = signed(attested, first(3));
        expect(abi.encodeWithSelector(ITraining.Training_BadShares.selector, 3));
        training.seal(attested, first(3), all);
        sealRound(one, 0.45e9, equalRow(3), 2);

        termsOf[id] = bigger.terms;
        bytes32 later = createRun(request(id, "later"), WALLET);
        same(training.run(later).active, 15);
        same(training.terms(later).maxRounds, 1);
        sealRound(later, CEILING, "", 3);
        sealRound(later, 0.6e9, equalRow(4), 3);
        so(training.run(later).ending == ITraining.Ending.RoundsDone);
    }

    function test_whoLeftAsksForNoRun() public {
        leave_(id, 2);
        ITraining.RunRequest memory wanted = request(id, "x");
        wanted.party = 2;
        bytes memory signature = sign(WALLET + 2, digestOf(address(training), this.hashRunRequest(wanted)));
        IConsortium.Terms memory agreed = terms();
        expect(abi.encodeWithSelector(ITraining.Training_NotTheParty.selector, 2, vm.addr(WALLET + 2)));
        training.createRun(wanted, agreed, signature);
    }
}
