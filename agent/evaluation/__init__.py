"""Measuring policies: benchmarks over question sets, metrics, entailment judges, summary tables with intervals."""
