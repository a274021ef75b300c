"""Connected step: what serves now, and what the registry holds.

Outputs champion (champion.json; model/ with its unpacked model.tar.gz, if there is a champion) and registry
(packages.json).
"""

import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from pipelines.steps import job, registry
from pipelines.steps.evaluate import unpack
from sluice import aws
from sluice.errors import SluiceError
from sluice.naming import model_package_group_name

PRODUCTION = "AllTraffic"
NONE = {"package": "", "version": ""}


def main() -> None:
    """Fetch the champion, for the isolated steps that have no network."""
    sagemaker, s3 = aws.client("sagemaker"), aws.client("s3")
    workload = job.workload()
    listed = list(
        map(registry.registered, registry.packages(sagemaker, model_package_group_name(workload.name)))
    )
    job.write_json(
        job.output_dir("registry") / "packages.json", [p.model_dump() for p in listed if p is not None]
    )
    champion = job.output_dir("champion")
    package, reason = serving_package(sagemaker, job.setting("ENDPOINT_NAME"))
    if package is None:
        job.write_json(champion / "champion.json", {**NONE, "reason": reason})
        job.say(f"no champion: {reason}")
        return
    found = registry.registered(package)
    if found is None:
        raise SluiceError(
            f"{package['ModelPackageArn']} serves, but says no version", "Register it with sluice."
        )
    download(s3, package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"], champion / "model")
    job.write_json(
        champion / "champion.json", {"package": found.package, "version": found.version, "reason": reason}
    )
    job.say(f"the champion is {found.version}, {found.package}")


def serving_package(sagemaker: Any, endpoint: str) -> tuple[dict[str, Any] | None, str]:
    """The model package behind the production variant of the endpoint, and why; None if nothing serves.

    An endpoint in an update still names the config that it leaves, which is the one that serves.
    """
    try:
        described = sagemaker.describe_endpoint(EndpointName=endpoint)
    except ClientError as error:
        # DescribeEndpoint answers ValidationException "Could not find endpoint", not ResourceNotFound.
        if error.response["Error"]["Code"] in (
            "ValidationException",
            "ResourceNotFound",
            "ResourceNotFoundException",
        ):
            return None, f"there is no endpoint {endpoint}"
        raise
    if described["EndpointStatus"] in ("Creating", "Failed", "Deleting", "OutOfService"):
        return None, f"the endpoint {endpoint} is {described['EndpointStatus']}"
    config = sagemaker.describe_endpoint_config(EndpointConfigName=described["EndpointConfigName"])
    names = [v["ModelName"] for v in config["ProductionVariants"] if v["VariantName"] == PRODUCTION]
    if not names:
        raise SluiceError(
            f"{described['EndpointConfigName']} has no variant {PRODUCTION}", "Deploy it with sluice."
        )
    model = sagemaker.describe_model(ModelName=names[0])
    containers = [model["PrimaryContainer"]] if model.get("PrimaryContainer") else model.get("Containers", [])
    arn = next((c["ModelPackageName"] for c in containers if c.get("ModelPackageName")), None)
    if arn is None:
        raise SluiceError(f"the model {names[0]} is made of no model package", "Deploy it with sluice.")
    return sagemaker.describe_model_package(ModelPackageName=arn), f"{endpoint} serves it"


def download(s3: Any, uri: str, folder: Path) -> None:
    """Unpack the model.tar.gz at an S3 URI into the folder."""
    parts = urlsplit(uri)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        archive = Path(temporary) / "model.tar.gz"
        s3.download_file(parts.netloc, parts.path.lstrip("/"), str(archive))
        unpack(archive, folder)


if __name__ == "__main__":
    job.run(main)
