"""The repository of the snapshots of code."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws


@dataclass
class ImageRepositoryArgs:
    """
    Attributes:
        key_arn: the key of the artifacts.
        throwaway: let `pulumi destroy` delete it with its images (never in production).
    """

    key_arn: pulumi.Input[str]
    throwaway: bool = False
    protect: bool = False


class ImageRepository(pulumi.ComponentResource):
    """An ECR repository: tags cannot be moved, images are scanned and encrypted, strays go."""

    def __init__(
        self, name: str, args: ImageRepositoryArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sluice:infra:ImageRepository", name, None, opts)
        self.repository = aws.ecr.Repository(
            name,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration={"scan_on_push": True},
            encryption_configurations=[{"encryption_type": "KMS", "kms_key": args.key_arn}],
            force_delete=args.throwaway,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        aws.ecr.LifecyclePolicy(
            name,
            repository=self.repository.name,
            # Tagged images stay: a model package pins its image, and the way back must stay open.
            policy=json.dumps(
                {
                    "rules": [
                        {
                            "rulePriority": 1,
                            "description": "Images without a tag are pushes that broke off",
                            "selection": {
                                "tagStatus": "untagged",
                                "countType": "sinceImagePushed",
                                "countUnit": "days",
                                "countNumber": 7,
                            },
                            "action": {"type": "expire"},
                        }
                    ]
                }
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.name = self.repository.name
        self.url = self.repository.repository_url
        self.register_outputs({"url": self.url})
