"""Runs every benchmark and prints each figure beside its goal; exits with 1 when a goal is missed."""

from __future__ import annotations

import importlib
import sys

BENCHMARKS = ("quick", "finetune", "pages", "starter", "choice", "near_duplicates", "label_errors", "data")


def main() -> int:
    """Run the benchmarks named on the command line, or all."""
    missed = []
    for name in sys.argv[1:] or BENCHMARKS:
        print(f"\n{name}")
        report = importlib.import_module(f"benchmarks.{name}").main([])
        missed += [figure for figure in report.figures if figure.met is False]
    for figure in missed:
        print(f"missed: {figure}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
