"""What every location promises of trees that others laid; a subclass names the server."""

from __future__ import annotations

import re
import secrets
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from filestore_fsspec import Location
from filestore_fsspec.filesystem import FileStoreFileSystem
from tests.foreign import trees
from tests.foreign.acts import Stage, brought, copied, removed, taken
from tests.foreign.grounds import Disk, ground_of
from tests.foreign.trees import SECOND
from tests.foreign.views import Seen, problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tests.foreign.trees import Tree
    from tests.services.common import Service

DISK = ("NAMES", "FOLDERS", "TEMPORARY", "LINKS", "CIRCLES", "NOWHERE", "SPECIAL", "BYTES")
BUCKET = ("NAMES", "MARKERS", "TEMPORARY", "BOTH", "SEGMENTS")


def none(found: Iterable[str]) -> None:
    """Fail if there are any problems; show some of each kind."""
    problems = sorted(found)
    kinds = groupby(problems, key=lambda each: re.sub(r"'.*", "", each))
    some = [line for _, lines in kinds for line in islice(lines, 4)]
    assert not problems, "\n".join(["", *some, f"{len(problems)} in all"])


class Reading:
    """What is shown, and what is brought to this machine."""

    service: ClassVar[str]
    options: ClassVar[Mapping[str, str]] = {}
    families: ClassVar[tuple[str, ...]]
    """Names of trees."""
    subjects: ClassVar[tuple[str, ...]] = ("driver", "one", "two")
    """What looks at them: the driver, a composite of it alone, one of it and a disk."""
    cannot: ClassVar[frozenset[str]] = frozenset()
    """Tags of what the server cannot hold, or tells wrongly of."""
    hides: ClassVar[frozenset[str]] = frozenset()
    """Tags of what the server holds, and no key leads to."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Give each server its trees."""
        pairs = [
            # A disk, the second of two, cannot have a file and a folder of one name.
            (family, "one" if (family, subject) == ("BOTH", "two") else subject)
            for family in self.families
            for subject in self.subjects
            if (family, subject) != ("SHARDED", "driver")  # a driver knows no shards
        ]
        metafunc.parametrize(("family", "subject"), list(dict.fromkeys(pairs)))

    @pytest.fixture
    def tree(self, family: str) -> Tree:
        tree: Tree = getattr(trees, family)
        return tree.without(self.cannot).hiding(self.hides)

    @pytest.fixture
    def stage(
        self, request: pytest.FixtureRequest, tree: Tree, subject: str, tmp_path: Path
    ) -> Iterator[Stage]:
        service: Service = request.getfixturevalue(self.service)
        root = f"foreign-{secrets.token_hex(6)}"
        ground = ground_of(service, root)
        ground.lay(tree.entries)
        url = service.url(root, **self.options)
        if subject == "driver":
            location = Location(url)
            yield Stage(Seen(location.fs, location.target.root.rstrip("/")), [ground], [tree])
            location.close()
            return
        grounds, laid, urls = [ground], [tree], [url]
        if subject == "two":
            second = Disk(tmp_path / "second", tmp_path.stat().st_uid)
            second.lay(SECOND.entries)
            grounds.append(second)
            laid.append(SECOND)
            urls.append(f"file://{second.folder}")
        fs: Any = FileStoreFileSystem(urls, skip_instance_cache=True)
        yield Stage(Seen(fs, ""), grounds, laid)
        for location in fs.store.locations:
            location.close()

    def test_the_views_agree(self, stage: Stage) -> None:
        whole = sum(stage.trees[1:], stage.trees[0])
        none(problems(stage.seen, whole))

    def test_a_folder_is_brought_here(self, stage: Stage, family: str, tmp_path: Path) -> None:
        dest = tmp_path / "dest"
        if family == "BOTH":
            with pytest.raises(OSError, match="both"):
                stage.seen.fs.get(stage.at, str(dest), recursive=True)
            return
        none(brought(stage, dest))
        assert sorted(each.name for each in tmp_path.iterdir() if each.name != "second") == ["dest"]


class Writing(Reading):
    """What destroys touches what was listed."""

    def test_a_recursive_delete(self, stage: Stage) -> None:
        none(removed(stage))

    def test_a_move(self, stage: Stage) -> None:
        none(taken(stage))

    def test_a_copy(self, stage: Stage) -> None:
        none(copied(stage))
