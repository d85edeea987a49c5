"""HTML pages of reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from crowdgan_core.errors import ConfigError, DatasetError
from crowdgan_core.io.html_page import check_html_path, facts_table_html, image_html, notes_html, render_page


def test_text_is_escaped() -> None:
    page = render_page("a<b", [("f<g", "h<i")], facts_table_html([("j<k", "l<m")]) + notes_html(["n<o"]))
    for text in ("a&lt;b", "f&lt;g", "h&lt;i", "j&lt;k", "l&lt;m", "n&lt;o"):
        assert text in page
    assert 'alt="&lt;&quot;"' in image_html('<"', b"", "png")


def test_pages_contain_style_and_script_and_load_nothing() -> None:
    page = render_page("title", [], image_html("dot", b"abc", "png"), style=".x{}", script="let x = '$1';")
    assert ".x{}" in page
    assert "let x = '$1';" in page
    assert 'src="data:image/png;base64,YWJj"' in page
    assert page.count("src=") == 1
    assert "http" not in page


def test_paths_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"must end in \.html"):
        check_html_path(tmp_path / "report.pdf", overwrite=False)
    existing = tmp_path / "report.htm"
    existing.touch()
    check_html_path(existing, overwrite=True)
    with pytest.raises(DatasetError, match="exists"):
        check_html_path(existing, overwrite=False)
