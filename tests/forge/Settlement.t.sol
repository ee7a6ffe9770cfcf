// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rewards} from "../../contracts/Rewards.sol";
import {Roles} from "../../contracts/Roles.sol";
import {SwarmToken} from "../../contracts/SwarmToken.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {Swarm} from "./Swarm.sol";

/// @dev Two accounts share a slot: whatever is credited, none spills into the other.
contract SettlementTest is Swarm {
    Rewards internal pools;
    bytes32 internal agreement;
    bytes32 internal constant RUN = keccak256("run");

    function setUp() public override {
        super.setUp();
        agreement = activate(draft(8));
        // This test stands where Training stands.
        pools = new Rewards(token, consortium);
        pools.open(RUN, agreement, SPONSOR, false, 0);
    }

    function testFuzz_creditsExactlyWhatTheRowSays(uint128 funds, uint16[8] memory raw, uint64[3] memory gains) public {
        vm.assume(funds != 0 && funds <= 1e27);
        vm.prank(TREASURY);
        SwarmToken(address(token)).mint(address(this), funds);
        token.approve(address(pools), funds);
        pools.fund(RUN, funds);

        bytes memory row;
        uint256 left = 10_000;
        for (uint16 p = 0; p < 8; ++p) {
            uint16 bips = uint16(raw[p] % (left + 1));
            left -= bips;
            row = bytes.concat(row, share(p, bips));
        }

        uint256[8] memory expected;
        uint256 credited;
        uint256 best;
        for (uint256 g = 0; g < gains.length; ++g) {
            uint256 gain = gains[g] % 1000;
            if (gain > best) best = gain;
            uint256 available = uint256(funds) * best / 999 - credited;
            uint256 now_ = pools.settle(RUN, best, 999, row);
            uint256 sum;
            for (uint256 p = 0; p < 8; ++p) {
                uint256 amount = available * bipsOf(row, p) / 10_000;
                expected[p] += amount;
                sum += amount;
                same(pools.account(RUN, uint16(p)).accrued, expected[p]);
            }
            same(now_, sum);
            credited += sum;
            same(pools.pool(RUN).credited, credited);
        }
        so(credited <= funds);
    }

    function testFuzz_creditsExactlyWhatThePartsSay(uint88 funds, uint64[5] memory raw, uint64 more) public {
        vm.assume(funds != 0);
        fund_(funds);
        // Parties 0, 2, 3, 5 and 7; together no more than all.
        uint16[5] memory parties = [uint16(0), 2, 3, 5, 7];
        uint256[] memory parts = new uint256[](5);
        uint256 divisor = uint256(more) + 1;
        for (uint256 i = 0; i < 5; ++i) {
            parts[i] = uint256(parties[i]) << 240 | raw[i];
            divisor += raw[i];
        }
        uint256 credited = pools.settleParts(RUN, 1, 3, parts, divisor);
        uint256 sum;
        for (uint256 i = 0; i < 5; ++i) {
            uint256 amount = uint256(funds) / 3 * raw[i] / divisor;
            same(pools.account(RUN, parties[i]).accrued, amount);
            sum += amount;
        }
        same(credited, sum);
        same(pools.pool(RUN).credited, sum);
        same(pools.account(RUN, 1).accrued, 0);
    }

    function test_sharesAndPartsOfTheSameSizePayTheSame() public {
        fund_(1_000_003);
        uint256 once = pools.settle(RUN, 1, 7, bytes.concat(share(1, 3333), share(2, 3333), share(3, 3333)));
        uint128[3] memory before =
            [pools.account(RUN, 1).accrued, pools.account(RUN, 2).accrued, pools.account(RUN, 3).accrued];
        pools.open(keccak256("twin"), agreement, SPONSOR, false, 0);
        fund_(keccak256("twin"), 1_000_003);
        uint256[] memory parts = new uint256[](3);
        for (uint256 i = 0; i < 3; ++i) {
            parts[i] = (i + 1) << 240 | 3333;
        }
        same(pools.settleParts(keccak256("twin"), 1, 7, parts, 10_000), once);
        for (uint16 i = 0; i < 3; ++i) {
            same(pools.account(keccak256("twin"), i + 1).accrued, before[i]);
        }
    }

    function test_neverCreditsMoreThanThereIs() public {
        fund_(20_000);
        bytes memory reason = abi.encodeWithSelector(IRewards.Rewards_BadSplit.selector, 20_000, 20_002);
        expect(reason);
        pools.settle(RUN, 1, 1, bytes.concat(share(0, 5000), share(1, 5001)));
        uint256[] memory parts = new uint256[](2);
        (parts[0], parts[1]) = (10_000, uint256(1) << 240 | 10_002);
        expect(reason);
        pools.settleParts(RUN, 1, 1, parts, 20_000);
    }

    function test_whatIsVestedLessIsNotTakenBack() public {
        fund_(1000);
        same(pools.settle(RUN, 2, 4, share(0, 10_000)), 500);
        same(pools.settle(RUN, 1, 4, share(0, 10_000)), 0);
        same(pools.settle(RUN, 2, 4, share(0, 10_000)), 0);
        same(pools.account(RUN, 0).accrued, 500);
    }

    function test_creditsNothingWhereNobodyGetsAnything() public {
        fund_(1000);
        same(pools.settle(RUN, 1, 1, bytes.concat(share(0, 0), share(1, 0))), 0);
        same(pools.settleParts(RUN, 1, 1, new uint256[](0), 1), 0);
        same(pools.pool(RUN).credited, 0);
    }

    function test_creditsNothingOnceClosed() public {
        fund_(1000);
        pools.settle(RUN, 1, 2, share(0, 10_000));
        pools.close(RUN);
        // What is left may be on its way to the sponsor.
        same(pools.refund(RUN), 500);
        expect(abi.encodeWithSelector(IRewards.Rewards_Closed.selector, RUN));
        pools.settle(RUN, 1, 1, share(0, 10_000));
        expect(abi.encodeWithSelector(IRewards.Rewards_Closed.selector, RUN));
        pools.settleParts(RUN, 1, 1, new uint256[](0), 1);
    }

    function test_aPoolRemembersWhatItWasOpenedWith() public {
        vm.warp(START + 5);
        pools.open(keccak256("another"), agreement, SPONSOR, true, 77);
        IRewards.Pool memory pool = pools.pool(keccak256("another"));
        so(pool.atEnd && !pool.closed);
        same(pool.probation, 77);
        same(pool.openedAt, START + 5);
        same(pool.parties, 8);
        same(pool.agreement, agreement);
        same(pool.sponsor, SPONSOR);
    }

    function fund_(uint256 amount) internal {
        fund_(RUN, amount);
    }

    function fund_(bytes32 run, uint256 amount) internal {
        vm.prank(TREASURY);
        SwarmToken(address(token)).mint(address(this), amount);
        token.approve(address(pools), amount);
        pools.fund(run, amount);
    }

    function test_theLargestPoolFits() public {
        pools =
            new Rewards(new SwarmToken("Big", "BIG", type(uint256).max, address(new Roles(address(this)))), consortium);
        pools.open(RUN, agreement, SPONSOR, false, 0);
        uint256 most = (uint256(1) << 120) - 1;
        SwarmToken big = SwarmToken(address(pools.token()));
        big.mint(address(this), type(uint256).max);
        big.approve(address(pools), type(uint256).max);
        expect(abi.encodeWithSelector(IRewards.Rewards_BadAmount.selector, uint256(1) << 120));
        pools.fund(RUN, uint256(1) << 120);
        pools.fund(RUN, most);
        expect(abi.encodeWithSelector(IRewards.Rewards_BadAmount.selector, 1));
        pools.fund(RUN, 1);
        pools.settle(RUN, type(uint64).max, type(uint64).max, bytes.concat(share(0, 1), share(1, 9999)));
        same(pools.account(RUN, 0).accrued, most / 10_000);
        same(pools.account(RUN, 1).accrued, most * 9999 / 10_000);
    }

    function bipsOf(bytes memory row, uint256 p) internal pure returns (uint256) {
        return uint256(uint8(row[4 * p + 2])) << 8 | uint8(row[4 * p + 3]);
    }
}
