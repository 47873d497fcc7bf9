"""The levels of one request: budgets from what was asked down to the smallest sub-network."""

from model_store.budget import Budget
from model_store.pricing import cost_model
from model_store.published import PublishedModel
from model_store.request import SubnetRequest


def budgets(model: PublishedModel, request: SubnetRequest, levels: int) -> tuple[Budget, ...]:
    """The budgets of levels 0 (as asked) to ``levels`` (the smallest sub-network), descending.

    In between they are a geometric series, since each step then saves the same share of the time.

    Raises:
        InfeasibleBudget: the search will say so of what was asked; here it is just that budget.
    """
    counted = cost_model(model, request).for_tasks(request.tasks)
    least = counted.of(model.space.smallest())
    top = min(request.counts(counted.unit), counted.of(model.space.largest()))
    if top <= least:
        return (request.budget,) * (levels + 1)
    counts = [top * (least / top) ** (level / levels) for level in range(1, levels)]
    steps = [Budget(request.budget.kind, int(c) / counted.unit.scale) for c in counts]
    return (request.budget, *steps, Budget(request.budget.kind, least / counted.unit.scale))
