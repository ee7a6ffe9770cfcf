// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Capped} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Capped.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Roles} from "../../contracts/Roles.sol";
import {SwarmToken} from "../../contracts/SwarmToken.sol";
import {IRewards} from "../../contracts/interfaces/IRewards.sol";
import {Swarm} from "./Swarm.sol";

contract SwarmTokenTest is Swarm {
    SwarmToken internal reward;

    function setUp() public override {
        super.setUp();
        reward = SwarmToken(address(token));
    }

    function test_saysWhatItIs() public view {
        same(reward.name(), "Swarm Reward");
        same(reward.symbol(), "SWARM");
        same(reward.decimals(), 18);
        same(reward.cap(), 1e27);
        same(Roles(reward.authority()).MINTER(), 1);
        same(reward.totalSupply(), 0);
        (, string memory domain, string memory version,,,,) = reward.eip712Domain();
        same(domain, "Swarm Learning");
        same(version, "1");
    }

    function test_onlyWhoMayMints() public {
        expect(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(this)));
        reward.mint(address(this), 1);
        vm.prank(TREASURY);
        reward.mint(address(this), 1);
        same(reward.balanceOf(address(this)), 1);
    }

    function test_neverExceedsItsCap() public {
        vm.prank(TREASURY);
        reward.mint(address(this), 1e27);
        expect(abi.encodeWithSelector(ERC20Capped.ERC20ExceededCap.selector, 1e27 + 1, 1e27));
        vm.prank(TREASURY);
        reward.mint(address(this), 1);
    }

    function test_needsAManager() public {
        expect(abi.encodeWithSelector(IAccessManaged.AccessManagedInvalidAuthority.selector, TREASURY));
        new SwarmToken("Swarm Reward", "SWARM", 1, TREASURY);
    }

    function test_itsNameMayBeLong() public {
        new SwarmToken("The Reward Token of the Consortium of Hospitals", "LONG", 1, address(new Roles(TREASURY)));
    }
}

/// @dev Keeps a tenth of every transfer.
contract TollToken is ERC20("Toll", "TOLL") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function _update(address from, address to, uint256 value) internal override {
        uint256 toll = from == address(0) ? 0 : value / 10;
        super._update(from, to, value - toll);
        if (toll != 0) super._update(from, address(0xdead), toll);
    }
}

/// @dev Hands control to whoever sends or receives.
contract CallingToken is ERC20("Calling", "CALL") {
    bytes public call;
    address public target;
    bytes4 public refused;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function arm(address target_, bytes calldata call_) external {
        (target, call, refused) = (target_, call_, bytes4(0));
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (target != address(0)) {
            (bool done, bytes memory reason) = target.call(call);
            refused = done ? bytes4(0) : bytes4(reason);
        }
    }
}

contract OtherTokensTest is Swarm {
    function test_aTollIsTakenFromTheFunderNotFromTheOthers() public {
        TollToken toll = new TollToken();
        token = toll;
        deploy();
        bytes32 runId = createRun(gathered(3));
        toll.mint(address(this), 1000);
        toll.approve(address(rewards), 1000);
        same(rewards.fund(runId, 1000), 900);
        same(rewards.pool(runId).funded, 900);
        same(toll.balanceOf(address(rewards)), 900);
    }

    function test_aTokenThatCallsBackGetsNothingTwice() public {
        CallingToken calling = new CallingToken();
        token = calling;
        deploy();
        bytes32 runId = createRun(gathered(3));
        calling.mint(address(this), 1000);
        calling.approve(address(rewards), 1000);

        // While one payment or funding is under way, no other begins.
        bytes memory again = abi.encodeCall(IRewards.fund, (runId, 1));
        calling.arm(address(rewards), again);
        same(rewards.fund(runId, 1000), 1000);
        so(wasRefused(calling));

        sealRound(runId, CEILING, "", 3);
        sealRound(runId, 0.4e9, equalRow(3), 3);
        calling.arm(address(rewards), again);
        vm.prank(vm.addr(WALLET));
        rewards.claimTo(only(runId), 0, address(0xBA27));
        so(wasRefused(calling));
        calling.arm(address(rewards), again);
        claim(claimOf(runId, 1, address(0xBA27)), WALLET + 1);
        so(wasRefused(calling));

        (, uint64 notAfter) = consortium.period(training.run(runId).agreement);
        vm.warp(notAfter + 1);
        training.close(runId);
        calling.arm(address(rewards), abi.encodeCall(IRewards.refund, (runId)));
        rewards.refund(runId);
        so(wasRefused(calling));
        IRewards.Pool memory pool = rewards.pool(runId);
        same(calling.balanceOf(address(rewards)), pool.funded - pool.claimed - pool.refunded);
    }

    function wasRefused(CallingToken calling) internal view returns (bool) {
        return calling.refused() == ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector;
    }
}
