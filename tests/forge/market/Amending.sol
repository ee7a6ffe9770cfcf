// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../../../contracts/interfaces/IConsortium.sol";
import {Membership} from "./Membership.sol";

/// @dev Agreements are amended: other terms, bylaws and periods, and a sixth hospital; signed at once or one by one, and
/// sometimes not by everybody who has to.
abstract contract Amending is Membership {
    /// @dev An amendment that is signed one by one.
    struct Proposal {
        bytes encoded;
        uint64 signed; // bit p: party p has
    }

    mapping(bytes32 agreement => Proposal) private _proposals;

    function organizationsAmend(uint256 seed) external dice(seed) {
        bytes32 agreement = anyAgreement();
        if (roll(2) != 0 || !consortium.inForce(agreement)) return;
        IConsortium.Agreement memory next = _nextVersion(agreement);
        bytes[] memory all = _signaturesUnder(agreement, next);
        bool tooFew = roll(3) == 0;
        if (tooFew) {
            // Mostly the one who is new, if there is one.
            uint256 missing = roll(3) != 0 ? all.length - 1 : roll(all.length);
            if (consortium.isOut(agreement, uint16(missing))) return;
            all[missing] = sign(STRANGER, this.hashAgreement(next));
        }
        uint32 snapshot = latest(agreement).version;
        try consortium.activate(next, all) {
            did[Deed.Amended] += 1;
            if (tooFew) broken = "an amendment took effect that not all had signed";
            _follow(agreement, next, snapshot);
        } catch {}
    }

    function partiesSignAnAmendment(uint256 seed) external dice(seed) {
        bytes32 agreement = anyAgreement();
        if (!consortium.inForce(agreement)) return;
        while (_onePartySigns(agreement) && roll(3) != 0) {}
    }

    /// @return goesOn whether others have to sign too
    function _onePartySigns(bytes32 agreement) private returns (bool goesOn) {
        Proposal storage proposal = _proposals[agreement];
        if (proposal.encoded.length == 0) _propose(agreement);
        IConsortium.Agreement memory next = abi.decode(proposal.encoded, (IConsortium.Agreement));
        bool overtaken = next.version != consortium.version(agreement) + 1;
        uint16 party = _signerOf(agreement, uint16(next.parties.length), proposal.signed);
        uint32 snapshot = latest(agreement).version;
        bytes memory signature = _signatureUnder(agreement, next, party);
        try consortium.sign(next, party, signature) {
            did[Deed.AmendmentSigned] += 1;
            if (overtaken) broken = "an amendment was signed after another one took effect";
            if (proposal.signed >> party & 1 == 1) broken = "an amendment was signed twice by one party";
            proposal.signed |= uint64(1 << party);
        } catch {
            // Its time is over, a wallet has changed, or another version was faster.
            if (overtaken || roll(6) == 0) _propose(agreement);
            return false;
        }
        if (consortium.version(agreement) != next.version) return true;
        did[Deed.AmendedOneByOne] += 1;
        uint64 needed_ = uint64((1 << next.parties.length) - 1) & ~consortium.out(agreement);
        if (needed_ & ~proposal.signed != 0) broken = "an amendment took effect that not all had signed";
        _follow(agreement, next, snapshot);
    }

    /// @dev Mostly somebody who has to, and has not yet.
    function _signerOf(bytes32 agreement, uint16 parties_, uint64 signed_) private returns (uint16 party) {
        if (roll(6) == 0) return uint16(roll(parties_));
        uint64 done = signed_ | consortium.out(agreement);
        while (party + 1 < parties_ && done >> party & 1 == 1) ++party;
    }

    function _propose(bytes32 agreement) private {
        _proposals[agreement] = Proposal(abi.encode(_nextVersion(agreement)), 0);
    }

    /// @dev What the next version says, by chance; the parties are those there are, with the wallets of now.
    function _nextVersion(bytes32 agreement) private returns (IConsortium.Agreement memory next) {
        next = amendment(agreement, abi.decode(versions[agreement], (IConsortium.Agreement)));
        next.document = keccak256(abi.encode("amendment", roll(type(uint256).max)));
        if (roll(2) == 0) next.notAfter = uint64(vm.getBlockTimestamp() + 20 days + roll(60 days));
        next.parties = consortium.parties(agreement);
        if (next.parties.length < MOST_PARTIES && roll(2) == 0) next = grown(next);
        _changeTerms(next.terms);
        _changeBylaws(next.bylaws, next.parties.length - counted(consortium.out(agreement)));
    }

    function _changeTerms(IConsortium.Terms memory terms_) private {
        terms_.licensePrice = uint128(roll(2e18));
        terms_.maxRounds = uint32(5 + roll(3));
        terms_.stallTime = uint32(300 + 300 * roll(3));
        terms_.probation = uint32(roll(2) * 1 hours);
        terms_.patience = uint32(roll(2) * 3);
        terms_.strikes = uint8(1 + roll(2));
        terms_.budgetRule = uint8(roll(2));
        terms_.payout = uint8(roll(2));
    }

    function _changeBylaws(IConsortium.Bylaws memory bylaws_, uint256 members) private {
        bylaws_.disputeTime = uint32(1 days + roll(1 days));
        bylaws_.walletDelay = uint32(2 days + roll(2 days));
        bylaws_.penaltyBips = uint16(1000 + roll(9000));
        bylaws_.finderBips = uint16(roll(5001));
        bylaws_.votes = uint16(roll(2) * (members / 2 + 1));
        if (roll(4) == 0) bylaws_.minStake = uint128(roll(3) * MIN_STAKE / 2);
    }

    function _signaturesUnder(bytes32 agreement, IConsortium.Agreement memory next)
        private
        view
        returns (bytes[] memory all)
    {
        all = new bytes[](next.parties.length);
        for (uint16 p = 0; p < all.length; ++p) {
            // Who is out is not asked.
            if (p >= consortium.partyCount(agreement) || !consortium.isOut(agreement, p)) {
                all[p] = _signatureUnder(agreement, next, p);
            }
        }
    }

    function _signatureUnder(bytes32 agreement, IConsortium.Agreement memory next, uint16 party)
        private
        view
        returns (bytes memory)
    {
        uint256 key = party < consortium.partyCount(agreement) ? walletOf(agreement, party) : WALLET + party;
        return signatureOf(next, key);
    }

    /// @dev Who has joined mostly wants to take part.
    function _welcome(bytes32 agreement, uint16 party) private {
        did[Deed.Joined] += 1;
        if (roll(4) == 0) return;
        _enroll(agreement, party);
        if (consortium.bylaws(agreement).minStake != 0) deposit(agreement, party, 2 * MIN_STAKE);
    }

    /// @dev What an amendment changes, and what it must not.
    function _follow(bytes32 agreement, IConsortium.Agreement memory next, uint32 snapshot) private {
        IConsortium.Agreement memory before = abi.decode(versions[agreement], (IConsortium.Agreement));
        versions[agreement] = abi.encode(next);
        termsOf[agreement] = next.terms;
        delete _proposals[agreement];
        if (consortium.version(agreement) != before.version + 1) broken = "a version was skipped";
        if (consortium.agreementHash(agreement) != this.hashAgreement(next)) broken = "another version is in force";
        if (latest(agreement).version != snapshot + 1) broken = "an amendment is one change of the membership";
        if (next.bylaws.minStake != before.bylaws.minStake) {
            // Another minimum shows once somebody asks for it.
            stakes.recount(agreement);
            did[Deed.Recounted] += 1;
        }
        if (next.parties.length > before.parties.length) _welcome(agreement, uint16(before.parties.length));
    }
}
