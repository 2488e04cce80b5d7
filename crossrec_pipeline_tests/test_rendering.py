import base64
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import altair as alt
import pytest

from crossrec_pipeline import rendering
from crossrec_pipeline.rendering import alt_text, png_bytes, png_markdown, svg

PNG = b"\x89PNG\r\n\x1a\n"


def chart(n: int = 3) -> alt.Chart:
    rows = [{"x": i * 7919 % 1000, "y": i * i * 104_729 % 997} for i in range(n)]
    return (
        alt.Chart(alt.InlineData(values=rows))
        .mark_circle(clip=True)  # a clip has an id
        .encode(x="x:Q", y="y:Q")
        .properties(title=alt.TitleParams("Dots", subtitle=["of three", "rows"]))
    )


def test_png_is_a_png_on_white():
    image = png_bytes(chart())
    assert image.startswith(PNG)
    assert image.endswith(b"IEND\xaeB`\x82")


def test_scale_is_pixels_of_the_image():
    widths = [int.from_bytes(png_bytes(chart(), scale)[16:20]) for scale in (1, 2)]
    assert widths[1] == pytest.approx(2 * widths[0], abs=1)


def test_svg_takes_letters_and_ground_from_the_page():
    text = svg(chart())
    ET.fromstring(text)
    assert "currentColor" in text
    assert 'fill="#ffffff"' not in text


def test_equal_charts_give_equal_svg():
    first = svg(chart())
    assert "clip-path" in first
    assert svg(chart()) == first


def test_ids_of_two_charts_differ_and_are_all_defined():
    texts = [svg(chart(3)), svg(chart(4))]
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in texts]
    assert ids[0]
    assert ids[0].isdisjoint(ids[1])
    for text, defined in zip(texts, ids, strict=True):
        assert set(re.findall(r"url\(#([^)]+)\)", text)) <= defined


def test_markdown_carries_the_image_and_says_title_and_subtitle():
    markdown = png_markdown(chart())
    found = re.fullmatch(r"!\[(.*)\]\(data:image/png;base64,([A-Za-z0-9+/=]+)\)", markdown)
    assert found
    assert found[1] == "Dots. of three rows."
    assert base64.b64decode(found[2]).startswith(PNG)


def test_brackets_do_not_end_the_alternative_text():
    assert png_markdown(chart(), "a [b]\nc").startswith("![a b c](data:")


def test_a_large_image_is_scaled_down_below_the_limit(monkeypatch: pytest.MonkeyPatch):
    whole = len(png_markdown(chart()))
    monkeypatch.setattr(rendering, "_MAX_MARKDOWN_BYTES", whole // 2)
    assert len(png_markdown(chart())) < whole // 2


def test_a_plain_title_is_the_alternative_text():
    assert alt_text(chart().properties(title="Only this")) == "Only this."


def test_importing_it_does_not_import_altair():
    code = "import sys, crossrec_pipeline.rendering as r; print('altair' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
