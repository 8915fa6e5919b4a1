"""The tables of options in docs/guide/urls.md; `python -m tests.option_tables` writes them."""

from __future__ import annotations

import ast
import inspect
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel

from filestore_fsspec.schemes import azure, base, file, ftp, http, s3, sftp

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[1] / "docs/guide/urls.md"
BEGIN, END = "<!-- options, made by tests/option_tables.py -->\n", "<!-- end of options -->\n"
MODELS: dict[str, type[BaseModel]] = {
    "`file`": file.FileOptions,
    "`sftp`": sftp.SFTPOptions,
    "`ftp`": ftp.FTPOptions,
    "`ftps`": ftp.FTPSOptions,
    "`http`, `https`": http.HTTPOptions,
    "`s3`": s3.S3Options,
    "`azure`": azure.AzureOptions,
}
WORDS = {str: "text", int: "a number", float: "seconds"}


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Return what the text below each field says, those of the model's parents included."""
    found: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if not issubclass(kind, BaseModel) or kind is BaseModel:
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
        assert isinstance(tree, ast.ClassDef)
        for field, text in zip(tree.body, tree.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                name, said = ast.unparse(field.target), ast.literal_eval(text.value)
                found[name] = inspect.cleandoc(said).replace("\n", " ")
    return found


def taken(annotation: Any, metadata: list[Any]) -> str:
    """Return in words what a field takes."""
    if any(getattr(each, "func", None) is base._parse_flag for each in metadata):
        return "a flag"
    if get_origin(annotation) is None:
        return WORDS.get(annotation, "text")
    choices = [choice for each in get_args(annotation) for choice in get_args(each) or (each,)]
    words = [f"`{each}`" for each in choices if isinstance(each, str)]
    return " or ".join(words) or "text"


def rows(model: type[BaseModel], without: set[str]) -> Iterator[str]:
    texts = descriptions(model)
    for name, field in model.model_fields.items():
        if name in without:
            continue
        default = field.default
        shown = "required" if field.is_required() else "" if default is None else f"`{default}`"
        if isinstance(default, bool):
            shown = f"`{str(default).lower()}`"
        if isinstance(default, float):
            shown = f"`{default:g}`"
        word = taken(field.annotation, field.metadata)
        yield f"| `{name}` | {word} | {shown} | {texts[name]} |"


def tables() -> str:
    """Return a section for each scheme."""
    head = "| option | takes | default | |\n|---|---|---|---|"
    common = set(base.Options.model_fields)
    parts = ["## Every scheme", "", head, *rows(base.Options, set()), ""]
    for name, model in MODELS.items():
        parts += [f"## {name}", "", head, *rows(model, common), ""]
    return "\n".join(parts) + "\n"


def page(text: str) -> str:
    """Return the page's text with the tables as they are now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables()}{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
