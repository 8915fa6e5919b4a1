"""`azure`: a container of Azure Blob Storage, or of an emulator of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import AliasChoices, Field, SecretStr

from filestore_fsspec.errors import InvalidKey, InvalidURL
from filestore_fsspec.schemes.base import (
    Engine,
    Flag,
    Target,
    TLSOptions,
    as_folder,
    layout_of,
    parse_options,
    protocol_of,
    refuse_credentials,
    require_host,
)

if TYPE_CHECKING:
    from filestore_fsspec.keys import Layout
    from filestore_fsspec.urls import StorageUrl

_UNKEEPABLE = re.compile(r"[\\\x00-\x1f\x7f]")
_MOST_CHARACTERS = 1024


_ACCOUNT = re.compile(r"([a-z0-9]+)(?:-secondary)?(?:\.(?:z[0-9]+|privatelink))?\.blob\.")
"""The second, the DNS-zone and the private endpoints among them."""


class AzureOptions(TLSOptions):
    """The options of `azure` URLs."""

    access_key: SecretStr | None = None
    """The key of the storage account."""
    tenant_id: str | None = None
    """With `client_id` and `client_secret`: an application registered with Entra ID."""
    client_id: str | None = None
    """See `tenant_id`."""
    client_secret: SecretStr | None = None
    """See `tenant_id`."""
    use_default_credentials: Flag = False
    """Whether Azure's default chain is used: environment, workload and managed identity, CLI."""
    account: str | None = None
    """The name of the storage account, where the host does not contain it (emulators)."""
    use_ssl: Flag = True
    """Whether HTTPS is used; the default port is 443 with it, 80 without."""
    allow_directory_access: Flag = True
    """False stores each key under its last segment alone, like `layout=flat`."""
    initialize_container: Flag = Field(
        default=True,
        validation_alias=AliasChoices("initialize_container", "initalize_container"),
    )
    """Whether the first write creates a container that is missing."""
    engine: Engine | None = None
    """What carries the requests; `FILESTORE_ENGINE` in the environment by default."""


def translate(url: StorageUrl) -> Target:
    """The keys below the container, which is the first part of `root`."""
    options = parse_options(AzureOptions, url)
    require_host(url)
    refuse_credentials(url, "use the options access_key, or tenant_id, client_id, client_secret")
    container, _, folder = url.root.partition("/")
    if not container:
        raise InvalidURL("azure URL: the container is missing (azure://host/container/folder)")
    account = options.account or _account_in(url.host, signs=options.access_key is not None)
    endpoint = f"{'https' if options.use_ssl else 'http'}://{url.origin}"
    layout = layout_of(options, "verbatim" if options.allow_directory_access else "flat")
    return Target(
        protocol=protocol_of("azure", options.engine),
        root=f"{container}/{as_folder(folder)}",
        storage_options={
            # A host that does not carry its account is asked path-style, as emulators are.
            "account_url": f"{endpoint}/{options.account}" if options.account else endpoint,
            "account_name": account,
            **_credentials(options),
            "initialize_container": options.initialize_container,
            **options.tls_check,
            **options.timeouts,
        },
        layout=replace(layout, path=_StorablePath(layout, len(as_folder(folder)))),
        label=str(url),
        name=options.name,
        required=options.required(container),
        read_only=options.read_only,
    )


@dataclass(frozen=True)
class _StorablePath:
    """The path of a key in a layout; refuses what Azure cannot have as the name of a blob."""

    layout: Layout
    root_characters: int

    def __call__(self, key: str) -> str:
        found = self.layout.path(key)
        if _UNKEEPABLE.search(found):
            raise InvalidKey(f"key {key!r}: Azure has no backslash or control character in names")
        if self.root_characters + len(found) > _MOST_CHARACTERS:
            raise InvalidKey(f"key {key!r}: a name on Azure has at most {_MOST_CHARACTERS} letters")
        return found


def _account_in(host: str, *, signs: bool) -> str:
    """Return the account that a host carries; any other needs none unless a key `signs`."""
    found = _ACCOUNT.match(host)
    if found:
        return found[1]
    if signs or "." not in host or host.replace(".", "").isdigit():
        raise InvalidURL(
            "azure URL: the host does not carry an account (account.blob.core.windows.net), which "
            "'access_key' and an emulator need: give the option 'account'"
        )
    return host.partition(".")[0]  # a domain of one's own; the name is in no request


def _credentials(options: AzureOptions) -> dict[str, str | bool | None]:
    secret, principal = options.client_secret, (options.tenant_id, options.client_id)
    if secret and not all(principal):
        raise InvalidURL("azure URL: 'client_secret' needs 'tenant_id' and 'client_id'")
    if any(principal) and not secret and not options.use_default_credentials:
        raise InvalidURL("azure URL: 'tenant_id' and 'client_id' need 'client_secret'")
    if options.access_key and secret:
        raise InvalidURL("azure URL: give 'access_key' or a 'client_secret', not both")
    return {
        "account_key": options.access_key.get_secret_value() if options.access_key else None,
        "tenant_id": options.tenant_id,
        "client_id": options.client_id,
        "client_secret": secret.get_secret_value() if secret else None,
        "use_default_credentials": options.use_default_credentials,
    }
