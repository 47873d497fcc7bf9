"""Bodies of the Open Inference Protocol."""

from typing import Annotated, Any, Literal

from pydantic import Field

from service.schemas import Answer, Body, Name

Parameter = bool | int | float | str
Parameters = Annotated[dict[Name, Parameter], Field(max_length=300)]


class InferInput(Body):
    """A tensor of a request; without ``data`` its bytes follow the JSON."""

    name: Name
    shape: list[Annotated[int, Field(ge=0)]] = Field(min_length=1, max_length=8)
    datatype: Name
    parameters: Parameters = Field(default_factory=dict)
    data: list[Any] | None = Field(None, description="Row by row, nested or flat.")


class InferOutput(Body):
    """A tensor that is wanted."""

    name: Name
    parameters: Parameters = Field(default_factory=dict)


class InferBody(Body):
    """The JSON of an inference request."""

    id: Annotated[str, Field(max_length=256)] | None = None
    parameters: Parameters = Field(default_factory=dict)
    inputs: list[InferInput] = Field(min_length=1, max_length=8)
    outputs: list[InferOutput] = Field(default_factory=list, max_length=256)


class LoadBody(Body):
    """Which sub-network to get ready: as the parameters of an inference request."""

    parameters: Parameters = Field(default_factory=dict)


class UnloadParameters(Body):
    """Which version to unload; without one the whole model goes."""

    version: str | int | None = None
    unload_dependents: Annotated[bool, Field(description="Triton's; no model has any.")] = False


class UnloadBody(Body):
    """Which version to unload, or all."""

    parameters: UnloadParameters = UnloadParameters()


class IndexBody(Body):
    """What to list."""

    ready: bool = False


class Live(Answer):
    """The process answers."""

    live: bool


class Ready(Answer):
    """The server takes requests."""

    ready: bool


class ModelReady(Answer):
    """The model takes requests."""

    name: str
    ready: bool


class ServerMetadata(Answer):
    """What serves."""

    name: str
    version: str
    extensions: tuple[str, ...]


class TensorMetadata(Answer):
    """An input or an output; -1 is the batch."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class ModelMetadata(Answer):
    """A model, or a version of it."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]


class TensorConfig(Answer):
    """An input or an output, without the batch."""

    name: str
    data_type: str
    dims: tuple[int, ...]


class ModelConfig(Answer):
    """The part of Triton's model configuration that clients read."""

    name: str
    platform: str
    backend: str
    max_batch_size: int
    input: tuple[TensorConfig, ...]
    output: tuple[TensorConfig, ...]
    dynamic_batching: dict[str, Any] | None = None
    parameters: dict[str, dict[str, str]]


class IndexEntry(Answer):
    """A version that is held ready, or a model without any."""

    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE"]
    reason: str


class Loaded(Answer):
    """The version that was made ready."""

    name: str
    version: str
    number: str
    """The same version for clients that take numbers only."""
    state: Literal["READY"]
    gmacs: float


class TensorAnswer(Answer):
    """An output; without ``data`` its bytes follow the JSON."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: tuple[float | None, ...] | None = None
    parameters: dict[str, int] | None = None


class InferAnswer(Answer):
    """The JSON of an answer."""

    model_name: str
    model_version: str
    id: str | None = None
    parameters: dict[str, float | str]
    outputs: tuple[TensorAnswer, ...]


class Duration(Answer):
    """How often, and how long together."""

    count: int
    ns: int


class InferStats(Answer):
    """Where the time of inferences went."""

    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration
    cache_hit: Duration
    cache_miss: Duration


class BatchStats(Answer):
    """The same for one batch size."""

    batch_size: int
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


class VersionStats(Answer):
    """A version's inferences."""

    name: str
    version: str
    """The number of the sub-network: perf_analyzer reads nothing else."""
    subnet_id: str
    last_inference: int
    """Milliseconds since 1970."""
    inference_count: int
    """Images."""
    execution_count: int
    """Runs of the network."""
    inference_stats: InferStats
    batch_stats: tuple[BatchStats, ...]


class ModelStats(Answer):
    """Statistics by version."""

    model_stats: tuple[VersionStats, ...]
