// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {ILocalRows} from "../interfaces/ILocalRows.sol";
import {ITraining} from "../interfaces/ITraining.sol";
import {Bits} from "../libraries/Bits.sol";
import {Messages} from "../libraries/Messages.sol";
import {Opinions} from "../libraries/Opinions.sol";
import {Rounds} from "../libraries/Rounds.sol";
import {Wallets} from "../libraries/Wallets.sol";
import {Adopted} from "./Adopted.sol";

/// @title The books of `local` metering (see ILocalRows)
/// @dev A book is written over by the next round: slots that were used once are cheap, and what they held is in the
/// events.
abstract contract LocalRows is Adopted {
    using Bits for uint64;

    uint256 private constant SIGNATURE_BYTES = 65;
    uint256 private constant BENCH_BYTES = 7 * 32;

    // Three changes of loss share a slot. The highest bit stays set, so that no slot ever becomes empty, and dear, again.
    uint256 private constant CHANGES_A_SLOT = 3;
    uint256 private constant CHANGE_BITS = 85;
    uint256 private constant CHANGE_MASK = (1 << CHANGE_BITS) - 1;
    uint256 private constant USED = 1 << 255;

    /// @dev What who cannot evaluate says for a loss.
    uint64 private constant NO_DATA = type(uint64).max;

    /// @dev A book as a call works on it, with its entries; these are by place in the roster.
    struct Tally {
        Book book;
        uint256[] blank; // the roster's row of zeros; round 0 has none
        uint256[] sums; // [bips] of the rows' entries; see Opinions
        int256[] changes; // [1e-9] lossBefore - lossAfter; of round 0: lossAfter
    }

    /// @dev Who is listened to, and what came of it.
    struct Hearing {
        bytes32 runId;
        bytes32 agreement;
        bytes32 separator; // EIP-712 domain that rows are signed in
        uint64 listened; // bit p: the next row of party p is taken
        uint64 signed; // bit p: it was
        uint64 atTarget;
        uint8 stopping;
        uint64 targetLoss;
        int64 targetMetric;
    }

    mapping(bytes32 runId => Book) private _books;
    mapping(bytes32 runId => mapping(uint256 word => uint256)) private _sums;
    mapping(bytes32 runId => mapping(uint256 slot => uint256)) private _changes;

    /// @inheritdoc ILocalRows
    function sealRows(
        ITraining.Attestation calldata attestation,
        ITraining.Votes calldata votes,
        ITraining.Attestation calldata settled,
        ITraining.Votes calldata late
    ) external onlyTraining returns (Outcome memory outcome) {
        // Begins with zeros.
        // slither-disable-next-line uninitialized-local
        Tally memory tally;
        Bench memory bench = abi.decode(msg.data[msg.data.length - BENCH_BYTES:], (Bench));
        Hearing memory hearing = _hearing(attestation.runId, bench);

        // Effect: the round before, with what is still to come for it
        if (attestation.round != 0 || late.signers.length != 0) {
            tally = _load(attestation.runId);
            if (late.signers.length != 0) _hearLate(tally, bench.agreement, bench.separator, settled, late);
            outcome.settlement = _settle(tally);
        }

        // Effect: this round
        _begin(tally, bench, attestation.round, votes);
        bytes memory words = _commonWords(attestation);
        tally.book.sealedHash = keccak256(words);
        _hear(tally, hearing, words, votes);
        _store(attestation.runId, tally);
        (outcome.signed, outcome.atTarget) = (hearing.signed, hearing.atTarget);
    }

    /// @inheritdoc ILocalRows
    function addRows(ITraining.Attestation calldata settled, ITraining.Votes calldata late) external {
        Tally memory tally = _load(settled.runId);
        _hearLate(tally, training.agreementOf(settled.runId), training.domainSeparator(), settled, late);
        _store(settled.runId, tally);
    }

    /// @inheritdoc ILocalRows
    function settleRows(bytes32 runId) external onlyTraining returns (Settlement memory settlement) {
        Tally memory tally = _load(runId);
        settlement = _settle(tally);
        tally.book.sealedHash = 0;
        _books[runId] = tally.book;
    }

    /// @inheritdoc ILocalRows
    function book(bytes32 runId) external view returns (Book memory) {
        return _books[runId];
    }

    /// @inheritdoc ILocalRows
    function waiting(bytes32 runId) external view returns (bool waits, bool complete) {
        Book storage book_ = _books[runId];
        return (book_.sealedHash != 0, book_.heard == book_.roster);
    }

    function _hearLate(
        Tally memory tally,
        bytes32 agreement,
        bytes32 separator,
        ITraining.Attestation calldata settled,
        ITraining.Votes calldata late
    ) private {
        // Check: of the round that waits, which its run is part of
        bytes memory words = _commonWords(settled);
        (bytes32 expected, bytes32 got) = (tally.book.sealedHash, keccak256(words));
        if (expected != got) revert LocalRows_NotWaiting(expected, got);

        // Effect: of those only who were not heard yet
        // Begins with zeros: there is no target that late rows could reach.
        // slither-disable-next-line uninitialized-local
        Hearing memory hearing;
        (hearing.runId, hearing.agreement, hearing.separator) = (settled.runId, agreement, separator);
        hearing.listened = tally.book.roster & ~tally.book.heard;
        _hear(tally, hearing, words, late);
    }

    /// @dev Takes every signature, and of every organization that is listened to its first row.
    /// @param words of what all signed alike; see Messages
    function _hear(Tally memory tally, Hearing memory hearing, bytes memory words, ITraining.Votes calldata votes)
        private
    {
        uint256 signers = votes.signers.length;
        if (votes.signatures.length != signers * SIGNATURE_BYTES) {
            revert ITraining.Training_SignatureCount(signers, votes.signatures.length);
        }
        if (votes.rows.length != signers) revert LocalRows_RowCount(signers, votes.rows.length);
        (address[] memory keys, uint16[] memory parties) =
            consortium.members(hearing.agreement, tally.book.snapshotVersion, votes.signers);

        uint256 least = 0; // that the next signer may be
        for (uint256 i = 0; i < signers; ++i) {
            uint16 signer = votes.signers[i];
            ITraining.Row calldata row = votes.rows[i];
            if (signer < least) revert ITraining.Training_SignersNotAscending(signer);
            least = uint256(signer) + 1;
            bytes32 digest = MessageHashUtils.toTypedDataHash(hearing.separator, Messages.hash(words, row));
            address recovered = Wallets.signerAt(digest, votes.signatures, i);
            if (recovered != keys[i]) revert ITraining.Training_WrongSignature(signer, keys[i], recovered);

            if (!hearing.listened.has(parties[i])) continue;
            _note(hearing, parties[i], row);
            if (!_count(tally, parties[i], row)) continue;
            emit RowCounted(
                hearing.runId,
                tally.book.round,
                parties[i],
                signer,
                row.lossBefore,
                row.lossAfter,
                row.metric,
                row.shares
            );
        }
    }

    function _store(bytes32 runId, Tally memory tally) private {
        _books[runId] = tally.book;
        mapping(uint256 word => uint256) storage sums = _sums[runId];
        mapping(uint256 slot => uint256) storage changes = _changes[runId];
        uint256 places = tally.changes.length;
        uint256 word = USED;
        unchecked {
            // The highest bit of a lane is free: nobody gives away so much.
            for (uint256 i = 0; i < tally.sums.length; ++i) {
                sums[i] = tally.sums[i] | USED;
            }
            for (uint256 place = 0; place < places; ++place) {
                uint256 turn = place % CHANGES_A_SLOT;
                word |= (uint256(tally.changes[place]) & CHANGE_MASK) << CHANGE_BITS * turn;
                if (turn == CHANGES_A_SLOT - 1 || place == places - 1) {
                    changes[place / CHANGES_A_SLOT] = word;
                    word = USED;
                }
            }
        }
    }

    function _load(bytes32 runId) private view returns (Tally memory tally) {
        tally.book = _books[runId];
        _makeRoom(tally);
        mapping(uint256 word => uint256) storage sums = _sums[runId];
        mapping(uint256 slot => uint256) storage changes = _changes[runId];
        uint256 places = tally.changes.length;
        uint256 word = 0;
        unchecked {
            for (uint256 i = 0; i < tally.sums.length; ++i) {
                tally.sums[i] = sums[i] & ~USED;
            }
            for (uint256 place = 0; place < places; ++place) {
                if (place % CHANGES_A_SLOT == 0) word = changes[place / CHANGES_A_SLOT];
                // Shifted up to the sign bit and back.
                tally.changes[place] = int256(word << (256 - CHANGE_BITS)) >> (256 - CHANGE_BITS);
                word >>= CHANGE_BITS;
            }
        }
    }

    /// @dev What all signed alike: zeros where rows differ.
    function _commonWords(ITraining.Attestation calldata attestation) private pure returns (bytes memory) {
        if (
            attestation.lossBefore != 0 || attestation.lossAfter != 0 || attestation.metric != 0
                || attestation.shares.length != 0
        ) revert LocalRows_OwnFields();
        return Messages.words(attestation);
    }

    /// @dev Everybody who is counted may be heard.
    function _hearing(bytes32 runId, Bench memory bench) private pure returns (Hearing memory) {
        return Hearing(
            runId,
            bench.agreement,
            bench.separator,
            bench.active,
            0,
            0,
            bench.stopping,
            bench.targetLoss,
            bench.targetMetric
        );
    }

    /// @dev Nobody is heard yet; the sums of gains go on. The first row says who is in the roster, and all others have
    /// to agree; in round 0 there is none, and all that are counted are asked.
    function _begin(Tally memory tally, Bench memory bench, uint32 round, ITraining.Votes calldata votes) private pure {
        Book memory book_ = tally.book;
        (book_.round, book_.snapshotVersion, book_.heard) = (round, bench.snapshotVersion, 0);
        book_.roster = bench.active;
        if (round != 0) {
            book_.roster = votes.rows.length == 0 ? 0 : Opinions.listed(votes.rows[0].shares, bench.active);
        }
        _makeRoom(tally);
    }

    function _makeRoom(Tally memory tally) private pure {
        tally.changes = new int256[](tally.book.roster.count());
        if (tally.book.round == 0) return;
        tally.blank = Opinions.blank(tally.book.roster);
        tally.sums = new uint256[](tally.blank.length);
    }

    function _note(Hearing memory hearing, uint16 party, ITraining.Row calldata row) private pure {
        hearing.listened = hearing.listened.without(party);
        hearing.signed = hearing.signed.with(party);
        // Whatever it says for a metric, who has no data knows of no target.
        if (row.lossAfter == NO_DATA) return;
        if (Rounds.atTarget(hearing.stopping, hearing.targetLoss, hearing.targetMetric, row.lossAfter, row.metric)) {
            hearing.atTarget = hearing.atTarget.with(party);
        }
    }

    /// @return counts whether its organization has a part in the round
    function _count(Tally memory tally, uint16 party, ITraining.Row calldata row) private pure returns (bool counts) {
        Book memory book_ = tally.book;
        bool start = book_.round == 0;
        counts = book_.roster.has(party);
        uint256 entries = start ? 0 : tally.changes.length;
        uint256 place = counts ? (book_.roster & Bits.first(party)).count() : entries;
        Opinions.add(tally.sums, tally.blank, row.shares, entries, place);
        if (!counts) return false;

        int256 change = int256(uint256(row.lossAfter));
        if (!start) {
            if (Opinions.entryOf(row.shares, place) != 0) revert ITraining.Training_BadShares(place);
            change = row.lossAfter == NO_DATA ? int256(0) : int256(uint256(row.lossBefore)) - change;
        }
        tally.changes[place] = change;
        book_.heard = book_.heard.with(party);
    }

    /// @dev What the round comes to; its book keeps the sums.
    function _settle(Tally memory tally) private pure returns (Settlement memory settlement) {
        Book memory book_ = tally.book;
        settlement.round = book_.round;
        if (book_.round == 0) {
            settlement.gain = _medianHeard(tally);
        } else if (book_.roster != 0) {
            (settlement.parts, settlement.divisor) = Opinions.parts(tally.sums, book_.roster);
            settlement.gain = Opinions.lowerMedian(tally.changes);
            book_.sum += int128(settlement.gain);
            settlement.improved = book_.sum > book_.best;
            if (settlement.improved) book_.best = book_.sum;
        }
        settlement.best = uint128(book_.best);
    }

    /// @dev Round 0: the lower median over those that were heard, and have data; of nobody, the worst there is.
    function _medianHeard(Tally memory tally) private pure returns (int256) {
        uint256 all = tally.changes.length;
        int256[] memory losses = new int256[](all);
        (uint256 place, uint256 next) = (0, 0);
        for (uint256 party = 0; place < all; ++party) {
            if (!tally.book.roster.has(party)) continue;
            int256 loss = tally.changes[place++];
            if (tally.book.heard.has(party) && loss != int256(uint256(NO_DATA))) losses[next++] = loss;
        }
        if (next == 0) return int256(uint256(NO_DATA));
        assembly ("memory-safe") {
            mstore(losses, next)
        }
        return Opinions.lowerMedian(losses);
    }
}
