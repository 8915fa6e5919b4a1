"""Odd trees behind each server that keeps objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tests.foreign.suite import BUCKET, Reading, Writing

if TYPE_CHECKING:
    from collections.abc import Mapping


class TestS3Moto(Writing):
    service = "s3_moto"
    families = (*BUCKET, "DOTS")
    cannot = frozenset({"newline"})
    subjects = ("driver", "two")


class TestS3MotoObstore(Reading):
    service = "s3_moto"
    families = TestS3Moto.families
    cannot = TestS3Moto.cannot
    options: ClassVar[Mapping[str, str]] = {"engine": "obstore"}
    subjects = ("driver",)


class TestS3Rclone(Writing):
    """Its server refuses objects whose name ends in a slash."""

    service = "s3_rclone"
    families = ("NAMES", "TEMPORARY")
    cannot = frozenset({"newline"})
    subjects = ("driver", "one")


class TestAzure(Writing):
    service = "azure_http"
    families = (*BUCKET, "METADATA")
    cannot = frozenset({"backslash", "newline"})
    hides = frozenset({"control"})
    subjects = ("driver", "two")


class TestAzureObstore(Reading):
    service = "azure_http"
    families = TestAzure.families
    cannot = TestAzure.cannot
    hides = TestAzure.hides
    options: ClassVar[Mapping[str, str]] = {"engine": "obstore"}
    subjects = ("driver",)
