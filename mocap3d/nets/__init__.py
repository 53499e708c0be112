"""Torch building blocks that several rooms share; no stage of the pipeline."""
