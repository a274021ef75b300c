"""AWS Budgets: updates, subscribers and tags."""

import json
from collections.abc import Mapping
from typing import Any

from moto.budgets.exceptions import NotFoundException
from moto.budgets.models import Budget
from moto.budgets.responses import BudgetsResponse

from emulator.services.patching import original, replace


def install() -> None:
    """Add the calls that moto lacks, and make CreateBudget keep its tags."""
    create_by_moto = original(BudgetsResponse, "create_budget")

    def create_budget(self: Any) -> str:
        answer: str = create_by_moto(self)
        _tags(self, self._get_param("Budget")["BudgetName"]).update(
            _pairs(self._get_param("ResourceTags") or [])
        )
        return answer

    replace(BudgetsResponse, "create_budget", create_budget)
    for action in (
        update_budget,
        update_notification,
        describe_subscribers_for_notification,
        create_subscriber,
        delete_subscriber,
        list_tags_for_resource,
        tag_resource,
        untag_resource,
    ):
        replace(BudgetsResponse, action.__name__, action)


def _budget(response: Any, name: str | None = None) -> Budget:
    name = name or response._get_param("BudgetName")
    account = response._get_param("AccountId") or response.current_account
    found = response.backend.budgets[account].get(name)
    if found is None:
        raise NotFoundException(f"Unable to get budget: {name} - the budget doesn't exist.")
    budget: Budget = found
    return budget


def _notification(response: Any) -> Any:
    wanted = response._get_param("Notification") or response._get_param("OldNotification")
    for each in _budget(response).notifications:
        if all(
            each.details.get(name) == value for name, value in wanted.items() if name != "NotificationState"
        ):
            return each
    raise NotFoundException("Unable to get the notification - the notification doesn't exist.")


def update_budget(self: Any) -> str:
    given = self._get_param("NewBudget")
    old = _budget(self, given["BudgetName"])
    account = self._get_param("AccountId")
    budget = Budget(given, [])
    budget.notifications = old.notifications
    _keep_tags(old, budget)
    self.backend.budgets[account][given["BudgetName"]] = budget
    return "{}"


def _keep_tags(old: Any, new: Any) -> None:
    new.sluice_tags = getattr(old, "sluice_tags", {})


def update_notification(self: Any) -> str:
    _notification(self).details = {"NotificationState": "OK", **self._get_param("NewNotification")}
    return "{}"


def describe_subscribers_for_notification(self: Any) -> str:
    return json.dumps({"Subscribers": _notification(self).subscribers})


def create_subscriber(self: Any) -> str:
    _notification(self).subscribers.append(self._get_param("Subscriber"))
    return "{}"


def delete_subscriber(self: Any) -> str:
    found, wanted = _notification(self), self._get_param("Subscriber")
    if wanted not in found.subscribers:
        raise NotFoundException("Unable to delete the subscriber - the subscriber doesn't exist.")
    found.subscribers.remove(wanted)
    return "{}"


def _tags(response: Any, name: str) -> dict[str, str]:
    """The tags of a budget, to read and to change; they live and die with it."""
    tags: dict[str, str] = _budget(response, name).__dict__.setdefault("sluice_tags", {})
    return tags


def _pairs(tags: list[Mapping[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _of_arn(response: Any) -> dict[str, str]:
    return _tags(response, response._get_param("ResourceARN").rsplit("/", 1)[-1])


def list_tags_for_resource(self: Any) -> str:
    return json.dumps(
        {"ResourceTags": [{"Key": key, "Value": value} for key, value in _of_arn(self).items()]}
    )


def tag_resource(self: Any) -> str:
    _of_arn(self).update(_pairs(self._get_param("ResourceTags") or []))
    return "{}"


def untag_resource(self: Any) -> str:
    tags = _of_arn(self)
    for key in self._get_param("ResourceTagKeys") or []:
        tags.pop(key, None)
    return "{}"
