"""The evidence report of one stage of a release: one JSON document, and one page made of it alone."""

from endpoints.watch.report.document import Decision, Latency, Report, of_memory
from endpoints.watch.report.page import page

__all__ = ["Decision", "Latency", "Report", "of_memory", "page"]
