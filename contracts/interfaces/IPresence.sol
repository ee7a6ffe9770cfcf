// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.37;

import {IConsortium} from "./IConsortium.sol";

/// @title Who is away
/// @notice A member may suspect another organization of being absent. Whoever then posts that organization's signed
/// sign of life is paid for it from what the suspicion deposited; if nobody does in time, the organization is left out of
/// the rounds that open from then on, until it gives one, which brings it back at once. The members of a round that is
/// open already do not change, and an organization that is left out keeps its nodes, its vote and its money.
interface IPresence {
    /// @dev The latest suspicion of a party.
    struct Case {
        uint32 number; // how many there were; zero: none yet
        uint48 answerBy; // [unix s]
        bool open; // neither answered nor carried out
        address challenger; // who posted it
        uint256 deposit; // [wei of the chain's coin]
    }

    /// @notice Says that an organization seems to be absent. Signed by the key of a node of another one.
    struct Suspicion {
        bytes32 agreement;
        uint16 party; // that seems to be absent
        uint16 by; // registration of who says so
        uint32 number; // the latest of this party + 1
        uint64 deadline; // [unix s]
    }

    /// @notice A sign of life. Signed by the node's key, or by its organization's wallet.
    struct Alive {
        bytes32 agreement;
        uint16 registration;
        uint32 number; // of the suspicion that it answers
    }

    event Suspected(
        bytes32 indexed agreement,
        uint16 indexed party,
        uint16 indexed by,
        uint32 number,
        uint64 answerBy,
        uint256 deposit
    );
    event Answered(bytes32 indexed agreement, uint16 indexed party, uint32 number, address poster);
    event LeftOut(bytes32 indexed agreement, uint16 indexed party, uint32 number);
    event Returned(bytes32 indexed agreement, uint16 indexed party, uint32 number);
    event Collected(address indexed recipient, uint256 amount);

    /// @notice The agreement sets no time to answer: its members do without suspicions.
    error Presence_NoSuspicions(bytes32 agreement);
    error Presence_DeadlinePassed(uint64 deadline);
    error Presence_WrongNumber(uint32 expected, uint32 got);
    /// @notice The registration is not a member of the latest snapshot.
    error Presence_NotAMember(uint16 registration);
    /// @notice Only another organization may suspect.
    error Presence_OfItself(uint16 party);
    /// @notice The party is not in the latest snapshot, or left out already.
    error Presence_NotPresent(uint16 party);
    /// @notice One suspicion of an organization at a time, and one in each time to answer.
    error Presence_TooSoon(uint64 until);
    error Presence_DepositTooSmall(uint256 needed, uint256 got);
    error Presence_WrongSignature(uint16 registration, address expected, address recovered);
    /// @notice This suspicion is answered already, and the party is not left out.
    error Presence_NothingToAnswer(bytes32 agreement, uint16 party);
    /// @notice No suspicion of this party is open.
    error Presence_NotSuspected(bytes32 agreement, uint16 party);
    error Presence_NotYet(uint64 answerBy);
    error Presence_NothingOwed(address recipient);

    /// @notice Posts a suspicion, with the deposit that will pay for the answer. Anyone may post what a member signed.
    /// @dev Effects: the party has until now + bylaws.answerTime to answer. Requirements: in time; the next number; a
    /// party that Consortium counts and that is not left out; signed by the key of a present member of another
    /// organization that Consortium counts; no suspicion of the party open, nor raised within answerTime before; a
    /// deposit of at least ANSWER_GAS * the gas price of this transaction.
    function suspect(Suspicion calldata suspicion_, bytes calldata signature) external payable;

    /// @notice Posts a sign of life. Anyone may.
    /// @dev Effects: the open suspicion is answered, and its deposit owed to the caller, also where the time is over but
    /// nobody carried it out; or the party that was left out is back in the next round that opens. Requirements: the
    /// number of the latest suspicion; signed by the key of a present member (`byWallet`: by its organization's wallet,
    /// plain key or ERC-1271, and then the registration may have ended).
    function alive(Alive calldata alive_, bool byWallet, bytes calldata signature) external;

    /// @notice Carries out a suspicion that was not answered in time. Anyone may.
    /// @dev Effects: the party is left out of the rounds that open from now on; the deposit is owed to who posted the
    /// suspicion. Requirements: the suspicion is open, and `answerBy` has passed.
    function leaveOut(bytes32 agreement, uint16 party) external;

    /// @notice Sends to `recipient` what it is owed from deposits. Anyone may call.
    /// @dev Effects: nothing is owed to it any more. Requirements: something is; it takes coins.
    function collect(address recipient) external returns (uint256 amount);

    function consortium() external view returns (IConsortium);
    /// @notice Gas that a transaction which posts a sign of life costs at most, signed by a plain key.
    function ANSWER_GAS() external view returns (uint256);
    /// @notice Bit p: party p is left out.
    function away(bytes32 agreement) external view returns (uint64);
    /// @notice The latest suspicion of a party.
    function suspicion(bytes32 agreement, uint16 party) external view returns (Case memory);
    /// @notice [wei of the chain's coin] from deposits, to be collected.
    function owed(address recipient) external view returns (uint256);
}
