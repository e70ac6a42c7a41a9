"""What the documents name is there: files, commands, settings, codes, resources, values."""

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from madang.cli import main
from madang.settings import Settings
from tests.deploy import requests
from tests.deploy.cases import PROFILES
from tests.deploy.manifests import Object, render
from tests.deploy.tools import CHART, ROOT

pytestmark = pytest.mark.deploy

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_KINDS = {
    "deploy": "Deployment",
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "service": "Service",
    "secret": "Secret",
    "networkpolicy": "NetworkPolicy",
    "pvc": "PersistentVolumeClaim",
}
_SOURCES = ("backend/src", "backend/tests/deploy", "deploy", "scripts")


def _documents() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def _operating() -> str:
    """The text of all pages on running the system."""
    return "\n".join(path.read_text() for path in sorted((ROOT / "docs").glob("*.md")))


@cache
def _source() -> str:
    """Every line of code and configuration."""
    kinds = {".py", ".yaml", ".tpl", ".sh", ".template", ".json", ".txt", ".bicep"}
    files = [path for place in _SOURCES for path in (ROOT / place).rglob("*")]
    own = [path for path in files if path.suffix in kinds and path != Path(__file__)]
    return "\n".join(path.read_text() for path in own)


@pytest.mark.parametrize("document", _documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = _FENCE.sub("", document.read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = (document.parent / name).resolve() if name else document
        assert linked.exists(), target
        if anchor:
            assert anchor in _anchors(linked.read_text()), target


def _anchors(text: str) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_commands_are_there() -> None:
    found = re.findall(r"(?:^|\$ |-- |`|&& |& )madang ([a-z]+)", _operating(), re.MULTILINE)
    assert len(found) > 20
    context = click.Context(main)
    assert [name for name in found if main.get_command(context, name) is None] == []


def test_images_are_tagged_as_the_chart_asks() -> None:
    text = "\n".join(path.read_text() for path in _documents())
    tags = re.findall(r"(?<![/\w])madang(?:-web)?:(\d+\.\d+\.\d+)", text)
    assert len(tags) > 5
    assert set(tags) == {yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]}


def test_settings_are_read_by_something() -> None:
    names = set(re.findall(r"MADANG_[A-Z_]*[A-Z]", _operating())) - {"MADANG_KAFKA_SASL"}
    fields = {f"MADANG_{name.upper()}" for name in Settings.model_fields}
    assert len(names & fields) > 10
    assert [name for name in names - fields if name not in _source()] == []


def test_codes_and_log_events_are_there() -> None:
    text = _operating()
    codes = set(re.findall(r"urn:madang:problem:(\w+)", text))
    events = set(re.findall(r'"event":"(\w+)"', text))
    assert len(codes) > 4
    assert len(events) > 4
    assert [word for word in codes | events if f'"{word}"' not in _source() + _web()] == []


def _web() -> str:
    """nginx's own problem details, which stand in a longer string."""
    template = (ROOT / "deploy/images/web/nginx.conf.template").read_text()
    return " ".join(re.findall(r'"code":("\w+")', template))


def test_resources_and_containers_are_the_charts() -> None:
    text = _operating()
    own = set(re.findall(r"create secret (?:generic|tls|docker-registry) ([a-z-]+)", text))
    resources = _rendered()
    for kind, name in re.findall(r"\b(\w+)[/ ]((?:data-|spool-)?madang-[a-z0-9-]+)", text):
        if kind in _KINDS and name not in own:
            assert (_KINDS[kind], name) in resources, f"{kind} {name}"
    containers = {name for kind, name in resources if kind == "container"}
    assert set(re.findall(r"kubectl .* -c ([a-z-]+)", text)) <= containers


@cache
def _rendered() -> set[tuple[str, str]]:
    """Kind and name of all that the profiles make, of claims and containers too."""
    found = set()
    for profile in PROFILES:
        manifests = render({}, profile=profile, release="madang")
        found |= {(one["kind"], one["metadata"]["name"]) for one in manifests.objects}
        for pod in manifests.pods:
            found |= {("container", one["name"]) for one in pod.containers}
            found |= {("PersistentVolumeClaim", name) for name in _claims(pod.owner)}
    return found | {("NetworkPolicy", "madang-external")}


def _claims(owner: Object) -> Iterator[str]:
    for template in owner["spec"].get("volumeClaimTemplates", ()):
        for number in range(owner["spec"].get("replicas", 1)):
            yield f"{template['metadata']['name']}-{owner['metadata']['name']}-{number}"


def test_values_are_the_charts() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    first = "|".join(name for name, value in values.items() if isinstance(value, dict))
    named = re.findall(rf"[`:] ?((?:{first})(?:\.[A-Za-z]+)+)`", _operating())
    assert len(named) > 30
    assert [path for path in named if not _holds(values, path)] == []


def _holds(values: Any, path: str) -> bool:
    for name in path.split("."):
        if name not in values:
            return False
        values = values[name]
    return True


def test_values_in_examples_are_taken_by_the_chart() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    blocks = [yaml.safe_load(text) for kind, text in _FENCE.findall(_operating()) if kind == "yaml"]
    examples = [block for block in blocks if set(block) <= set(values)]
    assert len(examples) > 6
    for example in examples:
        render(example)


def test_table_of_measured_memory_has_the_charts_requests_and_limits() -> None:
    text = (ROOT / "docs/scaling.md").read_text()
    _, _, rest = text.partition("<!-- memory-small:begin -->\n")
    shown, _, _ = rest.partition("\n<!-- memory-small:end -->")
    rows = [row.split("|") for row in shown.splitlines() if row.startswith("|")][2:]
    found = {row[1].strip(): (row[2].strip(), row[3].strip()) for row in rows}
    assert found == requests.memory("small")


def test_table_of_requests_is_the_charts() -> None:
    text = (ROOT / "docs/scaling.md").read_text()
    _, _, rest = text.partition("<!-- requests:begin -->\n")
    shown, _, _ = rest.partition("\n<!-- requests:end -->")
    assert shown.splitlines() == requests.table()
