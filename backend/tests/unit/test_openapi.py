"""The description in the repository, and the client made from it, are those of the code."""

import json
import shutil
import subprocess
from pathlib import Path

from jsonschema import Draft202012Validator

from madang.bootstrap import openapi_document

FRONTEND = Path(__file__).parents[3] / "frontend"


def test_description_in_the_repository_is_the_code_s() -> None:
    stored = json.loads((FRONTEND / "openapi.json").read_text())
    assert json.loads(openapi_document()) == stored, "run `make openapi`"


def test_typescript_client_is_made_from_the_description(tmp_path: Path) -> None:
    for name in ("openapi.json", "package.json", "build"):
        source = FRONTEND / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    (tmp_path / "node_modules").symlink_to(FRONTEND / "node_modules")
    generated = tmp_path / "src" / "api"
    generated.mkdir(parents=True)
    subprocess.run(["npm", "run", "generate"], cwd=tmp_path, check=True, capture_output=True)
    for made in generated.iterdir():
        stored = FRONTEND / "src" / "api" / made.name
        assert made.read_text() == stored.read_text(), "run `make openapi`"


def test_schemas_are_json_schemas_and_every_reference_leads_somewhere() -> None:
    text = openapi_document()
    described = json.loads(text)
    schemas = described["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    references = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert references <= schemas.keys()


def test_every_operation_has_a_name_of_its_own_and_names_its_problems() -> None:
    described = json.loads(openapi_document())
    operations = [item for path in described["paths"].values() for item in path.values()]
    names = [item["operationId"] for item in operations]
    assert len(set(names)) == len(names)
    for item in operations:
        problem = item["responses"]["default"]["content"]["application/problem+json"]
        assert problem["schema"] == {"$ref": "#/components/schemas/Problem"}
