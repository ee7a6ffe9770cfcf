// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {IPresence} from "./interfaces/IPresence.sol";
import {Bits} from "./libraries/Bits.sol";
import {Messages} from "./libraries/Messages.sol";
import {Wallets} from "./libraries/Wallets.sol";

/// @title Suspicions and signs of life (see IPresence)
/// @dev Nobody owns this contract. It holds the deposits of open suspicions, and what is to be collected from them.
contract Presence is IPresence, EIP712(Messages.DOMAIN_NAME, Messages.DOMAIN_VERSION), ReentrancyGuardTransient {
    using Bits for uint64;

    /// @inheritdoc IPresence
    uint256 public constant ANSWER_GAS = 120_000;

    /// @inheritdoc IPresence
    IConsortium public immutable consortium;
    /// @inheritdoc IPresence
    mapping(bytes32 agreement => uint64) public away;
    /// @inheritdoc IPresence
    mapping(address recipient => uint256) public owed;

    mapping(bytes32 agreement => mapping(uint256 party => Case)) private _cases;

    constructor(IConsortium consortium_) {
        consortium = consortium_;
    }

    /// @inheritdoc IPresence
    function suspect(Suspicion calldata suspicion_, bytes calldata signature) external payable {
        (bytes32 agreement, uint16 party) = (suspicion_.agreement, suspicion_.party);
        Case storage case_ = _cases[agreement][party];

        // Check: in time, not an older suspicion once more, and not one upon the other
        if (block.timestamp > suspicion_.deadline) revert Presence_DeadlinePassed(suspicion_.deadline);
        uint32 number = case_.number + 1;
        if (suspicion_.number != number) revert Presence_WrongNumber(number, suspicion_.number);
        if (case_.open || block.timestamp <= case_.answerBy) revert Presence_TooSoon(case_.answerBy);
        uint256 answerTime = consortium.bylaws(agreement).answerTime;
        if (answerTime == 0) revert Presence_NoSuspicions(agreement);

        // Check: a member of another organization says so, of one that the next round would count
        _checkSuspicion(suspicion_, signature);

        // Check: whoever answers will have his gas back
        uint256 needed = ANSWER_GAS * tx.gasprice;
        if (msg.value < needed) revert Presence_DepositTooSmall(needed, msg.value);

        // Effect: open
        uint48 answerBy = uint48(block.timestamp + answerTime);
        _cases[agreement][party] = Case(number, answerBy, true, msg.sender, msg.value);

        emit Suspected(agreement, party, suspicion_.by, number, answerBy, msg.value);
    }

    /// @inheritdoc IPresence
    function alive(Alive calldata alive_, bool byWallet, bytes calldata signature) external {
        bytes32 agreement = alive_.agreement;
        uint16 party = _checkAlive(alive_, byWallet, signature);
        Case storage case_ = _cases[agreement][party];

        // Check: an answer to the latest suspicion, which still has consequences
        if (alive_.number != case_.number) revert Presence_WrongNumber(case_.number, alive_.number);
        uint64 away_ = away[agreement];
        if (case_.open) {
            // Effect: answered; the deposit pays for it
            owed[msg.sender] += _end(case_);
            emit Answered(agreement, party, alive_.number, msg.sender);
        } else if (away_.has(party)) {
            // Effect: back
            away[agreement] = away_.without(party);
            emit Returned(agreement, party, alive_.number);
        } else {
            revert Presence_NothingToAnswer(agreement, party);
        }
    }

    /// @inheritdoc IPresence
    function leaveOut(bytes32 agreement, uint16 party) external {
        Case storage case_ = _cases[agreement][party];

        // Check: nobody answered, in all that time
        if (!case_.open) revert Presence_NotSuspected(agreement, party);
        if (block.timestamp <= case_.answerBy) revert Presence_NotYet(case_.answerBy);

        // Effect: left out; the deposit was not needed
        away[agreement] = away[agreement].with(party);
        address challenger = case_.challenger;
        owed[challenger] += _end(case_);

        emit LeftOut(agreement, party, case_.number);
    }

    /// @inheritdoc IPresence
    function collect(address recipient) external nonReentrant returns (uint256 amount) {
        // Check: something is owed
        amount = owed[recipient];
        if (amount == 0) revert Presence_NothingOwed(recipient);

        // Effect: paid
        owed[recipient] = 0;
        emit Collected(recipient, amount);

        // Interaction: the coin
        Address.sendValue(payable(recipient), amount);
    }

    /// @inheritdoc IPresence
    function suspicion(bytes32 agreement, uint16 party) external view returns (Case memory) {
        return _cases[agreement][party];
    }

    /// @dev Nothing is left of a suspicion but its number, and the time before the next one.
    function _end(Case storage case_) private returns (uint256 deposit) {
        deposit = case_.deposit;
        case_.open = false;
        case_.deposit = 0;
    }

    function _checkSuspicion(Suspicion calldata suspicion_, bytes calldata signature) private view {
        bytes32 agreement = suspicion_.agreement;
        (uint16 party, uint16 by) = (suspicion_.party, suspicion_.by);
        uint64 active = consortium.latestSnapshot(agreement).active;
        if (!active.has(party) || away[agreement].has(party)) revert Presence_NotPresent(party);
        // Where anybody is counted, every present member's organization is.
        (address key, uint16 accuser) = _member(agreement, by);
        if (accuser == party) revert Presence_OfItself(party);
        _checkSignature(by, key, _hashTypedDataV4(Messages.hash(suspicion_)), signature);
    }

    function _checkAlive(Alive calldata alive_, bool byWallet, bytes calldata signature)
        private
        view
        returns (uint16 party)
    {
        bytes32 digest = _hashTypedDataV4(Messages.hash(alive_));
        if (!byWallet) {
            address key;
            (key, party) = _member(alive_.agreement, alive_.registration);
            _checkSignature(alive_.registration, key, digest, signature);
            return party;
        }
        uint32 since;
        // Neither key nor end matters: the wallet speaks for its organization.
        // slither-disable-next-line unused-return
        (, party, since,) = consortium.member(alive_.agreement, alive_.registration);
        if (since == 0) revert Presence_NotAMember(alive_.registration);
        address wallet = consortium.wallet(alive_.agreement, party);
        if (!Wallets.signed(wallet, digest, signature)) {
            revert Presence_WrongSignature(alive_.registration, wallet, Wallets.signer(digest, signature));
        }
    }

    /// @dev Of the latest snapshot.
    function _member(bytes32 agreement, uint16 registration) private view returns (address key, uint16 party) {
        uint32 since;
        uint32 until;
        (key, party, since, until) = consortium.member(agreement, registration);
        if (since == 0 || until != 0) revert Presence_NotAMember(registration);
    }

    function _checkSignature(uint16 registration, address key, bytes32 digest, bytes calldata signature) private pure {
        address recovered = Wallets.signer(digest, signature);
        if (recovered != key) revert Presence_WrongSignature(registration, key, recovered);
    }
}
