"""The pipelines: valid, without findings, pinned, with least rights and no stored password."""

import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.services.nginx import REPOSITORY
from tests.services.workspace import cache_directory

pytestmark = pytest.mark.deploy

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
TOOLS = Path(sys.executable).parent
_SCAN = "Look for vulnerabilities that have a fix"


def run(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a checker in the repository."""
    return subprocess.run(
        argv, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=110
    )


def load(name: str) -> dict[Any, Any]:
    """A workflow; its key `on` is read as True."""
    loaded: dict[Any, Any] = yaml.safe_load(
        (REPOSITORY / ".github" / "workflows" / f"{name}.yml").read_text()
    )
    return loaded


def step_names(job: dict[str, Any]) -> list[str]:
    """The steps of a job that have a name, in order."""
    return [step["name"] for step in job["steps"] if "name" in step]


def run_step(
    step: dict[str, Any], tools: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a step's script as GitHub's runners do, with programs of ours before the others."""
    shell = ["--noprofile", "--norc", "-eo", "pipefail"] if step.get("shell") == "bash" else ["-e"]
    return subprocess.run(
        ["bash", *shell, "-c", step["run"]],
        env={"PATH": f"{tools}:{os.environ['PATH']}", "RUNNER_TEMP": str(tools), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def actionlint() -> Path:
    found = shutil.which(
        "actionlint", path=f"{os.environ['PATH']}:{cache_directory() / 'kube' / 'bin'}"
    )
    assert found, "actionlint is missing; scripts/setup-kube.sh gets it"
    return Path(found)


def test_workflows_are_clean_for_actionlint_and_shellcheck(actionlint: Path) -> None:
    assert shutil.which("shellcheck")
    checked = run(actionlint, "-no-color", *WORKFLOWS)
    assert checked.returncode == 0, checked.stdout


def test_workflows_are_clean_for_zizmor() -> None:
    checked = run(TOOLS / "zizmor", "--offline", "--no-progress", ".github")
    assert checked.returncode == 0, checked.stdout
    assert "No findings" in checked.stdout


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("github-workflows", WORKFLOWS),
        ("dependabot", [REPOSITORY / ".github" / "dependabot.yml"]),
    ],
)
def test_files_fit_their_schemas(schema: str, files: list[Path]) -> None:
    checked = run(TOOLS / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_with_their_version_beside(workflow: Path) -> None:
    used = re.findall(r"^\s*(?:- )?uses: (.+)$", workflow.read_text(), re.MULTILINE)
    assert used
    for line in used:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_one_action_has_one_commit_everywhere() -> None:
    used = {
        tuple(line.split("@"))
        for workflow in WORKFLOWS
        for line in re.findall(r"uses: (\S+)", workflow.read_text())
    }
    assert len({action for action, _ in used}) == len(used)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_rights_are_given_job_by_job_and_no_secret_is_used(workflow: Path) -> None:
    loaded = load(workflow.stem)
    assert loaded["permissions"] == {}
    assert "group" in loaded["concurrency"]
    assert "secrets." not in workflow.read_text()
    for job in loaded["jobs"].values():
        assert "timeout-minutes" in job
        rights = job.get("permissions", {})
        assert rights.get("contents", "read") == "read"
        assert {right for right, level in rights.items() if level == "write"} <= (
            {"id-token", "attestations"} if workflow.stem == "release" else set()
        )


def test_ci_runs_what_a_person_runs_on_every_supported_python() -> None:
    job = load("ci")["jobs"]["test"]
    *_, suite, pins, images = job["steps"]
    assert suite["run"] == "make test"
    assert "zizmor" in pins["run"]
    assert "--offline" not in pins["run"]
    assert "tests/cluster/test_images.py" in images["run"]
    assert '"MADANG_CACHE_DIR=$RUNNER_TEMP/images"' in images["run"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


def test_ci_has_the_go_that_set_up_asks_for() -> None:
    script = (REPOSITORY / "scripts" / "setup-kube.sh").read_text()
    needed = re.search(r"\$\(go_version\) -lt (\d+)", script)
    assert needed
    (go,) = (
        step["with"]
        for step in load("ci")["jobs"]["test"]["steps"]
        if step.get("uses", "").startswith("actions/setup-go@")
    )
    assert go["go-version"] == f"1.{needed[1]}"


def test_chart_is_installed_and_removed_as_people_do_it() -> None:
    steps = [step.get("run", "") for step in load("chart")["jobs"]["install"]["steps"]]
    script = "\n".join(steps)
    wanted = (
        r"deploy/deploy\.sh --profile small .*--observability --yes",
        "helm test madang --namespace madang",
        "127.0.0.1:3200/ready",
        "127.0.0.1:3000/api/health",
        "deploy/cleanup.sh --delete-data --yes",
    )
    found = [re.search(pattern, script) for pattern in wanted]
    assert all(found), found
    places = [one.start() for one in found if one]
    assert places == sorted(places)


def test_release_does_nothing_without_a_registry() -> None:
    jobs = load("release")["jobs"]
    first = jobs.pop("tag")
    assert first["if"] == "vars.ACR_NAME != ''"
    assert "environment" not in first
    assert all("tag" in job["needs"] for job in jobs.values())


def test_release_that_waits_is_not_replaced_by_a_newer_one() -> None:
    concurrency = load("release")["concurrency"]
    assert concurrency == {"group": "release", "queue": "max", "cancel-in-progress": False}


def test_release_is_tagged_by_the_time_in_korea(tmp_path: Path) -> None:
    (step,) = load("release")["jobs"]["tag"]["steps"]
    output = tmp_path / "output"
    before = datetime.now(UTC).replace(second=0, microsecond=0)
    assert run_step(step, tmp_path, GITHUB_OUTPUT=str(output)).returncode == 0
    said = dict(line.split("=") for line in output.read_text().splitlines())
    tagged = datetime.strptime(said["tag"], "%Y%m%d-%H%M").replace(tzinfo=UTC) - timedelta(hours=9)
    assert before <= tagged <= datetime.now(UTC)
    created = datetime.fromisoformat(said["created"])
    assert tagged <= created < tagged + timedelta(minutes=1)


def test_release_checks_an_image_before_it_vouches_for_it() -> None:
    job = load("release")["jobs"]["image"]
    names = step_names(job)
    assert (
        names.index("Build and push")
        < names.index(f"{_SCAN}, amd64")
        < names.index("Attest where it was built")
    )
    build = next(step for step in job["steps"] if step.get("id") == "build")
    assert build["with"]["platforms"] == "linux/amd64,linux/arm64"
    assert "latest" not in build["with"]["tags"]


def test_release_names_both_images_latest_or_neither(tmp_path: Path) -> None:
    jobs = load("release")["jobs"]
    job = jobs["latest"]
    assert "image" in job["needs"]
    assert job["if"] == "github.ref_type == 'branch'"
    asked = tmp_path / "asked"
    (tmp_path / "docker").write_text(f'#!/bin/sh\necho "$@" >>{asked}\n')
    (tmp_path / "docker").chmod(0o755)
    named = run_step(job["steps"][-1], tmp_path, REGISTRY="r.example", TAG="1")
    assert named.returncode == 0, named.stderr
    built = [one["name"] for one in jobs["image"]["strategy"]["matrix"]["include"]]
    assert asked.read_text().splitlines() == [
        f"buildx imagetools create --tag r.example/{name}:latest r.example/{name}:1"
        for name in built
    ]


@pytest.mark.parametrize(
    ("helm", "code", "told", "output"),
    [
        ("echo Pushed: x; echo Digest: sha256:1", 0, "Pushed: x", "digest=sha256:1\n"),
        ("echo Pushed: x", 1, "did not say what digest", ""),
        ("echo Error: denied >&2; exit 1", 1, "Error: denied", ""),
    ],
    ids=["pushed", "without a digest", "refused"],
)
def test_release_says_why_the_chart_was_not_pushed(
    tmp_path: Path, helm: str, code: int, told: str, output: str
) -> None:
    (step,) = (step for step in load("release")["jobs"]["chart"]["steps"] if step.get("id"))
    written = tmp_path / "output"
    written.touch()
    tool = tmp_path / "helm"
    tool.write_text(f"#!/bin/sh\ncase $1 in show) echo version: 1.2.3 ;; push) {helm} ;; esac\n")
    tool.chmod(0o755)
    done = run_step(
        step,
        tmp_path,
        GITHUB_OUTPUT=str(written),
        GITHUB_REF_TYPE="branch",
        REGISTRY="registry.example",
        TAG="20260102-1530",
    )
    assert done.returncode == code
    assert told in done.stdout
    assert written.read_text() == output


def test_release_looks_into_each_architecture_that_it_builds() -> None:
    steps = load("release")["jobs"]["image"]["steps"]
    (built,) = (step["with"]["platforms"].split(",") for step in steps if step.get("id") == "build")
    for name in (_SCAN, "List the parts"):
        looked = [step for step in steps if step.get("name", "").startswith(name)]
        assert [step["env"]["TRIVY_PLATFORM"] for step in looked] == built


def test_release_attests_provenance_and_parts_of_what_it_pushed() -> None:
    jobs = load("release")["jobs"]
    steps = [
        step
        for name in ("image", "chart")
        for step in jobs[name]["steps"]
        if step.get("uses", "").startswith("actions/attest@")
    ]
    assert all(step["if"] == "env.ATTEST == 'true'" for step in steps)
    attested = [step["with"] for step in steps]
    lists = [given.get("sbom-path") for given in attested]
    assert lists == [None, "parts-amd64.cdx.json", "parts-arm64.cdx.json", None]
    assert all(given["push-to-registry"] is True for given in attested)
    assert all("outputs.digest" in given["subject-digest"] for given in attested)


def test_release_trusts_one_environment_that_azure_knows() -> None:
    jobs = load("release")["jobs"]
    trusting = {
        name: job.get("environment")
        for name, job in jobs.items()
        if job.get("permissions", {}).get("id-token") == "write"
    }
    assert trusting == {"image": "release", "latest": "release", "chart": "release"}
    identity = (REPOSITORY / "deploy" / "aks" / "modules" / "publisher.bicep").read_text()
    assert "environment:release" in identity
