"""Measuring policies: benchmarks over question sets, metrics, judges, and summary tables with confidence intervals."""
