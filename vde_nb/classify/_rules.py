"""The built-in rules: one small function per type, from evidence to a confidence in [0, 1].

Every rule multiplies soft conditions (:func:`rise`): one that fails altogether decides, two that
are half fulfilled leave a quarter. The numbers were chosen on defects put into photographs; each
stands for something a person can see in the two pictures, and none is known better than to two
digits. Rules ask each other (`1 - _line(region)`) where two descriptions fit the same thing, so
that the likelier type keeps its distance from the second.

A rule of one's own is written in the same way::

    from vde_nb.classify import anomaly_type, rise

    @anomaly_type("burn")
    def burn(region):
        darker = rise(region.delta_lightness, -10, -25)
        soft = rise(region.border_softness, 3, 5)
        return darker * soft * rise(region.delta_chroma, 0, -10)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from vde_nb.classify._region import ONE_WAY, Region

__all__ = ["BUILT_IN", "rise"]


def rise(value: float, low: float, high: float) -> float:
    """Soft threshold of a value: 0 at `low` and before, 1 at `high` and beyond, a line between.

    With `low` above `high` it falls; where they are equal it is a step.

    >>> rise(5, 4, 8), rise(5, 8, 4)
    (0.25, 0.75)
    """
    if low == high:
        return float(value >= high)
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _either(first: float, second: float) -> float:
    """One of two conditions is enough."""
    return 1 - (1 - first) * (1 - second)


# What several rules ask


def _one_way(region: Region) -> float:
    """The whole region changed its colour in one direction."""
    return rise(region.unity, 0.35, 0.6)


def _new(region: Region) -> float:
    """The current picture has a thing here, and the reference had none."""
    return rise(region.ownership, -0.05, -0.2)


def _gone(region: Region) -> float:
    """The reference had a thing here, and the current picture has none."""
    return rise(region.ownership, 0.05, 0.2)


def _line(region: Region) -> float:
    """A thin stroke came in: long for its width, and all of the change is that stroke."""
    if region.elongation <= 4:
        return 0.0
    share = abs(region.ridge) / (abs(region.delta_lightness) + 0.3 * region.tint + 1)
    narrow = rise(region.elongation, 4, 9) * rise(region.thickness, 15, 6)
    return narrow * rise(share, 0.2, 0.5) * rise(region.ownership, 0.1, -0.1)


def _same_surface(region: Region) -> float:
    """What lies below is still there: its edges correlate, and are not just a ghost of them.

    A surface without any grain (drawn, not photographed) cannot be recognised.
    """
    ghost = (region.detail_current + 0.2) / (region.detail_reference + 0.2)
    kept = rise(region.gradient_correlation, 0.4, 0.7) * rise(ghost, 0.15, 0.4)
    return kept * rise(region.detail_reference, 0.02, 0.06)


def _was_plain(region: Region) -> float:
    """The reference shows so little here that nobody can tell what happened to the surface."""
    return rise(region.detail_reference, 1.3, 0.7)


def _soft(region: Region) -> float:
    """The change has no sharp border."""
    return rise(region.border_softness, 3.2, 5.2)


def _small_and_plain(region: Region) -> float:
    """Compact, at most a thirtieth of the diagonal thick, its edges faint against its contrast."""
    across = math.hypot(*region.heatmap.shape)
    small = rise(region.thickness, max(0.038 * across, 24), max(0.028 * across, 18))
    compact = small * rise(region.compactness, 0.55, 0.7)
    return compact * rise(region.detail_current / (region.delta_e + 5), 0.11, 0.08)


def _plain_patch(region: Region) -> float:
    """A plain area on plain ground, too large for a spot: it has another colour, no more.

    Unless the colours have nothing in common: then something lies there.
    """
    plain = _was_plain(region) * rise(region.detail_current, 2.5, 1)
    return plain * rise(region.delta_e, 70, 40) * _new(region) * (1 - _small_and_plain(region))


def _cloud(region: Region) -> float:
    """Something without edges of its own on plain ground."""
    return _was_plain(region) * rise(region.detail_current, 4, 2)


def _rusty(region: Region) -> float:
    """Darker, browner and without a sharp border: rust, coffee, dirt, whatever lies below."""
    brown = rise(region.delta_b, 3, 10) * rise(region.delta_a, -4, 2)
    darker = rise(region.delta_lightness, -4, -12)
    return brown * darker * rise(region.border_softness, 3, 3.6) * _new(region)


def _dark(region: Region) -> float:
    """The line that came in is dark."""
    return rise(region.ridge, 5, -5)


def _wavy(region: Region) -> float:
    """The line does not follow one smooth arc."""
    return rise(region.waviness, 0.005, 0.03)


def _cast(region: Region) -> float:
    """The change is one of the light: grey, and fading out over many pixels."""
    return rise(region.penumbra, 10, 24) * rise(region.tint, 20, 6)


# The types


def missing_part(region: Region) -> float:
    """The reference stands out from its surroundings here, the current picture does not."""
    edges = region.border_reference - region.border_current
    replaced = (
        _gone(region) * (1 - _same_surface(region)) * _either(_one_way(region), rise(edges, 2, 5))
    )
    return replaced * (1 - _line(region)) * (1 - moved(region)) if replaced else 0.0


def added_part(region: Region) -> float:
    """The current picture stands out from its surroundings here, the reference did not."""
    edges = region.border_current - region.border_reference
    placed = (
        _new(region) * (1 - _same_surface(region)) * _either(_one_way(region), rise(edges, 2, 5))
    )
    if not placed:
        return 0.0
    placed *= (1 - _line(region)) * (1 - _small_and_plain(region))
    placed *= (1 - _soft(region) * _cloud(region)) * (1 - _plain_patch(region))
    return placed * (1 - _rusty(region)) * (1 - moved(region))


def moved(region: Region) -> float:
    """What was at one place inside is at another: by its edges, or an exchange of colours.

    A thing that went so far that it makes two regions is put together by
    :func:`~vde_nb.classify.pair_moves`.
    """
    if region.unity > ONE_WAY:
        return 0.0
    found = rise(region.displacement_score, 0.4, 0.65)
    found *= rise(region.displacement_score - region.stillness, 0.0, 0.3)
    swapped = rise(region.exchange, 0.08, 0.3) * rise(region.exchange_balance, 0.1, 0.4)
    swapped *= rise(region.exchange_distance, 2, 5)
    if swapped and found < 1:  # colours that changed places far apart did not get there by a bend
        swapped *= 1 - _bent(region) * rise(region.exchange_distance, 14, 8)
    return _either(found, swapped) * rise(region.unity, 1, 0.7)


def _bent(region: Region) -> float:
    """Undoing a smooth displacement makes the pictures agree."""
    if region.unity >= ONE_WAY:
        return 0.0
    smooth = rise(region.flow_gain, 0.45, 0.7) * rise(region.flow_roughness, 0.9, 0.5)
    return smooth * rise(region.flow, 0.5, 1.2) * rise(region.unity, 1, 0.7)


def deformation(region: Region) -> float:
    """The content is the same, but bent, bulged or squeezed."""
    bent = _bent(region)
    return bent * (1 - moved(region)) if bent else 0.0


def colour_change(region: Region) -> float:
    """The same surface, or a thing of the same outline, in another colour; sharp border."""
    outline = rise(min(region.border_reference, region.border_current), 4, 8)
    outline *= rise(abs(region.ownership), 0.3, 0.15)
    kept = max(_same_surface(region), 0.9 * _plain_patch(region), 0.7 * outline)
    # A thing whose outline vanished did not change its colour: it is gone.
    share = region.border_current / max(region.border_reference, 1e-6)
    kept *= 1 - rise(region.border_reference, 6, 12) * rise(share, 0.6, 0.3)
    return kept * (1 - _soft(region)) * (1 - _line(region)) * _one_way(region)


def stain(region: Region) -> float:
    """A dark or tinted veil with a soft border; what lies below shines through, mostly."""
    veil = max(_same_surface(region), 0.8 * _new(region) * _cloud(region))
    colour = max(rise(region.delta_lightness, 3, -3), 0.6 * rise(region.tint, 5, 15))
    seen = max(veil * colour * _soft(region) * (1 - _cast(region)), _rusty(region))
    return seen * (1 - _line(region)) * _one_way(region)


def scratch(region: Region) -> float:
    """A bright line, or a dark one of a single smooth movement."""
    line = _line(region)
    return line * max(1 - _dark(region), 0.55 * (1 - _wavy(region))) if line else 0.0


def crack(region: Region) -> float:
    """A dark line that wanders."""
    line = _line(region)
    return line * _dark(region) * (0.45 + 0.55 * _wavy(region)) if line else 0.0


def spot(region: Region) -> float:
    """Something small, compact and plain that was not there: a drop, a speck, a pin hole."""
    edges = region.border_current - region.border_reference
    dot = _small_and_plain(region) * _new(region) * _either(_one_way(region), rise(edges, 2, 5))
    return dot * (1 - _same_surface(region)) * (1 - _soft(region)) * (1 - _line(region))


def texture_change(region: Region) -> float:
    """On the average the same colour as before, but another pattern, none, or a blurred one."""
    steps = region.border_current - region.border_reference
    other = (1 - _one_way(region)) * rise(region.texture_distance, 0, 0.1)
    other *= rise(abs(steps), 5, 2)
    return other * (1 - moved(region)) * (1 - _bent(region)) if other else 0.0


def lighting(region: Region) -> float:
    """A shadow or a gleam: the same surface under another light, fading out over many pixels."""
    light = _same_surface(region) * _soft(region) * _cast(region)
    return light * (1 - _line(region)) * _one_way(region)


#: The built-in rules by the name of their type.
BUILT_IN: Mapping[str, Callable[[Region], float]] = {
    rule.__name__: rule
    for rule in (
        missing_part,
        added_part,
        moved,
        deformation,
        colour_change,
        stain,
        scratch,
        crack,
        spot,
        texture_change,
        lighting,
    )
}
