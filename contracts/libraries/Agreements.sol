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

    function check(IConsortium.Agreement calldata agreement) internal pure {
        checkParties(agreement.parties);
        if (!Names.isDotted(agreement.trustDomain)) revert IConsortium.Consortium_BadName(agreement.trustDomain);
        if (agreement.notAfter <= agreement.notBefore) revert IConsortium.Consortium_BadTerms("notAfter");
        checkBylaws(agreement.bylaws, agreement.parties.length);
        checkTerms(agreement.terms, agreement.parties.length);
    }

    /// @dev Two seats of one organization would be two votes.
    function checkParties(IConsortium.Party[] calldata parties) internal pure {
        if (parties.length < MIN_PARTIES || parties.length > MAX_PARTIES) {
            revert IConsortium.Consortium_BadParties(uint16(parties.length));
        }
        bytes32[] memory organizations = new bytes32[](parties.length);
        for (uint256 i = 0; i < parties.length; ++i) {
            IConsortium.Party calldata party = parties[i];
            if (!Names.isLabel(party.organization)) revert IConsortium.Consortium_BadName(party.organization);
            bool bad = party.wallet == address(0) || party.weight == 0;
            organizations[i] = keccak256(bytes(party.organization));
            for (uint256 j = 0; j < i; ++j) {
                if (organizations[j] == organizations[i] || parties[j].wallet == party.wallet) bad = true;
            }
            if (bad) revert IConsortium.Consortium_BadParties(uint16(i));
        }
    }

    function checkTerms(IConsortium.Terms calldata terms, uint256 parties) internal pure {
        if (terms.initialRoot == 0) revert IConsortium.Consortium_BadTerms("initialRoot");
        if (terms.schemaHash == 0) revert IConsortium.Consortium_BadTerms("schemaHash");
        if (terms.metering > LOCAL) revert IConsortium.Consortium_BadTerms("metering");
        if (terms.metering == COMMON && terms.validationRoot == 0) {
            revert IConsortium.Consortium_BadTerms("validationRoot");
        }
        if (terms.sponsor == address(0)) revert IConsortium.Consortium_BadTerms("sponsor");
        // Otherwise every run would be over before it begins.
        if (terms.lossCeiling <= terms.targetLoss) revert IConsortium.Consortium_BadTerms("lossCeiling");
        if (terms.maxRounds == 0) revert IConsortium.Consortium_BadTerms("maxRounds");
        if (terms.syncFrequency == 0) revert IConsortium.Consortium_BadTerms("syncFrequency");
        // A leader who waits out the grace must not lose his term over it, nor the round be reopened in mid-term.
        if (terms.leaderTimeout <= terms.quorumGrace) revert IConsortium.Consortium_BadTerms("leaderTimeout");
        if (uint256(terms.stallTime) * 1000 <= terms.leaderTimeout) {
            revert IConsortium.Consortium_BadTerms("stallTime");
        }
        if (terms.minPeers > parties) revert IConsortium.Consortium_BadTerms("minPeers");
        if (terms.topology > STAR) revert IConsortium.Consortium_BadTerms("topology");
        if (terms.stopping > HIGHEST_METRIC) revert IConsortium.Consortium_BadTerms("stopping");
        if (terms.budgetRule > PER_ROUND) revert IConsortium.Consortium_BadTerms("budgetRule");
        if (terms.payout > AT_THE_END) revert IConsortium.Consortium_BadTerms("payout");
        if (terms.strikes > MAX_STRIKES) revert IConsortium.Consortium_BadTerms("strikes");
        if (terms.strikes != 0 && terms.strikeRounds == 0) revert IConsortium.Consortium_BadTerms("strikeRounds");
    }

    function checkBylaws(IConsortium.Bylaws calldata bylaws, uint256 parties) internal pure {
        if (bylaws.minStake != 0 && bylaws.penaltyRecipient == address(0)) {
            revert IConsortium.Consortium_BadTerms("penaltyRecipient");
        }
        if (bylaws.penaltyBips > ALL_BIPS) revert IConsortium.Consortium_BadTerms("penaltyBips");
        // Who slashes his own stake must not get most of it back.
        if (bylaws.finderBips > ALL_BIPS / 2) revert IConsortium.Consortium_BadTerms("finderBips");
        if (bylaws.votes != 0 && (bylaws.votes <= parties / 2 || bylaws.votes > parties)) {
            revert IConsortium.Consortium_BadTerms("votes");
        }
        if (bylaws.maxNodes == 0 || bylaws.maxNodes > MAX_NODES_AT_ONCE) {
            revert IConsortium.Consortium_BadTerms("maxNodes");
        }
    }
}
