"""`pulumi-resource-aws` for the types that this platform declares, over boto3 against the emulator.

It stands in for the real provider on a machine where that cannot be had: same tokens, same property names,
same decision between update and replacement, same automatic names. What is not mapped is refused at preview,
by name.
"""
