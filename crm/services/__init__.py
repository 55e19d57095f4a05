"""Writes of the crm app; each is keyword-only and atomic."""

from crm.services.catalogue import (
    CodeTaken,
    record_location,
    record_product,
    update_location,
    update_product,
)
from crm.services.consent import record_consent
from crm.services.customers import ExternalIdTaken, record_customer, update_customer
from crm.services.logins import link_login
from crm.services.order_lines import NewLine, line_amount
from crm.services.orders import (
    EmptyOrder,
    OrderIdTaken,
    change_order,
    record_order,
)
from crm.services.stages import push_stages
from crm.services.task_moves import assign_tasks, move_tasks
from crm.services.task_rows import TaskFinished
from crm.services.tasks import (
    finish_task,
    finish_tasks,
    open_task,
    register_finishing,
    reopen_tasks,
    update_task,
)

__all__ = [
    "CodeTaken",
    "EmptyOrder",
    "ExternalIdTaken",
    "NewLine",
    "OrderIdTaken",
    "TaskFinished",
    "assign_tasks",
    "change_order",
    "finish_task",
    "finish_tasks",
    "line_amount",
    "link_login",
    "move_tasks",
    "open_task",
    "push_stages",
    "record_consent",
    "record_customer",
    "record_location",
    "record_order",
    "record_product",
    "register_finishing",
    "reopen_tasks",
    "update_customer",
    "update_location",
    "update_product",
    "update_task",
]
