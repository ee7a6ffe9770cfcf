// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {ICouncil} from "./interfaces/ICouncil.sol";
import {Agreements} from "./libraries/Agreements.sol";
import {Bits} from "./libraries/Bits.sol";
import {Member, Members} from "./libraries/Members.sol";
import {Messages} from "./libraries/Messages.sol";
import {Names} from "./libraries/Names.sol";
import {Offer, Record, Seat, Stage} from "./libraries/Records.sol";
import {Wallets} from "./libraries/Wallets.sol";
import {ConsortiumViews} from "./ConsortiumViews.sol";
import {Council} from "./Council.sol";

/// @title Agreements, parties and nodes (see IConsortium)
/// @dev Nobody owns this contract: an agreement can only be changed by what its own parties sign. What it keeps and
/// shows is in ConsortiumViews and libraries/Records.sol, votes are counted in Council.
contract Consortium is ConsortiumViews, EIP712(Messages.DOMAIN_NAME, Messages.DOMAIN_VERSION) {
    using Bits for uint64;

    // The kinds of membership changes, as they are chained into the root.
    uint8 private constant ENROLLED = 1;
    uint8 private constant RETIRED = 2;
    uint8 private constant OUT = 3;
    uint8 private constant SUSPENDED = 4;
    uint8 private constant RESUMED = 5;
    uint8 private constant TERMINATED = 6;
    uint8 private constant AMENDED = 7;

    // A party may not use up the registration numbers of the others: 64 parties * 512 < 2^16.
    uint16 private constant MAX_REGISTRATIONS = 512;

    /// @inheritdoc IConsortium
    ICouncil public immutable council = new Council(this);

    /// @inheritdoc IConsortium
    function activate(Agreement calldata agreement_, bytes[] calldata signatures) external returns (bytes32 id) {
        bytes32 hash = Messages.hash(agreement_);
        uint64 missing;
        (id, missing) = _checkOffer(agreement_, hash);

        // Check: signed by every party that has not signed before, and by nobody else
        uint256 count = agreement_.parties.length;
        if (signatures.length > count) revert Consortium_NotSigned(uint16(count), address(0));
        for (uint256 i = 0; i < count; ++i) {
            if (!missing.has(i)) continue;
            bytes calldata signature = i < signatures.length ? signatures[i] : msg.data[:0];
            _checkSigned(agreement_.parties, i, hash, signature);
        }

        _conclude(id, hash, agreement_);
    }

    /// @inheritdoc IConsortium
    function sign(Agreement calldata agreement_, uint16 party, bytes calldata signature) external returns (bytes32 id) {
        bytes32 hash = Messages.hash(agreement_);
        uint64 missing;
        (id, missing) = _checkOffer(agreement_, hash);

        // Check: by a party that has to sign and did not yet
        if (!missing.has(party)) revert Consortium_NothingToSign(party);
        _checkSigned(agreement_.parties, party, hash, signature);
        emit AgreementSigned(id, hash, party);

        // Effect: in force with the last signature
        if (missing.without(party) == 0) {
            _conclude(id, hash, agreement_);
            return id;
        }

        // Effect: signed once more
        Offer storage offer = _offers[hash];
        offer.signed = offer.signed.with(party);
        if (agreement_.previous == 0) {
            offer.notAfter = agreement_.notAfter;
            return id;
        }

        // Effect: being amended, if it is a party that wants it and not only somebody who would become one
        Record storage record = _records[id];
        if (party < record.parties) {
            uint40 until = uint40(agreement_.notAfter);
            if (record.amending != agreement_.version || record.amendingUntil < until) record.amendingUntil = until;
            record.amending = agreement_.version;
        }
    }

    /// @inheritdoc IConsortium
    function leaveAgreement(Leaving calldata leaving, bytes calldata walletSignature) external {
        Record storage record = _record(leaving.agreement);
        Seat storage seat = _seat(record, leaving.agreement, leaving.party);

        // Check: in time, and the party's own wish
        if (block.timestamp > leaving.deadline) revert Consortium_DeadlinePassed(leaving.deadline);
        _checkWallet(leaving.party, seat, Messages.hash(leaving), walletSignature);

        _takeOut(leaving.agreement, record, leaving.party, false);
    }

    /// @inheritdoc IConsortium
    function carry(bytes32 agreement, ICouncil.Action action, uint16 party, address wallet_, uint40 from) external {
        // Check: votes were counted
        if (msg.sender != address(council)) revert Consortium_NotTheCouncil(msg.sender);

        Record storage record = _record(agreement);
        if (action == ICouncil.Action.ReplaceWallet) {
            _setWallet(agreement, record, party, wallet_, from);
        } else if (action == ICouncil.Action.Remove) {
            _seat(record, agreement, party);
            _takeOut(agreement, record, party, true);
        } else if (action == ICouncil.Action.Suspend) {
            _requireBetween(agreement, record, State.Active, State.Amending);
            _enter(agreement, record, Stage.Suspended, SUSPENDED);
        } else if (action == ICouncil.Action.Resume) {
            _requireBetween(agreement, record, State.Suspended, State.Suspended);
            _enter(agreement, record, Stage.Running, RESUMED);
        } else {
            _requireBetween(agreement, record, State.Signed, State.Suspended);
            _enter(agreement, record, Stage.Terminated, TERMINATED);
        }
    }

    /// @inheritdoc IConsortium
    function enroll(Enrollment calldata enrollment, bytes calldata walletSignature, bytes calldata keySignature)
        external
        returns (uint16 registration)
    {
        Record storage record = _record(enrollment.agreement);
        Seat storage seat = _seat(record, enrollment.agreement, enrollment.party);
        _checkEnrollment(record, seat, enrollment, walletSignature, keySignature);
        return _join(record, seat, enrollment);
    }

    /// @inheritdoc IConsortium
    function retire(Retirement calldata retirement, bytes calldata walletSignature) external {
        Record storage record = _record(retirement.agreement);
        Member member_ = record.members[retirement.registration];

        // Check: a member now, and the party's own wish, in time
        if (!record.belongs(member_, record.changes)) {
            revert Consortium_NotAMember(retirement.registration, record.changes);
        }
        if (block.timestamp > retirement.deadline) revert Consortium_DeadlinePassed(retirement.deadline);
        Seat storage seat = record.seats[member_.party()];
        _checkWallet(member_.party(), seat, Messages.hash(retirement), walletSignature);

        // Effect: no longer a member in a new snapshot
        bytes32 spiffeIdHash =
            keccak256(bytes(_spiffeId(record, member_.party(), record.nodes[retirement.registration])));
        uint32 snapshot = record.changes + 1;
        record.members[retirement.registration] = member_.leaving(snapshot);
        delete record.current[spiffeIdHash];
        seat.nodes -= 1;
        if (seat.nodes == 0) record.present = record.present.without(member_.party());
        bytes32 urlHash = keccak256(bytes(record.urls[retirement.registration]));
        _nextSnapshot(retirement.agreement, record, RETIRED, retirement.registration, member_, spiffeIdHash, urlHash);

        emit NodeRetired(retirement.agreement, member_.party(), retirement.registration, snapshot);
    }

    /// @dev Effect: all have signed; in force, now or from `notBefore` on.
    function _conclude(bytes32 id, bytes32 hash, Agreement calldata agreement_) private {
        Record storage record = _records[id];
        bytes32 document = agreement_.document;
        uint256 seats = record.parties;
        uint256 count = agreement_.parties.length;

        record.notBefore = uint40(agreement_.notBefore);
        record.notAfter = uint40(agreement_.notAfter);
        record.version = agreement_.version;
        record.parties = uint8(count);
        record.termsHash = Messages.hash(agreement_.terms);
        uint32 stallTime = agreement_.terms.stallTime;
        if (stallTime > record.stallTime) record.stallTime = stallTime;
        record.bylaws = agreement_.bylaws;
        for (uint256 i = 0; i < count; ++i) {
            Party calldata party = agreement_.parties[i];
            Seat storage seat = record.seats[i];
            seat.weight = party.weight;
            if (i < seats) continue;
            seat.wallet = party.wallet;
            seat.organization = party.organization;
        }
        delete _offers[hash];

        if (seats == 0) {
            record.trustDomain = agreement_.trustDomain;
            emit AgreementActivated(id, document, record.termsHash, uint16(count));
        } else {
            record.amendment = hash;
            _nextSnapshot(id, record, AMENDED, 0);
            emit AgreementAmended(
                id, document, record.termsHash, uint16(count), hash, agreement_.version, record.changes
            );
        }
    }

    function _takeOut(bytes32 agreement, Record storage record, uint16 party, bool removed) private {
        // Check: still with the others
        _requireBetween(agreement, record, State.Signed, State.Suspended);
        if (record.out.has(party)) revert Consortium_PartyOut(party);

        // Effect: out, with all its nodes
        record.seats[party].outSince = record.changes + 1;
        record.out = record.out.with(party);
        record.present = record.present.without(party);
        _nextSnapshot(agreement, record, OUT, party);
        emit PartyOut(agreement, party, removed, record.changes);

        // Effect: nobody learns alone
        if (record.parties - record.out.count() < Agreements.MIN_PARTIES) {
            _enter(agreement, record, Stage.Terminated, TERMINATED);
        }
    }

    function _enter(bytes32 agreement, Record storage record, Stage stage, uint8 kind) private {
        record.stage = stage;
        _nextSnapshot(agreement, record, kind, 0);
        emit StateChanged(agreement, record.state(), record.changes);
    }

    function _setWallet(bytes32 agreement, Record storage record, uint16 party, address wallet_, uint40 from) private {
        Seat storage seat = _seat(record, agreement, party);
        record.requireFree(wallet_, party);

        // Effect: an earlier replacement has either come true, or is off
        seat.wallet = seat.currentWallet();
        seat.nextWallet = wallet_;
        seat.walletFrom = from;

        emit WalletChanged(agreement, party, wallet_, from);
    }

    function _checkEnrollment(
        Record storage record,
        Seat storage seat,
        Enrollment calldata enrollment,
        bytes calldata walletSignature,
        bytes calldata keySignature
    ) private view {
        // Check: in force, in time, and not an older enrollment once more
        if (!record.inForce()) revert Consortium_WrongState(enrollment.agreement, record.state());
        if (record.out.has(enrollment.party)) revert Consortium_PartyOut(enrollment.party);
        if (block.timestamp > enrollment.deadline) revert Consortium_DeadlinePassed(enrollment.deadline);
        if (enrollment.nonce != seat.registered) revert Consortium_WrongNonce(seat.registered, enrollment.nonce);

        // Check: a name and an address that can be written down, and a number left for the party
        if (!Names.isLabel(enrollment.node)) revert Consortium_BadName(enrollment.node);
        if (!Names.isUrl(enrollment.url)) revert Consortium_BadUrl(enrollment.url);
        if (seat.registered == MAX_REGISTRATIONS) {
            revert Consortium_TooManyNodes(enrollment.party, MAX_REGISTRATIONS);
        }

        // Check: the organization wants this key, whoever holds it wants to serve, and it never served before
        bytes32 structHash = Messages.hash(enrollment);
        _checkWallet(enrollment.party, seat, structHash, walletSignature);
        address signer = Wallets.signer(_hashTypedDataV4(structHash), keySignature);
        if (signer == address(0) || signer != enrollment.key) {
            revert Consortium_NotTheKey(enrollment.key, signer);
        }
        if (record.used[signer]) revert Consortium_KeyAlreadyUsed(signer);
    }

    function _join(Record storage record, Seat storage seat, Enrollment calldata enrollment)
        private
        returns (uint16 registration)
    {
        // Effect: the key and a number, which is the nonce too, are used up
        registration = record.registrations;
        record.used[enrollment.key] = true;
        record.registrations = registration + 1;
        if (seat.joinedAt == 0) seat.joinedAt = uint40(block.timestamp);
        seat.registered += 1;

        // Effect: a new member in a new snapshot
        string memory spiffeId = _spiffeId(record, enrollment.party, enrollment.node);
        bytes32 spiffeIdHash = keccak256(bytes(spiffeId));
        uint32 snapshot = _makeRoom(record, seat, enrollment, spiffeIdHash);
        Member member_ = Members.pack(enrollment.key, enrollment.party, enrollment.mayLead, snapshot);
        record.members[registration] = member_;
        record.nodes[registration] = enrollment.node;
        record.urls[registration] = enrollment.url;
        record.current[spiffeIdHash] = uint256(registration) + 1;
        bytes32 urlHash = keccak256(bytes(enrollment.url));
        _nextSnapshot(enrollment.agreement, record, ENROLLED, registration, member_, spiffeIdHash, urlHash);

        emit NodeEnrolled(
            enrollment.agreement, enrollment.party, registration, enrollment.key, spiffeId, enrollment.url, snapshot
        );
    }

    /// @dev A node of the same name leaves with the snapshot that the new one comes with; otherwise there is one more.
    function _makeRoom(Record storage record, Seat storage seat, Enrollment calldata enrollment, bytes32 spiffeIdHash)
        private
        returns (uint32 snapshot)
    {
        snapshot = record.changes + 1;
        uint256 replaced = record.current[spiffeIdHash];
        if (replaced != 0) {
            record.members[replaced - 1] = record.members[replaced - 1].leaving(snapshot);
            emit NodeRetired(enrollment.agreement, enrollment.party, uint16(replaced - 1), snapshot);
            return snapshot;
        }
        if (seat.nodes == record.bylaws.maxNodes) {
            revert Consortium_TooManyNodes(enrollment.party, record.bylaws.maxNodes);
        }
        if (seat.nodes == 0) record.present = record.present.with(enrollment.party);
        seat.nodes += 1;
    }

    /// @dev A membership change that is not about a node.
    function _nextSnapshot(bytes32 agreement, Record storage record, uint8 kind, uint16 party) private {
        _nextSnapshot(agreement, record, kind, 0, Members.pack(address(0), party, false, 0), 0, 0);
    }

    /// @dev Counts the membership change that was just made, and chains it to the root.
    function _nextSnapshot(
        bytes32 agreement,
        Record storage record,
        uint8 kind,
        uint16 registration,
        Member member_,
        bytes32 spiffeIdHash,
        bytes32 urlHash
    ) private {
        uint256 change = record.changes;
        bytes32 root = _root(agreement, record, change);
        root = keccak256(
            abi.encode(
                root, kind, registration, member_.party(), member_.key(), spiffeIdHash, urlHash, member_.mayLead()
            )
        );
        ++change;
        record.changes = uint32(change);
        record.roots[change] = root;
        record.activeAt[change / 4] |= uint256(record.active()) << (change % 4 * 64);
    }

    /// @return id Of the agreement that is offered or amended.
    /// @return missing The parties that have to sign and did not yet.
    function _checkOffer(Agreement calldata agreement_, bytes32 hash)
        private
        view
        returns (bytes32 id, uint64 missing)
    {
        bool amends = agreement_.previous != 0;
        id = amends ? agreement_.previous : hash;
        Record storage record = _records[id];
        uint64 out_ = record.out;

        // Check: new, or the next version of what is in force, for the same parties and perhaps more
        if (amends) {
            _checkAmendment(_record(id), agreement_);
        } else {
            if (record.notAfter != 0) revert Consortium_AlreadyActive(id);
            if (agreement_.version != 1) revert Consortium_WrongVersion(1, agreement_.version);
        }

        // Check: coherent, which the first signature has shown, unless somebody may have left since; and not over yet
        uint64 signed = _offers[hash].signed;
        if (amends || signed == 0) Agreements.check(agreement_, agreement_.parties.length - out_.count());
        if (agreement_.notAfter <= block.timestamp || amends && agreement_.notBefore > block.timestamp) {
            revert Consortium_NotInForce(id, agreement_.notBefore, agreement_.notAfter);
        }
        missing = Bits.first(agreement_.parties.length) & ~out_ & ~signed;
    }

    function _checkAmendment(Record storage record, Agreement calldata agreement_) private view {
        _requireBetween(agreement_.previous, record, State.Active, State.Amending);
        uint32 next = record.version + 1;
        if (agreement_.version != next) revert Consortium_WrongVersion(next, agreement_.version);
        if (keccak256(bytes(agreement_.trustDomain)) != keccak256(bytes(record.trustDomain))) {
            revert Consortium_BadTerms("trustDomain");
        }
        record.requireSeats(agreement_.parties);
    }

    function _checkSigned(Party[] calldata parties_, uint256 party, bytes32 hash, bytes calldata signature)
        private
        view
    {
        address wallet_ = parties_[party].wallet;
        if (!Wallets.signed(wallet_, _hashTypedDataV4(hash), signature)) {
            revert Consortium_NotSigned(uint16(party), wallet_);
        }
    }

    function _checkWallet(uint16 party, Seat storage seat, bytes32 structHash, bytes calldata signature) private view {
        bytes32 digest = _hashTypedDataV4(structHash);
        if (!Wallets.signed(seat.currentWallet(), digest, signature)) {
            revert Consortium_NotTheParty(party, Wallets.signer(digest, signature));
        }
    }
}
