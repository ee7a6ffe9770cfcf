// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPresence} from "../../../contracts/interfaces/IPresence.sol";
import {IStakes} from "../../../contracts/interfaces/IStakes.sol";
import {ITraining} from "../../../contracts/interfaces/ITraining.sol";
import {Amending} from "./Amending.sol";

/// @dev Stakes, what is lost of them, and who is said to be absent.
abstract contract Bonds is Amending {
    function somebodyDeposits(uint256 seed) external dice(seed) {
        bytes32 agreement = anyAgreement();
        deposit(agreement, anyParty(agreement), 1 + roll(3 * MIN_STAKE));
        did[Deed.Deposited] += 1;
    }

    function aPartyGivesNotice(uint256 seed) external dice(seed) {
        bytes32 agreement = anyAgreement();
        uint16 party = anyParty(agreement);
        uint128 locked = stakes.stake(agreement, party).locked;
        IStakes.Unlocking memory wanted = unlocking(agreement, party, uint128(roll(uint256(locked) + 2)), BANK);
        bytes memory signature = sign(walletOf(agreement, party), digestOf(address(stakes), this.hashUnlocking(wanted)));
        try stakes.unlock(wanted, signature) {
            did[Deed.Unlocked] += 1;
            if (wanted.amount > locked) broken = "more under notice than there was";
            if (stakes.stake(agreement, party).leavesAt < _outlasting(agreement)) {
                broken = "stake leaves before the longest round and the dispute are over";
            }
        } catch {}
    }

    function somebodyWithdraws(uint256 seed) external dice(seed) {
        bytes32 agreement = anyAgreement();
        uint16 party = anyParty(agreement);
        IStakes.Stake memory stake = stakes.stake(agreement, party);
        try stakes.withdraw(agreement, party) returns (uint256 amount) {
            did[Deed.Withdrawn] += 1;
            if (vm.getBlockTimestamp() <= stake.leavesAt) broken = "withdrawn too early";
            if (amount != stake.leaving) broken = "withdrawn another amount than was under notice";
        } catch {}
    }

    function aNodeSignsTwoUpdates(uint256 seed) external dice(seed) {
        (bytes32 runId, uint16 signer) = _suspect();
        bool honest = roll(3) == 0;
        IStakes.Update memory a = update(runId, signer, "a");
        IStakes.Update memory b = update(runId, signer, honest ? "a" : "b");
        bytes memory signatureA = node(runId, signer, this.hashUpdate(a));
        bytes memory signatureB = node(runId, signer, this.hashUpdate(b));
        for (uint256 times = 0; times < 2; ++times) {
            vm.prank(FINDER);
            try stakes.slashUpdates(address(training), signer, a, b, signatureA, signatureB) {
                _slashed(Deed.SlashedForUpdates, honest, times);
            } catch {}
        }
    }

    function aLeaderSignsTwoRosters(uint256 seed) external dice(seed) {
        (bytes32 runId, uint16 signer) = _suspect();
        uint32 term = uint32(roll(3));
        // Who leads in two terms names two rosters, and may.
        bool honest = roll(3) == 0;
        IStakes.Roster memory a = roster(runId, term, 3, "a");
        IStakes.Roster memory b = roster(runId, honest ? term + 1 : term, 3, "b");
        bytes memory signatureA = node(runId, signer, this.hashRoster(a));
        bytes memory signatureB = node(runId, signer, this.hashRoster(b));
        vm.prank(FINDER);
        try stakes.slashRosters(address(training), signer, a, b, signatureA, signatureB) {
            _slashed(Deed.SlashedForRosters, honest, 0);
        } catch {}
    }

    function aNodeSignsTwoAttestations(uint256 seed) external dice(seed) {
        (bytes32 runId, uint16 signer) = _suspect();
        bool honest = roll(3) == 0;
        ITraining.Attestation memory a = attestation(runId, TARGET + 1, "");
        ITraining.Attestation memory b = attestation(runId, TARGET + 2, "");
        // What is signed of two histories is no contradiction: one of them was undone.
        if (honest) b.prev = keccak256("undone");
        bytes memory signatureA = node(runId, signer, this.hashAttestation(a));
        bytes memory signatureB = node(runId, signer, this.hashAttestation(b));
        vm.prank(FINDER);
        try stakes.slashAttestations(address(training), signer, a, b, signatureA, signatureB) {
            _slashed(Deed.SlashedForAttestations, honest, 0);
        } catch {}
    }

    function somebodyCollects(uint256 seed) external dice(seed) {
        try stakes.collect(roll(2) == 0 ? FINDER : CHARITY) {
            did[Deed.Collected] += 1;
        } catch {}
    }

    function aMemberSuspects(uint256 seed) external dice(seed) {
        bytes32 agreement = anyAgreement();
        uint16 by = uint16(roll(registrations[agreement]));
        IPresence.Suspicion memory raised = suspicion(agreement, anyParty(agreement), by);
        bytes memory signature = sign(nodeKey[agreement][by], digestOf(address(presence), this.hashSuspicion(raised)));
        uint256 value = presence.ANSWER_GAS() * 1 gwei + roll(1 ether);
        try presence.suspect{value: value}(raised, signature) {
            did[Deed.Suspected] += 1;
            if (raised.party == partyOf(agreement, by)) broken = "suspected itself";
        } catch {}
    }

    function somebodyAnswers(uint256 seed) external dice(seed) {
        bytes32 agreement = anyAgreement();
        uint16 by = _missed(agreement);
        uint16 party = partyOf(agreement, by);
        bool byWallet = roll(2) == 0;
        IPresence.Alive memory said = answer(agreement, party, by);
        uint256 key = byWallet ? walletOf(agreement, party) : nodeKey[agreement][by];
        bytes memory signature = sign(key, digestOf(address(presence), this.hashAlive(said)));
        bool open = presence.suspicion(agreement, party).open;
        vm.prank(FINDER);
        try presence.alive(said, byWallet, signature) {
            did[open ? Deed.Answered : Deed.Returned] += 1;
        } catch {}
    }

    /// @dev A registration of somebody who is suspected or left out, if there is one, and mostly a present one.
    function _missed(bytes32 agreement) private returns (uint16) {
        uint16[] memory there = nodesIn(agreement, latest(agreement).version, ALL_PARTIES);
        for (uint256 i = 0; i < there.length && roll(8) != 0; ++i) {
            uint16 party = partyOf(agreement, there[i]);
            bool away = presence.away(agreement) >> party & 1 == 1;
            if (away || presence.suspicion(agreement, party).open) return there[i];
        }
        return uint16(roll(registrations[agreement]));
    }

    function somebodyLeavesOut(uint256 seed) external dice(seed) {
        bytes32 agreement = anyAgreement();
        for (uint16 p = 0; p < MOST_PARTIES; ++p) {
            uint256 answerBy = presence.suspicion(agreement, p).answerBy;
            try presence.leaveOut(agreement, p) {
                did[Deed.LeftOut] += 1;
                if (vm.getBlockTimestamp() <= answerBy) broken = "left out before its time was over";
            } catch {}
        }
    }

    function somebodyCollectsCoins(uint256 seed) external dice(seed) {
        try presence.collect(roll(2) == 0 ? FINDER : address(this)) {
            did[Deed.CoinsCollected] += 1;
        } catch {}
    }

    /// @dev Until then evidence about any round that is open now may come [unix s].
    function _outlasting(bytes32 agreement) private view returns (uint256) {
        uint256 longest;
        for (uint256 i = 0; i < runsOf[agreement].length; ++i) {
            uint32 stallTime = deals[runsOf[agreement][i]].stallTime;
            if (stallTime > longest) longest = stallTime;
        }
        return vm.getBlockTimestamp() + longest + consortium.bylaws(agreement).disputeTime;
    }

    function _suspect() private returns (bytes32 runId, uint16 signer) {
        bytes32 agreement = anyAgreement();
        runId = anyRun(agreement);
        signer = uint16(roll(registrations[agreement]));
    }

    function _slashed(Deed deed, bool honest, uint256 times) private {
        did[deed] += 1;
        if (honest) broken = "an honest node was slashed";
        if (times != 0) broken = "one contradiction was punished twice";
    }
}
