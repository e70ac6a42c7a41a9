"""What deploy.sh and cleanup.sh ask of Helm, kubectl and Python, which here only write it down."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.tools import ROOT

pytestmark = pytest.mark.deploy

RECORDER = """
call="${0##*/} $*"
echo "$call" >>"$CALLS"
[ -z "$HELM_KUBECONTEXT" ] || echo "context $HELM_KUBECONTEXT" >>"$CALLS"
case $call in
  "kubectl config current-context") echo "$CONTEXT" ;;
  "helm version"*) echo v4.3 ;;
  "helm get metadata"*) echo "{\\"name\\":\\"any\\",\\"chart\\":\\"${CHART:-$3}\\"}" ;;
  "helm get values"*)
    echo "WARNING: a file is readable by others" >&2
    echo "$COLLECTED"
    [ -z "$FAILURE" ] || { echo "$FAILURE" >&2; exit 1; } ;;
  "helm upgrade"*collection.yaml*)
    for word; do
      case $word in */installed.json | */collection.yaml) cat "$word" >>"$CALLS" ;; esac
    done ;;
  "kubectl get namespace"*made-by*) echo deploy.sh ;;
  "kubectl get namespace"*) echo namespace/boards ;;
  "kubectl api-resources"*) printf 'pods\\nsecrets\\n' ;;
  *"get secrets --selector=owner=helm,name="*)
    release=${call##*name=} release=${release%% *}
    grep -q "helm uninstall $release" "$CALLS" || echo "secret/$release" ;;
esac
"""
ABSENT = "Error: release: not found"
FORBIDDEN = "Error: secrets is forbidden: User cannot list"
UNREACHABLE = "Error: Kubernetes cluster unreachable: connection reset by peer"


# What macOS has refuses what GNU's takes: no operand, and an alternative that is empty.
BSD = {
    "paste": """
for word; do :; done
[ "$word" = - ] || { echo "usage: paste [-s] [-d delimiters] file ..." >&2; exit 1; }
""",
    "grep": """
for word; do case $word in
  *"|" | "|"* | *"||"* | "") echo "grep: empty (sub)expression" >&2; exit 2 ;;
esac; done
""",
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """The scripts with tools that write down what they are asked."""

    path: Path

    def run(
        self,
        script: str,
        *options: str,
        collected: str = "",
        failure: str = "",
        environment: Mapping[str, str] = {},
    ) -> subprocess.CompletedProcess[str]:
        """For the namespace `boards`, with Helm's answer on what is collected."""
        return subprocess.run(
            [ROOT / "deploy" / script, "--namespace", "boards", "--yes", *options],
            env={
                "PATH": f"{self.path}:{os.environ['PATH']}",
                "CALLS": str(self.path / "calls"),
                "COLLECTED": collected,
                "FAILURE": failure,
                **environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def changes(self) -> list[str]:
        """The calls that change something, and the values that came with them."""
        begin = ("helm upgrade", "helm uninstall", "namespaces:", "python3 -m rollout.jobs")
        lines = (self.path / "calls").read_text().splitlines()
        return [line for line in lines if line.startswith(begin)]


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    tools = dict.fromkeys(("helm", "kubectl", "python3"), RECORDER)
    tools |= {name: f'{text}exec {shutil.which(name)} "$@"\n' for name, text in BSD.items()}
    for name, text in tools.items():
        (tmp_path / name).write_text(f"#!/bin/sh{text}")
        (tmp_path / name).chmod(0o755)
    return Recorded(tmp_path)


@pytest.mark.parametrize(
    ("script", "options"),
    [("cleanup.sh", ()), ("cleanup.sh", ("--delete-data",)), ("deploy.sh", ("--observability",))],
)
def test_collection_that_cannot_be_seen_is_left_alone(
    script: str, options: tuple[str, ...], recorded: Recorded
) -> None:
    told = recorded.run(script, *options, failure=UNREACHABLE)

    assert told.returncode == 1
    assert "cannot be seen: " in told.stderr
    assert UNREACHABLE in told.stderr
    assert recorded.changes() == []


@pytest.mark.parametrize("failure", [ABSENT, FORBIDDEN])
def test_collection_that_is_absent_or_somebody_elses_is_no_fault(
    failure: str, recorded: Recorded
) -> None:
    done = recorded.run("cleanup.sh", failure=failure)

    assert done.returncode == 0, done.stderr
    assert recorded.changes()[-1].startswith("helm uninstall madang --namespace boards")
    looked_at = "--namespace observability get" in (recorded.path / "calls").read_text()
    assert looked_at == (failure == ABSENT)


@pytest.mark.parametrize(("version", "forced"), [("v3.19.0", False), ("v4.3.1", True)])
def test_what_another_has_set_goes_back_to_the_values(
    version: str, forced: bool, recorded: Recorded
) -> None:
    helm = recorded.path / "helm"
    helm.write_text(helm.read_text().replace("echo v4.3 ", f"echo {version} "))

    recorded.run("deploy.sh")

    assert ("--force-conflicts" in recorded.changes()[-1]) == forced


def test_boards_that_are_collected_besides_stay_so(recorded: Recorded) -> None:
    collected = '{"grafana":{},"namespaces":["boards","20231234","true"]}'

    cleaned = recorded.run("cleanup.sh", collected=collected)
    deployed = recorded.run("deploy.sh", "--observability", collected=collected)

    assert cleaned.returncode == deployed.returncode == 0, cleaned.stderr + deployed.stderr
    assert "metrics stays: it serves 20231234, true, too" in cleaned.stdout
    uninstalled, updated, listed = recorded.changes()[:2] + [
        line for line in recorded.changes() if line.startswith("namespaces:")
    ]
    assert uninstalled == "helm uninstall madang --namespace boards"
    assert updated.endswith('--reset-then-reuse-values --set-json namespaces=["20231234","true"]')
    assert listed == 'namespaces: ["20231234","true","boards"]'


def test_board_that_joins_leaves_the_values_of_what_collects(recorded: Recorded) -> None:
    collected = '{"grafana":{"existingSecret":"mine"},"namespaces":["boards"]}'
    own = recorded.path / "own.yaml"
    own.write_text("loki: {}\n")

    recorded.run("deploy.sh", "--observability", collected=collected)
    recorded.run("deploy.sh", "--observability", "--observability-values", str(own))

    joined, given = [line for line in recorded.changes() if "upgrade --install observ" in line]
    assert collected in (recorded.path / "calls").read_text().splitlines()
    assert re.search(r"--values \S+/installed.json --values \S+/collection.yaml$", joined)
    assert re.search(rf"--values \S+/collection.yaml --values {own}$", given)


def test_release_of_another_chart_is_not_uninstalled(recorded: Recorded) -> None:
    told = recorded.run("cleanup.sh", failure=FORBIDDEN, environment={"CHART": "jenkins"})

    assert told.returncode == 1
    assert "madang in the namespace boards is of the chart jenkins, which is not" in told.stderr
    assert recorded.changes() == []


def test_others_in_the_namespace_are_looked_for_before_it_is_removed(recorded: Recorded) -> None:
    done = recorded.run("cleanup.sh", "--delete-data", failure=ABSENT)

    assert done.returncode == 0, done.stderr
    assert "delete namespace boards" in (recorded.path / "calls").read_text()
    assert done.stderr == ""


def test_unknown_profile_is_told_with_those_there_are(recorded: Recorded) -> None:
    told = recorded.run("deploy.sh", "--profile", "large")

    assert "must be one of aks small standard, not" in told.stderr


def test_jobs_that_ended_are_removed_before_helm_makes_them_anew(recorded: Recorded) -> None:
    done = recorded.run("deploy.sh")

    assert done.returncode == 0, done.stderr
    removed, upgraded = recorded.changes()
    assert removed == "python3 -m rollout.jobs --namespace boards --release madang"
    assert upgraded.startswith("helm upgrade --install madang ")


@pytest.mark.parametrize("script", ["deploy.sh", "cleanup.sh"])
def test_cluster_that_was_confirmed_is_kept_to(script: str, recorded: Recorded) -> None:
    environment = {"CONTEXT": "staging", "HELM_KUBECONTEXT": "production"}

    done = recorded.run(script, failure=ABSENT, environment=environment)

    assert done.returncode == 0, done.stderr
    assert "Cluster: context staging" in done.stdout
    calls = (recorded.path / "calls").read_text().splitlines()
    begin = calls.index("kubectl config current-context") + 2
    asked = [line for line in calls[begin:] if line.startswith("kubectl ")]
    assert asked
    assert {line.split()[1] for line in asked} == {"--context=staging"}
    assert {line for line in calls[begin:] if line.startswith("context ")} == {"context staging"}


def test_pod_without_a_context_is_no_fault(recorded: Recorded) -> None:
    kubectl = recorded.path / "kubectl"
    kubectl.write_text(
        kubectl.read_text()
        .replace('echo "$CONTEXT" ;;', "exit 1 ;;")
        .replace("case $call in", 'case $call in "kubectl config view"*) exit 1 ;;')
    )

    done = recorded.run("deploy.sh")

    assert done.returncode == 0, done.stderr
    assert "Cluster: the one that this pod runs in" in done.stdout


def test_folders_that_cd_looks_in_lead_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()

    done = subprocess.run(
        ["deploy/deploy.sh", "--profile", "large"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "CDPATH": f"{tmp_path}:."},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == "error: --profile must be one of aks small standard, not 'large'\n"
