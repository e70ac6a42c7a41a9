"""Azure: what can be checked without it. The templates are parsed, the script runs with an `az`
that writes down what it is asked; nothing here proves that Azure accepts them.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from pycep import BicepParser

from tests.services.nginx import REPOSITORY

pytestmark = pytest.mark.deploy

AKS = REPOSITORY / "deploy" / "aks"
TEMPLATES = sorted(AKS.rglob("*.bicep"))
AZ = """#!/bin/sh
echo "$@" >>"$AZ_LOG"
[ -z "$FAILING" ] || case "$*" in "$FAILING"*) exit 1 ;; esac
case "$*" in
  "group exists"*)
    if [ "$AZ_GROUP_STAYS" = false ] && grep -q "^group delete" "$AZ_LOG"; then echo false
    else echo "$AZ_GROUP_EXISTS"; fi ;;
  "resource list"*workspaces*) echo board-logs ;;
  *"get gateway"*) echo 192.0.2.7 ;;
  *"apply --filename -") cat >"$AZ_LOG.applied" ;;
  "api "*/sub*) echo "$GH_SUBJECT" ;;
  "api "*) echo repo:Owner/Board ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Azure:
    """A PATH with tools that only write down what they are asked."""

    path: str
    log: Path

    def script(
        self,
        *arguments: str,
        exists: bool = False,
        stays: bool = False,
        subject: str = "",
        failing: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run aks.sh against it."""
        return subprocess.run(
            [AKS / "aks.sh", *arguments],
            env={
                "PATH": self.path,
                "AZ_LOG": str(self.log),
                "AZ_GROUP_EXISTS": str(exists).lower(),
                "AZ_GROUP_STAYS": str(stays).lower(),
                "GH_SUBJECT": subject,
                "FAILING": failing,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def lines(self, beginning: str = "") -> list[str]:
        """All commands, or those that begin so."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if line.startswith(beginning)]

    def asked(self) -> list[str]:
        """Azure's commands that change something or preview a change."""
        changing = r"(deployment sub (create|what-if|delete)|group delete|aks get-credentials)"
        return [line for line in self.lines() if re.match(changing, line)]


@pytest.fixture
def azure(tmp_path: Path) -> Azure:
    for name in ("az", "kubectl", "helm", "gh"):
        tool = tmp_path / name
        tool.write_text(AZ)
        tool.chmod(0o755)
    return Azure(f"{tmp_path}:{os.environ['PATH']}", tmp_path / "asked")


def parse(template: Path) -> dict[str, Any]:
    """The template's parts."""
    return dict(BicepParser().parse(file_path=template))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_template_names_a_stable_api_for_each_resource(template: Path) -> None:
    for resource in parse(template).get("resources", {}).values():
        released = re.fullmatch(r"20\d\d-\d\d-\d\d", resource["api_version"])
        # This one never left its preview.
        assert released or resource["type"] == "Microsoft.Insights/diagnosticSettings"


def test_modules_get_exactly_what_they_take() -> None:
    for module in parse(AKS / "main.bicep")["modules"].values():
        takes = parse(AKS / module["detail"]["path"])["parameters"]
        given = module["config"].get("config", module["config"])["params"]
        assert set(given) == set(takes)


def test_outputs_that_are_used_are_made() -> None:
    text = (AKS / "main.bicep").read_text()
    for name, output in re.findall(r"(\w+)!?\.outputs\.(\w+)", text):
        assert output in parse(AKS / "modules" / f"{name}.bicep")["outputs"]
    script = (AKS / "aks.sh").read_text()
    for output in re.findall(r"\$\(output (\w+)\)", script):
        assert output in parse(AKS / "main.bicep")["outputs"]


def test_templates_put_no_secret_into_their_outputs() -> None:
    for template in TEMPLATES:
        text = template.read_text()
        assert not re.search(r"listKeys|listCredentials|connectionString", text, re.IGNORECASE)
        assert "adminUserEnabled: true" not in text


def test_options_of_the_script_are_parameters_of_the_template() -> None:
    set_by_script = re.findall(
        r'parameters\+=\("?(\w+)=|"(name|location)=\$', (AKS / "aks.sh").read_text()
    )
    names = {name for pair in set_by_script for name in pair if name}
    assert {"name", "location", "githubSubjectPrefix", "eventHubs"} <= names
    assert names <= set(parse(AKS / "main.bicep")["parameters"])


def test_up_with_what_if_changes_nothing(azure: Azure) -> None:
    shown = azure.script("up", "--what-if", "--name", "board", "--event-hubs")
    assert shown.returncode == 0, shown.stderr
    (asked,) = azure.asked()
    assert asked.startswith("deployment sub what-if --name board --location koreacentral")
    assert asked.endswith("name=board location=koreacentral eventHubs=true")


def test_up_deploys_and_points_kubectl_at_the_cluster(azure: Azure) -> None:
    done = azure.script("up", "--name", "board")
    assert done.returncode == 0, done.stderr
    create, credentials = azure.asked()
    assert create.startswith("deployment sub create --name board --location koreacentral")
    assert credentials.startswith("aks get-credentials --resource-group board --name board")


@pytest.mark.parametrize(
    ("given", "subject", "prefix"),
    [
        ("owner/board", "true repo:Owner@1/Board@2", "repo:Owner@1/Board@2"),
        ("owner/board", "true", "repo:Owner/Board"),
        ("repository_id:2", "", "repository_id:2"),
    ],
    ids=["with ids", "without", "said by hand"],
)
def test_up_trusts_the_subject_that_github_signs(
    azure: Azure, given: str, subject: str, prefix: str
) -> None:
    done = azure.script("up", "--what-if", "--github", given, subject=subject)
    assert done.returncode == 0, done.stderr
    (asked,) = azure.asked()
    assert asked.endswith(f" githubSubjectPrefix={prefix}")
    publisher = (AKS / "modules" / "publisher.bicep").read_text()
    assert "subject: '${githubSubjectPrefix}:environment:release'" in publisher


def test_up_refuses_a_repository_with_subjects_of_its_own(azure: Azure) -> None:
    refused = azure.script("up", "--github", "owner/board", subject="false repo:Owner/Board")
    assert refused.returncode == 1
    assert "has subjects of its own in its tokens" in refused.stderr
    assert azure.asked() == []


def test_page_installs_by_hand_what_the_script_does() -> None:
    page, script = (REPOSITORY / "docs" / "aks.md").read_text(), (AKS / "aks.sh").read_text()
    versions = dict(re.findall(r"(cert_manager|envoy_gateway)=(v[\d.]+)", script))
    assert len(versions) == 2
    for name, version in versions.items():
        assert re.search(rf"install {name.replace('_', '-')} \S+ --version {version} ", page)
    chosen = re.findall(r"--set [\w.]+=\S+", script)
    assert len(chosen) == 4
    assert [one for one in chosen if one not in page] == []


def test_images_are_built_by_what_has_buildkit() -> None:
    page, script = (REPOSITORY / "docs" / "aks.md").read_text(), (AKS / "aks.sh").read_text()
    built = re.findall(r"^docker buildx build .*--file (\S+)", page, re.MULTILINE)
    assert len(built) == 2
    assert all((REPOSITORY / file).is_file() for file in built)
    assert "az acr build" not in script
    assert not re.search(r"^az acr build", page, re.MULTILINE)


def test_down_without_a_yes_removes_nothing(azure: Azure) -> None:
    refused = azure.script("down", exists=True)
    assert refused.returncode == 1
    assert "this removes the resource group madang and all data in it; say --yes" in refused.stderr
    assert azure.asked() == []


def test_down_removes_the_group_and_can_be_repeated(azure: Azure) -> None:
    removed = azure.script("down", "--yes", exists=True)
    assert removed.returncode == 0, removed.stderr
    assert azure.asked()[0] == "group delete --name madang --yes"
    assert "the log workspace board-logs, out of sight, for 14 more days" in removed.stdout
    forgotten = ["context madang", "cluster madang", "user clusterUser_madang_madang"]
    assert azure.lines("config") == [f"config delete-{entry}" for entry in forgotten]
    again = azure.script("down", "--yes", exists=False)
    assert again.returncode == 0
    assert "Nothing of madang is left" in again.stdout
    assert len(azure.lines("group delete")) == 1
    assert len(azure.lines("config")) == 3


def test_down_looks_again_before_it_says_that_nothing_is_left(azure: Azure) -> None:
    left = azure.script("down", "--yes", exists=True, stays=True)
    assert left.returncode == 1
    assert "Nothing of" not in left.stdout
    assert "the resource group madang is still there" in left.stderr


def test_down_takes_no_answer_of_azure_for_none(azure: Azure) -> None:
    told = azure.script("down", "--yes", failing="group exists")
    assert told.returncode == 1
    assert "Azure does not say whether there is a resource group madang" in told.stderr
    assert "Nothing of" not in told.stdout
    assert azure.asked() == []


@pytest.mark.parametrize("failing", ["api repos/owner/board/actions", "api repos/owner/board --jq"])
def test_up_does_not_go_on_without_github_s_answer(azure: Azure, failing: str) -> None:
    told = azure.script("up", "--github", "owner/board", subject="true", failing=failing)
    assert told.returncode == 1
    assert "GitHub does not say how" in told.stderr
    assert azure.asked() == []


def test_https_applies_the_gateway_for_the_host(azure: Azure) -> None:
    done = azure.script(
        "https", "--host", "board.example", "--email", "me@board.example", "--namespace", "boards"
    )
    assert done.returncode == 0, done.stderr
    assert "Let board.example lead to 192.0.2.7" in done.stdout
    installed = [line.split()[2:4] for line in azure.lines("upgrade --install")]
    assert installed == [
        ["envoy-gateway", "oci://docker.io/envoyproxy/gateway-helm"],
        ["cert-manager", "oci://quay.io/jetstack/charts/cert-manager"],
    ]
    assert azure.lines("--context=madang apply")  # and not to what became the current context
    text = azure.log.with_suffix(".applied").read_text()
    assert "${" not in text
    _, _, issuer, gateway, redirect = (one.get("spec") for one in yaml.safe_load_all(text))
    assert issuer["acme"]["email"] == "me@board.example"
    assert [listener["hostname"] for listener in gateway["listeners"]] == ["board.example"] * 2
    admitted = gateway["listeners"][1]["allowedRoutes"]["namespaces"]["selector"]["matchLabels"]
    assert admitted == {"kubernetes.io/metadata.name": "boards"}
    assert redirect["hostnames"] == ["board.example"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["up", "--github"], "--github needs a value"),
        (["up", "--colour"], "unknown option: --colour"),
        (["fly"], "unknown command: fly"),
        (["https"], "https needs --host and --email"),
    ],
)
def test_wrong_use_is_one_line(azure: Azure, arguments: list[str], said: str) -> None:
    told = azure.script(*arguments)
    assert told.returncode == 1
    assert said in told.stderr


def test_missing_azure_client_is_named(tmp_path: Path) -> None:
    for tool in ("bash", "dirname"):
        found = shutil.which(tool)
        assert found
        (tmp_path / tool).symlink_to(found)
    told = Azure(str(tmp_path), tmp_path / "asked").script("status")
    assert told.returncode == 1
    assert told.stderr == "error: missing: az. Install the Azure CLI: https://aka.ms/azure-cli\n"


def test_gateway_admits_the_board_s_namespace_and_renews_its_certificate() -> None:
    documents = list(yaml.safe_load_all((AKS / "gateway.yaml").read_text()))
    kinds = [document["kind"] for document in documents]
    assert kinds == ["Namespace", "GatewayClass", "ClusterIssuer", "Gateway", "HTTPRoute"]
    gateway, issuer = documents[3], documents[2]
    named = gateway["metadata"]["annotations"]["cert-manager.io/cluster-issuer"]
    assert named == issuer["metadata"]["name"]
    listeners = {listener["name"]: listener for listener in gateway["spec"]["listeners"]}
    assert listeners["https"]["tls"]["certificateRefs"] == [{"name": "board-tls"}]
    selector = listeners["https"]["allowedRoutes"]["namespaces"]["selector"]["matchLabels"]
    assert selector == {"kubernetes.io/metadata.name": "${MADANG_NAMESPACE}"}
