// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICouncil} from "../../../contracts/interfaces/ICouncil.sol";
import {ITraining} from "../../../contracts/interfaces/ITraining.sol";
import {Messages} from "../../../contracts/libraries/Messages.sol";
import {Purse} from "./Purse.sol";

/// @dev Runs from their creation to their end, with one row for all or one for each.
abstract contract Learning is Purse {
    /// @dev What was paid for so far, kept once more from outside.
    struct Tally {
        uint32 sealed_;
        uint32 paid;
        uint64 initial;
        uint64 best;
        uint256 vested;
    }

    mapping(bytes32 runId => Tally) internal tallies;
    mapping(bytes32 runId => ITraining.Attestation) private _waiting;
    bytes private _lastCall;

    function somebodyStartsARun(uint256 seed) external dice(seed) {
        uint256 seat = roll(SEATS);
        bytes32 agreement = agreements[seat];
        if (!consortium.inForce(agreement) || runsOf[agreement].length == MAX_RUNS) return;
        if (training.run(runs[seat]).state != ITraining.State.Finished) return;
        _create(seat);
    }

    function membersSeal(uint256 seed) external dice(seed) {
        uint256 seat = 2 * roll(2);
        bytes32 runId = runs[seat];
        ITraining.Run memory run = training.run(runId);
        if (run.state != ITraining.State.Open) return;
        bytes memory shares = run.round == 0 || roll(6) == 0 ? bytes("") : _sharesOf(run);
        // Rarely down to the target, so that runs live on for a while.
        uint256 loss = roll(24) == 0 ? roll(TARGET) : TARGET + 1 + roll(CEILING - TARGET);
        ITraining.Attestation memory attested = attestation(runId, uint64(loss), shares);
        uint16[] memory signers = _signers(run);
        attested.rejects = _rejects(run, signers.length);
        bytes memory call = abi.encodeCall(ITraining.seal, (attested, signers, signed(attested, signers)));
        uint64 quarantined = run.quarantined;
        (bool done,) = address(training).call(call);
        if (!done) return;

        did[Deed.Sealed] += 1;
        _lastCall = call;
        _checkSealed(run, signers);
        if (_mentions(shares) & ~uint256(run.active) != 0) broken = "who was not counted was paid";
        Tally storage tally = tallies[runId];
        if (run.round == 0) {
            (tally.initial, tally.best) = (loss < CEILING ? uint64(loss) : CEILING, CEILING);
            if (tally.initial < tally.best) tally.best = tally.initial;
        } else if (shares.length != 0) {
            tally.paid += 1;
            if (loss < tally.best) tally.best = uint64(loss);
            _vest(runId);
        }
        run = training.run(runId);
        if (run.quarantined & ~quarantined != 0) did[Deed.Quarantined] += 1;
    }

    function membersSealLocally(uint256 seed) external dice(seed) {
        uint256 seat = 1 + 2 * roll(2);
        if (_sealLocally(seat, _signers(training.run(runs[seat])), roll(24) == 0)) did[Deed.SealedLocally] += 1;
    }

    function somebodySealsAgain(uint256) external {
        if (_lastCall.length == 0) return;
        (bool done,) = address(training).call(_lastCall);
        if (done) broken = "a round was sealed twice";
    }

    /// @dev Of an organization that was not heard yet; sometimes it gives itself something.
    function somebodyAddsARow(uint256 seed) external dice(seed) {
        uint256 seat = 1 + 2 * roll(2);
        bytes32 runId = runs[seat];
        (uint16 party, uint16 signer, bool found) = _unheard(runId, seat);
        if (!found) return;
        bool greedy = roll(4) == 0;
        bytes memory shares = _opinion(book(runId).roster, greedy ? MOST_PARTIES : party);
        if (!_addRow(runId, signer, shares, TARGET + 1)) return;
        did[Deed.RowsAdded] += 1;
        // Rows of round 0 list nobody.
        if (book(runId).round == 0) return;
        (uint64 roster, uint256 own) = (book(runId).roster, _entryOf(shares, party));
        if (roster >> party & 1 == 1 && own != 0) broken = "a row for itself was taken";
    }

    /// @dev The same late row, once empty and once full: what its organization gets is the same.
    function aLateRowIsCompared(uint256 seed) external dice(seed) {
        _compare(1);
        _compare(3);
    }

    function _compare(uint256 seat) private {
        bytes32 runId = runs[seat];
        (uint16 party, uint16 signer, bool found) = _unheard(runId, seat);
        if (!found || book(runId).round == 0) return;
        bytes memory full = _opinion(book(runId).roster, party);
        (bool ofEmpty, uint256 empty) = _tried(seat, party, signer, _blank(book(runId).roster));
        (bool ofFull, uint256 got) = _tried(seat, party, signer, full);
        if (!ofEmpty || !ofFull) return;
        did[Deed.LateRowCompared] += 1;
        if (empty != got) broken = "an organization's own row changed its share";
    }

    function somebodySettles(uint256 seed) external dice(seed) {
        uint256 seat = 1 + 2 * roll(2);
        _settle(seat);
    }

    function somebodyReopens(uint256 seed) external dice(seed) {
        bytes32 runId = runs[roll(SEATS)];
        ITraining.Run memory run = training.run(runId);
        try training.reopen(runId) {
            did[Deed.Reopened] += 1;
            if (training.run(runId).round != run.round) broken = "a round was skipped";
            _checkOpened(runId, run.active);
        } catch {}
    }

    function somebodyCloses(uint256) external {
        for (uint256 seat = 0; seat < SEATS; ++seat) {
            bytes32 agreement = agreements[seat];
            try training.close(runs[seat]) {
                did[Deed.Closed] += 1;
                if (consortium.inForce(agreement)) broken = "closed while in force";
            } catch {}
        }
    }

    function organizationsPardon(uint256 seed) external dice(seed) {
        uint256 seat = roll(SEATS);
        for (uint256 i = 1; i < SEATS && training.run(runs[seat]).quarantined == 0; ++i) {
            seat = (seat + 1) % SEATS;
        }
        bytes32 runId = runs[seat];
        bytes32 agreement = training.agreementOf(runId);
        uint64 quarantined = training.run(runId).quarantined;
        for (uint16 p = 0; p < MOST_PARTIES; ++p) {
            if (quarantined >> p & 1 == 0) continue;
            ITraining.Pardon memory wanted = ITraining.Pardon(runId, p, soon(), training.clerk().pardonNonce(runId));
            bool tooFew = roll(2) == 0;
            uint16[] memory voters = electors(motion(agreement, ICouncil.Action.Terminate), tooFew);
            bytes[] memory all = votesOf(agreement, digestOf(address(training), this.hashPardon(wanted)), voters);
            try training.pardon(wanted, voters, all) {
                did[Deed.Pardoned] += 1;
                if (tooFew) broken = "a quarantine was lifted by too few";
            } catch {}
            return;
        }
    }

    function hashPardon(ITraining.Pardon calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function vested(bytes32 runId) external view returns (uint256) {
        return tallies[runId].vested;
    }

    function sealedRounds(bytes32 runId) external view returns (uint256) {
        return tallies[runId].sealed_;
    }

    function _settle(uint256 seat) internal {
        try training.settle(runs[seat]) {
            did[Deed.Settled] += 1;
            _vestLocally(seat);
        } catch {}
    }

    function _sealLocally(uint256 seat, uint16[] memory signers, bool atTarget) private returns (bool done) {
        bytes32 runId = runs[seat];
        ITraining.Run memory run = training.run(runId);
        if (run.state != ITraining.State.Open) return false;
        ITraining.Attestation memory attested = common(runId);
        attested.rejects = _rejects(run, signers.length);
        ITraining.Row[] memory rows = new ITraining.Row[](signers.length);
        for (uint256 i = 0; i < rows.length; ++i) {
            uint64 loss = uint64(atTarget ? TARGET : CEILING - roll(1e8));
            bytes memory shares = run.round == 0 ? bytes("") : _opinion(run.active, partyOf(run.agreement, signers[i]));
            rows[i] = row(CEILING, loss, shares);
        }
        bytes memory call =
            abi.encodeCall(ITraining.sealLocal, (attested, votes(attested, signers, rows), _waiting[runId], nobody()));
        (done,) = address(training).call(call);
        if (!done) return false;
        (_lastCall, _waiting[runId]) = (call, attested);
        _checkSealed(run, signers);
        if (run.round != 0) _vestLocally(seat);
    }

    function _checkSealed(ITraining.Run memory run, uint16[] memory signers) private {
        bytes32 runId = training.runOf(run.agreement, run.name, run.generation);
        if (tallies[runId].sealed_++ != run.round) broken = "a round was sealed out of order";
        uint256 parties_;
        for (uint256 i = 0; i < signers.length; ++i) {
            parties_ |= 1 << partyOf(run.agreement, signers[i]);
        }
        if (2 * counted(parties_ & run.active) <= counted(run.active)) broken = "a minority sealed";
        if (training.run(runId).state == ITraining.State.Finished) did[Deed.Finished] += 1;
        _checkOpened(runId, 0);
    }

    function _vest(bytes32 runId) private {
        Tally storage tally = tallies[runId];
        if (tally.initial <= TARGET) return;
        Deal memory deal = deals[runId];
        uint256 funded = rewards.pool(runId).funded;
        uint256 best = tally.best < TARGET ? TARGET : tally.best;
        uint256 now_ = deal.budgetRule == 1
            ? funded * tally.paid / deal.maxRounds
            : funded * (tally.initial - best) / (tally.initial - TARGET);
        if (now_ > tally.vested) tally.vested = now_;
    }

    /// @dev By what is settled; how that comes about is said once more in the tests of local metering.
    function _vestLocally(uint256 seat) private {
        ITraining.Run memory run = training.run(runs[seat]);
        Tally storage tally = tallies[runs[seat]];
        (tally.initial, tally.best, tally.paid) = (run.initialLoss, run.bestLoss, run.paidRounds);
        _vest(runs[seat]);
    }

    /// @dev What the organization would get by this row; nothing of it stays.
    function _tried(uint256 seat, uint16 party, uint16 signer, bytes memory shares)
        private
        returns (bool done, uint256 amount)
    {
        uint256 now_ = vm.getBlockTimestamp();
        try this.tryRow(seat, party, signer, shares) {}
        catch (bytes memory reason) {
            (done, amount) = abi.decode(reason, (bool, uint256));
        }
        vm.warp(now_);
    }

    /// @dev Always reverts, with the answer in place of a reason: so that what it did is undone.
    function tryRow(uint256 seat, uint16 party, uint16 signer, bytes calldata shares) external {
        (bool done, uint256 amount) = _wouldGet(seat, party, signer, shares);
        bytes memory answer = abi.encode(done, amount);
        assembly ("memory-safe") {
            revert(add(answer, 32), mload(answer))
        }
    }

    function _wouldGet(uint256 seat, uint16 party, uint16 signer, bytes memory shares)
        private
        returns (bool done, uint256 amount)
    {
        bytes32 runId = runs[seat];
        if (!_addRow(runId, signer, shares, TARGET + 1)) return (false, 0);
        ITraining.Run memory run = training.run(runId);
        if (run.state == ITraining.State.Open) {
            done = _sealLocally(seat, nodesIn(run.agreement, run.snapshotVersion, run.active), false);
        } else {
            vm.warp(run.openedAt + deals[runId].stallTime);
            training.settle(runId);
            done = true;
        }
        amount = accrued(runId, party);
    }

    function _addRow(bytes32 runId, uint16 signer, bytes memory shares, uint64 loss) private returns (bool done) {
        uint16[] memory signers = new uint16[](1);
        signers[0] = signer;
        ITraining.Row[] memory rows = new ITraining.Row[](1);
        rows[0] = row(CEILING, loss, book(runId).round == 0 ? bytes("") : shares);
        ITraining.Attestation memory waiting = _waiting[runId];
        try training.addRows(waiting, votes(waiting, signers, rows)) {
            return true;
        } catch {}
    }

    function _unheard(bytes32 runId, uint256 seat) private view returns (uint16 party, uint16 signer, bool found) {
        if (book(runId).sealedHash == 0) return (0, 0, false);
        uint64 open = book(runId).roster & ~book(runId).heard;
        uint16[] memory all = nodesIn(agreements[seat], book(runId).snapshotVersion, open);
        if (all.length != 0) (party, signer, found) = (partyOf(agreements[seat], all[0]), all[0], true);
    }

    /// @dev Mostly everybody, sometimes fewer, sometimes those that are not counted too.
    function _signers(ITraining.Run memory run) private returns (uint16[] memory all) {
        uint256 which = roll(8);
        uint256 parties_ = which < 2 ? run.active : which < 3 ? ALL_PARTIES : roll(ALL_PARTIES + 1);
        return nodesIn(run.agreement, run.snapshotVersion, parties_);
    }

    /// @dev One of the first registrations, for a bad update or for none, when many sign.
    function _rejects(ITraining.Run memory run, uint256 signers) private returns (bytes memory) {
        if (run.round == 0 || signers < 4 || roll(4) != 0) return "";
        uint16[] memory all = nodesIn(run.agreement, run.snapshotVersion, run.active);
        if (all.length == 0) return "";
        return abi.encodePacked(all[roll(all.length)], roll(4) == 0 ? uint8(6) : uint8(1));
    }

    /// @dev A metered row; not everything is given away, and now and then to who is not counted.
    function _sharesOf(ITraining.Run memory run) private returns (bytes memory all) {
        uint256 left = 10_000;
        uint256 parties_ = roll(12) == 0 ? ALL_PARTIES : run.active;
        for (uint16 p = 0; p < MOST_PARTIES; ++p) {
            if (parties_ >> p & 1 == 0) continue;
            uint16 bips = uint16(counted(parties_) == 2 ? 5000 : roll(left + 1));
            left -= bips;
            all = bytes.concat(all, share(p, bips));
        }
    }

    /// @dev What `party` says of the others; of a stranger to the roster, also of itself. Sometimes nothing.
    function _opinion(uint64 roster, uint16 party) private returns (bytes memory all) {
        uint256 others = counted(roster & ~(1 << party));
        uint256 count = counted(roster);
        bool says = count > 3 && roll(4) != 0;
        uint256 most = count > 3 ? 7500 / (count - 1) : 0;
        for (uint16 p = 0; p < MOST_PARTIES; ++p) {
            if (roster >> p & 1 == 0) continue;
            all = bytes.concat(all, share(p, p == party || !says || others == 0 ? 0 : uint16(1 + roll(most))));
        }
    }

    function _blank(uint64 roster) private pure returns (bytes memory all) {
        for (uint16 p = 0; p < MOST_PARTIES; ++p) {
            if (roster >> p & 1 == 1) all = bytes.concat(all, share(p, 0));
        }
    }

    function _mentions(bytes memory shares) private pure returns (uint256 parties_) {
        for (uint256 i = 0; i < shares.length; i += 4) {
            parties_ |= 1 << uint256(uint8(shares[i + 1]));
        }
    }

    function _entryOf(bytes memory shares, uint16 party) private pure returns (uint256 bips) {
        for (uint256 i = 0; i < shares.length; i += 4) {
            if (uint8(shares[i + 1]) == party) bips = uint256(uint8(shares[i + 2])) << 8 | uint8(shares[i + 3]);
        }
    }
}
