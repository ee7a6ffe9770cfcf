// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {ICouncil} from "../../contracts/interfaces/ICouncil.sol";
import {Messages} from "../../contracts/libraries/Messages.sol";
import {Swarm} from "./Swarm.sol";

/// @dev A wallet that is a contract, and accepts what its owner signed.
contract ContractWallet is IERC1271 {
    address private immutable _owner;

    constructor(address owner) {
        _owner = owner;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        if (signature.length != 65) return 0;
        (bytes32 r, bytes32 s) = abi.decode(signature[:64], (bytes32, bytes32));
        return ecrecover(digest, uint8(signature[64]), r, s) == _owner ? this.isValidSignature.selector : bytes4(0);
    }
}

/// @dev Organizations that leave, vote, amend, and change their wallets. A party signs with WALLET + p, or with the key
/// that a test has given it since.
abstract contract Voting is Swarm {
    uint256 internal constant STRANGER = 0xC0000;
    uint256 internal constant SPARE = 0xD0000; // SPARE + p: another wallet of party p

    ICouncil internal council;
    mapping(uint256 party => uint256) private _keys;

    function setUp() public virtual override {
        super.setUp();
        council = consortium.council();
    }

    function redeploy() internal {
        deploy();
        council = consortium.council();
    }

    function keyOf(uint256 party) internal view returns (uint256) {
        return _keys[party] == 0 ? WALLET + party : _keys[party];
    }

    function useKey(uint256 party, uint256 key) internal {
        _keys[party] = key;
    }

    function inState(bytes32 id, IConsortium.State expected) internal view {
        same(uint256(consortium.state(id)), uint256(expected));
    }

    // Leaving

    function leavingBy(bytes32 id, uint16 party, uint256 key)
        internal
        view
        returns (IConsortium.Leaving memory leaving, bytes memory signature)
    {
        leaving = IConsortium.Leaving(id, party, soon());
        signature = sign(key, digestOf(address(consortium), this.hashLeaving(leaving)));
    }

    function leave_(bytes32 id, uint16 party) internal {
        (IConsortium.Leaving memory leaving, bytes memory signature) = leavingBy(id, party, keyOf(party));
        consortium.leaveAgreement(leaving, signature);
    }

    // Votes

    function motion(bytes32 id, ICouncil.Action action, uint16 party, address wallet)
        internal
        view
        returns (ICouncil.Motion memory)
    {
        return ICouncil.Motion(id, action, party, wallet, council.nonce(id), soon());
    }

    function motion(bytes32 id, ICouncil.Action action) internal view returns (ICouncil.Motion memory) {
        return motion(id, action, 0, address(0));
    }

    function ballots(ICouncil.Motion memory wanted, uint16[] memory voters) internal view returns (bytes[] memory all) {
        return ballots(digestOf(address(council), this.hashMotion(wanted)), voters);
    }

    function ballots(bytes32 digest, uint16[] memory voters) internal view returns (bytes[] memory all) {
        all = new bytes[](voters.length);
        for (uint256 i = 0; i < all.length; ++i) {
            all[i] = sign(keyOf(voters[i]), digest);
        }
    }

    function decide(ICouncil.Motion memory wanted, uint16[] memory voters) internal {
        council.decide(wanted, voters, ballots(wanted, voters));
    }

    function refuseMotion(ICouncil.Motion memory wanted, uint16[] memory voters, bytes memory reason) internal {
        bytes[] memory all = ballots(wanted, voters);
        expect(reason);
        council.decide(wanted, voters, all);
    }

    /// @dev The first so many of those who may vote.
    function some(ICouncil.Motion memory wanted, uint256 count) internal view returns (uint16[] memory all) {
        (uint64 voting,) = council.electorate(wanted.agreement, wanted.action, wanted.party);
        all = new uint16[](count);
        uint256 found = 0;
        for (uint16 p = 0; found < count; ++p) {
            if (voting >> p & 1 == 1) all[found++] = p;
        }
    }

    function needed(ICouncil.Motion memory wanted) internal view returns (uint256 organizations) {
        (, organizations) = council.electorate(wanted.agreement, wanted.action, wanted.party);
    }

    /// @dev Carried by as many as it needs.
    function carry(ICouncil.Motion memory wanted) internal {
        decide(wanted, some(wanted, needed(wanted)));
    }

    function carry(bytes32 id, ICouncil.Action action) internal {
        carry(motion(id, action));
    }

    function remove(bytes32 id, uint16 party) internal {
        carry(motion(id, ICouncil.Action.Remove, party, address(0)));
    }

    function replaceWallet(bytes32 id, uint16 party, address wallet) internal {
        carry(motion(id, ICouncil.Action.ReplaceWallet, party, wallet));
    }

    // Wallets

    function move(bytes32 id, uint16 party, address wallet) internal view returns (ICouncil.Move memory) {
        return ICouncil.Move(id, party, wallet, council.walletNonce(id, party), soon());
    }

    function moveTo(bytes32 id, uint16 party, uint256 key) internal {
        ICouncil.Move memory wanted = move(id, party, vm.addr(key));
        bytes32 digest = digestOf(address(council), this.hashMove(wanted));
        council.moveWallet(wanted, sign(keyOf(party), digest), sign(key, digest));
        useKey(party, key);
    }

    function veto(bytes32 id, uint16 party, address wallet) internal view returns (ICouncil.Veto memory) {
        return ICouncil.Veto(id, party, wallet, council.walletNonce(id, party), soon());
    }

    function vetoBy(ICouncil.Veto memory wanted, uint256 key) internal view returns (bytes memory) {
        return sign(key, digestOf(address(council), this.hashVeto(wanted)));
    }

    // Amendments

    /// @dev The next version of what `id` says now: another document, everything else as it was in `agreement`.
    function amendment(bytes32 id, IConsortium.Agreement memory agreement)
        internal
        view
        returns (IConsortium.Agreement memory next)
    {
        next = copy(agreement);
        next.previous = id;
        next.version = consortium.version(id) + 1;
        next.document = keccak256(abi.encode("document", next.version));
    }

    function copy(IConsortium.Agreement memory agreement) internal pure returns (IConsortium.Agreement memory) {
        return abi.decode(abi.encode(agreement), (IConsortium.Agreement));
    }

    /// @dev With one more party, who signs with WALLET + its number.
    function grown(IConsortium.Agreement memory agreement) internal pure returns (IConsortium.Agreement memory next) {
        next = copy(agreement);
        uint256 count = agreement.parties.length;
        next.parties = new IConsortium.Party[](count + 1);
        for (uint256 p = 0; p < count; ++p) {
            next.parties[p] = agreement.parties[p];
        }
        next.parties[count] = IConsortium.Party(organization(count), vm.addr(WALLET + count), 1);
    }

    function signatureOf(IConsortium.Agreement memory agreement, uint256 key) internal view returns (bytes memory) {
        return sign(key, digestOf(address(consortium), this.hashAgreement(agreement)));
    }

    function allSign(IConsortium.Agreement memory agreement) internal view returns (bytes[] memory all) {
        all = new bytes[](agreement.parties.length);
        for (uint256 p = 0; p < all.length; ++p) {
            all[p] = signatureOf(agreement, keyOf(p));
        }
    }

    function amend(IConsortium.Agreement memory agreement) internal returns (bytes32 id) {
        id = consortium.activate(agreement, allSign(agreement));
        termsOf[id] = agreement.terms;
    }

    function signOne(IConsortium.Agreement memory agreement, uint16 party) internal returns (bytes32) {
        return consortium.sign(agreement, party, signatureOf(agreement, keyOf(party)));
    }

    function refuseAmendment(IConsortium.Agreement memory agreement, bytes memory reason) internal {
        bytes[] memory all = allSign(agreement);
        expect(reason);
        consortium.activate(agreement, all);
        expect(reason);
        consortium.sign(agreement, 0, all[0]);
    }

    // Snapshots

    /// @dev The root after a change that is not about a node.
    function linked(bytes32 root, uint8 kind, uint16 party) internal pure returns (bytes32) {
        return keccak256(abi.encode(root, kind, uint16(0), party, address(0), bytes32(0), bytes32(0), false));
    }

    function latest(bytes32 id) internal view returns (IConsortium.Snapshot memory) {
        return consortium.latestSnapshot(id);
    }

    function hashLeaving(IConsortium.Leaving calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashMotion(ICouncil.Motion calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashMove(ICouncil.Move calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }

    function hashVeto(ICouncil.Veto calldata message) external pure returns (bytes32) {
        return Messages.hash(message);
    }
}
