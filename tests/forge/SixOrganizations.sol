// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Bits} from "../../contracts/libraries/Bits.sol";
import {Voting} from "./Voting.sol";

/// @dev Two strikes in three rounds are too many. Registration p is the node of party p.
abstract contract SixOrganizations is Voting {
    using Bits for uint64;

    uint64 internal constant ALL = 63;
    uint32 internal constant QUARANTINE = 1 days;
    uint8 internal constant SCHEMA = 3;
    uint8 internal constant UNAVAILABLE = 6;

    bytes32 internal id;
    bytes32 internal runId;

    function setUp() public override {
        super.setUp();
        runId = begun(strict(6), 6);
        id = training.agreementOf(runId);
    }

    function strict(uint256 parties) internal pure returns (IConsortium.Agreement memory agreement) {
        agreement = draft(parties);
        agreement.terms.strikes = 2;
        agreement.terms.strikeRounds = 3;
        agreement.terms.quarantineTime = QUARANTINE;
        agreement.terms.maxRounds = 100;
    }

    function begun(IConsortium.Agreement memory agreement, uint256 parties) internal returns (bytes32 begun_) {
        begun_ = createRun(gathered(agreement, parties));
        sealRound(begun_, CEILING, "", parties);
    }

    /// @dev A void round, in which `signers` say what they reject.
    function reject(bytes memory rejects, uint16[] memory signers) internal {
        ITraining.Attestation memory attested = attestation(runId, 0.5e9, "");
        attested.rejects = rejects;
        seal(attested, signers);
    }

    function reject(uint16 registration, uint8 reason, uint256 signers) internal {
        reject(abi.encodePacked(registration, reason), first(signers));
    }

    function others(uint16 but) internal pure returns (uint16[] memory signers) {
        signers = new uint16[](5);
        uint256 count = 0;
        for (uint16 p = 0; p < 6; ++p) {
            if (p != but) signers[count++] = p;
        }
    }

    function quiet() internal {
        reject("", first(4));
    }

    function struckIn(uint16 party, uint256 index) internal view returns (uint32) {
        (uint32[6] memory rounds,) = training.clerk().conduct(runId, party);
        return rounds[index];
    }

    function until(uint16 party) internal view returns (uint64 end) {
        (, end) = training.clerk().conduct(runId, party);
    }

    function active() internal view returns (uint64) {
        return training.run(runId).active;
    }
}
