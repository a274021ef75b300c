"""The benchmark of the judge, in parts: traffic, our judge and its peers over many runs at once, and the report."""
