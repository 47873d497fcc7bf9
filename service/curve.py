"""What a preference is worth over the range of budgets: searched, and nothing built."""

from dataclasses import replace

import numpy as np
from pydantic import Field

from model_store.budget import Budget as Asked
from model_store.budget import BudgetKind
from service.costs import feasible, spent_by
from service.schemas import WHOLE, Answer, Budget, Dial, Wish
from service.subnets import Subnets


class CurveAsk(Wish):
    """A preference per task, and at how many budgets it is looked at."""

    kind: BudgetKind = Field("gmacs", description="What the budgets are said in.")
    points: int = Field(9, ge=2, le=33, description="Budgets, evenly from least to most.")


class CurvePoint(Answer):
    """The sub-network of one budget, as ``POST /subnet`` would choose it."""

    budget: float
    cost: float
    """In the same unit, at most the budget; that of ``latency_ms`` is predicted."""
    gmacs: float
    subnet_id: str
    predicted: dict[str, dict[str, float | str]]


class CurveAnswer(Answer):
    """Predicted quality over the budget."""

    model: str
    version: str
    points: tuple[CurvePoint, ...]


async def curve(subnets: Subnets, ask: CurveAsk) -> CurveAnswer:
    """Searches one budget after the other; each search waits for its turn as others do.

    Raises:
        ServiceError: as :meth:`Subnets.dial`.
    """
    dial = Dial.model_validate(
        {**ask.model_dump(exclude={"kind", "points"}), "budget": Budget.of(Asked(ask.kind, 1.0))}
    )
    model, request = subnets.request_of(dial)
    points = []
    budgets = np.linspace(*feasible(model, request), ask.points)
    if ask.kind in WHOLE:
        budgets = np.rint(budgets)
    for budget in budgets.tolist():
        # Its own kind of budget changes nothing else about a request.
        asked = replace(request, budget=Asked(ask.kind, budget))
        choice, _ = await subnets.search(model, asked)
        points.append(
            CurvePoint(
                budget=budget,
                cost=spent_by(model, asked, choice).cost[ask.kind],
                gmacs=choice.macs / 1e9,
                subnet_id=choice.subnet_id,
                predicted={t: dict(p) for t, p in choice.predicted.items()},
            )
        )
    return CurveAnswer(
        model=model.manifest.name, version=model.manifest.version, points=tuple(points)
    )
