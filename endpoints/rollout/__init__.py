"""`mlops:endpoints:Deployment`: a SageMaker endpoint whose update succeeds only if the wanted config is live.

`spec` says what is wanted and `payloads` which AWS requests make it; `observe` and `decide` are the pure core, which
`engine` drives over the thin adapters `cloud`, `configs` and `scaling`. `plugin` serves it to the Pulumi engine,
`deployment` declares it in a program.
"""
