"""The AWS side of the pack: deployments, roles, exchanged keys, visits and their reports, checks, the proof of the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from awsaccess.evidence.shapes import File, Json, fields_of, person_of, text_of
from awsaccess.models import Callback, ExitProof, Grant, Rotation, Verification, Visit, VisitReport
from engagements.models import Engagement, Offer

VISIT: Final = (
    *("reason", "status", "narrowing", "intended_at", "issued_at", "ends_at", "access_key_id"),
    *("session_name", "refusal"),
)
REPORT: Final = ("status", "fetched_at", "events", "gaps", "flagged")
CHECK: Final = ("at", "verdict", "reason", "findings")
# The role's policies and its agreed external ID stand in the template that was agreed to.
GRANT: Final = ("account_id", "role_name", "status", "verified_at", "last_ok_at", "gone_at")
ROTATION: Final = (
    *("status", "old_external_id", "new_external_id", "old_hub_role_arn", "new_hub_role_arn"),
    *("both_version_id", "alone_version_id"),
    *("begun_at", "turned_at", "ended_at"),
)
STACK: Final = ("kind", "stack_id", "status", "told_at", "answered_at", "reason")
PROOF: Final = ("begun_at", "confirmed_at", "proved_at", "evidence", "evidence_sha256")


def access_files(engagement: Engagement) -> Iterator[File]:
    """Each file with its name."""
    stacks = Callback.objects.filter(grant__engagement=engagement).order_by("told_at", "pk")
    deployments = {"templates": list(_templates(engagement)), "stacks": [_stack(row) for row in stacks]}
    yield "deployments.json", text_of(deployments)
    grants = Grant.objects.filter(engagement=engagement).select_related("offer")
    yield "access.json", text_of({"roles": [_grant(row) for row in grants.order_by("offer__number", "pk")]})
    rotations = Rotation.objects.filter(grant__engagement=engagement).select_related("grant", "begun_by")
    kept = [_rotation(row) for row in rotations.order_by("begun_at", "pk")]
    yield "rotations.json", text_of({"rotations": kept})
    visits = Visit.objects.filter(engagement=engagement).select_related("grant__offer")
    yield "visits.json", text_of({"visits": [_visit(row) for row in visits.order_by("intended_at", "pk")]})
    reports = VisitReport.objects.filter(engagement=engagement).order_by("visit__intended_at", "pk")
    yield "reports.json", text_of({"reports": [_report(row) for row in reports]})
    checks = Verification.objects.filter(grant__engagement=engagement).order_by("at", "pk")
    yield "checks.json", text_of({"checks": [fields_of(row, CHECK) for row in checks]})
    proofs = ExitProof.objects.filter(engagement=engagement).order_by("begun_at", "pk")
    yield "exit_proof.json", text_of({"proofs": [fields_of(row, PROOF) for row in proofs]})


def _templates(engagement: Engagement) -> Iterator[Json]:
    """Each template that lies in the practice's bucket, under the version that nobody can write over."""
    for offer in engagement.offers.order_by("number"):
        yield _template(offer, [], offer.template_sha256, offer.template_version_id)
        for variant in offer.variants.order_by("choice", "pk"):
            yield _template(offer, variant.choice, variant.template_sha256, variant.template_version_id)


def _template(offer: Offer, choice: list[str], digest: str, version: str) -> Json:
    """`version` is empty until it was published."""
    return {
        "offer": offer.number,
        "offer_sha256": offer.offer_sha256,
        "choice": choice,
        "bucket": offer.documents.get("bucket"),
        "sha256": digest,
        "version": version,
    }


def _stack(told: Callback) -> Json:
    return {"grant": str(told.grant_id), **fields_of(told, STACK)}


def _grant(grant: Grant) -> Json:
    return {"grant": str(grant.pk), "offer": grant.offer.number, **fields_of(grant, GRANT)}


def _rotation(rotation: Rotation) -> Json:
    return {
        "grant": str(rotation.grant_id),
        "role_name": rotation.grant.role_name,
        **fields_of(rotation, ROTATION),
        "begun_by": person_of(rotation.begun_by),
    }


def _visit(visit: Visit) -> Json:
    return {
        "visit": str(visit.pk),
        "by": visit.consultant_name,
        "person": f"user:{visit.consultant_id}",
        "way": visit.kind,
        "offer": visit.grant.offer.number,
        "ring": str(visit.doorbell_id) if visit.doorbell_id else None,
        **fields_of(visit, VISIT),
    }


def _report(report: VisitReport) -> Json:
    return {"visit": str(report.visit_id), **fields_of(report, REPORT)}
