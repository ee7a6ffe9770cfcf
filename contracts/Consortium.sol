// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {Agreements} from "./libraries/Agreements.sol";
import {Member, Members} from "./libraries/Members.sol";
import {Messages} from "./libraries/Messages.sol";
import {Names} from "./libraries/Names.sol";
import {Wallets} from "./libraries/Wallets.sol";

/// @title Agreements, parties and nodes (see IConsortium)
/// @dev Nobody owns this contract: an agreement can only be changed by what its own parties sign.
contract Consortium is IConsortium, EIP712(Messages.DOMAIN_NAME, Messages.DOMAIN_VERSION) {
    uint8 private constant ENROLLED = 1;
    uint8 private constant RETIRED = 2;

    // A party may not use up the registration numbers of the others: 64 parties * 512 < 2^16.
    uint16 private constant MAX_REGISTRATIONS = 512;

    /// @dev A party, its wallet and its counters in one slot.
    struct Seat {
        address wallet;
        uint16 weight;
        uint32 nonce;
        uint16 nodes; // enrolled now
        uint16 registered; // ever
        string organization;
    }

    struct Record {
        uint64 notBefore;
        uint64 notAfter; // never zero once active
        uint32 version;
        uint64 active; // bit p: party p has at least one node
        uint16 parties;
        uint16 registrations;
        bytes32 termsHash;
        Bylaws bylaws;
        string trustDomain;
        mapping(uint256 party => Seat) seats;
        mapping(uint256 registration => Member) members;
        mapping(uint256 registration => string) nodes;
        mapping(uint256 registration => string) urls;
        mapping(bytes32 spiffeIdHash => uint256) current; // registration + 1
        mapping(address key => bool) used;
        mapping(uint256 version => bytes32) roots; // of version 0: the agreement's id
        mapping(uint256 fourVersions => uint256) activeAt; // 64 bits each
    }

    mapping(bytes32 agreement => Record) private _records;

    /// @inheritdoc IConsortium
    function activate(Agreement calldata agreement_, bytes[] calldata signatures) external returns (bytes32 id) {
        id = Messages.hash(agreement_);
        Record storage record = _records[id];

        // Check: new, coherent, and not over yet
        if (record.notAfter != 0) revert Consortium_AlreadyActive(id);
        Agreements.check(agreement_);
        if (agreement_.notAfter <= block.timestamp) {
            revert Consortium_NotInForce(id, agreement_.notBefore, agreement_.notAfter);
        }

        // Check: signed by every party, and by nobody else
        _checkSigned(agreement_.parties, signatures, _hashTypedDataV4(id));

        // Effect: in force
        record.notBefore = agreement_.notBefore;
        record.notAfter = agreement_.notAfter;
        record.parties = uint16(agreement_.parties.length);
        record.termsHash = Messages.hash(agreement_.terms);
        record.trustDomain = agreement_.trustDomain;
        record.bylaws = agreement_.bylaws;
        for (uint256 i = 0; i < agreement_.parties.length; ++i) {
            Party calldata party = agreement_.parties[i];
            Seat storage seat = record.seats[i];
            seat.wallet = party.wallet;
            seat.weight = party.weight;
            seat.organization = party.organization;
        }

        emit AgreementActivated(id, agreement_.document, record.termsHash, record.parties);
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
        Member member = record.members[retirement.registration];

        // Check: a member now, and the party's own wish, in time
        if (!member.belongs(record.version)) {
            revert Consortium_NotAMember(retirement.registration, record.version);
        }
        if (block.timestamp > retirement.deadline) revert Consortium_DeadlinePassed(retirement.deadline);
        Seat storage seat = record.seats[member.party()];
        _checkWallet(member.party(), seat.wallet, _hashTypedDataV4(Messages.hash(retirement)), walletSignature);

        // Effect: no longer a member in a new snapshot
        bytes32 spiffeIdHash =
            keccak256(bytes(_spiffeId(record, member.party(), record.nodes[retirement.registration])));
        uint32 version = record.version + 1;
        record.members[retirement.registration] = member.leaving(version);
        delete record.current[spiffeIdHash];
        seat.nodes -= 1;
        if (seat.nodes == 0) record.active ^= uint64(1 << uint256(member.party()));
        _nextSnapshot(retirement.agreement, record, RETIRED, retirement.registration, member, spiffeIdHash);

        emit NodeRetired(retirement.agreement, member.party(), retirement.registration, version);
    }

    /// @inheritdoc IConsortium
    function members(bytes32 agreement, uint32 version, uint16[] calldata registrations_)
        external
        view
        returns (address[] memory keys, uint16[] memory parties_)
    {
        Record storage record = _record(agreement);
        if (version > record.version) revert Consortium_UnknownSnapshot(agreement, version);
        keys = new address[](registrations_.length);
        parties_ = new uint16[](registrations_.length);
        for (uint256 i = 0; i < registrations_.length; ++i) {
            Member member = record.members[registrations_[i]];
            if (!member.belongs(version)) revert Consortium_NotAMember(registrations_[i], version);
            keys[i] = member.key();
            parties_[i] = member.party();
        }
    }

    /// @inheritdoc IConsortium
    function latestSnapshot(bytes32 agreement) external view returns (Snapshot memory) {
        Record storage record = _record(agreement);
        return Snapshot(record.version, record.active, _root(agreement, record, record.version));
    }

    /// @inheritdoc IConsortium
    function snapshotAt(bytes32 agreement, uint32 version) external view returns (Snapshot memory) {
        Record storage record = _record(agreement);
        if (version > record.version) revert Consortium_UnknownSnapshot(agreement, version);
        uint64 active = uint64(record.activeAt[version / 4] >> (version % 4 * 64));
        return Snapshot(version, active, _root(agreement, record, version));
    }

    /// @inheritdoc IConsortium
    function registrations(bytes32 agreement) external view returns (Registration[] memory all) {
        Record storage record = _record(agreement);
        all = new Registration[](record.registrations);
        for (uint256 i = 0; i < all.length; ++i) {
            Member member = record.members[i];
            all[i] = Registration(
                member.key(),
                member.party(),
                member.mayLead(),
                member.since(),
                member.until(),
                _spiffeId(record, member.party(), record.nodes[i]),
                record.urls[i]
            );
        }
    }

    /// @inheritdoc IConsortium
    function inForce(bytes32 agreement) external view returns (bool) {
        return _inForce(_records[agreement]);
    }

    /// @inheritdoc IConsortium
    function period(bytes32 agreement) external view returns (uint64 notBefore, uint64 notAfter) {
        Record storage record = _record(agreement);
        return (record.notBefore, record.notAfter);
    }

    /// @inheritdoc IConsortium
    function termsHash(bytes32 agreement) external view returns (bytes32) {
        return _record(agreement).termsHash;
    }

    /// @inheritdoc IConsortium
    function bylaws(bytes32 agreement) external view returns (Bylaws memory) {
        return _record(agreement).bylaws;
    }

    /// @inheritdoc IConsortium
    function hashTerms(Terms calldata terms) external pure returns (bytes32) {
        return Messages.hash(terms);
    }

    /// @inheritdoc IConsortium
    function trustDomain(bytes32 agreement) external view returns (string memory) {
        return _record(agreement).trustDomain;
    }

    /// @inheritdoc IConsortium
    function parties(bytes32 agreement) external view returns (Party[] memory all) {
        Record storage record = _record(agreement);
        all = new Party[](record.parties);
        for (uint256 i = 0; i < all.length; ++i) {
            Seat storage seat = record.seats[i];
            all[i] = Party(seat.organization, seat.wallet, seat.weight);
        }
    }

    /// @inheritdoc IConsortium
    function wallet(bytes32 agreement, uint16 party) external view returns (address) {
        return _seat(_record(agreement), agreement, party).wallet;
    }

    /// @inheritdoc IConsortium
    function partyCount(bytes32 agreement) external view returns (uint16) {
        return _record(agreement).parties;
    }

    /// @inheritdoc IConsortium
    function enrollmentNonce(bytes32 agreement, uint16 party) external view returns (uint256) {
        return _seat(_record(agreement), agreement, party).nonce;
    }

    function _checkEnrollment(
        Record storage record,
        Seat storage seat,
        Enrollment calldata enrollment,
        bytes calldata walletSignature,
        bytes calldata keySignature
    ) private view {
        // Check: in force, in time, and not an older enrollment once more
        if (!_inForce(record)) {
            revert Consortium_NotInForce(enrollment.agreement, record.notBefore, record.notAfter);
        }
        if (block.timestamp > enrollment.deadline) revert Consortium_DeadlinePassed(enrollment.deadline);
        if (enrollment.nonce != seat.nonce) revert Consortium_WrongNonce(seat.nonce, enrollment.nonce);

        // Check: a name and an address that can be written down, and a number left for the party
        if (!Names.isLabel(enrollment.node)) revert Consortium_BadName(enrollment.node);
        if (!Names.isUrl(enrollment.url)) revert Consortium_BadUrl(enrollment.url);
        if (seat.registered == MAX_REGISTRATIONS) {
            revert Consortium_TooManyNodes(enrollment.party, MAX_REGISTRATIONS);
        }

        // Check: the organization wants this key, whoever holds it wants to serve, and it never served before
        bytes32 digest = _hashTypedDataV4(Messages.hash(enrollment));
        _checkWallet(enrollment.party, seat.wallet, digest, walletSignature);
        address signer = Wallets.signer(digest, keySignature);
        if (signer == address(0) || signer != enrollment.key) {
            revert Consortium_NotTheKey(enrollment.key, signer);
        }
        if (record.used[signer]) revert Consortium_KeyAlreadyUsed(signer);
    }

    function _join(Record storage record, Seat storage seat, Enrollment calldata enrollment)
        private
        returns (uint16 registration)
    {
        // Effect: the key, the nonce and a number are used up
        registration = record.registrations;
        record.used[enrollment.key] = true;
        record.registrations = registration + 1;
        seat.registered += 1;
        seat.nonce += 1;

        // Effect: a new member in a new snapshot
        string memory spiffeId = _spiffeId(record, enrollment.party, enrollment.node);
        bytes32 spiffeIdHash = keccak256(bytes(spiffeId));
        uint32 version = _makeRoom(record, seat, enrollment, spiffeIdHash);
        Member member = Members.pack(enrollment.key, enrollment.party, enrollment.mayLead, version);
        record.members[registration] = member;
        record.nodes[registration] = enrollment.node;
        record.urls[registration] = enrollment.url;
        record.current[spiffeIdHash] = uint256(registration) + 1;
        _nextSnapshot(enrollment.agreement, record, ENROLLED, registration, member, spiffeIdHash);

        emit NodeEnrolled(
            enrollment.agreement, enrollment.party, registration, enrollment.key, spiffeId, enrollment.url, version
        );
    }

    /// @dev A node of the same name leaves with the snapshot that the new one comes with; otherwise there is one more.
    function _makeRoom(Record storage record, Seat storage seat, Enrollment calldata enrollment, bytes32 spiffeIdHash)
        private
        returns (uint32 version)
    {
        version = record.version + 1;
        uint256 replaced = record.current[spiffeIdHash];
        if (replaced != 0) {
            record.members[replaced - 1] = record.members[replaced - 1].leaving(version);
            emit NodeRetired(enrollment.agreement, enrollment.party, uint16(replaced - 1), version);
            return version;
        }
        if (seat.nodes == record.bylaws.maxNodes) {
            revert Consortium_TooManyNodes(enrollment.party, record.bylaws.maxNodes);
        }
        if (seat.nodes == 0) record.active ^= uint64(1 << uint256(enrollment.party));
        seat.nodes += 1;
    }

    /// @dev Counts the membership change that was just made, and chains it to the root.
    function _nextSnapshot(
        bytes32 agreement,
        Record storage record,
        uint8 kind,
        uint16 registration,
        Member member,
        bytes32 spiffeIdHash
    ) private {
        uint256 version = record.version;
        bytes32 urlHash = keccak256(bytes(record.urls[registration]));
        bytes32 root = _root(agreement, record, version);
        root = keccak256(
            abi.encode(root, kind, registration, member.party(), member.key(), spiffeIdHash, urlHash, member.mayLead())
        );
        ++version;
        record.version = uint32(version);
        record.roots[version] = root;
        record.activeAt[version / 4] |= uint256(record.active) << (version % 4 * 64);
    }

    function _checkSigned(Party[] calldata parties_, bytes[] calldata signatures, bytes32 digest) private view {
        if (signatures.length > parties_.length) revert Consortium_NotSigned(uint16(parties_.length), address(0));
        for (uint256 i = 0; i < parties_.length; ++i) {
            if (i == signatures.length || !Wallets.signed(parties_[i].wallet, digest, signatures[i])) {
                revert Consortium_NotSigned(uint16(i), parties_[i].wallet);
            }
        }
    }

    function _checkWallet(uint16 party, address wallet_, bytes32 digest, bytes calldata signature) private view {
        if (!Wallets.signed(wallet_, digest, signature)) {
            revert Consortium_NotTheParty(party, Wallets.signer(digest, signature));
        }
    }

    function _record(bytes32 agreement) private view returns (Record storage record) {
        record = _records[agreement];
        if (record.notAfter == 0) revert Consortium_UnknownAgreement(agreement);
    }

    function _seat(Record storage record, bytes32 agreement, uint16 party) private view returns (Seat storage) {
        if (party >= record.parties) revert Consortium_UnknownParty(agreement, party);
        return record.seats[party];
    }

    function _inForce(Record storage record) private view returns (bool) {
        return record.notBefore <= block.timestamp && block.timestamp <= record.notAfter;
    }

    function _root(bytes32 agreement, Record storage record, uint256 version) private view returns (bytes32) {
        return version == 0 ? agreement : record.roots[version];
    }

    function _spiffeId(Record storage record, uint16 party, string memory node) private view returns (string memory) {
        return string.concat("spiffe://", record.trustDomain, "/org/", record.seats[party].organization, "/node/", node);
    }
}
