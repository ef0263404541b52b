"""What is changed in the built pages of the site."""

import pytest
from sphinx.errors import ExtensionError

from docs import postprocess

NAMES = ("All pages", "On this page", "Search")


@pytest.mark.parametrize(
    ("built", "changed"),
    [
        ('<p class="caption" role="heading">', '<p class="caption" role="heading" aria-level="2">'),
        ('<aside class="sidebar-drawer">', '<aside class="sidebar-drawer" aria-label="All pages">'),
        ('<aside class="toc-drawer no-toc">', '<aside class="toc-drawer no-toc" aria-label="On this page">'),
        ('<div class="table-wrapper a container">', '<div class="table-wrapper a container" tabindex="0">'),
        ('<div class="highlight"><pre>', '<div class="highlight"><pre tabindex="0">'),
        ('<div id="search-results"></div>', '<h1>Search</h1><div id="search-results"></div>'),
        ('<th class="head"></th><th class="head"><p>a</p></th>', '<td></td><th class="head"><p>a</p></th>'),
    ],
)
def test_a_page_gets_what_screen_readers_and_keyboards_need_once(built: str, changed: str) -> None:
    page = postprocess.accessible(built, *NAMES)
    assert page == changed
    assert postprocess.accessible(page, *NAMES) == changed


def test_the_script_of_another_version_of_sphinx_ends_the_build() -> None:
    changed = postprocess.without_eval(f"a {postprocess._EVAL} b")
    assert "new Function" not in changed
    assert postprocess.without_eval(changed) == changed
    with pytest.raises(ExtensionError, match=r"doctools\.js"):
        postprocess.without_eval("something else")
