"""Transfer learning for image classification, headless: `transfer_core` never imports streamlit, and torch only where it trains."""

__version__ = "0.1.0"
