// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IConsortium} from "../interfaces/IConsortium.sol";
import {Names} from "./Names.sol";

/// @title What an agreement must be before anybody's signature is looked at
library Agreements {
    uint256 internal constant MIN_PARTIES = 2;
    uint256 internal constant MAX_PARTIES = 64;

    uint8 internal constant EQUAL = 0;
    uint8 internal constant SIZE = 1;
    uint8 internal constant COMMON = 2;
    uint8 internal constant LOCAL = 3;
    uint8 internal constant STAR = 1;
    uint8 internal constant LOSS = 0;
    uint8 internal constant LOWEST_METRIC = 1;
    uint8 internal constant HIGHEST_METRIC = 2;
    uint8 internal constant PROGRESS = 0;
    uint8 internal constant PER_ROUND = 1;
    uint8 internal constant AT_THE_END = 1;

    uint8 internal constant MAX_STRIKES = 6; // that are remembered of an organization
    uint8 internal constant MAX_NODES_AT_ONCE = 32;
    uint16 internal constant ALL_BIPS = 10_000;
    uint40 internal constant LATEST = type(uint40).max; // [unix s]

    /// @param members how many of the parties take part: all but those that left.
    function check(IConsortium.Agreement calldata agreement, uint256 members) internal pure {
        checkParties(agreement.parties);
        if (!Names.isDotted(agreement.trustDomain)) revert IConsortium.Consortium_BadName(agreement.trustDomain);
        _refuse(agreement.notAfter <= agreement.notBefore || agreement.notAfter > LATEST, "notAfter");
        checkBylaws(agreement.bylaws, members);
        checkTerms(agreement.terms, members);
    }

    /// @dev Two seats of one organization would be two votes.
    function checkParties(IConsortium.Party[] calldata parties) internal pure {
        if (parties.length < MIN_PARTIES || parties.length > MAX_PARTIES) {
            revert IConsortium.Consortium_BadParties(uint16(parties.length));
        }
        bytes32[] memory organizations = new bytes32[](parties.length);
        address[] memory wallets = new address[](parties.length);
        for (uint256 i = 0; i < parties.length; ++i) {
            IConsortium.Party calldata party = parties[i];
            if (!Names.isLabel(party.organization)) revert IConsortium.Consortium_BadName(party.organization);
            bytes32 organization = keccak256(bytes(party.organization));
            address wallet = party.wallet;
            bool bad = wallet == address(0) || party.weight == 0;
            for (uint256 j = 0; j < i; ++j) {
                if (organizations[j] == organization || wallets[j] == wallet) bad = true;
            }
            (organizations[i], wallets[i]) = (organization, wallet);
            if (bad) revert IConsortium.Consortium_BadParties(uint16(i));
        }
    }

    function checkTerms(IConsortium.Terms calldata terms, uint256 members) internal pure {
        _refuse(terms.initialRoot == 0, "initialRoot");
        _refuse(terms.schemaHash == 0, "schemaHash");
        _refuse(terms.metering > LOCAL, "metering");
        _refuse(terms.metering == COMMON && terms.validationRoot == 0, "validationRoot");
        _refuse(terms.sponsor == address(0), "sponsor");
        // Otherwise every run would be over before it begins.
        _refuse(terms.lossCeiling <= terms.targetLoss, "lossCeiling");
        _refuse(terms.maxRounds == 0, "maxRounds");
        _refuse(terms.syncFrequency == 0, "syncFrequency");
        // A leader who waits out the grace must not lose his term over it, nor the round be reopened in mid-term.
        _refuse(terms.leaderTimeout <= terms.quorumGrace, "leaderTimeout");
        _refuse(uint256(terms.stallTime) * 1000 <= terms.leaderTimeout, "stallTime");
        _refuse(terms.minPeers > members, "minPeers");
        _refuse(terms.topology > STAR, "topology");
        _refuse(terms.stopping > HIGHEST_METRIC, "stopping");
        _refuse(terms.budgetRule > PER_ROUND, "budgetRule");
        _refuse(terms.payout > AT_THE_END, "payout");
        _refuse(terms.strikes > MAX_STRIKES, "strikes");
        _refuse(terms.strikes != 0 && terms.strikeRounds == 0, "strikeRounds");
    }

    function checkBylaws(IConsortium.Bylaws calldata bylaws, uint256 members) internal pure {
        _refuse(bylaws.minStake != 0 && bylaws.penaltyRecipient == address(0), "penaltyRecipient");
        _refuse(bylaws.penaltyBips > ALL_BIPS, "penaltyBips");
        // Who slashes his own stake must not get most of it back.
        _refuse(bylaws.finderBips > ALL_BIPS / 2, "finderBips");
        _refuse(bylaws.votes != 0 && (bylaws.votes <= members / 2 || bylaws.votes > members), "votes");
        _refuse(bylaws.maxNodes == 0 || bylaws.maxNodes > MAX_NODES_AT_ONCE, "maxNodes");
    }

    /// @dev One place that reverts: so many reasons, each written out, would not fit into the contract.
    function _refuse(bool wrong, bytes32 field) private pure {
        if (!wrong) return;
        uint256 length = 0;
        while (field[length] != 0) ++length;
        bytes memory text = bytes.concat(field);
        assembly ("memory-safe") {
            mstore(text, length)
        }
        revert IConsortium.Consortium_BadTerms(string(text));
    }
}
