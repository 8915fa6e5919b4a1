from __future__ import annotations

from graphlib import TopologicalSorter

import grimp


def test_no_import_leads_in_a_circle() -> None:
    """Imports for type checking included; a package's own module is a module like others."""
    graph = grimp.build_graph("filestore_fsspec", cache_dir=None)
    imports = {each: graph.find_modules_directly_imported_by(each) for each in graph.modules}
    assert len(imports) > 100
    TopologicalSorter(imports).prepare()  # raises CycleError, with the circle
