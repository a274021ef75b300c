"""`sluice release patch`."""

from typing import Annotated

import typer

from endpoints.release.comparison import Workshop
from endpoints.release.options import Commits, Deploys, WorkloadName
from endpoints.release.patch import patch as bring
from endpoints.release.target import Target
from sluice import images, output
from sluice.engine import outputs


def patch(
    workload: WorkloadName,
    why: Annotated[str, typer.Option("--why", help="For the history: the reason, such as the CVE.")],
    deploy: Deploys = True,
    commit: Commits = False,
) -> None:
    """Urgent: put the champion's model live in the serving image of this checkout, without a shadow stage.

    The image has to be pushed before: `sluice images push`. It answers what production was asked, in a job of its own;
    only if every answer is the champion's it goes into canary. It may be ended at any moment and run again.
    """
    target = Target.of(workload, deploy, commit)
    platform = outputs.platform()
    name = target.workload.name
    image = images.address("serving", name, platform.image_repository, platform.image_repository_url)

    def workshop() -> Workshop:
        return Workshop(
            outputs.endpoints(name).serving_role_arn,
            platform.private_subnet_ids,
            (platform.jobs_security_group_id,),
            platform.artifacts_key_arn,
        )

    release = bring(target, image, workshop, why)
    value = {"workload": name, "release": release.model_dump(mode="json")}
    champion, challenger = release.champion, release.challenger
    version = challenger.version if challenger else champion.version if champion else ""
    stage = f"in {challenger.stage}" if challenger else "live"
    output.emit(value, f"{name}: {version} is {stage}, the same model in a patched image")
