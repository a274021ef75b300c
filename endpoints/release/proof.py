"""Whether the evidence that a release file names speaks for what it is about to promote: the same packages, the same
image, the same kind of instance. A model that was watched on other hardware, or in another image, was not watched.

And whether a champion may be one: nobody gets past shadow and canary by writing a package into the champion's place."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal

from endpoints.registry import Package
from endpoints.release.file import ReleaseFile, short
from endpoints.watch import stored
from sluice.config import Frozen, parse
from sluice.errors import SluiceError

Outcome = Literal["pass", "undecided", "fail"]
REPLAYED: Mapping[str, Outcome] = {"equal": "pass", "unknown": "undecided", "different": "fail"}
"""What the comparison of a patched image says, in the judge's words."""


class Proof(Frozen):
    """What a document of evidence is bound to, and what it says. Packages are ARNs."""

    champion: str
    challenger: str
    image: str
    instance_type: str
    outcome: Outcome


def of_document(document: Mapping[str, Any]) -> Proof:
    """The proof in a report of the judge, or in the comparison of a patched image.

    Raises:
        SluiceError: if it is neither.
    """
    if document.get("kind") == "replayed":
        said = {name: document.get(name) for name in ("champion", "challenger", "image", "instance_type")}
        return parse(
            Proof,
            {**said, "outcome": REPLAYED.get(str(document.get("verdict")))},
            "the comparison of an image",
        )
    subject, verdict = document.get("subject") or {}, document.get("verdict") or {}
    return parse(
        Proof,
        {
            "champion": (subject.get("champion") or {}).get("package"),
            "challenger": (subject.get("challenger") or {}).get("package"),
            "image": subject.get("image"),
            "instance_type": subject.get("instance_type"),
            "outcome": verdict.get("outcome"),
        },
        "a report of the judge",
    )


def read(s3: Any, uri: str) -> Proof | None:
    """The proof at a URI; None if nothing is there.

    Raises:
        SluiceError: if what is there is no evidence.
    """
    document = stored.document(s3, uri, "evidence of a release")
    return None if document is None else of_document(document)


def refuse(
    release: ReleaseFile, packages: Mapping[str, Package], instance_type: str, proof: Proof | None
) -> list[str]:
    """Why a canary may not be deployed on this evidence; nothing if it may, or if there is no canary. Pure.

    Args:
        packages: those that the release names, by ARN.
        proof: what is at `challenger.evidence`; None: nothing.
    """
    challenger, champion = release.challenger, release.champion
    if challenger is None or champion is None or challenger.stage != "canary":
        return []
    if proof is None:
        if challenger.forced is not None:
            return []
        found = "none" if challenger.evidence is None else f"{challenger.evidence}, and nothing is there"
        return [f"{short(challenger.package)} is in canary and its evidence is {found}"]
    wanted = {
        "challenger": challenger.package,
        "champion": champion.package,
        "image": packages[challenger.package].image_digest,
        "instance_type": instance_type,
    }
    reasons = [
        f"its evidence is of the {name.replace('_', ' ')} {getattr(proof, name)}, and {value} would be deployed"
        for name, value in wanted.items()
        if getattr(proof, name) != value
    ]
    if proof.outcome != "pass" and challenger.forced is None:
        reasons.append(f"its evidence says {proof.outcome}, and nobody forced it")
    return [f"{short(challenger.package)}: {reason}" for reason in reasons]


def refuse_unproved(
    release: ReleaseFile, packages: Mapping[str, Package], instance_type: str, s3: Any
) -> None:
    """
    Raises:
        SluiceError: with every reason why the canary that the file asks for may not be deployed.
    """
    challenger = release.challenger
    if challenger is None or challenger.stage != "canary":
        return
    proof = None if challenger.evidence is None else read(s3, challenger.evidence)
    if reasons := refuse(release, packages, instance_type, proof):
        raise SluiceError(
            f"the release cannot be deployed: {'; '.join(reasons)}",
            "Let the shadow show it: `sluice release withdraw`, then `propose`; or `advance --force --why …`.",
        )


def refuse_unknown(
    release: ReleaseFile, s3: Any, endpoint: str, answered: Callable[[], Collection[str] | None]
) -> None:
    """A champion is one that passed, that somebody answers for, or that answers or answered on the endpoint.

    Args:
        answered: the packages that did, as far as it can still be told; None where none did yet: the first champion
            is whatever the file says.

    Raises:
        SluiceError: if it is none of these.
    """
    champion, challenger = release.champion, release.challenger
    if champion is None or champion.forced is not None:
        return
    if challenger is not None and challenger.stage == "canary":
        return  # which is about to answer in its place
    if champion.evidence is not None:
        proof = read(s3, champion.evidence)
        if proof is not None and proof.challenger == champion.package and proof.outcome == "pass":
            return
    known = answered()
    if known is None or champion.package in known:
        return
    raise SluiceError(
        f"the release cannot be deployed: {short(champion.package)} is champion, and nothing shows that it may be: no "
        f"evidence speaks for it, it never answered on {endpoint}, and nobody gives a reason",
        "Take that change of the release file back, and let it go its way: `sluice release propose`.",
    )
