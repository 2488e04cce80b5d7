"""An Altair chart goes in; SVG, PNG or a Markdown image comes out, styled alike, without network.

Altair is imported by whoever draws, not here: this module costs nothing to import.
"""

import base64
import functools
import json
import re
import struct
import zlib
from typing import TYPE_CHECKING, Any

from crossrec_pipeline.digests import text_digest

if TYPE_CHECKING:
    import altair

    _Chart = altair.Chart | altair.LayerChart | altair.FacetChart | altair.VConcatChart

BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE = PALETTE = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#56b4e9",
    "#cc79a7",
)
"""Okabe and Ito's colours, which stay apart for colour-blind readers (Color Universal Design,
2008); yellow is left out, since it fades on white."""

GREY = "#8a8a8a"
"""For lines and labels that are no data: seen on light and on dark ground."""

_INK_ON_WHITE = "#222222"
_MAX_MARKDOWN_BYTES = 150_000
_PNG_SCALES = (2.0, 1.5, 1.0, 0.75, 0.5)
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DEFLATION = 7  # 9 takes thrice the time for 4 % less
_KEPT_DRAWINGS = 64


def svg(chart: "_Chart") -> str:
    """Render as SVG without a ground of its own, letters and axes in the surrounding text colour.

    Inside an HTML page it follows the page's light or dark colours. Equal charts give equal text,
    and several can stand in one page: the ids of clips and gradients are made of the content.
    """
    return _drawn_svg(_styled(chart, "currentColor", "transparent"))


def png_bytes(chart: "_Chart", scale: float = 1.5) -> bytes:
    """Render as PNG on white; `scale` is image pixels for one pixel of the chart."""
    return _drawn_png(_styled(chart, _INK_ON_WHITE, "#ffffff"), scale)


def png_markdown(chart: "_Chart", alt: str | None = None) -> str:
    """Render as a Markdown image that carries its PNG, for metadata shown as Markdown.

    Parameters
    ----------
    chart
        What to draw.
    alt
        The text for readers who do not see the image; by default the chart's title and subtitle.

    Returns
    -------
    str
        ``![alt](data:image/png;base64,…)``, at the largest scale that stays below 150 kB: the
        text is stored with every run.
    """
    label = re.sub(r"[\[\]\s]+", " ", alt_text(chart) if alt is None else alt).strip()
    markdown = ""
    for scale in _PNG_SCALES:
        encoded = base64.b64encode(png_bytes(chart, scale)).decode()
        markdown = f"![{label}](data:image/png;base64,{encoded})"
        if len(markdown) < _MAX_MARKDOWN_BYTES:
            break
    return markdown


def alt_text(chart: "_Chart") -> str:
    """Return a chart's title and subtitle as sentences."""
    title: Any = chart.to_dict(validate=False).get("title", "")
    if not isinstance(title, dict):
        title = {"text": title}
    parts = []
    for part in (title.get("text", ""), title.get("subtitle", "")):
        words = " ".join(part) if isinstance(part, list) else str(part)
        if words:
            parts.append(words if words.endswith(".") else f"{words}.")
    return " ".join(parts)


# The pages of two assets share charts, and a change of one domain leaves those of the others.
@functools.lru_cache(_KEPT_DRAWINGS)
def _drawn_svg(spec: str) -> str:
    import vl_convert

    return _with_own_ids(vl_convert.vegalite_to_svg(spec))


@functools.lru_cache(_KEPT_DRAWINGS)
def _drawn_png(spec: str, scale: float) -> bytes:
    import vl_convert

    return _deflated(vl_convert.vegalite_to_png(spec, scale=scale))


def _styled(chart: "_Chart", ink: str, background: str) -> str:
    """Return the chart's specification as JSON, with our looks."""
    text = {"labelColor": ink, "titleColor": ink, "labelFontSize": 12, "titleFontSize": 12}
    spec = chart.to_dict()
    spec["config"] = {
        "aria": False,  # one text for the whole picture in place of a label a mark
        "background": background,
        "font": "sans-serif",
        "view": {"stroke": None},
        "axis": {
            **text,
            "titleFontWeight": "normal",
            "domainColor": GREY,
            "tickColor": GREY,
            "gridColor": GREY,
            "gridOpacity": 0.25,
        },
        "axisBand": {"grid": False},
        "header": text,
        "legend": {**text, "titleFontWeight": "normal"},
        "title": {
            "color": ink,
            "subtitleColor": ink,
            "fontSize": 15,
            "subtitleFontSize": 12,
            "subtitlePadding": 5,
            "anchor": "start",
            "frame": "bounds",
            "offset": 12,
        },
        "text": {"color": ink, "fontSize": 11},
        "rule": {"color": ink},
    }
    return json.dumps(spec)


def _with_own_ids(text: str) -> str:
    """Rename ids, which the renderer counts on through the life of the process."""
    names = list(dict.fromkeys(re.findall(r'\bid="([^"]+)"', text)))
    if not names:
        return text
    pattern = r'(\bid="|url\(#|href="#)(' + "|".join(map(re.escape, names)) + r')(?=["\)])'
    numbered = re.sub(pattern, lambda found: f"{found[1]}{names.index(found[2])}", text)
    prefix = f"c{text_digest(numbered)[:8]}-"
    own = "|".join(map(str, range(len(names))))
    return re.sub(
        rf'(\bid="|url\(#|href="#)({own})(?=["\)])',
        lambda found: f"{found[1]}{prefix}{found[2]}",
        numbered,
    )


def _deflated(image: bytes) -> bytes:
    """Compress a PNG's pixels well, to less than half of what the renderer leaves."""
    before, pixels, end, at = [], b"", b"", len(_PNG_SIGNATURE)
    while at < len(image):
        (length,) = struct.unpack_from(">I", image, at)
        chunk = image[at : at + 12 + length]  # length, name and checksum are four bytes each
        if chunk[4:8] == b"IDAT":
            pixels += chunk[8:-4]
        elif chunk[4:8] == b"IEND":
            end = chunk
        else:
            before.append(chunk)
        at += len(chunk)
    body = b"IDAT" + zlib.compress(zlib.decompress(pixels), _DEFLATION)
    data = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return b"".join((_PNG_SIGNATURE, *before, data, end))
