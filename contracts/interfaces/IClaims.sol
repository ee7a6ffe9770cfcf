// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IConsortium} from "./IConsortium.sol";

/// @title How an organization takes what is due to it: the same for rewards and for royalties
/// @notice What is due belongs to a party of a run; who speaks for the party is its wallet of the moment, as Consortium
/// says, so that what is due follows a wallet that was replaced. A payment takes what several runs of one agreement owe
/// in one transfer. It goes where the wallet wants, by three ways: a claim signed by the wallet, which anyone may post; a
/// call by the wallet; a call by a claimer to whom the wallet has delegated it, who cannot choose the recipient.
/// A recipient that cannot be paid makes only the payments to itself fail.
interface IClaims {
    /// @notice Pays what is due to the party from all these runs, which are of one agreement. Signed by the wallet.
    struct Claim {
        bytes32[] runIds;
        uint16 party;
        address recipient;
        uint256 nonce; // `claimNonce(agreement, party)`
        uint64 deadline; // [unix s]
    }

    /// @notice Lets `claimer` have the party's dues paid to `recipient`, until the wallet delegates anew or is replaced.
    /// To nobody where `claimer` is zero. Signed by the wallet.
    struct Delegation {
        bytes32 agreement;
        uint16 party;
        address claimer;
        address recipient;
        uint256 nonce; // `claimNonce(agreement, party)`
        uint64 deadline; // [unix s]
    }

    event Claimed(bytes32 indexed runId, uint16 indexed party, address indexed recipient, uint256 amount);
    event Delegated(bytes32 indexed agreement, uint16 indexed party, address indexed claimer, address recipient);

    error Claims_NoRuns();
    /// @notice The first run is of another agreement.
    error Claims_OtherAgreement(bytes32 runId, bytes32 agreement);
    error Claims_NothingToClaim(bytes32 agreement, uint16 party);
    error Claims_WrongNonce(uint256 expected, uint256 got);
    error Claims_DeadlinePassed(uint64 deadline);
    error Claims_NotTheParty(uint16 party, address signer);
    /// @notice The party's wallet has delegated its claims to somebody else, or to nobody.
    error Claims_NotTheClaimer(uint16 party, address caller);
    /// @notice The zero address, the token and this contract would lose what they are sent.
    error Claims_BadRecipient(address recipient);

    /// @notice Pays out by a signed claim; anyone may post it.
    /// @dev Effects: each run that owes the party something owes it nothing any more; one transfer of the sum; counts
    /// up the nonce. Requirements: in time; the nonce; at least one run, all known and of one agreement; the signature
    /// of the party's present wallet (plain key, or ERC-1271 contract wallet); something is due, and payable already.
    /// @return amount [wei] paid
    function claim(Claim calldata claim_, bytes calldata walletSignature) external returns (uint256 amount);

    /// @notice As `claim`, called by the party's wallet itself.
    /// @dev Effects: as `claim`; it counts up the nonce too, so what was signed before is void. Requirements: the caller
    /// is the party's present wallet; otherwise as `claim`.
    function claimTo(bytes32[] calldata runIds, uint16 party, address recipient) external returns (uint256 amount);

    /// @notice As `claim`, called by the delegated claimer, to the recipient of the delegation.
    /// @dev Effects: as `claim`, but the nonce stays, so that a claimer cannot void what the wallet has signed, least of
    /// all its own dismissal. Requirements: the caller is the claimer that the party's present wallet has delegated to;
    /// at least one run, all known and of one agreement; something is due, and payable already.
    function claimFor(bytes32[] calldata runIds, uint16 party) external returns (uint256 amount);

    /// @notice Makes somebody the party's claimer, in place of whoever was; anyone may post it.
    /// @dev Effects: counts up the nonce. Requirements: in time; the nonce; the signature of the party's present wallet;
    /// a recipient that can receive, unless `claimer` is zero.
    function delegate(Delegation calldata delegation, bytes calldata walletSignature) external;

    function token() external view returns (IERC20);
    function consortium() external view returns (IConsortium);
    /// @notice Counts the signed claims and delegations of the party, and the payments to its wallet's own calls.
    function claimNonce(bytes32 agreement, uint16 party) external view returns (uint256);
    /// @notice The claimer that the party's present wallet has delegated to; zero when there is none.
    function delegateOf(bytes32 agreement, uint16 party) external view returns (address claimer, address recipient);
}
