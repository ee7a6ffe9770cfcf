// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IClaims} from "../../contracts/interfaces/IClaims.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {ITraining} from "../../contracts/interfaces/ITraining.sol";
import {Swarm} from "./Swarm.sol";

/// @dev Two runs of two agreements of different size, and everything that anybody may do to them in any order.
/// What must never succeed is tried too; `broken` tells when it did.
contract Market is Swarm {
    uint256 internal constant RUNS = 2;

    bytes32[RUNS] public runs;
    uint16[RUNS] public parties;
    mapping(bytes32 runId => mapping(uint256 round => uint256)) public seals;
    mapping(bytes32 runId => uint256) public vested;
    uint256 public paid;
    uint256 public returned;
    string public broken;

    ITraining.Attestation private _last;
    bytes private _lastSignatures;
    uint16[] private _lastSigners;

    function setUp() public override {
        super.setUp();
        for (uint16 r = 0; r < RUNS; ++r) {
            parties[r] = 3 + 2 * r;
            runs[r] = createRun(gathered(parties[r]));
        }
    }

    function books() external view returns (IRewards) {
        return rewards;
    }

    function referee() external view returns (ITraining) {
        return training;
    }

    function sponsorFunds(uint256 r, uint96 amount) external {
        bytes32 runId = runs[r % RUNS];
        if (rewards.pool(runId).closed) return;
        fund(runId, 1 + amount % 1e24);
    }

    function quorumSeals(uint256 r, uint64 loss, uint256 seed, bool void_, uint256 more) external {
        r %= RUNS;
        bytes32 runId = runs[r];
        ITraining.Run memory run = training.run(runId);
        if (run.state != ITraining.State.Open) return;
        // Rarely down to the target, so that runs live on for a while.
        loss = seed % 16 == 0 ? loss : TARGET + 1 + loss % (CEILING - TARGET);
        bytes memory row = run.round == 0 || void_ ? bytes("") : randomRow(parties[r], seed);
        uint16[] memory signers = first(parties[r] / 2 + 1 + more % (parties[r] - parties[r] / 2));
        _last = attestation(runId, loss, row);
        _lastSigners = signers;
        _lastSignatures = signed(_last, signers);
        training.seal(_last, signers, _lastSignatures);

        seals[runId][run.round] += 1;
        if (row.length != 0) {
            run = training.run(runId);
            vested[runId] = rewards.vested(runId, run.initialLoss - run.bestLoss, run.initialLoss - TARGET);
        }
    }

    function somebodySealsAgain() external {
        if (_lastSigners.length == 0) return;
        try training.seal(_last, _lastSigners, _lastSignatures) {
            broken = "a round was sealed twice";
        } catch {}
    }

    function aMinoritySeals(uint256 r, uint64 loss) external {
        r %= RUNS;
        if (training.run(runs[r]).state != ITraining.State.Open) return;
        ITraining.Attestation memory attested = attestation(runs[r], loss, "");
        uint16[] memory signers = first(parties[r] / 2);
        try training.seal(attested, signers, signed(attested, signers)) {
            broken = "a minority sealed";
        } catch {}
    }

    function somebodyPostsAClaim(uint256 r, uint16 party, bool twice) external {
        r %= RUNS;
        party %= parties[r];
        IClaims.Claim memory wanted = claimOf(runs[r], party, address(0xBA27));
        bytes memory signature = sign(WALLET + party, digestOf(address(rewards), this.hashClaim(wanted)));
        try rewards.claim(wanted, signature) returns (uint256 amount) {
            paid += amount;
        } catch {
            return;
        }
        if (!twice) return;
        try rewards.claim(wanted, signature) {
            broken = "a claim was paid twice";
        } catch {}
    }

    function aWalletClaims(uint256 r, uint16 party, uint256 as_) external {
        r %= RUNS;
        (party, as_) = (party % parties[r], as_ % parties[r]);
        vm.prank(vm.addr(WALLET + as_));
        try rewards.claimTo(only(runs[r]), party, address(0xBA27)) returns (uint256 amount) {
            if (party != as_) broken = "somebody claimed for another";
            paid += amount;
        } catch {}
    }

    function somebodyRefunds(uint256 r) external {
        bytes32 runId = runs[r % RUNS];
        try rewards.refund(runId) returns (uint256 amount) {
            if (training.run(runId).state != ITraining.State.Finished) broken = "refunded before the end";
            returned += amount;
        } catch {}
    }

    function somebodyReopens(uint256 r, uint256 later) external {
        vm.warp(vm.getBlockTimestamp() + later % 1000);
        try training.reopen(runs[r % RUNS]) {} catch {}
    }

    function somebodyCloses(uint256 r, bool afterTheEnd) external {
        bytes32 runId = runs[r % RUNS];
        (, uint64 notAfter) = consortium.period(training.run(runId).agreement);
        // Only now and then: an agreement that is over ends both runs.
        if (afterTheEnd && r % 64 == 0) vm.warp(notAfter + 1);
        try training.close(runId) {
            if (vm.getBlockTimestamp() <= notAfter) broken = "closed while in force";
        } catch {}
    }

    function membersChange(uint256 r, uint16 party) external {
        r %= RUNS;
        party %= parties[r];
        bytes32 agreement = training.run(runs[r]).agreement;
        if (consortium.enrollmentNonce(agreement, party) < 30 && consortium.inForce(agreement)) {
            enroll(agreement, party, "n2");
        }
    }

    /// @dev A metered row of all parties; some get nothing, and not everything is given away.
    function randomRow(uint16 count, uint256 seed) internal pure returns (bytes memory row) {
        uint256 left = 10_000;
        for (uint16 p = 0; p < count; ++p) {
            uint16 bips = uint16(uint256(keccak256(abi.encode(seed, p))) % (left + 1));
            left -= bips;
            row = bytes.concat(row, share(p, bips));
        }
    }
}
