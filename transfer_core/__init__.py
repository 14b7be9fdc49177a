"""Transfer learning for image classification, headless: never imports streamlit, and torch only where it trains.

The front door is `TransferModel`; it is loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transfer_core.models.transfer_model import TransferModel

__version__ = "0.1.0"
__all__ = ["TransferModel", "__version__"]


def __getattr__(name: str) -> Any:
    if name != "TransferModel":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from transfer_core.models.transfer_model import TransferModel

    return TransferModel
