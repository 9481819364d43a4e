"""Benchmarks: ratios between things measured side by side in one run. Nothing here is a test."""
