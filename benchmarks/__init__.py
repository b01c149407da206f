"""Measurements that take longer than a lesson may; each keeps its results beside its program."""
