"""Published models and their sub-networks in the words of the Open Inference Protocol."""

from collections.abc import Sequence

from model_store.published import PublishedModel
from model_store.subnet.graph import INPUT
from model_store.subnetwork import SubnetMetadata
from service.oip.schemas import ModelConfig, ModelMetadata, TensorConfig, TensorMetadata

_PLATFORM = "onnx_onnxv1"
_BACKEND = "onnxruntime"


def output_shapes(model: PublishedModel, tasks: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Shapes of the network's outputs by task, without the batch."""
    shapes = {
        o.name: tuple(d.dim_value for d in o.type.tensor_type.shape.dim[1:])
        for o in model.graph.outputs
    }
    return {task: shapes[task] for task in tasks}


def metadata(model: PublishedModel, tasks: Sequence[str], versions: Sequence[str]) -> ModelMetadata:
    """Inputs and outputs; those of a version may be fewer than the model's."""
    image = model.manifest.input
    return ModelMetadata(
        name=model.manifest.name,
        versions=tuple(versions),
        platform=_PLATFORM,
        inputs=(
            TensorMetadata(name=INPUT, datatype="FP32", shape=(-1, 3, image.height, image.width)),
        ),
        outputs=tuple(
            TensorMetadata(name=task, datatype="FP32", shape=(-1, *shape))
            for task, shape in output_shapes(model, tasks).items()
        ),
    )


def config(
    model: PublishedModel,
    subnet_id: str | None,
    known: SubnetMetadata | None,
    max_batch: int,
    batching: bool,
) -> ModelConfig:
    """What Triton's configuration says, and what the sub-network costs.

    Args:
        model: the model.
        subnet_id: the sub-network, where a version is asked for.
        known: what is known of it.
        max_batch: the most images of one request.
        batching: whether waiting requests run together.
    """
    image = model.manifest.input
    tasks = model.space.tasks if known is None else known.tasks
    parameters: dict[str, object] = {"model_version": model.manifest.version}
    if known is not None:
        cost = {"gmacs": known.gmacs, "parameters": known.parameters}
        parameters |= {"subnet_id": subnet_id, **cost}
    return ModelConfig(
        name=model.manifest.name,
        platform=_PLATFORM,
        backend=_BACKEND,
        max_batch_size=max_batch,
        input=(
            TensorConfig(name=INPUT, data_type="TYPE_FP32", dims=(3, image.height, image.width)),
        ),
        output=tuple(
            TensorConfig(name=task, data_type="TYPE_FP32", dims=shape)
            for task, shape in output_shapes(model, tasks).items()
        ),
        dynamic_batching={} if batching else None,
        parameters={name: {"string_value": str(value)} for name, value in parameters.items()},
    )
