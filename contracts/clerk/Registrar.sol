// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IConsortium} from "../interfaces/IConsortium.sol";
import {IRegistrar} from "../interfaces/IRegistrar.sol";
import {ITraining} from "../interfaces/ITraining.sol";
import {Agreements} from "../libraries/Agreements.sol";
import {Bits} from "../libraries/Bits.sol";
import {Messages} from "../libraries/Messages.sol";
import {Names} from "../libraries/Names.sol";
import {Rules} from "../libraries/Rounds.sol";
import {Wallets} from "../libraries/Wallets.sol";
import {Participation} from "./Participation.sol";

/// @title The register of runs (see IRegistrar)
abstract contract Registrar is Participation {
    using Bits for uint64;

    mapping(bytes32 runId => bytes32) private _termsHashes;
    mapping(bytes32 termsHash => IConsortium.Terms) private _terms;
    mapping(bytes32 agreement => mapping(bytes32 nameHash => bytes32[])) private _generations;

    /// @inheritdoc IRegistrar
    function createRun(
        ITraining.RunRequest calldata request,
        IConsortium.Terms calldata terms_,
        bytes calldata walletSignature
    ) external onlyTraining returns (Opening memory opening) {
        // Check: in time, under an agreement in force, by its terms, and wanted by a party
        if (block.timestamp > request.deadline) revert ITraining.Training_DeadlinePassed(request.deadline);
        if (!consortium.inForce(request.agreement)) revert ITraining.Training_NotInForce(request.agreement);
        bytes32 termsHash = Messages.hash(terms_);
        bytes32 agreed = consortium.termsHash(request.agreement);
        if (termsHash != agreed) revert ITraining.Training_WrongTerms(agreed, termsHash);
        _checkWanted(request, walletSignature);

        // Effect: the next of this name; that each is made once also makes the request good for one run only
        (opening.runId, opening.resets) = _nextGeneration(request);

        // Effect: its terms, which are often those of others, and its rules
        _termsHashes[opening.runId] = termsHash;
        if (_terms[termsHash].maxRounds == 0) _terms[termsHash] = terms_;
        uint256 parties = consortium.partyCount(request.agreement);
        // By default not even the only ones enrolled so far can seal, if they are a minority of the parties.
        uint256 members = parties - consortium.out(request.agreement).count();
        uint256 minPeers = terms_.minPeers == 0 ? members / 2 + 1 : terms_.minPeers;
        _admit(opening.runId, request.agreement, terms_, parties, minPeers);

        opening.initialRoot = terms_.initialRoot;
        opening.sponsor = terms_.sponsor;
        opening.atEnd = terms_.payout == Agreements.AT_THE_END;
        opening.probation = terms_.probation;
        _setRules(opening.rules, terms_, minPeers);
    }

    /// @inheritdoc IRegistrar
    function terms(bytes32 runId) external view returns (IConsortium.Terms memory) {
        bytes32 termsHash = _termsHashes[runId];
        if (termsHash == 0) revert ITraining.Training_UnknownRun(runId);
        return _terms[termsHash];
    }

    /// @inheritdoc IRegistrar
    function runNamed(bytes32 agreement, string calldata name) external view returns (bytes32 runId) {
        bytes32[] storage generations = _generations[agreement][keccak256(bytes(name))];
        if (generations.length != 0) runId = generations[generations.length - 1];
    }

    /// @inheritdoc IRegistrar
    function runOf(bytes32 agreement, string calldata name, uint32 generation) external view returns (bytes32 runId) {
        bytes32[] storage generations = _generations[agreement][keccak256(bytes(name))];
        if (generation != 0 && generation <= generations.length) runId = generations[generation - 1];
    }

    /// @dev Takes the name's next generation.
    function _nextGeneration(ITraining.RunRequest calldata request) private returns (bytes32 runId, bytes32 latest) {
        // Check: a name that can be written down, and what comes next under it
        if (!Names.isDotted(request.name)) revert ITraining.Training_BadName(request.name);
        bytes32[] storage generations = _generations[request.agreement][keccak256(bytes(request.name))];
        uint256 made = generations.length;
        if (request.generation != made + 1) {
            revert ITraining.Training_WrongGeneration(uint32(made + 1), request.generation);
        }

        // Effect: taken
        if (made != 0) latest = generations[made - 1];
        runId = keccak256(
            abi.encode(
                block.chainid, address(training), request.agreement, request.name, request.generation, request.salt
            )
        );
        generations.push(runId);
    }

    function _checkWanted(ITraining.RunRequest calldata request, bytes calldata walletSignature) private view {
        bytes32 digest = MessageHashUtils.toTypedDataHash(training.domainSeparator(), Messages.hash(request));
        address wallet = consortium.wallet(request.agreement, request.party);
        if (consortium.isOut(request.agreement, request.party) || !Wallets.signed(wallet, digest, walletSignature)) {
            revert ITraining.Training_NotTheParty(request.party, Wallets.signer(digest, walletSignature));
        }
    }

    function _setRules(Rules memory rules, IConsortium.Terms calldata terms_, uint256 minPeers) private pure {
        rules.lossCeiling = terms_.lossCeiling;
        rules.targetLoss = terms_.targetLoss;
        rules.targetMetric = terms_.targetMetric;
        rules.maxRounds = terms_.maxRounds;
        rules.patience = terms_.patience;
        rules.stallTime = terms_.stallTime;
        rules.minPeers = uint8(minPeers);
        rules.metering = terms_.metering;
        rules.stopping = terms_.stopping;
        rules.budgetRule = terms_.budgetRule;
    }
}
