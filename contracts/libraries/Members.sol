// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

/// @dev What judging a signature needs of a registration, in one word, so that it is one storage read:
/// 160 bits key | 16 party | 8 may lead | 32 since | 32 until, from the lowest bit.
type Member is uint256;

using Members for Member global;

library Members {
    function pack(address key_, uint16 party_, bool mayLead_, uint32 since_) internal pure returns (Member) {
        uint256 lead = mayLead_ ? 1 : 0;
        return Member.wrap(uint160(key_) | uint256(party_) << 160 | lead << 176 | uint256(since_) << 184);
    }

    function key(Member member) internal pure returns (address) {
        return address(uint160(Member.unwrap(member)));
    }

    function party(Member member) internal pure returns (uint16) {
        return uint16(Member.unwrap(member) >> 160);
    }

    function mayLead(Member member) internal pure returns (bool) {
        return Member.unwrap(member) >> 176 & 1 != 0;
    }

    /// @return The first snapshot that it belongs to; zero when there is no such registration.
    function since(Member member) internal pure returns (uint32) {
        return uint32(Member.unwrap(member) >> 184);
    }

    /// @return The first snapshot that it no longer belongs to; zero while it stays.
    function until(Member member) internal pure returns (uint32) {
        return uint32(Member.unwrap(member) >> 216);
    }

    /// @dev Of a member that stays.
    function leaving(Member member, uint32 version) internal pure returns (Member) {
        return Member.wrap(Member.unwrap(member) | uint256(version) << 216);
    }

    function belongs(Member member, uint32 version) internal pure returns (bool) {
        uint32 first = member.since();
        if (first == 0 || version < first) return false;
        uint32 end = member.until();
        return end == 0 || version < end;
    }
}
