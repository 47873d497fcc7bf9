"""What a request's budget counts: one closed-form cost model for each kind of budget."""

from collections.abc import Mapping

from model_store.published import PublishedModel
from model_store.request import SubnetRequest
from model_store.stamp import stamp
from model_store.subnet.cost import CostModel, Unit
from model_store.subnet.sizes import parameter_cost, size_cost


def cost_model(model: PublishedModel, request: SubnetRequest) -> CostModel:
    """The cost that a request's budget bounds, for its tasks."""
    match request.budget.kind:
        case "gmacs":
            return model.cost
        case "fraction":
            full = float(model.full_macs)
            unit = Unit("fraction", "of the full network", full)
            return CostModel(model.space, model.cost.terms, unit)
        case "parameters":
            graph = model.graph.keeping(request.tasks)
            return parameter_cost(graph, model.space, model.manifest.slices)
        case "size_bytes":
            graph = model.graph.keeping(request.tasks)
            stamped = _widest_stamp(model, request)
            return size_cost(graph, model.space, model.manifest.slices, stamped)
    if request.latency is None:  # SubnetRequest.of sees to it
        raise ValueError("a budget of latency needs a profile")
    return request.latency.cost_model(model, request.tasks)


def _widest_stamp(model: PublishedModel, request: SubnetRequest) -> Mapping[str, str]:
    """The longest metadata that a sub-network with these tasks can have."""
    largest = model.space.largest()
    macs = model.cost.for_tasks(request.tasks).of(largest)
    return stamp(model, "0" * 32, largest, request.tasks, macs)
