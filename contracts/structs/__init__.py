"""The structs of the contracts, by what they are about; `contracts.messages` has them all."""
