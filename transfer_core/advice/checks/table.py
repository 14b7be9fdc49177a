"""All checks by name, in the order in which their findings are shown. No torch."""

from __future__ import annotations

from transfer_core.advice.checks import classes, copies, files, kinds, shortcuts, suspects
from transfer_core.advice.checks.check import Check

_ALL = (
    *(check for check in copies.CHECKS if check.severity == "serious"),
    *shortcuts.CHECKS,
    *suspects.CHECKS,
    *classes.CHECKS,
    *(check for check in copies.CHECKS if check.severity != "serious"),
    *files.CHECKS,
    *kinds.CHECKS,
)
_SEVERITIES = ("serious", "look", "note")

CHECKS: dict[str, Check] = {check.name: check for check in sorted(_ALL, key=lambda check: _SEVERITIES.index(check.severity))}
