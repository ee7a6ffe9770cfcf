// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "./interfaces/IConsortium.sol";
import {Bits} from "./libraries/Bits.sol";
import {Member} from "./libraries/Members.sol";
import {Messages} from "./libraries/Messages.sol";
import {Offer, Record, Seat} from "./libraries/Records.sol";

/// @title What the Consortium keeps, and what it tells (see IConsortium)
abstract contract ConsortiumViews is IConsortium {
    using Bits for uint64;

    mapping(bytes32 agreement => Record) internal _records;
    mapping(bytes32 agreementHash => Offer) internal _offers;

    /// @inheritdoc IConsortium
    function members(bytes32 agreement, uint32 snapshot, uint16[] calldata registrations_)
        external
        view
        returns (address[] memory keys, uint16[] memory parties_)
    {
        Record storage record = _record(agreement);
        if (snapshot > record.changes) revert Consortium_UnknownSnapshot(agreement, snapshot);
        keys = new address[](registrations_.length);
        parties_ = new uint16[](registrations_.length);
        bool allIn = record.out == 0;
        for (uint256 i = 0; i < registrations_.length; ++i) {
            Member found = record.members[registrations_[i]];
            bool belongs = allIn ? found.belongs(snapshot) : record.belongs(found, snapshot);
            if (!belongs) revert Consortium_NotAMember(registrations_[i], snapshot);
            keys[i] = found.key();
            parties_[i] = found.party();
        }
    }

    /// @inheritdoc IConsortium
    function latestSnapshot(bytes32 agreement) external view returns (Snapshot memory) {
        Record storage record = _record(agreement);
        uint32 latest = record.changes;
        return Snapshot(latest, record.active(), _root(agreement, record, latest));
    }

    /// @inheritdoc IConsortium
    function snapshotAt(bytes32 agreement, uint32 snapshot) external view returns (Snapshot memory) {
        Record storage record = _record(agreement);
        if (snapshot > record.changes) revert Consortium_UnknownSnapshot(agreement, snapshot);
        uint64 active = uint64(record.activeAt[snapshot / 4] >> (snapshot % 4 * 64));
        return Snapshot(snapshot, active, _root(agreement, record, snapshot));
    }

    /// @inheritdoc IConsortium
    function registrations(bytes32 agreement) external view returns (Registration[] memory all) {
        Record storage record = _record(agreement);
        all = new Registration[](record.registrations);
        for (uint256 i = 0; i < all.length; ++i) {
            Member found = record.members[i];
            all[i] = Registration(
                found.key(),
                found.party(),
                found.mayLead(),
                found.since(),
                record.until(found),
                _spiffeId(record, found.party(), record.nodes[i]),
                record.urls[i]
            );
        }
    }

    /// @inheritdoc IConsortium
    function member(bytes32 agreement, uint16 registration)
        external
        view
        returns (address key, uint16 party, uint32 since, uint32 until)
    {
        Record storage record = _record(agreement);
        Member found = record.members[registration];
        return (found.key(), found.party(), found.since(), record.until(found));
    }

    /// @inheritdoc IConsortium
    function state(bytes32 agreement) external view returns (State) {
        Record storage record = _records[agreement];
        if (record.notAfter != 0) return record.state();
        uint64 notAfter = _offers[agreement].notAfter;
        if (notAfter == 0) return State.None;
        return block.timestamp <= notAfter ? State.Offered : State.Expired;
    }

    /// @inheritdoc IConsortium
    function signers(bytes32 agreementHash_) external view returns (uint64) {
        return _offers[agreementHash_].signed;
    }

    /// @inheritdoc IConsortium
    function inForce(bytes32 agreement) external view returns (bool) {
        return _records[agreement].inForce();
    }

    /// @inheritdoc IConsortium
    function version(bytes32 agreement) external view returns (uint32) {
        return _record(agreement).version;
    }

    /// @inheritdoc IConsortium
    function agreementHash(bytes32 agreement) external view returns (bytes32) {
        bytes32 amendment = _record(agreement).amendment;
        return amendment == 0 ? agreement : amendment;
    }

    /// @inheritdoc IConsortium
    function period(bytes32 agreement) external view returns (uint64 notBefore, uint64 notAfter) {
        Record storage record = _record(agreement);
        return (record.notBefore, record.notAfter);
    }

    /// @inheritdoc IConsortium
    function termsHash(bytes32 agreement) external view returns (bytes32) {
        return _record(agreement).termsHash;
    }

    /// @inheritdoc IConsortium
    function bylaws(bytes32 agreement) external view returns (Bylaws memory) {
        return _record(agreement).bylaws;
    }

    /// @inheritdoc IConsortium
    function unlockDelay(bytes32 agreement) external view returns (uint256) {
        Record storage record = _record(agreement);
        return uint256(record.stallTime) + record.bylaws.disputeTime;
    }

    /// @inheritdoc IConsortium
    function hashTerms(Terms calldata terms) external pure returns (bytes32) {
        return Messages.hash(terms);
    }

    /// @inheritdoc IConsortium
    function trustDomain(bytes32 agreement) external view returns (string memory) {
        return _record(agreement).trustDomain;
    }

    /// @inheritdoc IConsortium
    function parties(bytes32 agreement) external view returns (Party[] memory all) {
        Record storage record = _record(agreement);
        all = new Party[](record.parties);
        for (uint256 i = 0; i < all.length; ++i) {
            Seat storage seat = record.seats[i];
            all[i] = Party(seat.organization, seat.currentWallet(), seat.weight);
        }
    }

    /// @inheritdoc IConsortium
    function wallet(bytes32 agreement, uint16 party) external view returns (address) {
        return _seat(_record(agreement), agreement, party).currentWallet();
    }

    /// @inheritdoc IConsortium
    function replacement(bytes32 agreement, uint16 party) external view returns (address wallet_, uint64 from) {
        Seat storage seat = _seat(_record(agreement), agreement, party);
        wallet_ = seat.comingWallet();
        if (wallet_ != address(0)) from = seat.walletFrom;
    }

    /// @inheritdoc IConsortium
    function partyCount(bytes32 agreement) external view returns (uint16) {
        return _record(agreement).parties;
    }

    /// @inheritdoc IConsortium
    function out(bytes32 agreement) external view returns (uint64) {
        return _record(agreement).out;
    }

    /// @inheritdoc IConsortium
    function isOut(bytes32 agreement, uint16 party) external view returns (bool) {
        return _record(agreement).out.has(party);
    }

    /// @inheritdoc IConsortium
    function joinedAt(bytes32 agreement, uint16 party) external view returns (uint64) {
        return _seat(_record(agreement), agreement, party).joinedAt;
    }

    /// @inheritdoc IConsortium
    function enrollmentNonce(bytes32 agreement, uint16 party) external view returns (uint256) {
        return _seat(_record(agreement), agreement, party).registered;
    }

    function _record(bytes32 agreement) internal view returns (Record storage record) {
        record = _records[agreement];
        if (record.notAfter == 0) revert Consortium_UnknownAgreement(agreement);
    }

    function _seat(Record storage record, bytes32 agreement, uint16 party) internal view returns (Seat storage) {
        if (party >= record.parties) revert Consortium_UnknownParty(agreement, party);
        return record.seats[party];
    }

    function _requireBetween(bytes32 agreement, Record storage record, State first, State last) internal view {
        State now_ = record.state();
        if (now_ < first || now_ > last) revert Consortium_WrongState(agreement, now_);
    }

    function _root(bytes32 agreement, Record storage record, uint256 change) internal view returns (bytes32) {
        return change == 0 ? agreement : record.roots[change];
    }

    function _spiffeId(Record storage record, uint16 party, string memory node) internal view returns (string memory) {
        return string.concat("spiffe://", record.trustDomain, "/org/", record.seats[party].organization, "/node/", node);
    }
}
