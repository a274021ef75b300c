"""The process in a serving container: SageMaker's `/ping` and `/invocations`, and `/metrics` for Prometheus.

Imports stay within requirements.lock of this folder: numpy, orjson, pyarrow, pydantic, pyyaml, xgboost, granian.
"""
