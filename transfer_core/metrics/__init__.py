"""Pure functions: scores, intervals, calibration."""
