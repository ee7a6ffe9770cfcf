// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IConsortium} from "./IConsortium.sol";

/// @title What the organizations of an agreement decide together: one organization, one vote
/// @notice Votes are signatures of the organizations' wallets (plain key, or ERC-1271 contract) under one motion. They
/// are collected off chain and posted together, by anyone. Who left or was removed has no vote; where a motion concerns
/// one party (`Remove`, `ReplaceWallet`), that party is neither counted nor heard. Of the n others the agreement's
/// `votes` carry a motion, at most n; where it names no number, more than two thirds, which is floor(2n / 3) + 1.
/// Wallets and votes count as they are when the motion is posted.
interface ICouncil {
    enum Action {
        Suspend,
        Resume,
        Terminate,
        Remove,
        ReplaceWallet
    }

    /// @notice What is voted on. Signed by each organization that is in favor.
    struct Motion {
        bytes32 agreement;
        Action action;
        uint16 party; // whom it concerns; zero where it concerns none
        address wallet; // the new one, for `ReplaceWallet`; zero otherwise
        uint256 nonce; // `nonce(agreement)`
        uint64 deadline; // [unix s]
    }

    /// @notice A party's own change of wallet. Signed by the old wallet and by the new one.
    struct Move {
        bytes32 agreement;
        uint16 party;
        address wallet;
        uint256 nonce; // `walletNonce(agreement, party)`
        uint64 deadline; // [unix s]
    }

    /// @notice "This wallet is not lost": puts an end to a replacement under way. Signed by the wallet that it would
    /// replace.
    struct Veto {
        bytes32 agreement;
        uint16 party;
        address wallet; // the one that shall not become the party's
        uint256 nonce; // `walletNonce(agreement, party)`
        uint64 deadline; // [unix s]
    }

    event Decided(
        bytes32 indexed agreement, Action indexed action, uint16 indexed party, address wallet, uint256 nonce
    );
    event Vetoed(bytes32 indexed agreement, uint16 indexed party, address wallet);

    error Council_DeadlinePassed(uint64 deadline);
    error Council_WrongNonce(uint256 expected, uint256 got);
    /// @notice The motion names a party or a wallet that its action has no use for.
    error Council_BadMotion(Action action);
    error Council_SignatureCount(uint256 voters, uint256 signatures);
    error Council_VotersNotAscending(uint16 party);
    /// @notice This party is out, is the one concerned, or does not exist.
    error Council_NoVote(uint16 party);
    /// @notice The signature is not that of the wallet of the party.
    error Council_NotTheParty(uint16 party, address wallet);
    error Council_TooFewVotes(uint256 votes, uint256 needed);
    /// @notice No replacement of the party's wallet by this one is under way.
    error Council_NothingToVeto(uint16 party, address wallet);

    /// @notice Carries out a motion.
    /// @dev Effects: counts up `nonce`, and by `action`:
    /// - `Suspend`: Active or Amending -> Suspended. New rounds count nobody until `Resume`.
    /// - `Resume`: Suspended -> Active.
    /// - `Terminate`: to Terminated, for good, from any state between Signed and Suspended.
    /// - `Remove`: the party is out for good, from the next snapshot on. With fewer than two parties left, the agreement
    ///   is terminated.
    /// - `ReplaceWallet`: `wallet` becomes that of the party after the agreement's `walletDelay`, unless vetoed, moved or
    ///   replaced once more until then; in every state, for parties that are out too, since what they earned stays
    ///   theirs.
    /// See IConsortium for what each state means to running rounds and to money.
    /// Requirements: in time; the current nonce; a state that the action starts from; `voters` ascending party numbers
    /// with a vote, one signature each; enough of them. A new wallet must not be that of another party, now or by a
    /// replacement under way.
    function decide(Motion calldata motion, uint16[] calldata voters, bytes[] calldata signatures) external;

    /// @notice Changes a party's wallet at once, as the party itself wants it.
    /// @dev Effects: counts up `walletNonce`; ends a replacement under way. Requirements: in time; the current nonce; the
    /// signatures of both wallets; not the wallet of another party, now or by a replacement under way.
    function moveWallet(Move calldata move, bytes calldata oldSignature, bytes calldata newSignature) external;

    /// @notice Ends the replacement of a wallet that is not lost.
    /// @dev Effects: counts up `walletNonce`; the party keeps its wallet. Requirements: in time; the current nonce; this
    /// very replacement under way; the signature of the party's wallet.
    function veto(Veto calldata veto_, bytes calldata signature) external;

    /// @notice Returns if the organizations carry what `digest` stands for, reverts otherwise. For other contracts, whose
    /// digests are of their own domains and which use up nonces of their own.
    /// @dev Requirements: as for the votes of `decide`, with nobody concerned. Works in every state of the agreement.
    function requireVotes(bytes32 agreement, bytes32 digest, uint16[] calldata voters, bytes[] calldata signatures)
        external
        view;

    function consortium() external view returns (IConsortium);
    /// @notice How many motions were carried.
    function nonce(bytes32 agreement) external view returns (uint256);
    /// @notice How often the party's wallet was moved, its replacement was voted, or vetoed.
    function walletNonce(bytes32 agreement, uint16 party) external view returns (uint256);
    /// @notice Who may vote on such a motion, and how many of them carry it. What concerns nobody, `requireVotes`
    /// included, is as `Terminate`.
    /// @return voters bit p: party p has a vote.
    function electorate(bytes32 agreement, Action action, uint16 party)
        external
        view
        returns (uint64 voters, uint256 needed);
}
