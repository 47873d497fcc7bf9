"""The SuperNet: a slimmable encoder shared by slimmable task decoders."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from model_store.subnet.cost import CostModel, CostTerm
from model_store.subnet.slicing import Dims
from model_store.subnet.space import Architecture, Group, SearchSpace
from training.backbones import Backbone, MobileNetV2, ResNet9
from training.heads import DeepLabV3Head, LinearHead
from training.layers import Slimmable, SlimmableBatchNorm2d, SlimmableConv2d
from training.recipe import DeepLabV3Config, NetworkConfig, ResNet9Config


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
        full = space.full_channels
        self.encoder: Backbone
        if isinstance(config.encoder, ResNet9Config):
            self.encoder = ResNet9(full)
        else:
            self.encoder = MobileNetV2(full, config.encoder.output_stride)
        self.decoders = nn.ModuleDict()
        for task in config.tasks:
            group = space.groups[space.decoders[task.name]].name
            if isinstance(config.decoder, DeepLabV3Config):
                stride = config.output_stride
                self.decoders[task.name] = DeepLabV3Head(
                    full,
                    self.encoder.outputs,
                    self.encoder.low_level,
                    group,
                    task.outputs,
                    config.decoder.rates,
                    scale=stride // 4,
                    pooled=(config.height // stride, config.width // stride),
                )
            else:
                self.decoders[task.name] = LinearHead(full, group, task.outputs)

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
    """The groups and width choices of a network (design Sec. 3)."""
    ratios, divisor = config.ratios, config.divisor
    if isinstance(config.encoder, ResNet9Config):
        encoder, deepest = ResNet9.groups(config.encoder.width, ratios, divisor), ResNet9.outputs
    else:
        encoder, deepest = MobileNetV2.groups(ratios, divisor), MobileNetV2.outputs
    if config.decoder is None:
        # A linear head has no width of its own: it reads a prefix of the deepest features.
        (last,) = (g for g in encoder if (g.name,) == deepest)
        width, within = last.full, last.name
    else:
        width, within = config.decoder.channels, None
    decoders = tuple(
        Group.of(f"decoder.{t.name}", width, ratios, divisor, task=t.name, within=within)
        for t in config.tasks
    )
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
