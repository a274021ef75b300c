"""The judge of a release: counts in, e-values out. Pure, and never in a hurry.

`update(state, batch, rules)` adds what one look brought; `verdict(state, rules)` says pass, fail or undecided at any
time. Anytime-valid: by Ville's inequality a process that starts at 1 and has no drift upwards under the null ever
reaches 1/alpha with a chance of at most alpha (Ville 1939; Howard, Ramdas, McAuliffe, Sekhon, "Time-uniform Chernoff
bounds", 2020, lemma 1), so a look every minute costs no false alarm. Both versions live through the same minutes, so
what befalls both moves nothing.
"""

from endpoints.release.judge.batch import GRID, Arm, Batch, Paired, empty
from endpoints.release.judge.collect import Reference, Rows, collect, reference
from endpoints.release.judge.promise import Promise, promises
from endpoints.release.judge.rules import Rules
from endpoints.release.judge.state import State
from endpoints.release.judge.update import start, update
from endpoints.release.judge.verdict import Check, Verdict, verdict

__all__ = [
    "GRID",
    "Arm",
    "Batch",
    "Check",
    "Paired",
    "Promise",
    "Reference",
    "Rows",
    "Rules",
    "State",
    "Verdict",
    "collect",
    "empty",
    "promises",
    "reference",
    "start",
    "update",
    "verdict",
]
