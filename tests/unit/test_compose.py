"""docker-compose.yml says what the tests expect; no container engine is needed to see it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from filestore_fsspec import urls
from filestore_fsspec.schemes import translate
from tests.services.common import PASSWORD, USERNAME
from tests.services.compose import DATA, FOLDER, PORTS, compose_services, prepare

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
SERVICES: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"]
PUBLISHED = re.compile(r"127\.0\.0\.1:(\d+)(?:-(\d+))?:(\d+)(?:-(\d+))?")


def test_the_file_is_what_compose_understands() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(FILE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_fixed_local_and_watched(name: str) -> None:
    service = SERVICES[name]
    _image, _, tag = service["image"].rpartition(":")
    assert re.search(r"\d", tag)
    assert service["healthcheck"]["test"]
    published: list[int] = []
    for port in service["ports"]:
        match = PUBLISHED.fullmatch(port)
        assert match, f"{port} is not on loopback"
        first, last, target, last_target = (int(group or 0) for group in match.groups())
        published += range(first, (last or first) + 1)
        if last:
            assert (target, last_target) == (first, last)  # FTP tells clients these numbers
    assert published == PORTS[name]


def test_credentials_are_those_of_the_tests() -> None:
    minio = SERVICES["minio"]["environment"]
    assert (minio["MINIO_ROOT_USER"], minio["MINIO_ROOT_PASSWORD"]) == (USERNAME, PASSWORD)
    for name in ("openssh", "vsftpd-explicit", "vsftpd-implicit"):
        environment = SERVICES[name]["environment"]
        assert environment == {"SERVER_USER": USERNAME, "SERVER_PASSWORD": PASSWORD}


def test_own_images_are_built_from_a_fixed_one() -> None:
    for service in SERVICES.values():
        if "build" in service:
            first, *_ = re.findall(r"(?m)^FROM (\S+)", (ROOT / "docker/Dockerfile").read_text())
            assert re.fullmatch(r"debian:\d+\.\d+-slim", first)


def test_passive_ports_are_those_published() -> None:
    for name in ("vsftpd-explicit", "vsftpd-implicit"):
        command = SERVICES[name]["command"]
        _control, *passive = PORTS[name]
        assert f"-opasv_min_port={passive[0]} -opasv_max_port={passive[-1]}" in command


def test_every_mounted_file_is_prepared(tmp_path: Path) -> None:
    prepare(tmp_path)
    before = (tmp_path / "ca.pem").read_bytes()
    prepare(tmp_path)
    assert (tmp_path / "ca.pem").read_bytes() == before
    for service in SERVICES.values():
        sources = [mount.partition(":")[0] for mount in service.get("volumes", ())]
        for source in [*sources, service.get("env_file", "docker")]:
            below = source.removeprefix(".services/compose").lstrip("/")
            place = ROOT / source if below == source.lstrip("/") else tmp_path / below
            assert place.exists(), source
    settings = [*(ROOT / "docker").iterdir(), FILE]
    named = re.findall(r"/etc/filestore/compose/(\w+(?:\.\w+)?)", "".join(map(_text, settings)))
    assert named
    for name in named:
        assert (tmp_path / name).is_file()


def _text(path: Path) -> str:
    return path.read_text()


def test_each_service_has_urls_that_are_understood(tmp_path: Path) -> None:
    prepare(tmp_path)
    services = compose_services(tmp_path)
    assert {service.port for service in services.values()} == {
        port for ports in PORTS.values() for port in (ports if len(ports) < 10 else ports[:1])
    }
    for service in services.values():
        url = urls.parse(service.url("a/b"))
        assert (url.scheme, url.port) == (service.scheme, service.port)
        assert translate(url).root.strip("/").endswith("a/b")


def test_data_folders_are_mounted_where_the_tests_look() -> None:
    for name in DATA:
        assert any(
            mount.startswith(f".services/compose/data/{name}:/data")
            for mount in SERVICES[name]["volumes"]
        )
    assert FOLDER == ROOT / ".services" / "compose"
