"""Metrics, health and control over HTTP."""
