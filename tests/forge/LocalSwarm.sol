// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ILocalRows} from "../../contracts/interfaces/ILocalRows.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Voting} from "./Voting.sol";

/// @dev Runs under `local` metering: every organization says something of its own about every round.
abstract contract LocalSwarm is Voting {
    uint8 internal constant LOCAL = 3;

    /// @dev What was sealed last, as all signed it alike.
    mapping(bytes32 runId => ITraining.Attestation) private _sealed;

    function localDraft(uint256 parties) internal pure returns (IConsortium.Agreement memory agreement) {
        agreement = draft(parties);
        agreement.terms.metering = LOCAL;
        agreement.terms.maxRounds = 20;
    }

    function book(bytes32 runId) internal view returns (ILocalRows.Book memory) {
        return training.clerk().book(runId);
    }

    function row(uint64 lossBefore, uint64 lossAfter, bytes memory shares)
        internal
        pure
        returns (ITraining.Row memory)
    {
        return ITraining.Row(lossBefore, lossAfter, 0.9e9, shares);
    }

    /// @dev The open round, as all sign it alike.
    function common(bytes32 runId) internal view returns (ITraining.Attestation memory attested) {
        attested = attestation(runId, 0, "");
        (attested.lossBefore, attested.lossAfter, attested.metric) = (0, 0, 0);
    }

    function lastSealed(bytes32 runId) internal view returns (ITraining.Attestation memory) {
        return _sealed[runId];
    }

    function votes(ITraining.Attestation memory attested, uint16[] memory signers, ITraining.Row[] memory rows)
        internal
        view
        returns (ITraining.Votes memory all)
    {
        all.signers = signers;
        all.rows = rows;
        bytes32 agreement = training.agreementOf(attested.runId);
        ITraining.Attestation memory own = ITraining.Attestation(
            attested.runId,
            attested.round,
            attested.prev,
            attested.term,
            attested.rosterRoot,
            attested.mergedRoot,
            0,
            0,
            0,
            "",
            attested.rejects
        );
        bytes[] memory signatures = new bytes[](signers.length);
        for (uint256 i = 0; i < signers.length; ++i) {
            own.lossBefore = rows[i].lossBefore;
            own.lossAfter = rows[i].lossAfter;
            own.metric = rows[i].metric;
            own.shares = rows[i].shares;
            signatures[i] = sign(nodeKey[agreement][signers[i]], training.attestationDigest(own));
        }
        all.signatures = joined(signatures);
    }

    function nobody() internal pure returns (ITraining.Votes memory none) {}

    /// @dev Sealed by these, nobody late.
    function sealBy(bytes32 runId, uint16[] memory signers, ITraining.Row[] memory rows) internal {
        sealBy(runId, signers, rows, nobody());
    }

    function sealBy(bytes32 runId, uint16[] memory signers, ITraining.Row[] memory rows, ITraining.Votes memory added)
        internal
    {
        ITraining.Attestation memory attested = common(runId);
        training.sealLocal(attested, votes(attested, signers, rows), _sealed[runId], added);
        _sealed[runId] = attested;
    }

    /// @dev Late rows of what was sealed last.
    function late(bytes32 runId, uint16[] memory signers, ITraining.Row[] memory rows)
        internal
        view
        returns (ITraining.Votes memory)
    {
        return votes(_sealed[runId], signers, rows);
    }

    function addRows(bytes32 runId, uint16[] memory signers, ITraining.Row[] memory rows) internal {
        training.addRows(_sealed[runId], late(runId, signers, rows));
    }

    /// @dev Round 0, in which everyone measured the same.
    function start(bytes32 runId, uint64 loss, uint256 organizations) internal {
        ITraining.Row[] memory rows = new ITraining.Row[](organizations);
        for (uint256 p = 0; p < organizations; ++p) {
            rows[p] = row(loss, loss, "");
        }
        sealBy(runId, first(organizations), rows);
    }

    /// @dev Everybody abstains, and says the same of the losses.
    function abstentions(uint256 organizations, uint64 lossBefore, uint64 lossAfter)
        internal
        pure
        returns (ITraining.Row[] memory rows)
    {
        rows = new ITraining.Row[](organizations);
        for (uint256 p = 0; p < organizations; ++p) {
            rows[p] = row(lossBefore, lossAfter, rowOf(new uint16[](organizations)));
        }
    }

    function rowOf(uint16[] memory bips) internal pure returns (bytes memory shares) {
        shares = new bytes(4 * bips.length);
        for (uint256 p = 0; p < bips.length; ++p) {
            shares[4 * p + 1] = bytes1(uint8(p));
            shares[4 * p + 2] = bytes1(uint8(bips[p] >> 8));
            shares[4 * p + 3] = bytes1(uint8(bips[p]));
        }
    }

    function accrued(bytes32 runId, uint256 party) internal view returns (uint256) {
        return rewards.account(runId, uint16(party)).accrued;
    }

    function joined(bytes[] memory pieces) internal pure returns (bytes memory all) {
        all = new bytes(65 * pieces.length);
        for (uint256 i = 0; i < pieces.length; ++i) {
            for (uint256 k = 0; k < 65; ++k) {
                all[65 * i + k] = pieces[i][k];
            }
        }
    }
}
