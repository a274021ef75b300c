"""The watch over a release: it reads what both versions answered, feeds the judge, and says what the judge says.

It reads captures, labels and metrics, writes its own prefix, and changes nothing at SageMaker.
"""
