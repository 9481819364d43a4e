"""Pictures in a notebook's outputs: how large they are, and whether there is anything on them."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

from PIL import Image

#: A picture inside HTML.
IN_HTML = re.compile(r"data:image/(png|jpeg|webp|gif);base64,([A-Za-z0-9+/=\s]+)")

#: Outputs that are a picture themselves.
KINDS = ("image/png", "image/jpeg")


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture of an output.

    Attributes
    ----------
    width, height : int
        In pixels.
    colours : int
        How many colours it has; 2 stands for any more.
    """

    width: int
    height: int
    colours: int


def measured(encoded: str) -> Picture:
    """Decode a picture.

    Parameters
    ----------
    encoded : str
        The bytes of its file in base64.

    Raises
    ------
    ValueError
        These are not the bytes of a whole picture.
    """
    try:
        with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
            extrema = image.convert("RGB").getextrema()
            width, height = image.size
    except (OSError, SyntaxError) as error:
        raise ValueError(f"a picture cannot be read: {error}") from error
    return Picture(width, height, 1 if all(low == high for low, high in extrema) else 2)


def encoded_in(data: Mapping[str, Any]) -> Iterator[str]:
    """All pictures of an output, in base64, first those within its HTML."""
    for _, encoded in IN_HTML.findall(str(data.get("text/html", ""))):
        yield encoded
    for kind in KINDS:
        if kind in data:
            yield data[kind]
