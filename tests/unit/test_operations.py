"""Each operation blocking and awaited, over locations that say what the test tells them to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from filestore_fsspec import operations
from filestore_fsspec.bridge import ASYNCIO, SYNC, iterate, run, wait
from filestore_fsspec.errors import (
    CorruptedFileStoreException,
    LocationUnavailable,
    NotFound,
    PartialWrite,
    PermissionDenied,
    ReadOnly,
    TransportException,
)
from filestore_fsspec.logs import logger_of

if TYPE_CHECKING:
    import logging
    from collections.abc import AsyncIterator

    from filestore_fsspec.operations import Locations

ABSENT = NotFound("absent")
UNKNOWN = LocationUnavailable("down: no answer")
DENIED = PermissionDenied("denied: no right")


@dataclass(eq=False)
class Said:
    """A location that answers with a value, or raises an exception."""

    answer: Any
    name: str | None = None
    read_only: bool = False
    breaker_state: str = "closed"
    asked: int = 0
    keys: list[str] = field(default_factory=list)
    log: logging.Logger = field(default_factory=logger_of)

    def __str__(self) -> str:
        return self.name or "location"

    def is_circuit_open(self) -> bool:
        return False

    async def say(self, *_args: object) -> Any:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    holds = stat = say

    async def pages(self, _caller: object, _prefix: str) -> AsyncIterator[Any]:
        yield [{"name": key} for key in self.keys]
        await self.say()


def locations(*answers: Any) -> Any:
    return tuple(Said(answer, f"n{number}") for number, answer in enumerate(answers))


def say(location: Any) -> Any:
    return location.say()


both = pytest.mark.parametrize(("step", "runner"), [(run, SYNC), (wait, ASYNCIO)])


@pytest.mark.parametrize(
    ("name", "chosen"), [("all", "abc"), ("any", "abc"), ("near", "a"), ("far", "c"), ("b", "b")]
)
def test_select(name: str, chosen: str) -> None:
    three = cast("Locations", tuple(Said(None, each) for each in "abc"))
    assert [each.name for each in operations.select(three, name)] == list(chosen)


def test_an_unknown_name_is_refused_with_the_names_allowed() -> None:
    with pytest.raises(ValueError, match="near, far, all, any, a, b"):
        operations.select(cast("Locations", (Said(None, "a"), Said(None, "b"))), "nera")


def test_read_only_locations_are_passed_over() -> None:
    some: Any = (Said(None, "a", read_only=True), Said(None, "b"))
    assert operations.select_writable(some, "all", "put") == some[1:]
    with pytest.raises(ReadOnly, match="put"):
        operations.select_writable(some, "near", "put")


@both
def test_reading_takes_the_first_answer_and_asks_no_further(step: Any, runner: Any) -> None:
    del runner
    some = locations(ABSENT, UNKNOWN, b"x", b"y")
    assert step(operations.read_first(some, say, "get")) == (some[2], b"x")
    assert [each.asked for each in some] == [1, 1, 1, 0]


@both
def test_absent_everywhere_is_not_found(step: Any, runner: Any) -> None:
    del runner
    with pytest.raises(NotFound):
        step(operations.read_first(locations(ABSENT, ABSENT), say, "get"))


@both
@pytest.mark.parametrize("answers", [(ABSENT, UNKNOWN), (UNKNOWN, ABSENT), (UNKNOWN, DENIED)])
def test_unknown_is_never_absent(step: Any, runner: Any, answers: Any) -> None:
    some = locations(*answers)
    with pytest.raises(LocationUnavailable, match="no answer") as caught:
        step(operations.read_first(some, say, "get"))
    assert caught.value.errors == {each: each.answer for each in some if each.answer is not ABSENT}
    for find in (operations.find_first, operations.find_each):
        with pytest.raises(LocationUnavailable, match="no answer"):
            step(
                find(
                    locations(*(False if each is ABSENT else each for each in answers)), runner, "k"
                )
            )


@both
def test_refused_everywhere_is_also_a_permission_error(step: Any, runner: Any) -> None:
    del runner
    with pytest.raises(PermissionDenied):
        step(operations.read_first(locations(ABSENT, DENIED), say, "get"))


@both
def test_finding(step: Any, runner: Any) -> None:
    some = locations(False, UNKNOWN, True, True)
    assert step(operations.find_first(some, runner, "k")) == [some[2]]
    assert some[3].asked == 0
    assert step(operations.find_each(some, runner, "k")) == list(some[2:])
    assert step(operations.find_first(locations(False, False), runner, "k")) == []


@both
def test_writing_goes_everywhere_and_names_those_written(step: Any, runner: Any) -> None:
    some = locations(True, False, True)
    assert step(operations.write_each(some, runner, say, "put")) == [some[0], some[2]]


@both
def test_a_write_that_fails_somewhere_is_tried_everywhere_and_named(step: Any, runner: Any) -> None:
    some = locations(UNKNOWN, True, TransportException("full"))
    with pytest.raises(PartialWrite, match=r"done at n1; failed: down: no answer; full") as caught:
        step(operations.write_each(some, runner, say, "put"))
    assert caught.value.written == (some[1],)
    assert caught.value.failed == {some[0]: UNKNOWN, some[2]: some[2].answer}


@both
def test_the_only_locations_failure_is_raised_as_it_is(step: Any, runner: Any) -> None:
    for operation in (operations.write_each, operations.delete_each):
        with pytest.raises(PermissionDenied) as caught:
            step(operation(locations(DENIED), runner, say, "put"))
        assert caught.value is DENIED


@both
def test_enough_copies_are_a_success(step: Any, runner: Any) -> None:
    some = locations(True, UNKNOWN, False)
    assert step(operations.write_each(some, runner, say, "put", 1)) == [some[0]]
    with pytest.raises(PartialWrite):
        step(operations.write_each(some, runner, say, "put", 2))


@both
def test_a_mistake_of_the_caller_is_no_failure_of_a_location(step: Any, runner: Any) -> None:
    with pytest.raises(ValueError, match="mistake"):
        step(operations.write_each(locations(True, ValueError("mistake")), runner, say, "put"))


@both
def test_deleting_is_tried_everywhere(step: Any, runner: Any) -> None:
    some = locations(UNKNOWN, None)
    with pytest.raises(PartialWrite) as caught:
        step(operations.delete_each(some, runner, say, "delete"))
    assert caught.value.written == (some[1],)
    step(operations.delete_each(locations(None, None), runner, say, "delete"))


@both
def test_locating_gives_three_answers(step: Any, runner: Any) -> None:
    present = {"type": "file", "size": 3, "modified": None}
    folder = {"type": "directory", "size": 0, "modified": None}
    found = step(operations.locate_each(locations(present, ABSENT, UNKNOWN, folder), runner, "k"))
    assert [each.state for each in found] == ["present", "absent", "unknown", "absent"]
    assert found[0].size == 3
    assert found[2].error is UNKNOWN
    assert all(each.seconds >= 0 for each in found)


def merged(*answers: Any, strict: bool = True) -> list[str]:
    some = locations(*answers)
    for location, keys in zip(some, ("ab", "bc"), strict=False):
        location.keys = list(keys)
    pages = iterate(operations.list_merged(some, SYNC, "", strict=strict))
    return [info["name"] for page in pages for info in page]


def test_listings_merge_each_key_once_first_location_first() -> None:
    assert merged(None, None) == ["a", "b", "c"]


def test_a_listing_that_would_come_out_short_fails() -> None:
    with pytest.raises(LocationUnavailable):
        merged(None, UNKNOWN)
    assert merged(UNKNOWN, None, strict=False) == ["a", "b", "c"]


@pytest.mark.parametrize("step", [run, wait])
@pytest.mark.parametrize("order", [1, -1])
def test_read_first_passes_over_wrong_content(
    step: Any, order: int, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = CorruptedFileStoreException("n0: wrong")
    places = locations(*(wrong, UNKNOWN)[::order], ABSENT, b"right")
    assert step(operations.read_first(places, say, "get")) == (places[3], b"right")
    messages = [record.message for record in caplog.records]
    assert messages == ["n0: wrong", "down: no answer"]
    with pytest.raises(
        CorruptedFileStoreException, match=r"wrong content at 1 .* unknown at 1"
    ) as caught:
        step(operations.read_first(places[:3], say, "get"))
    assert str(wrong) in str(caught.value)
    assert str(UNKNOWN) in str(caught.value)
    assert caught.value.__cause__ is wrong
    with pytest.raises(CorruptedFileStoreException) as alone:
        step(operations.read_first(locations(wrong, ABSENT), say, "get"))
    assert alone.value is wrong
