// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Swarm} from "./Swarm.sol";

/// @dev What a seal must be, and what it changes. Three organizations; registration p is the node of party p.
contract SealsTest is Swarm {
    bytes32 internal id;
    bytes32 internal runId;

    error Next(bytes32 prev);

    function setUp() public override {
        super.setUp();
        id = gathered(3);
        runId = createRun(id);
        fund(runId, FUNDS);
        sealRound(runId, CEILING, "", 3);
    }

    function refuse(ITraining.Attestation memory attested, uint16[] memory signers, bytes memory reason) internal {
        bytes memory all = signed(attested, signers);
        expect(reason);
        training.seal(attested, signers, all);
    }

    function refuseRow(bytes memory row, bytes memory reason) internal {
        refuse(attestation(runId, 0.5e9, row), first(3), reason);
    }

    function badShares(uint256 index) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(ITraining.Training_BadShares.selector, index);
    }

    function test_aSealOpensTheNextRound() public {
        vm.warp(START + 60);
        ITraining.Attestation memory attested = attestation(runId, 0.4e9, equalRow(3));
        attested.rejects = hex"000201";
        attested.term = 2;
        bytes memory all = signed(attested, first(3));
        bytes32 next = keccak256(
            abi.encode(
                runId,
                uint32(1),
                attested.rosterRoot,
                attested.mergedRoot,
                attested.lossBefore,
                attested.lossAfter,
                attested.metric,
                keccak256(attested.shares),
                membersRoot(id)
            )
        );
        uint256 credited = uint256(FUNDS) / 2 * 9999 / 10_000;
        vm.expectEmit(address(training));
        emit ITraining.Sealed(
            runId,
            1,
            attested.mergedRoot,
            attested.prev,
            next,
            2,
            attested.rosterRoot,
            CEILING,
            0.4e9,
            0.9e9,
            attested.shares,
            attested.rejects,
            first(3),
            credited
        );
        training.seal(attested, first(3), all);

        ITraining.Run memory run = training.run(runId);
        so(run.state == ITraining.State.Open);
        same(run.round, 2);
        same(run.prev, next);
        same(run.mergedRoot, attested.mergedRoot);
        same(run.openedAt, START + 60);
        same(run.initialLoss, CEILING);
        same(run.bestLoss, 0.4e9);
        same(run.lastLoss, 0.4e9);
        so(run.lastMetric == 0.9e9);
        same(rewards.pool(runId).credited, credited);
    }

    function test_theNextNameOfTheRoundDoesNotDependOnWhoSignedOrPosted() public {
        ITraining.Attestation memory attested = attestation(runId, 0.4e9, equalRow(3));
        bytes memory two = signed(attested, list(0, 2));
        bytes memory three = signed(attested, first(3));
        bytes32 one = this.nextOf(attested, list(0, 2), two, address(0xBEEF));
        same(one, this.nextOf(attested, first(3), three, SPONSOR));
    }

    /// @dev The `prev` that such a seal would lead to; it leaves no trace.
    function nextOf(
        ITraining.Attestation calldata attested,
        uint16[] calldata signers,
        bytes calldata all,
        address poster
    ) external returns (bytes32 next) {
        try this.sealAndRevert(attested, signers, all, poster) {}
        catch (bytes memory reason) {
            so(bytes4(reason) == Next.selector);
            next = readWord(reason, 36);
        }
    }

    function sealAndRevert(
        ITraining.Attestation calldata attested,
        uint16[] calldata signers,
        bytes calldata all,
        address poster
    ) external {
        vm.prank(poster);
        training.seal(attested, signers, all);
        revert Next(training.run(runId).prev);
    }

    function test_aMembershipChangeShowsInTheNextRoundOnly() public {
        uint16 late = enroll(id, 0, "late");
        refuse(
            attestation(runId, 0.5e9, equalRow(3)),
            list(1, late),
            abi.encodeWithSelector(IConsortium.Consortium_NotAMember.selector, late, 3)
        );
        retire(id, 2, WALLET + 2);
        seal(attestation(runId, 0.5e9, equalRow(3)), list(1, 2));
        same(training.run(runId).snapshotVersion, 5);
        refuse(
            attestation(runId, 0.4e9, equalRow(2)),
            list(1, 2),
            abi.encodeWithSelector(IConsortium.Consortium_NotAMember.selector, 2, 5)
        );
        seal(attestation(runId, 0.4e9, equalRow(2)), list(1, late));
    }

    function test_refusesASignerThatWasNeverEnrolled() public {
        ITraining.Attestation memory attested = attestation(runId, 0.5e9, equalRow(3));
        bytes memory all = signed(attested, list(0, 1));
        expect(abi.encodeWithSelector(IConsortium.Consortium_NotAMember.selector, 7, 3));
        training.seal(attested, list(0, 7), all);
    }

    function test_aRoundIsSealedOnce() public {
        ITraining.Attestation memory attested = attestation(runId, 0.5e9, equalRow(3));
        seal(attested, first(3));
        refuse(attested, first(3), abi.encodeWithSelector(ITraining.Training_WrongRound.selector, 2, 1));
    }

    function test_refusesAnotherRound() public {
        ITraining.Attestation memory attested = attestation(runId, 0.5e9, equalRow(3));
        attested.round = 2;
        refuse(attested, first(3), abi.encodeWithSelector(ITraining.Training_WrongRound.selector, 1, 2));
    }

    function test_refusesAnotherHistory() public {
        ITraining.Attestation memory attested = attestation(runId, 0.5e9, equalRow(3));
        bytes32 prev = attested.prev;
        attested.prev = keccak256("fork");
        refuse(attested, first(3), abi.encodeWithSelector(ITraining.Training_WrongPrev.selector, prev, attested.prev));
    }

    function test_refusesSignaturesUnderAnotherPayload() public {
        ITraining.Attestation memory attested = attestation(runId, 0.5e9, equalRow(3));
        bytes memory all = signed(attested, first(3));
        attested.lossAfter -= 1;
        bytes32 digest = training.attestationDigest(attested);
        address stranger = ecrecover(digest, uint8(all[64]), readWord(all, 32), readWord(all, 64));
        expect(abi.encodeWithSelector(ITraining.Training_WrongSignature.selector, 0, vm.addr(nodeKey[id][0]), stranger));
        training.seal(attested, first(3), all);
    }

    function test_refusesASignatureThatIsNone() public {
        ITraining.Attestation memory attested = attestation(runId, 0.5e9, equalRow(3));
        bytes memory all = new bytes(3 * 65);
        expect(
            abi.encodeWithSelector(ITraining.Training_WrongSignature.selector, 0, vm.addr(nodeKey[id][0]), address(0))
        );
        training.seal(attested, first(3), all);
    }

    function test_refusesTheOtherFormOfASignature() public {
        ITraining.Attestation memory attested = attestation(runId, 0.5e9, equalRow(3));
        bytes memory all = signed(attested, first(2));
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        bytes32 s = bytes32(order - uint256(readWord(all, 64)));
        bytes memory twin = abi.encodePacked(readWord(all, 32), s, uint8(all[64]) == 27 ? uint8(28) : uint8(27));
        bytes memory second = sign(nodeKey[id][1], training.attestationDigest(attested));
        expect(
            abi.encodeWithSelector(ITraining.Training_WrongSignature.selector, 0, vm.addr(nodeKey[id][0]), address(0))
        );
        training.seal(attested, first(2), bytes.concat(twin, second));
    }

    function test_refusesOneSignerTwice() public {
        ITraining.Attestation memory attested = attestation(runId, 0.5e9, equalRow(3));
        refuse(attested, list(1, 1), abi.encodeWithSelector(ITraining.Training_SignersNotAscending.selector, 1));
        refuse(attested, list(1, 0), abi.encodeWithSelector(ITraining.Training_SignersNotAscending.selector, 0));
    }

    function test_refusesMoreOrFewerSignaturesThanSigners() public {
        ITraining.Attestation memory attested = attestation(runId, 0.5e9, equalRow(3));
        bytes memory all = signed(attested, first(2));
        expect(abi.encodeWithSelector(ITraining.Training_SignatureCount.selector, 3, 130));
        training.seal(attested, first(3), all);
        expect(abi.encodeWithSelector(ITraining.Training_SignatureCount.selector, 2, 131));
        training.seal(attested, first(2), bytes.concat(all, hex"00"));
    }

    function test_refusesWhatWasSignedForAnotherRunOrDeployment() public {
        bytes32 second = createRun(request(id, "second"), WALLET);
        ITraining.Attestation memory attested = attestation(second, CEILING, "");
        bytes memory all = signed(attested, first(3));
        attested.runId = runId;
        attested.round = 1;
        bytes32 prev = training.run(runId).prev;
        expect(abi.encodeWithSelector(ITraining.Training_WrongPrev.selector, prev, attested.prev));
        training.seal(attested, first(3), all);

        attested = attestation(runId, 0.5e9, equalRow(3));
        all = signed(attested, first(3));
        vm.chainId(5);
        vm.expectRevert();
        training.seal(attested, first(3), all);
    }

    function test_refusesRowsThatAreNotRows() public {
        refuseRow(hex"0000", badShares(0));
        refuseRow(bytes.concat(share(0, 3000), hex"00"), badShares(1));
        refuseRow(bytes.concat(share(0, 1), share(1, 1), share(3, 1)), badShares(2));
        refuseRow(bytes.concat(share(1, 1), share(0, 1), share(2, 1)), badShares(1));
        refuseRow(bytes.concat(share(1, 1), share(1, 1), share(2, 1)), badShares(1));
        refuseRow(bytes.concat(share(0, 5000), share(1, 5000), share(2, 1)), badShares(2));
    }

    function test_twoAlwaysSplitEqually() public {
        refuseRow(
            bytes.concat(share(0, 5000), share(2, 4999)),
            abi.encodeWithSelector(ITraining.Training_NotEqual.selector, 1, 5000, 4999)
        );
        sealRound(runId, 0.5e9, bytes.concat(share(0, 5000), share(2, 5000)), 3);
    }

    function test_aMeteredRowOfThreeIsPaidAsSigned() public {
        sealRound(runId, TARGET, bytes.concat(share(0, 7000), share(1, 0), share(2, 3000)), 2);
        same(rewards.account(runId, 0).accrued, FUNDS * 7 / 10);
        same(rewards.account(runId, 1).accrued, 0);
        same(rewards.account(runId, 2).accrued, FUNDS * 3 / 10);
    }

    function test_aVoidRowPaysNothingAndLeavesTheBestLoss() public {
        sealRound(runId, 0.3e9, "", 3);
        ITraining.Run memory run = training.run(runId);
        same(run.bestLoss, CEILING);
        same(run.lastLoss, 0.3e9);
        same(rewards.pool(runId).credited, 0);
        sealRound(runId, 0.4e9, equalRow(3), 3);
        same(training.run(runId).bestLoss, 0.4e9);
        same(rewards.vested(runId, 0.3e9, 0.6e9), FUNDS / 2);
    }

    function test_aWorseRoundPaysNothing() public {
        sealRound(runId, 0.4e9, equalRow(3), 3);
        uint256 credited = rewards.pool(runId).credited;
        sealRound(runId, 0.5e9, equalRow(3), 3);
        ITraining.Run memory run = training.run(runId);
        same(run.bestLoss, 0.4e9);
        same(run.lastLoss, 0.5e9);
        // What rounding left of the first payment, and no more.
        so(rewards.pool(runId).credited - credited < FUNDS / 2 / 9999);
    }

    function test_endsAtTheTarget() public {
        ITraining.Attestation memory attested = attestation(runId, TARGET, equalRow(3));
        bytes memory all = signed(attested, first(2));
        vm.expectEmit(address(training));
        emit ITraining.Finished(runId, 1, ITraining.Ending.TargetReached);
        training.seal(attested, first(2), all);
        ITraining.Run memory run = training.run(runId);
        so(run.state == ITraining.State.Finished);
        same(run.round, 1);
        same(run.prev, 0);
        so(rewards.pool(runId).closed);
        refuse(
            attested,
            first(2),
            abi.encodeWithSelector(ITraining.Training_WrongState.selector, runId, ITraining.State.Finished)
        );
    }

    function test_endsAfterTheLastRound() public {
        for (uint256 i = 0; i < 4; ++i) {
            sealRound(runId, 0.5e9, equalRow(3), 2);
        }
        ITraining.Attestation memory attested = attestation(runId, 0.45e9, equalRow(3));
        bytes memory all = signed(attested, first(2));
        vm.expectEmit(address(training));
        emit ITraining.Finished(runId, 5, ITraining.Ending.RoundsDone);
        training.seal(attested, first(2), all);
    }

    function test_theRoundThatTheAgreementEndsInIsStillPaid() public {
        (, uint64 notAfter) = consortium.period(id);
        vm.warp(notAfter + 1);
        ITraining.Attestation memory attested = attestation(runId, 0.4e9, equalRow(3));
        bytes memory all = signed(attested, first(2));
        vm.expectEmit(address(training));
        emit ITraining.Finished(runId, 1, ITraining.Ending.AgreementOver);
        training.seal(attested, first(2), all);
        so(rewards.pool(runId).credited > 0);
    }

    function readWord(bytes memory data, uint256 offset) internal pure returns (bytes32 word) {
        assembly {
            word := mload(add(data, offset))
        }
    }
}
