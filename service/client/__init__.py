"""A typed client of the service, for threads (`Client`) and for asyncio (`AsyncClient`).

It needs httpx, numpy and pydantic, and nothing of the service itself.
"""

from service.client.answers import Budgets, Health, Model, Output, Prediction, Subnet, Summary, Task
from service.client.asynchronous import AsyncClient
from service.client.blocking import Client
from service.client.errors import (
    ClientError,
    DeadlineError,
    ForbiddenError,
    InfeasibleBudgetError,
    IntegrityError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    ProblemError,
    TransportError,
    UnauthorizedError,
    UnavailableError,
)

__all__ = [
    "AsyncClient",
    "Budgets",
    "Client",
    "ClientError",
    "DeadlineError",
    "ForbiddenError",
    "Health",
    "InfeasibleBudgetError",
    "IntegrityError",
    "InvalidRequestError",
    "Model",
    "NotFoundError",
    "Output",
    "OverloadedError",
    "Prediction",
    "ProblemError",
    "Subnet",
    "Summary",
    "Task",
    "TransportError",
    "UnauthorizedError",
    "UnavailableError",
]
