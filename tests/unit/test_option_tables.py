"""The documentation lists every option of every scheme, as the models have them."""

from __future__ import annotations

from filestore_fsspec.schemes import SCHEMES
from tests.option_tables import MODELS, PAGE, page


def test_the_page_is_as_the_models_are() -> None:
    assert PAGE.read_text() == page(PAGE.read_text()), "python -m tests.option_tables writes it"


def test_every_scheme_has_a_table() -> None:
    named = {name.strip("`") for names in MODELS for name in names.split(", ")}
    assert named == SCHEMES.keys() - {"memory"}  # which has no options of its own
