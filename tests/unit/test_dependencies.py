"""The oldest releases that the package works with: named in pyproject.toml and in the docs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIRED = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["fast"]]


def test_the_documentation_names_the_oldest_releases() -> None:
    text = (ROOT / "docs/reference/platforms.md").read_text().replace("\n", " ")
    (sentence,) = re.findall(r"It works with these releases and newer ones: (.+?) for the", text)
    assert set(re.split(r", (?:and )?", sentence)) == {
        requirement.replace(">=", " ") for requirement in REQUIRED
    }


def test_it_goes_with_the_bcrypt_of_the_howler_api() -> None:
    (bcrypt,) = (each for each in map(Requirement, REQUIRED) if each.name == "bcrypt")
    assert bcrypt.specifier.contains("4.3.0")
