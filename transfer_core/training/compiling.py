"""Training in code that torch compiles for the network: worth its minute where the training is long, and on graphics cards alone."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from transfer_core.i18n import _
from transfer_core.training.context import Context

# Seconds of training that repay compiling: it takes about a minute and a half, and then a step is a tenth to a fifth shorter.
REPAID_AFTER = 900.0


def worth_compiling(device: torch.device, seconds: float) -> bool:
    """Whether a training that takes so long without it will be over sooner; never where compiled code can't be made."""
    return device.type == "cuda" and seconds > REPAID_AFTER and _has_compiler()


def compile_for_training(context: Context, model: torch.nn.Module, backend: str = "inductor") -> None:
    """Have whole batches go through compiled code from now on; what can't be compiled runs as it did before.

    Only while training: `in_eager` is for what is scored, and for batches of another size, each of which would be compiled anew.
    """
    # A network that the compiler does not understand trains as before, only slower.
    torch._dynamo.config.suppress_errors = True
    model.compile(dynamic=False, backend=backend)
    context.emit("notice", message=_("The network is compiled for this graphics card first, which takes a minute or two."))


def in_eager(model: torch.nn.Module) -> AbstractContextManager[object]:
    """A context in which the network runs as it would had it not been compiled."""
    if model._compiled_call_impl is None:
        return nullcontext()  # the compiler takes seconds to load
    return torch.compiler.set_stance("force_eager")


def _has_compiler() -> bool:
    from torch.utils._triton import has_triton

    return bool(has_triton())
