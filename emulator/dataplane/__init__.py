"""The front router and the data plane: invocations are served here.

Everything else goes to the control process.
"""
