"""Reproduction of WebGPT: all stages in order, resumable, and a report."""
