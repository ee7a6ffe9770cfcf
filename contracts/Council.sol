// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {ICouncil} from "./interfaces/ICouncil.sol";
import {Bits} from "./libraries/Bits.sol";
import {Messages} from "./libraries/Messages.sol";
import {Wallets} from "./libraries/Wallets.sol";

/// @title Votes, and wallets that change hands (see ICouncil)
/// @dev Made by the Consortium, which takes `carry` from nobody else. Holds two counters and nothing of value.
contract Council is ICouncil, EIP712(Messages.DOMAIN_NAME, Messages.DOMAIN_VERSION) {
    using Bits for uint64;

    /// @inheritdoc ICouncil
    IConsortium public immutable consortium;

    /// @inheritdoc ICouncil
    mapping(bytes32 agreement => uint256) public nonce;
    /// @inheritdoc ICouncil
    mapping(bytes32 agreement => mapping(uint16 party => uint256)) public walletNonce;

    constructor(IConsortium consortium_) {
        consortium = consortium_;
    }

    /// @inheritdoc ICouncil
    function decide(Motion calldata motion, uint16[] calldata voters, bytes[] calldata signatures) external {
        bytes32 agreement = motion.agreement;

        // Check: in time, the next one, and nothing in it that would be signed for no effect
        _checkTime(motion.deadline);
        _checkNonce(nonce[agreement], motion.nonce);
        bool replacing = motion.action == Action.ReplaceWallet;
        bool concerning = replacing || motion.action == Action.Remove;
        if (!concerning && motion.party != 0 || !replacing && motion.wallet != address(0)) {
            revert Council_BadMotion(motion.action);
        }

        // Check: enough votes
        (uint64 voting, uint256 needed) = electorate(agreement, motion.action, motion.party);
        _checkVotes(agreement, _hashTypedDataV4(Messages.hash(motion)), voters, signatures, voting, needed);

        // Effect: one more motion carried
        nonce[agreement] += 1;
        if (replacing) walletNonce[agreement][motion.party] += 1;
        emit Decided(agreement, motion.action, motion.party, motion.wallet, motion.nonce);

        // Interaction: the Consortium follows
        uint256 from = block.timestamp;
        if (replacing) from += consortium.bylaws(agreement).walletDelay;
        consortium.carry(agreement, motion.action, motion.party, motion.wallet, uint40(from));
    }

    /// @inheritdoc ICouncil
    function moveWallet(Move calldata move, bytes calldata oldSignature, bytes calldata newSignature) external {
        (bytes32 agreement, uint16 party) = (move.agreement, move.party);

        // Check: in time, and not an older move once more
        _checkTime(move.deadline);
        _checkNonce(walletNonce[agreement][party], move.nonce);

        // Check: given by the one wallet and taken by the other
        bytes32 digest = _hashTypedDataV4(Messages.hash(move));
        _checkWallet(party, consortium.wallet(agreement, party), digest, oldSignature);
        _checkWallet(party, move.wallet, digest, newSignature);

        // Effect, Interaction: at once
        walletNonce[agreement][party] += 1;
        consortium.carry(agreement, Action.ReplaceWallet, party, move.wallet, uint40(block.timestamp));
    }

    /// @inheritdoc ICouncil
    function veto(Veto calldata veto_, bytes calldata signature) external {
        (bytes32 agreement, uint16 party) = (veto_.agreement, veto_.party);

        // Check: in time, and against the replacement that is under way
        _checkTime(veto_.deadline);
        _checkNonce(walletNonce[agreement][party], veto_.nonce);
        // A replacement may be vetoed until it takes effect: then there is none any more.
        // slither-disable-next-line unused-return
        (address next,) = consortium.replacement(agreement, party);
        if (next == address(0) || next != veto_.wallet) revert Council_NothingToVeto(party, veto_.wallet);

        // Check: by the wallet that is said to be lost
        address current = consortium.wallet(agreement, party);
        _checkWallet(party, current, _hashTypedDataV4(Messages.hash(veto_)), signature);

        // Effect, Interaction: it stays
        walletNonce[agreement][party] += 1;
        emit Vetoed(agreement, party, next);
        consortium.carry(agreement, Action.ReplaceWallet, party, current, uint40(block.timestamp));
    }

    /// @inheritdoc ICouncil
    function requireVotes(bytes32 agreement, bytes32 digest, uint16[] calldata voters, bytes[] calldata signatures)
        external
        view
    {
        (uint64 voting, uint256 needed) = electorate(agreement, Action.Terminate, 0);
        _checkVotes(agreement, digest, voters, signatures, voting, needed);
    }

    /// @inheritdoc ICouncil
    function electorate(bytes32 agreement, Action action, uint16 party)
        public
        view
        returns (uint64 voters, uint256 needed)
    {
        voters = Bits.first(consortium.partyCount(agreement)) & ~consortium.out(agreement);
        if (action == Action.Remove || action == Action.ReplaceWallet) voters = voters.without(party);
        uint256 organizations = voters.count();
        needed = consortium.bylaws(agreement).votes;
        if (needed == 0) needed = 2 * organizations / 3 + 1;
        else if (needed > organizations) needed = organizations;
        // Nobody's consent carries nothing.
        if (needed == 0) needed = 1;
    }

    function _checkVotes(
        bytes32 agreement,
        bytes32 digest,
        uint16[] calldata voters,
        bytes[] calldata signatures,
        uint64 voting,
        uint256 needed
    ) private view {
        if (signatures.length != voters.length) {
            revert Council_SignatureCount(voters.length, signatures.length);
        }
        if (voters.length < needed) revert Council_TooFewVotes(voters.length, needed);
        uint256 least = 0; // that the next voter may be
        for (uint256 i = 0; i < voters.length; ++i) {
            uint16 voter = voters[i];
            if (voter < least) revert Council_VotersNotAscending(voter);
            least = uint256(voter) + 1;
            if (!voting.has(voter)) revert Council_NoVote(voter);
            // One for each voter, of which there are at most 64; who posts them pays for them.
            // slither-disable-next-line calls-loop
            _checkWallet(voter, consortium.wallet(agreement, voter), digest, signatures[i]);
        }
    }

    function _checkWallet(uint16 party, address wallet, bytes32 digest, bytes calldata signature) private view {
        if (!Wallets.signed(wallet, digest, signature)) revert Council_NotTheParty(party, wallet);
    }

    function _checkTime(uint64 deadline) private view {
        if (block.timestamp > deadline) revert Council_DeadlinePassed(deadline);
    }

    function _checkNonce(uint256 expected, uint256 got) private pure {
        if (got != expected) revert Council_WrongNonce(expected, got);
    }
}
