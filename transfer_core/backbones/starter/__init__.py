"""The built-in backbone: MobileNetV3-Small pretrained by `recipe.py` on free pictures; CARD.md says what it is good for."""
