// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IConsortium} from "../interfaces/IConsortium.sol";
import {Bits} from "./Bits.sol";
import {Member} from "./Members.sol";

/// @dev A party. Its wallet and counters are in the first slot, what is rarely looked at in the second.
struct Seat {
    address wallet; // until `walletFrom` has come, if it is not zero
    uint16 weight;
    uint16 registered; // registrations ever; also the nonce of the next enrollment
    uint8 nodes; // enrolled now
    uint40 joinedAt; // [unix s] of the first enrollment
    address nextWallet;
    uint40 walletFrom; // [unix s] from which `nextWallet` is the party's; zero: no replacement
    uint32 outSince; // first snapshot without the party; zero while it takes part
    string organization;
}

/// @dev What votes decided; time does the rest.
enum Stage {
    Running,
    Suspended,
    Terminated
}

/// @dev An agreement. The first slot, to `parties`, is all that a snapshot needs besides its root.
struct Record {
    uint40 notBefore; // [unix s]
    uint40 notAfter; // [unix s]; never zero once signed by all
    uint32 changes; // of the membership: the number of the latest snapshot
    uint64 present; // bit p: party p has at least one node
    uint64 out; // bit p: party p left or was removed
    Stage stage;
    uint8 parties; // ever
    uint32 version;
    uint32 amending; // the latest version that a party has signed without the others
    uint40 amendingUntil; // [unix s] when it would be over
    uint32 stallTime; // [s] the longest of all versions, as older runs keep theirs
    uint16 registrations;
    bytes32 termsHash;
    bytes32 amendment; // hash of the version in force; zero for the first
    IConsortium.Bylaws bylaws;
    string trustDomain;
    mapping(uint256 party => Seat) seats;
    mapping(uint256 registration => Member) members;
    mapping(uint256 registration => string) nodes;
    mapping(uint256 registration => string) urls;
    mapping(bytes32 spiffeIdHash => uint256) current; // registration + 1
    mapping(address key => bool) used;
    mapping(uint256 change => bytes32) roots; // of snapshot 0: the agreement's id
    mapping(uint256 fourChanges => uint256) activeAt; // 64 bits each
}

/// @dev The signatures that an agreement or an amendment has so far.
struct Offer {
    uint64 signed; // bit p: party p has signed
    uint64 notAfter; // [unix s] of a new agreement; zero for an amendment
}

using Records for Record global;
using Records for Seat global;

/// @title What follows from what is stored about an agreement, and from the time
library Records {
    using Bits for uint64;

    /// @notice Of an agreement that all parties have signed.
    function state(Record storage record) internal view returns (IConsortium.State) {
        if (record.stage == Stage.Terminated) return IConsortium.State.Terminated;
        if (block.timestamp > record.notAfter) return IConsortium.State.Expired;
        if (record.stage == Stage.Suspended) return IConsortium.State.Suspended;
        if (block.timestamp < record.notBefore) return IConsortium.State.Signed;
        if (record.amending > record.version && block.timestamp <= record.amendingUntil) {
            return IConsortium.State.Amending;
        }
        return IConsortium.State.Active;
    }

    /// @notice Whether nodes may work under it now. Reads the first slot only.
    function inForce(Record storage record) internal view returns (bool) {
        return
            record.stage == Stage.Running && record.notBefore <= block.timestamp && block.timestamp <= record.notAfter;
    }

    /// @notice Who would be counted in a round that opens now.
    function active(Record storage record) internal view returns (uint64) {
        return record.inForce() ? record.present : 0;
    }

    /// @notice The party's wallet: the new one once its time has come.
    function currentWallet(Seat storage seat) internal view returns (address) {
        uint256 from = seat.walletFrom;
        return from != 0 && from <= block.timestamp ? seat.nextWallet : seat.wallet;
    }

    /// @notice The wallet that is to become the party's; zero for none.
    function comingWallet(Seat storage seat) internal view returns (address) {
        return seat.walletFrom > block.timestamp ? seat.nextWallet : address(0);
    }

    /// @notice The first snapshot that the registration no longer belongs to; zero while it stays.
    function until(Record storage record, Member member) internal view returns (uint32 end) {
        end = member.until();
        if (end == 0 && record.out.has(member.party())) end = record.seats[member.party()].outSince;
    }

    /// @notice Whether it belongs to that snapshot.
    function belongs(Record storage record, Member member, uint32 snapshot) internal view returns (bool) {
        if (!member.belongs(snapshot)) return false;
        return !record.out.has(member.party()) || snapshot < record.seats[member.party()].outSince;
    }

    /// @notice Refuses a wallet that is another party's, now or soon: one wallet is one vote.
    function requireFree(Record storage record, address wallet, uint256 party) internal view {
        bool taken = wallet == address(0);
        for (uint256 i = 0; i < record.parties; ++i) {
            Seat storage seat = record.seats[i];
            if (i != party && (seat.currentWallet() == wallet || seat.comingWallet() == wallet)) taken = true;
        }
        if (taken) revert IConsortium.Consortium_WalletTaken(wallet);
    }

    /// @notice Refuses a list that does not begin with the parties there are, as they are.
    function requireSeats(Record storage record, IConsortium.Party[] calldata parties) internal view {
        uint256 seats = record.parties;
        for (uint256 i = 0; i < seats; ++i) {
            Seat storage seat = record.seats[i];
            if (
                i >= parties.length || parties[i].wallet != seat.currentWallet()
                    || keccak256(bytes(parties[i].organization)) != keccak256(bytes(seat.organization))
            ) revert IConsortium.Consortium_BadParties(uint16(i));
        }
        for (uint256 i = seats; i < parties.length; ++i) {
            record.requireFree(parties[i].wallet, i);
        }
    }
}
