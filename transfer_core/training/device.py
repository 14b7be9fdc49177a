"""The frozen pass on a graphics card, in torch."""

from __future__ import annotations

import numpy as np
import torch

from transfer_core.backbones.network import load_backbone
from transfer_core.backbones.weights import KeptWeights
from transfer_core.features.extract import Features
from transfer_core.images.augment import plain
from transfer_core.images.view import Pixels


class TorchForward:
    """The frozen backbone in torch on `device`, in float32."""

    def __init__(self, kept: KeptWeights, device: str):
        self._device = torch.device(device)
        self._backbone = load_backbone(kept).to(self._device).eval()

    @torch.inference_mode()
    def __call__(self, pixels: Pixels) -> Features:
        batch = plain(torch.from_numpy(pixels).to(self._device), pixels.shape[1])
        return np.asarray(self._backbone(self._backbone.normalise(batch)).float().cpu().numpy())
