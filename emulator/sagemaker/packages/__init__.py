"""The model registry: groups, packages with every field, and what happens to them."""

from emulator.context import Context
from emulator.sagemaker import tagging
from emulator.sagemaker.packages.groups import Groups
from emulator.sagemaker.packages.versions import Packages
from emulator.sagemaker.seam import serve


def install(context: Context) -> None:
    """Serve the actions of model package groups and model packages."""
    groups, packages = Groups(context), Packages(context)
    tagging.install()
    serve(
        create_model_package_group=groups.create,
        describe_model_package_group=groups.describe,
        list_model_package_groups=groups.list,
        delete_model_package_group=groups.delete,
        create_model_package=packages.create,
        describe_model_package=packages.describe,
        list_model_packages=packages.list,
        update_model_package=packages.update,
        delete_model_package=packages.delete,
    )
