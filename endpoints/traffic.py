"""Traffic to an endpoint as an open loop: requests go out at the rate, whether or not the last ones are answered.

Latency counts from the moment at which a request was due, so that a stall shows in every request it holds up.
"""

import io
import itertools
import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sluice import aws
from sluice.config import Frozen

SLOW_SECONDS = 3.0
CONNECTIONS = 128
"""At once; beyond it a request waits for its turn, and that shows in its latency."""


@dataclass(frozen=True)
class Request:
    """One invocation. `slow`: its body goes out over `SLOW_SECONDS`, as from a caller on a bad line."""

    inference_id: str
    content_type: str
    body: bytes
    slow: bool = False


class Summary(Frozen):
    """What became of the traffic. Latencies in milliseconds, of requests that were not slow by themselves."""

    endpoint: str
    sent: int
    ok: int
    failed: int
    slow: int
    seconds: float
    codes: dict[str, int]
    versions: dict[str, int]
    """Answers by the version of the model that gave them."""
    errors: tuple[str, ...]
    """The first few."""
    p50: float | None
    p90: float | None
    p99: float | None
    largest: float | None
    note: str = ""


class SlowBody(io.BytesIO):
    """A body that stops half way, once it is being sent: signing reads it before, at full speed."""

    def __init__(self, body: bytes, wait: Callable[[float], object]) -> None:
        super().__init__(body)
        self._half = len(body) // 2
        self._wait = wait
        self.sending = False

    def read(self, size: int | None = -1, /) -> bytes:
        if not self.sending or not self._half:
            return super().read(size)
        if self.tell() < self._half:
            return super().read(self._half - self.tell())
        if self.tell() == self._half:
            self._wait(SLOW_SECONDS)
        return super().read(size)


class Invoker:
    """Invokes one endpoint over a pool of connections that are kept alive. Repeats nothing: a failure is counted,
    not hidden."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        config = Config(
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=CONNECTIONS,
            connect_timeout=5,
            read_timeout=70,
        )
        self._client = boto3.Session(region_name=aws.region()).client("sagemaker-runtime", config=config)
        self._client.meta.events.register("before-send.sagemaker-runtime.*", _now_sending)

    def __call__(self, request: Request) -> Mapping[str, Any]:
        """boto3's answer.

        Raises:
            ClientError, BotoCoreError: as botocore has them.
        """
        body = SlowBody(request.body, time.sleep) if request.slow else request.body
        answer: Mapping[str, Any] = self._client.invoke_endpoint(
            EndpointName=self._endpoint,
            ContentType=request.content_type,
            Body=body,
            InferenceId=request.inference_id,
            # SageMaker's answers and the shadow's captures may lack the inference id; these attributes come back.
            CustomAttributes=f"id={request.inference_id}",
        )
        answer["Body"].read()
        return answer


def _now_sending(request: Any, **_: Any) -> None:
    if isinstance(request.body, SlowBody):
        request.body.sending = True


class Replay:
    """An open loop of requests.

    Args:
        requests: what to send, in order; the loop ends with them.
        invoke: sends one; its answer, or an exception of botocore's.
        rate: requests a second.
        seconds: how long; None until the requests or `stop` end it.
    """

    def __init__(
        self,
        endpoint: str,
        requests: Iterator[Request],
        invoke: Callable[[Request], Mapping[str, Any]],
        rate: float,
        seconds: float | None,
    ) -> None:
        self._endpoint = endpoint
        self._requests = requests
        self._invoke = invoke
        self._rate = rate
        self._seconds = seconds
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._sent = self._slow = 0
        self._codes: Counter[str] = Counter()
        self._versions: Counter[str] = Counter()
        self._errors: list[str] = []
        self._latencies = array("d")
        self._began = time.monotonic()
        self._ended: float | None = None

    def stop(self) -> None:
        """Send no more; what is in flight is waited for by `run`."""
        self._stop.set()

    def run(self, watch: Callable[[Summary], None] = lambda _: None) -> Summary:
        """Send, and wait for the last answer.

        Args:
            watch: told about once a second how it stands.
        """
        # The first request is made before the clock starts: reading the data is no latency of the endpoint.
        requests = itertools.chain(list(itertools.islice(self._requests, 1)), self._requests)
        self._began = told = time.monotonic()
        with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="replay") as pool:
            for number, request in enumerate(requests):
                due = self._began + number / self._rate
                if self._seconds is not None and due - self._began >= self._seconds:
                    break
                if self._stop.wait(max(0.0, due - time.monotonic())):
                    break
                with self._lock:
                    self._sent += 1
                    self._slow += request.slow
                pool.submit(self._one, request, due)
                if time.monotonic() - told >= 1:
                    told = time.monotonic()
                    watch(self.summary())
        self._ended = time.monotonic()
        watch(self.summary())
        return self.summary()

    def _one(self, request: Request, due: float) -> None:
        code, version, error = "200", "", ""
        try:
            answer = self._invoke(request)
            attributes = answer.get("CustomAttributes", "")
            version = dict(part.partition("=")[::2] for part in attributes.split(";")).get("version", "")
        except ClientError as refused:
            code = str(refused.response.get("ResponseMetadata", {}).get("HTTPStatusCode", "error"))
            error = f"{request.inference_id}: {refused}"
        except (BotoCoreError, OSError) as broken:
            code, error = type(broken).__name__, f"{request.inference_id}: {broken}"
        took = (time.monotonic() - due) * 1000
        with self._lock:
            self._codes[code] += 1
            if version:
                self._versions[version] += 1
            if not request.slow:
                self._latencies.append(took)
            if error and len(self._errors) < 5:
                self._errors.append(error)

    def summary(self) -> Summary:
        """How it stands."""
        with self._lock:
            latencies = sorted(self._latencies)
            ok = self._codes["200"]
            answered = sum(self._codes.values())
            return Summary(
                endpoint=self._endpoint,
                sent=self._sent,
                ok=ok,
                failed=answered - ok,
                slow=self._slow,
                seconds=round((self._ended or time.monotonic()) - self._began, 3),
                codes={code: count for code, count in sorted(self._codes.items()) if count},
                versions=dict(sorted(self._versions.items())),
                errors=tuple(self._errors),
                p50=_percentile(latencies, 0.5),
                p90=_percentile(latencies, 0.9),
                p99=_percentile(latencies, 0.99),
                largest=_percentile(latencies, 1.0),
            )


def _percentile(ordered: list[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)
