// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Messages} from "../../contracts/libraries/Messages.sol";
import {LocalSwarm} from "./LocalSwarm.sol";

/// @dev A run under `local`, past round 0. Registration p is the node of party p.
abstract contract FiveOrganizations is LocalSwarm {
    bytes32 internal id;
    bytes32 internal runId;
    ITraining.Row[] internal none;

    function setUp() public override {
        super.setUp();
        id = gathered(localDraft(5), 5);
        runId = createRun(id);
        fund(runId, FUNDS);
        start(runId, 0.6e9, 5);
    }

    function bipsOf(uint16 a, uint16 b, uint16 c, uint16 d, uint16 e) internal pure returns (bytes memory) {
        uint16[] memory bips = new uint16[](5);
        (bips[0], bips[1], bips[2], bips[3], bips[4]) = (a, b, c, d, e);
        return rowOf(bips);
    }

    /// @dev Three rows, in which nobody gives anything to himself, and the first is given.
    function three(bytes memory firstShares) internal pure returns (ITraining.Row[] memory rows) {
        rows = new ITraining.Row[](3);
        rows[0] = row(0.6e9, 0.5e9, firstShares);
        rows[1] = row(0.6e9, 0.5e9, bipsOf(4000, 0, 4000, 2000, 0));
        rows[2] = row(0.6e9, 0.5e9, bipsOf(0, 0, 0, 0, 0));
    }

    function one(ITraining.Row memory only) internal pure returns (ITraining.Row[] memory rows) {
        rows = new ITraining.Row[](1);
        rows[0] = only;
    }

    function who(uint16 registration) internal pure returns (uint16[] memory signers) {
        signers = new uint16[](1);
        signers[0] = registration;
    }

    function refuseSeal(uint16[] memory signers, ITraining.Row[] memory rows, bytes memory reason) internal {
        ITraining.Attestation memory attested = common(runId);
        ITraining.Votes memory all = votes(attested, signers, rows);
        ITraining.Attestation memory before = lastSealed(runId);
        expect(reason);
        training.sealLocal(attested, all, before, nobody());
    }

    function refuseShares(bytes memory shares, uint256 index) internal {
        refuseSeal(first(3), three(shares), abi.encodeWithSelector(ITraining.Training_BadShares.selector, index));
    }

    function refuseLate(uint16[] memory signers, ITraining.Row[] memory rows, bytes memory reason) internal {
        ITraining.Attestation memory before = lastSealed(runId);
        ITraining.Votes memory all = late(runId, signers, rows);
        expect(reason);
        training.addRows(before, all);
    }

    function hashAttestation(ITraining.Attestation calldata attested) external pure returns (bytes32) {
        return Messages.hash(attested);
    }
}
