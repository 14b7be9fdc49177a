"""The frozen pass in torch: on a graphics card, and where there is no graph."""

from __future__ import annotations

import numpy as np
import torch

from transfer_core.backbones.fold import folded
from transfer_core.backbones.network import Backbone
from transfer_core.features.extract import Features
from transfer_core.images.augment import plain
from transfer_core.images.view import Pixels


class TorchForward:
    """The frozen backbone in torch on `device`, in float32, its BatchNorms folded, for pictures of `size` pixels."""

    def __init__(self, backbone: Backbone, device: str, size: int):
        self._device = torch.device(device)
        self._backbone = folded(backbone, size).to(self._device)

    @torch.inference_mode()
    def __call__(self, pixels: Pixels) -> Features:
        batch = plain(torch.from_numpy(pixels).to(self._device), pixels.shape[1])
        return np.asarray(self._backbone(self._backbone.normalise(batch)).float().cpu().numpy())
