// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IStakes} from "../../contracts/interfaces/IStakes.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Vaults} from "./Vaults.sol";

/// @dev Three organizations that staked 200 tokens each, in round 1 of a run; half of it is lost for each contradiction,
/// of that a tenth goes to the finder.
abstract contract Trial is Vaults {
    uint128 internal constant STAKE = 2 * MIN_STAKE;

    bytes32 internal id;
    bytes32 internal runId;

    function setUp() public override {
        super.setUp();
        id = gathered(staking(3), 3);
        for (uint16 p = 0; p < 3; ++p) {
            deposit(id, p, STAKE);
        }
        runId = createRun(id);
        sealRound(runId, CEILING, "", 3);
    }

    function refuse(IStakes.Update memory a, IStakes.Update memory b, uint16 registration, bytes memory reason)
        internal
    {
        bytes memory signatureA = node(a.runId, registration, this.hashUpdate(a));
        bytes memory signatureB = node(b.runId, registration, this.hashUpdate(b));
        expect(reason);
        stakes.slashUpdates(address(training), registration, a, b, signatureA, signatureB);
    }

    function refuse(IStakes.Roster memory a, IStakes.Roster memory b, bytes memory reason) internal {
        bytes memory signatureA = node(a.runId, 0, this.hashRoster(a));
        bytes memory signatureB = node(b.runId, 0, this.hashRoster(b));
        expect(reason);
        stakes.slashRosters(address(training), 0, a, b, signatureA, signatureB);
    }

    function refuse(ITraining.Attestation memory a, ITraining.Attestation memory b, bytes memory reason) internal {
        bytes memory signatureA = node(a.runId, 0, this.hashAttestation(a));
        bytes memory signatureB = node(b.runId, 0, this.hashAttestation(b));
        expect(reason);
        stakes.slashAttestations(address(training), 0, a, b, signatureA, signatureB);
    }

    function noContradiction() internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IStakes.Stakes_NoContradiction.selector);
    }

    function expectWrongSignature(uint16 expected, uint16 signer) internal {
        expect(abi.encodeWithSelector(IStakes.Stakes_WrongSignature.selector, expected, keyOf(expected), keyOf(signer)));
    }

    function keyOf(uint16 registration) internal view returns (address) {
        return vm.addr(nodeKey[id][registration]);
    }
}
