"""A practice's own look: saved only when people can read it, and when the logo is nothing but a picture."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Final

from django.db import transaction

from accounts.brand.colours import BadColour
from accounts.brand.png import BadPicture, Picture, picture_read
from accounts.brand.sheet import Palette, palette_of
from accounts.lifecycle import AccountEvent, AssetKind
from accounts.models import BrandAsset, Practice
from portal.kernel import audit
from portal.kernel.actor import Actor
from portal.kernel.errors import PortalError, Stale

WORDS: Final = ("name", "sender_name", "support_email", "support_phone", "privacy_url")


class BadBrand(PortalError):
    """Raised for a look that is not taken: `field` names what is wrong with it, the words say why."""

    code = "bad-brand"

    def __init__(self, field: str, words: str) -> None:
        self.field = field
        super().__init__(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What an owner chose. Without `colour` the portal's own colours stay; without `dark`, it is lightened for dark screens."""

    name: str
    sender_name: str
    support_email: str
    support_phone: str
    privacy_url: str
    colour: str
    dark: str

    def palette(self) -> Palette | None:
        """The themes that follow from the colours. Raises BadBrand for one that could not be read."""
        if not self.colour.strip():
            if self.dark.strip():
                raise BadBrand("colour", "Choose a colour for light screens too.")
            return None
        try:
            light = palette_of(self.colour)
        except BadColour as error:
            raise BadBrand("colour", str(error)) from None
        try:
            return palette_of(self.colour, self.dark) if self.dark.strip() else light
        except BadColour as error:
            raise BadBrand("dark", str(error)) from None


@transaction.atomic(durable=True)
def practice_brand(
    *, practice: Practice, look: Look, seen: str, actor: Actor, logo: bytes = b"", drops_logo: bool = False
) -> Practice:
    """Save a look; `seen` is the `brand_mark` of what the person began from. A logo is written anew before it is kept.

    Raises BadBrand, and Stale if somebody saved another look meanwhile.
    """
    palette, picture = look.palette(), _picture(logo)
    current = Practice.objects.select_for_update(of=("self",), no_key=True).get(pk=practice.pk)
    if brand_mark(current) != seen:
        raise Stale("Somebody else changed this meanwhile. Look at it again before you save yours.")
    before = _told(current)
    changed: dict[str, object] = {name: getattr(look, name).strip() for name in WORDS}
    changed |= _colours(current, palette) | _logo(current, picture, drops_logo=drops_logo)
    for name, value in changed.items():
        setattr(current, name, value)
    current.save(update_fields=list(changed))
    after = {f"new_{name}": value for name, value in _told(current).items() if value != before[name]}
    audit.record(AccountEvent.BRAND_CHANGED, subject=current, actor=actor, details=after)
    return current


def brand_mark(practice: Practice) -> str:
    """A digest of the whole look: it differs as soon as somebody has saved another."""
    return hashlib.sha256(audit.canonical(_told(practice))).hexdigest()


def look_of(practice: Practice) -> Look:
    """The look as it was chosen: a dark colour that followed from the other one was not."""
    words = {name: getattr(practice, name) for name in WORDS}
    light, dark = practice.brand_colour, practice.brand_colour_dark
    followed = light and dark == str(palette_of(light).dark.fill)
    return Look(**words, colour=light, dark="" if followed else dark)


def _told(practice: Practice) -> dict[str, str | int | None]:
    return {**asdict(look_of(practice)), "logo": practice.brand_logo}


def _picture(logo: bytes) -> Picture | None:
    try:
        return picture_read(logo) if logo else None
    except BadPicture as error:
        raise BadBrand("logo", str(error)) from None


def _colours(practice: Practice, palette: Palette | None) -> dict[str, object]:
    if palette is None:
        return {"brand_colour": "", "brand_colour_dark": "", "brand_sheet": ""}
    return {
        "brand_colour": str(palette.light.fill),
        "brand_colour_dark": str(palette.dark.fill),
        "brand_sheet": _keep_within(practice, AssetKind.SHEET, palette.css.encode()),
    }


def _logo(practice: Practice, picture: Picture | None, *, drops_logo: bool) -> dict[str, object]:
    if picture is not None:
        digest = _keep_within(practice, AssetKind.LOGO, picture.png)
        return {"brand_logo": digest, "logo_width": picture.width, "logo_height": picture.height}
    return {"brand_logo": "", "logo_width": 0, "logo_height": 0} if drops_logo else {}


def _keep_within(practice: Practice, kind: AssetKind, body: bytes) -> str:
    """Keep these bytes under their SHA-256; what was kept before stays, because sent mails show it."""
    digest = hashlib.sha256(body).hexdigest()
    row = BrandAsset(practice=practice, token_sha256=digest, kind=kind, body=body)
    BrandAsset.objects.bulk_create([row], ignore_conflicts=True)
    return digest
