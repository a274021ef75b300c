"""A tiny model server, and what a test needs to put it behind an endpoint."""

import contextlib
import json
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

from tests.emulator import tiny_image
from tests.emulator.conftest import Emulator

SERVER = """
import json, os, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WAY = os.environ.get("WAY", "good")
GATE = "the gate"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        closed = WAY == "never" or (WAY == "gated" and not os.path.exists(GATE))
        self.answer(503 if closed else 200, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if WAY == "crash":
            os._exit(3)
        if WAY == "stall":
            time.sleep(5)
        if WAY == "refuse":
            return self.answer(500, b"broken model")
        if body.startswith(b"sleep "):
            time.sleep(float(body.split()[1]))
        if body == b"die":
            os._exit(3)
        if body == b"bad":
            return self.answer(400, b"row 3, field x: no")
        about = {
            "way": WAY,
            "pid": os.getpid(),
            "accept": self.headers.get("Accept"),
            "type": self.headers.get("Content-Type"),
            "inference_id": self.headers.get("X-Amzn-SageMaker-Inference-Id"),
            "attributes": self.headers.get("X-Amzn-SageMaker-Custom-Attributes"),
            "path": self.path,
            "arguments": sys.argv[1:],
        }
        headers = {"Content_Type": "application/json"}
        if about["attributes"]:
            headers["X_Amzn_SageMaker_Custom_Attributes"] = about["attributes"] + ";version=1"
        self.answer(200, json.dumps(about).encode(), **headers)


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


Server((os.environ["SLUICE_BIND_HOST"], int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""
ROLE = tiny_image.ROLE
CAPTURES = "captures"


def put_settings(emulator: Emulator, **settings: Any) -> None:
    """Change an emulator's settings."""
    request = urllib.request.Request(
        f"{emulator.endpoint_url}/_sluice/settings",
        data=json.dumps(settings).encode(),
        method="PUT",
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request).close()


class World:
    """An emulator with an image and a bucket in it."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator = emulator
        self.sagemaker = emulator.client("sagemaker")
        self.runtime = emulator.client("sagemaker-runtime", read_timeout=180)
        self.gate = folder / "gate"
        """A server that behaves as `gated` is ready once this file is there."""
        source = SERVER.replace("the gate", str(self.gate))
        self.image = tiny_image.push(emulator, folder, {"serving.py": source}, ("python", "serving.py"))
        emulator.client("s3").create_bucket(Bucket=CAPTURES)
        self.set(provisioning_delay_seconds=0.2)

    def set(self, **settings: Any) -> None:
        """Change the emulator's settings."""
        put_settings(self.emulator, **settings)

    def model(self, way: str) -> str:
        """A model that behaves in a way; made once."""
        with contextlib.suppress(self.sagemaker.exceptions.ClientError):
            self.sagemaker.create_model(
                ModelName=way,
                ExecutionRoleArn=ROLE,
                PrimaryContainer={"Image": self.image, "Environment": {"WAY": way}},
            )
        return way

    def variant(self, way: str, name: str = "AllTraffic", count: int = 2, **more: Any) -> dict[str, Any]:
        return {
            "VariantName": name,
            "ModelName": self.model(way),
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": count,
            "InitialVariantWeight": 1.0,
            **more,
        }

    def config(
        self, name: str, way: str = "good", count: int = 2, shadow: str | None = None, **more: Any
    ) -> str:
        """An endpoint config with enhanced metrics and captures of everything."""
        arguments: dict[str, Any] = {
            "EndpointConfigName": name,
            "ProductionVariants": [self.variant(way, count=count)],
            "MetricsConfig": {"EnableEnhancedMetrics": True, "MetricPublishFrequencyInSeconds": 10},
            "DataCaptureConfig": {
                "EnableCapture": True,
                "InitialSamplingPercentage": 100,
                "DestinationS3Uri": f"s3://{CAPTURES}/of",
                "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
                "CaptureContentTypeHeader": {
                    "CsvContentTypes": ["text/csv"],
                    "JsonContentTypes": ["application/json"],
                },
            },
            **more,
        }
        if shadow is not None:
            arguments["ShadowProductionVariants"] = [self.variant(shadow, "Shadow", 1)]
        self.sagemaker.create_endpoint_config(**arguments)
        return name

    def endpoint(self, name: str, config: str, **more: Any) -> None:
        """Create one and wait until it is in service."""
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config, **more)
        assert self.settled(name)["EndpointStatus"] == "InService"

    def describe(self, name: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=name)
        return answer

    def settled(self, name: str, seconds: float = 60) -> dict[str, Any]:
        """The description once nothing is under way."""

        def look() -> dict[str, Any] | None:
            now = self.describe(name)
            return now if now["EndpointStatus"] in ("InService", "Failed", "UpdateRollbackFailed") else None

        found: dict[str, Any] = tiny_image.until(look, seconds)
        return found

    def invoke(self, name: str, body: bytes = b"x", **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.runtime.invoke_endpoint(
            EndpointName=name, Body=body, ContentType="text/csv", **more
        )
        answer["About"] = json.loads(answer["Body"].read())
        return answer

    def delete(self, name: str) -> None:
        """Delete an endpoint and wait until it is gone."""
        self.sagemaker.delete_endpoint(EndpointName=name)

        def gone() -> bool:
            try:
                self.describe(name)
            except self.sagemaker.exceptions.ClientError:
                return True
            return False

        tiny_image.until(gone)

    def captured(self, endpoint: str, variant: str) -> list[dict[str, Any]]:
        """Every captured record."""
        s3 = self.emulator.client("s3")
        found = s3.list_objects_v2(Bucket=CAPTURES, Prefix=f"of/{endpoint}/{variant}/").get("Contents", [])
        lines: list[dict[str, Any]] = []
        for entry in found:
            body = s3.get_object(Bucket=CAPTURES, Key=entry["Key"])["Body"].read().decode()
            lines += [json.loads(line) for line in body.splitlines()]
        return lines

    def total(
        self, metric: str, endpoint: str, variant: str = "AllTraffic", config: str | None = None
    ) -> float:
        """The sum of a metric over everything."""
        dimensions = {"EndpointName": endpoint, "VariantName": variant}
        if config is not None:
            dimensions["EndpointConfigName"] = config
        points = self.emulator.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=metric,
            Dimensions=[{"Name": k, "Value": v} for k, v in dimensions.items()],
            StartTime=time.time() - 3600,
            EndTime=time.time() + 60,
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        return float(sum(point["Sum"] for point in points))


class Load:
    """Clients that keep their connections and send until they are told to stop."""

    def __init__(self, world: World, endpoint: str, clients: int = 4, slow: int = 1) -> None:
        self._world = world
        self._endpoint = endpoint
        self._stop = threading.Event()
        self.sent: Counter[str] = Counter()
        self.ways: Counter[str] = Counter()
        self.failures: list[str] = []
        self.seconds: list[float] = []
        self._lock = threading.Lock()
        bodies = [b"sleep 0.01"] * clients + [b"sleep 3"] * slow
        self._threads = [threading.Thread(target=self._send, args=(body,)) for body in bodies]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self, body: bytes) -> None:
        client = self._world.emulator.client("sagemaker-runtime", read_timeout=180)
        while not self._stop.is_set():
            begin = time.perf_counter()
            try:
                answer = client.invoke_endpoint(
                    EndpointName=self._endpoint, Body=body, ContentType="text/csv"
                )
                way = json.loads(answer["Body"].read())["way"]
            except Exception as error:  # noqa: BLE001 - whatever it is, the test reports it
                with self._lock:
                    self.failures.append(repr(error))
                continue
            finally:
                with self._lock:
                    self.sent[body.decode()] += 1
            with self._lock:
                self.ways[way] += 1
                if body == b"sleep 0.01":
                    self.seconds.append(time.perf_counter() - begin)
