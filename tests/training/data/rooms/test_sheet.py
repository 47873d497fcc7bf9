"""The command that writes a contact sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.rooms import PALETTE, render
from training.data.rooms.__main__ import main, sheet


def test_the_sheet_shows_each_image_beside_its_five_targets() -> None:
    sample = render(3, 32, 32)
    row = sheet([sample, sample])[:32]
    assert row.shape == (32, 6 * 32, 3)
    np.testing.assert_array_equal(row[:, :32], sample.image_HWC)
    np.testing.assert_array_equal(row[5, 32 + 9], PALETTE[sample.semseg_HW[5, 9]])
    np.testing.assert_array_equal(row[:, 5 * 32 :, 0] == 255, sample.saliency_HW == 1)


def test_the_command_writes_a_png(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "rooms.png"
    monkeypatch.setattr("sys.argv", ["rooms", "--out", str(out), "--seed", "3", "--count", "2"])
    main()
    with Image.open(out) as image:
        assert image.size == (6 * 128, 2 * 128)


def test_the_command_refuses_a_count_below_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["rooms", "--out", "unused.png", "--count", "0"])
    with pytest.raises(SystemExit):
        main()
    assert "must be at least 1" in capsys.readouterr().err
