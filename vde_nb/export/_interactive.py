"""What makes the HTML report interactive: the panel's viewer, and everything it shows.

The data stand in the page as JSON that is never run, the script is let run by its hash alone. So
whatever gets into the page from outside (names of files and types) stays text.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

from vde_nb._text import readable
from vde_nb.classify import anomaly_types
from vde_nb.viewer import bundle, payload

if TYPE_CHECKING:
    from vde_nb.comparison import Comparison

__all__ = ["data", "policy", "script", "styles"]

_TOKEN = "report"  # noqa: S105 - tells which pair data belong to; here there is one
#: Pixels up to which regions are counted at every threshold.
_MOST_COUNTED = 150_000_000
#: Characters that could end the element, or that JavaScript takes for a line break.
_UNSAFE = {ord(one): f"\\u{ord(one):04x}" for one in "<>&\u2028\u2029"}


def script() -> str:
    """The viewer as one ES module; it starts itself where it finds its data."""
    return bundle.esm("report")


def styles() -> str:
    """The viewer's style sheets."""
    return bundle.css()


def policy() -> str:
    """Content security policy of the page: nothing is loaded, and only :func:`script` is run.

    The viewer decodes its pictures from memory, which is ``blob:``.
    """
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


def data(comparison: Comparison) -> str:
    """Everything the viewer shows, as JSON that can stand in a ``script`` element.

    Parameters
    ----------
    comparison
        What :func:`vde_nb.compare` returned.

    Returns
    -------
    str
        An object with

        - ``pair``: names, and :class:`vde_nb.viewer.payload.Plan`;
        - ``blobs``: ``reference`` and ``current``, PNG in base64; ``clean`` and ``heatmap``,
          each ``{"meta", "data"}`` with a zlib stream in base64;
        - ``result``, ``masks``, ``masks_data``: of :func:`vde_nb.viewer.payload.anomalies_payload`;
        - ``counts``: regions at every threshold; None where regions are made in another way, and
          of a picture so large that counting takes minutes;
        - ``state``: ``threshold``, ``types``, ``colours``, ``registration``, ``view``.
    """
    how = payload.plan(*comparison.pair.shape)
    result, offsets, masks = payload.anomalies_payload(comparison)
    types = list(dict.fromkeys([*anomaly_types(), *(one.type for one in comparison.anomalies)]))
    document = {
        "pair": {
            "token": _TOKEN,
            "reference_name": readable(comparison.reference_name),
            "current_name": readable(comparison.image_name),
            **how.to_dict(),
        },
        "blobs": {
            "reference": _picture(comparison.reference, how),
            "current": _picture(comparison.current, how),
            "clean": _map(*payload.heat_payload(comparison.clean_heatmap)),
            "heatmap": _map(
                *payload.heat_payload(comparison.heatmap, most_bytes=payload.HEATMAP_BYTES)
            ),
        },
        "result": {"token": _TOKEN, "seq": 0, **result},
        "masks": offsets,
        "masks_data": _base64(masks),
        "counts": _counts(comparison),
        "state": {
            "threshold": int(comparison.threshold),
            "types": [readable(name) for name in types],
            "colours": payload.colours(types),
            "registration": payload.registration(comparison),
            "view": {},
        },
    }
    return json.dumps(document, allow_nan=False, separators=(",", ":")).translate(_UNSAFE)


def _picture(picture: payload.UInt8, how: payload.Plan) -> str:
    return _base64(payload.picture_png(payload.base_picture(picture, how)))


def _map(meta: dict[str, int], packed: bytes) -> dict[str, Any]:
    return {"meta": meta, "data": _base64(packed)}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _counts(comparison: Comparison) -> list[int] | None:
    height, width = comparison.pair.shape
    return None if height * width > _MOST_COUNTED else payload.counts_of(comparison)
