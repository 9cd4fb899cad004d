"""What is in deploy/ is well-formed, says what the program knows and agrees with itself; no container engine needed."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from jina_components import __version__
from jina_components.cli.main import build_parser
from jina_components.service import ServiceSettings, create_app
from jina_components.service.limits.tiers import read_tiers

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
KUBERNETES = "1.31"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text(name)))


MANIFESTS = sorted(f"kubernetes/{path.name}" for path in (DEPLOY / "kubernetes").glob("*.yaml"))
OBJECTS = [each for name in MANIFESTS for each in documents(name) if each["kind"] != "Kustomization"]
[COMPOSE] = documents("compose.yaml")
SERVICE = COMPOSE["services"]["service"]
[DEPLOYMENT] = [each for each in OBJECTS if each["kind"] == "Deployment"]
POD = DEPLOYMENT["spec"]["template"]["spec"]
[CONTAINER] = POD["containers"]
UNIT = text("systemd/jina-components.service")


def dockerfile() -> list[tuple[str, str]]:
    """Instructions and what they are given."""
    plain = "\n".join(line for line in text("Dockerfile").splitlines() if not line.startswith("#"))
    lines = [line.strip() for line in plain.replace("\\\n", " ").splitlines() if line.strip()]
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines)]


def of_unit(name: str) -> list[str]:
    return re.findall(rf"(?m)^{name}=(.*)$", UNIT)


def stages() -> dict[str, dict[str, list[str]]]:
    """By the name of each stage, what its instructions are given, of those that it is built on too."""
    found: dict[str, dict[str, list[str]]] = {}
    held: dict[str, list[str]] = {}
    for name, given in dockerfile():
        if name == "FROM":
            base, _, stage = given.partition(" AS ")
            held = found[stage] = {key: [*values] for key, values in found.get(base, {}).items()}
        held.setdefault(name, []).append(given)
    return found


def commands() -> dict[str, list[str]]:
    """By where they are, the arguments of all command lines of the program."""
    entry, default = (json.loads(stages()["service"][name][-1]) for name in ("ENTRYPOINT", "CMD"))
    assert entry == ["jina-components"]
    [options] = re.findall(r'"SERVE_OPTIONS": "(.*)"', text("sagemaker.md"))
    script = json.loads(stages()["sagemaker"]["ENTRYPOINT"][-1])[2]
    found = {
        "Dockerfile": default,
        "compose.yaml": SERVICE["command"],
        "deployment.yaml": CONTAINER["args"],
        "systemd": shlex.split(of_unit("ExecStart")[0])[1:],
        "SageMaker": shlex.split(script.replace("${SERVE_OPTIONS}", options).replace('"$@"', "serve"))[2:],
    }
    for name in ("README.md", "sagemaker.md"):
        blocks = "\n".join(re.findall(r"```bash\n(.*?)```", text(name), re.S)).replace("\\\n", " ")
        lines = [*blocks.splitlines(), *re.findall(r"`(jina-components [^`]*)`", text(name))]
        for line in lines:
            if found_in := re.search(r"(?:^|[\s/])jina-components ((?:serve|keys|usage)\b.*)", line):
                found[f"{name}: {found_in[1]}"] = shlex.split(found_in[1])
    return found


@pytest.mark.parametrize("name", commands())
def test_command_lines_are_the_programs(name: str):
    build_parser().parse_args(commands()[name])


def test_there_are_command_lines_of_all_kinds():
    shown = [arguments[:2] for arguments in commands().values()]
    assert len(shown) > 10
    assert ["keys", "create"] in shown
    assert any("--ray" in arguments for arguments in commands().values())


def test_compose_is_as_its_specification_has_it():
    schema = json.loads(files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text())
    jsonschema.validate(COMPOSE, schema)


@pytest.mark.parametrize("manifest", OBJECTS, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def test_objects_are_as_kubernetes_has_them(manifest: dict[str, Any]):
    assert kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_the_kustomization_has_all_objects_but_the_secret():
    [kustomization] = documents("kubernetes/kustomization.yaml")
    named = {*kustomization["resources"], "kustomization.yaml", "secret.example.yaml"}
    assert {f"kubernetes/{name}" for name in named} == set(MANIFESTS)
    [tiers] = kustomization["configMapGenerator"]
    assert tiers["files"] == ["tiers.toml"]
    [volume] = [each for each in POD["volumes"] if "configMap" in each]
    assert volume["configMap"]["name"] == tiers["name"]
    assert {each["metadata"]["namespace"] for each in OBJECTS if each["kind"] == "Secret"} == {
        kustomization["namespace"]
    }


def test_objects_find_each_other():
    label = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    by_kind = {each["kind"]: each for each in OBJECTS}
    assert by_kind["Service"]["spec"]["selector"] == label
    assert by_kind["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == label
    assert by_kind["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == DEPLOYMENT["metadata"]["name"]
    [secret] = CONTAINER["envFrom"]
    assert secret["secretRef"]["name"] == by_kind["Secret"]["metadata"]["name"]
    assert {
        each["persistentVolumeClaim"]["claimName"] for each in POD["volumes"] if "persistentVolumeClaim" in each
    } == {by_kind["PersistentVolumeClaim"]["metadata"]["name"]}
    assert {each["name"] for each in CONTAINER["volumeMounts"]} == {each["name"] for each in POD["volumes"]}
    for rule in by_kind["Ingress"]["spec"]["rules"]:
        [path] = rule["http"]["paths"]
        assert path["backend"]["service"] == {"name": by_kind["Service"]["metadata"]["name"], "port": {"name": "http"}}
    hosts = {rule["host"].partition(".")[0] for rule in by_kind["Ingress"]["spec"]["rules"]}
    assert hosts >= {"r", "s", "g", "api", "deepsearch"}
    assert hosts == {host.partition(".")[0] for each in by_kind["Ingress"]["spec"]["tls"] for host in each["hosts"]}


def test_pods_may_do_no_more_than_they_must():
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["automountServiceAccountToken"] is False
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
    }  # fmt: skip
    [user] = {given.partition(":")[0] for given in stages()["service"]["USER"]}
    assert int(user) == POD["securityContext"]["runAsUser"] > 0


def test_images_have_versions():
    images = [each["image"] for each in COMPOSE["services"].values()] + [CONTAINER["image"]]
    [python] = re.findall(r"ARG PYTHON=(\S+)", text("Dockerfile"))
    for image in [*images, f"python:{python}"]:
        assert re.search(r":\D*\d+\.\d+\.\d+|:RELEASE\.\d{4}-|:\d+\.\d+-", image), image
    [kustomization] = documents("kubernetes/kustomization.yaml")
    [ours] = kustomization["images"]
    assert {SERVICE["image"], CONTAINER["image"], f"{ours['name']}:{ours['newTag']}"} == {
        f"jina-components:{__version__}"
    }
    least = re.fullmatch(r">=(\d+)\.(\d+)", PYPROJECT["requires-python"]).groups()
    assert tuple(map(int, python.split(".")[:2])) >= tuple(map(int, least))


def test_paths_of_probes_are_there(tmp_path: Path):
    app = create_app(ServiceSettings(data=tmp_path))
    served = set(app.openapi()["paths"])
    probes = {CONTAINER[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    annotations = DEPLOYMENT["spec"]["template"]["metadata"]["annotations"]
    [health] = re.findall(r"http://127\.0\.0\.1:\d+(/\w+)", stages()["service"]["HEALTHCHECK"][0])
    assert probes | {annotations["prometheus.io/path"], health} <= served
    assert health == "/ready" == CONTAINER["readinessProbe"]["httpGet"]["path"]
    assert health in SERVICE["healthcheck"]["test"][-1]


def test_ports_agree():
    port = build_parser().parse_args(["serve"]).port
    told = {int(each) for each in stages()["service"]["EXPOSE"]}
    told |= {each["containerPort"] for each in CONTAINER["ports"]}
    told |= {int(each) for each in re.findall(r"127\.0\.0\.1:(\d+)/ready", text("Dockerfile") + text("compose.yaml"))}
    told |= {int(each) for each in re.findall(r"dynamic a service (\d+)", text("Caddyfile"))}
    told |= {int(DEPLOYMENT["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"])}
    assert told == {port}
    assert {each["targetPort"] for each in next(o for o in OBJECTS if o["kind"] == "Service")["spec"]["ports"]} == {
        "http"
    }


def test_variables_of_the_environment_are_known():
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "jina_components").rglob("*.py"))
    given = {*SERVICE["environment"], *(each["name"] for each in CONTAINER["env"])}
    given |= {name for each in OBJECTS if each["kind"] == "Secret" for name in each["stringData"]}
    given |= set(re.findall(r"\$(JINA_\w+)", text("README.md"))) | {"XDG_DATA_HOME"}
    of_others = {"HF_TOKEN"}  # the hub's client
    assert not {name for name in given - of_others if f'"{name}"' not in source}


def test_the_example_has_what_compose_asks_for():
    named = set(re.findall(r"(?m)^(\w+)=", text("example.env")))
    asked = set(re.findall(r"\$\{(\w+)", text("compose.yaml")))
    assert named == asked
    required = set(re.findall(r"\$\{(\w+):\?", text("compose.yaml")))
    assert required == set(re.findall(r"(?m)^(\w+_(?:PASSWORD|SECRET))=$", text("example.env")))
    ignored = subprocess.run(["git", "check-ignore", "deploy/.env"], cwd=ROOT, capture_output=True)
    assert ignored.returncode == 0 or not (ROOT / ".git").exists()


def test_services_of_compose_are_found():
    services = COMPOSE["services"]
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] != "service_healthy" or "healthcheck" in services[other], (name, other)
    told = " ".join(
        [*SERVICE["command"], *SERVICE["environment"].values(), *services["milvus"]["environment"].values()]
    )
    hosts = set(re.findall(r"(?:://|@|^|\s)([a-z]+):\d{4,5}", told))
    assert hosts == {"milvus", "postgres", "redis", "searxng", "etcd", "minio"}
    volumes = {volume.partition(":")[0] for each in services.values() for volume in each.get("volumes", [])}
    assert {volume for volume in volumes if not volume.startswith(".")} == set(COMPOSE["volumes"])
    for volume in volumes - set(COMPOSE["volumes"]):
        assert (DEPLOY / volume).exists(), volume
    [network] = COMPOSE["networks"]["inside"]["ipam"]["config"]
    assert f"--trust-proxy={network['subnet']}" in SERVICE["command"]
    assert {name for name, each in services.items() if "ports" in each} == {"proxy"}


def test_searxng_answers_in_json():
    [settings] = documents("searxng/settings.yml")
    assert "json" in settings["search"]["formats"]


def test_tiers_are_tiers():
    assert set(read_tiers(DEPLOY / "kubernetes" / "tiers.toml")) > {"team", "free"}


def test_what_ends_has_the_time_to():
    def drains(arguments: list[str]) -> float:
        return build_parser().parse_args(arguments).drain_seconds

    assert int(SERVICE["stop_grace_period"].removesuffix("s")) > drains(SERVICE["command"])
    waiting = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert POD["terminationGracePeriodSeconds"] > waiting + drains(CONTAINER["args"])
    assert int(of_unit("TimeoutStopSec")[0]) > drains(commands()["systemd"])


def test_the_image_is_made_of_what_is_there():
    known = {
        "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "RUN", "STOPSIGNAL", "USER",
        "VOLUME", "WORKDIR",
    }  # fmt: skip
    assert {name for name, _ in dockerfile()} <= known
    assert [*stages()] == ["build", "runtime", "sagemaker", "service"]
    let_in = set(re.findall(r"(?m)^!(\S+)", text("Dockerfile.dockerignore")))
    for given in stages()["build"]["COPY"]:
        *sources, _ = given.split()
        for source in sources:
            assert (ROOT / source).exists()
            assert source in let_in
    [extras] = re.findall(r"ARG EXTRAS=(\S+)", text("Dockerfile"))
    assert {*extras.split(","), "torch"} <= set(PYPROJECT["optional-dependencies"])
    mounts = {volume.split(":")[1] for volume in SERVICE["volumes"]}
    assert set(stages()["service"]["VOLUME"]) <= mounts & {each["mountPath"] for each in CONTAINER["volumeMounts"]}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_the_unit_is_as_systemd_has_it(tmp_path: Path):
    unit = tmp_path / "jina-components.service"
    unit.write_text(UNIT.replace("/opt/jina-components/bin/jina-components", sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_pages_are_one_page():
    for name in ("README.md", "sagemaker.md"):
        assert len(text(name).splitlines()) <= 110
        for path in re.findall(r"\]\(([^)]+)\)", text(name)):
            assert (DEPLOY / path).exists(), path
