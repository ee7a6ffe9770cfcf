"""A rule for import-linter that it lacks: a package imports nothing but what is listed."""

from collections.abc import Set as AbstractSet
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class ImportsOnly(Contract):
    """`source` imports only itself and the top-level modules in `allowed`."""

    source = fields.StringField()
    allowed = fields.SetField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        source, allowed = cast(str, self.source), cast(AbstractSet[str], self.allowed)
        own = {source} | graph.find_descendants(source)
        strays = sorted(
            f"{importer} -> {imported}"
            for importer in own
            for imported in graph.find_modules_directly_imported_by(importer) - own
            if imported.split(".")[0] not in allowed
        )
        return ContractCheck(kept=not strays, metadata={"strays": strays})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for stray in check.metadata["strays"]:
            output.print_error(stray)
        output.new_line()
