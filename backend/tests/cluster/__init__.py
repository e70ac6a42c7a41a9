"""Madang on a real Kubernetes, installed by its chart."""
