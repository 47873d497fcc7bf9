"""The SuperNet: a slimmable encoder shared by slimmable task decoders."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from model_store.subnet.cost import CostModel, CostTerm
from model_store.subnet.slicing import Dims
from model_store.subnet.space import Architecture, Group, SearchSpace
from training.backbones.build import deepest_group, encoder_groups, encoder_of
from training.heads import DeepLabV3Head, LinearHead, PlainDeepLabV3Head
from training.layers import Slimmable, SlimmableBatchNorm2d, SlimmableConv2d
from training.recipe import DeepLabV3Config, NetworkConfig
from training.tasks import Task


class Outputs(NamedTuple):
    """What one forward pass gives."""

    raw: dict[str, Tensor]
    """Raw outputs by task; :func:`training.tasks.activate` makes them predictions."""
    z_NCHW: Tensor
    """The encoder features that CI-KD compares."""


class SuperNet(nn.Module):
    """One network that is every sub-network of its search space (ECMT Sec. 4.1).

    Args:
        config: what the network is made of.
        space: its search space; :func:`search_space` of the config, or that space narrowed to
            one architecture, which makes this an extracted sub-network.
    """

    def __init__(self, config: NetworkConfig, space: SearchSpace) -> None:
        super().__init__()
        self.config, self.space = config, space
        self.encoder = encoder_of(config.encoder, space.full_channels)
        self.decoders = nn.ModuleDict({task.name: self._head(task) for task in config.tasks})

    def _head(self, task: Task) -> nn.Module:
        config, full, encoder = self.config, self.space.full_channels, self.encoder
        group = self.space.groups[self.space.decoders[task.name]].name
        if task.kind == "classification":
            return LinearHead(full, group, task.outputs)
        if config.decoder is None:
            raise ValueError(f"task {task.name!r} of kind {task.kind!r} needs a dense decoder")
        rates, stride = config.decoder.rates, encoder.output_stride
        pooled = (config.height // stride, config.width // stride)
        if isinstance(config.decoder, DeepLabV3Config):
            return DeepLabV3Head(
                full,
                encoder.outputs,
                encoder.low_level,
                group,
                task.outputs,
                rates,
                scale=stride // encoder.low_level_stride,
                pooled=pooled,
            )
        return PlainDeepLabV3Head(full, encoder.outputs, group, task.outputs, rates, pooled)

    def forward(self, x_NCHW: Tensor, architecture: Architecture) -> Outputs:
        """Runs the sub-network of this architecture.

        Args:
            x_NCHW: normalised images [N, 3, H, W].
            architecture: channel counts; ``space.largest()`` is the SuperNet itself.
        """
        features = self.encoder(x_NCHW, architecture)
        raw = {name: head(features, architecture) for name, head in self.decoders.items()}
        return Outputs(raw, features.z_NCHW)

    def slimmables(self) -> Iterator[tuple[str, Slimmable]]:
        """Every slimmable layer with its name."""
        for name, module in self.named_modules():
            if isinstance(module, Slimmable):
                yield name, module

    def slices(self) -> dict[str, Dims]:
        """Parameter and statistics names to what each of their dimensions is made of."""
        return {
            f"{name}.{parameter}": dims
            for name, module in self.slimmables()
            for parameter, dims in module.dims().items()
        }

    def extract(self, architecture: Architecture) -> "SuperNet":
        """The sub-network of an architecture as a network of its own, without statistics.

        It is a SuperNet whose space has this one architecture; the shared weights are copied, so
        that calibrating it cannot touch them.
        """
        subnet = SuperNet(self.config, narrowed(self.space, architecture))
        layers = dict(self.slimmables())
        with torch.no_grad():
            for name, module in subnet.slimmables():
                for parameter in module.dims():
                    getattr(module, parameter).copy_(layers[name].sliced(parameter, architecture))
        return subnet


def search_space(config: NetworkConfig) -> SearchSpace:
    """The groups and width choices of a network."""
    ratios, divisor = config.ratios, config.divisor
    encoder = encoder_groups(config.encoder, ratios, divisor)
    deepest = next(g for g in encoder if g.name == deepest_group(config.encoder))

    def decoder(task: Task) -> Group:
        name = f"decoder.{task.name}"
        if task.kind == "classification" or config.decoder is None:
            # A linear head has no width of its own: it reads a prefix of the deepest features.
            return Group.of(name, deepest.full, ratios, divisor, task.name, deepest.name)
        return Group.of(name, config.decoder.channels, ratios, divisor, task.name)

    decoders = tuple(decoder(task) for task in config.tasks)
    return SearchSpace(encoder + decoders)


def channels_last(network: SuperNet) -> SuperNet:
    """The same network with its weights laid out channels last, which convolves faster on CPUs."""
    # Module.to is not typed for memory formats alone.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def narrowed(space: SearchSpace, architecture: Architecture) -> SearchSpace:
    """The space whose only architecture is this one, at its full width."""
    return SearchSpace(
        tuple(
            Group(g.name, (1.0,), (architecture[g.name],), g.task, g.within) for g in space.groups
        )
    )


def cost_model(config: NetworkConfig) -> CostModel:
    """Closed-form cost at the config's input size, read off one forward pass without data."""
    with torch.device("meta"):
        network = SuperNet(config, search_space(config))
        image = torch.empty(2, 3, config.height, config.width)
    terms: list[CostTerm] = []

    def record(name: str, module: Slimmable, output: Tensor) -> None:
        positions, kernel, inputs = 1, 1, module.inputs
        if isinstance(module, SlimmableConv2d):
            positions, kernel = output.shape[2] * output.shape[3], module.kernel**2
            inputs = (module.per_group,) if module.per_group else inputs
        task = name.split(".")[1] if name.startswith("decoders.") else None
        terms.append(CostTerm(positions, kernel, inputs, module.outputs, task))

    for name, module in network.slimmables():
        if not isinstance(module, SlimmableBatchNorm2d):
            module.register_forward_hook(lambda m, _, output, name=name: record(name, m, output))
    network(image, network.space.largest())
    return CostModel(network.space, terms)
