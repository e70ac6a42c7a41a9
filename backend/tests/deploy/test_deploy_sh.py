"""deploy.sh and cleanup.sh, as far as they go without a cluster."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.tools import ROOT

pytestmark = pytest.mark.deploy

SCRIPTS = ("deploy", "cleanup")


def script(
    name: str, *arguments: str, path: Path, directory: Path = ROOT / "deploy"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shutil.which("bash") or "bash", directory / f"{name}.sh", *arguments],
        env={"PATH": str(path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A PATH with what every system has, and neither Helm nor kubectl nor Python."""
    for tool in ("basename", "dirname", "paste"):
        found = shutil.which(tool)
        assert found
        (tmp_path / tool).symlink_to(found)
    return tmp_path


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_names_every_option(name: str, bare: Path) -> None:
    told = script(name, "--help", path=bare)

    assert told.returncode == 0
    text = (ROOT / "deploy" / f"{name}.sh").read_text()
    options = set(re.findall(r"^ {6}(--[a-z-]+)\)", text, re.MULTILINE))
    assert {"--namespace", "--dry-run", "--yes"} <= options
    assert options <= set(re.findall(r"--[a-z-]+", told.stdout))


@pytest.mark.parametrize("name", SCRIPTS)
def test_old_bash_is_told_before_anything_else(name: str, bare: Path, tmp_path: Path) -> None:
    scripts = tmp_path / "deploy"
    scripts.mkdir()
    for file in (f"{name}.sh", "lib.sh"):
        text = (ROOT / "deploy" / file).read_text()
        assert text.count("< 404") == (file == "lib.sh")
        (scripts / file).write_text(text.replace("< 404", "< 9904"))  # as if this one were old

    told = script(name, "--help", path=bare, directory=scripts)

    assert told.returncode == 1
    assert told.stdout == ""
    assert "it takes 4.4 or newer" in told.stderr
    assert "mend: on macOS: brew install bash" in told.stderr


def test_error_of_grep_is_not_nothing_found() -> None:
    lib = ROOT / "deploy" / "lib.sh"

    codes = [
        subprocess.run(
            ["bash", "-c", f'set -e; . "{lib}"; filtered a -E "$1"; echo on', "bash", pattern],
            capture_output=True,
            check=False,
        ).returncode
        for pattern in ("a", "b", "(")
    ]

    assert codes == [0, 0, 1]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("deploy", ["--colour"], "unknown option: --colour (see --help)"),
        ("deploy", ["board"], "unknown option: board (see --help)"),
        ("cleanup", ["--profile", "small"], "unknown option: --profile (see --help)"),
        ("deploy", ["--namespace"], "--namespace needs a value"),
        ("cleanup", ["--namespace", ""], "--namespace needs a value"),
        ("deploy", ["--values"], "--values needs a file"),
        (
            "deploy",
            ["--namespace", "My Boards"],
            "--namespace must be lower-case letters, digits and dashes, not 'My Boards'",
        ),
        (
            "deploy",
            ["--namespace", "observability", "--observability"],
            "--namespace observability is where --observability goes; choose another one",
        ),
        (
            "deploy",
            ["--profile", "large"],
            "--profile must be one of aks small standard, not 'large'",
        ),
        (
            "deploy",
            ["--values", "/nowhere.yaml"],
            "/nowhere.yaml: there is no such file, or it cannot be read",
        ),
    ],
)
def test_wrong_use_is_one_line(name: str, arguments: list[str], said: str, bare: Path) -> None:
    told = script(name, *arguments, path=bare)

    assert told.returncode == 1
    assert said in told.stderr
    assert told.stderr.count("\n") == 1


def test_missing_tools_are_named_all_at_once(bare: Path) -> None:
    told = script("deploy", path=bare)

    assert told.returncode == 1
    assert told.stderr.splitlines() == [
        "error: missing:",
        "  Helm 3.14 or newer: https://helm.sh/docs/intro/install",
        "  kubectl: https://kubernetes.io/docs/tasks/tools",
        "  Python 3.11 or newer, as python3",
    ]


@pytest.mark.parametrize(
    ("version", "enough"),
    [("v2.17.0", False), ("v3.13.3", False), ("v3.14.0", True), ("v4.3", True), ("", False)],
)
def test_old_helm_is_missing_too(version: str, bare: Path, *, enough: bool) -> None:
    helm = bare / "helm"
    helm.write_text(f"#!{shutil.which('sh')}\necho '{version}'\n")
    helm.chmod(0o755)

    told = script("deploy", path=bare)

    assert told.returncode == 1
    assert ("Helm 3.14 or newer" in told.stderr) is not enough
