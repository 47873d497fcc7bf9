"""What sub-networks cost in the unit of the budget that they answer."""

from dataclasses import dataclass

from model_store.pricing import cost_model
from model_store.published import PublishedModel
from model_store.request import SubnetRequest
from model_store.subnet.cost import GMACS
from model_store.subnetwork import Choice, SubnetMetadata, architecture_of


@dataclass(frozen=True)
class Spent:
    """A budget, and how much of it a sub-network uses."""

    budget: dict[str, float]
    """As asked: kind to value."""
    cost: dict[str, float]
    """In the same unit, at most the budget. Of ``latency_ms`` it is predicted; of ``size_bytes``,
    before the file is built, the most that it can have."""
    budget_gmacs: float | None
    """The budget in GMACs, where it is one of GMACs or a fraction of them."""


def feasible(model: PublishedModel, request: SubnetRequest) -> tuple[float, float]:
    """Costs of the smallest and the largest sub-network with a request's tasks, in its unit."""
    counted = cost_model(model, request).for_tasks(request.tasks)
    least, most = (counted.of(a) for a in (model.space.smallest(), model.space.largest()))
    return least / counted.unit.scale, most / counted.unit.scale


def spent_by(model: PublishedModel, request: SubnetRequest, choice: Choice) -> Spent:
    """What a sub-network that was only searched uses of the budget that it was asked for with."""
    counted = cost_model(model, request).for_tasks(request.tasks)
    return _spent(model, request, counted.of(choice.architecture) / counted.unit.scale)


def spent_by_known(model: PublishedModel, request: SubnetRequest, known: SubnetMetadata) -> Spent:
    """The same of one that was built: most of it stands in its description, and is looked up."""
    match request.budget.kind:
        case "gmacs":
            cost = known.gmacs
        case "fraction":
            cost = round(known.gmacs * GMACS.scale) / model.full_macs
        case "parameters":
            cost = known.parameters
        case "size_bytes":
            cost = known.size_bytes
        case "latency_ms":
            counted = cost_model(model, request)
            cost = counted.of(architecture_of(model, known.channels)) / counted.unit.scale
    return _spent(model, request, cost)


def _spent(model: PublishedModel, request: SubnetRequest, cost: float) -> Spent:
    kind, value = request.budget.kind, request.budget.value
    gmacs = value if kind == "gmacs" else None
    if kind == "fraction":
        gmacs = value * model.full_macs / GMACS.scale
    return Spent({kind: value}, {kind: cost}, gmacs)
