"""Change what the built pages need for readers of all kinds, and for a policy that forbids eval."""

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

_NAMES = {"en": ("All pages", "On this page", "Search"), "zh_CN": ("全部页面", "本页内容", "搜索")}
# Which plural of a sentence a number needs: Chinese has one form, and English is what the script falls back to.
_EVAL = """Documentation.PLURAL_EXPR = new Function(
      "n",
      `return (${catalog.plural_expr})`,
    );"""
_NO_EVAL = 'if (catalog.plural_expr === "0") Documentation.PLURAL_EXPR = () => 0;'


def postprocess(app: Sphinx, error: Exception | None) -> None:
    """Rewrite the files of a site that was built."""
    if error or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    for page in folder.rglob("*.html"):
        page.write_text(accessible(page.read_text("utf-8"), *_NAMES[app.config.language]), "utf-8")
    script = folder / "_static" / "doctools.js"
    script.write_text(without_eval(script.read_text("utf-8")), "utf-8")


def accessible(page: str, all_pages: str, this_page: str, search: str) -> str:
    """Return a page with what screen readers and keyboards miss in it; a page that has it stays as it is."""
    page = re.sub('role="heading"(?! aria-level)', 'role="heading" aria-level="2"', page)
    page = re.sub('<aside class="sidebar-drawer">', f'<aside class="sidebar-drawer" aria-label="{all_pages}">', page)
    page = re.sub('<aside class="(toc-drawer[^"]*)">', rf'<aside class="\1" aria-label="{this_page}">', page)
    # What scrolls sideways must be reachable by Tab.
    page = re.sub('<div class="(table-wrapper[^"]*)">', r'<div class="\1" tabindex="0">', page)
    page = page.replace('<div class="highlight"><pre>', '<div class="highlight"><pre tabindex="0">')
    page = re.sub('(?<!</h1>)<div id="search-results">', f'<h1>{search}</h1><div id="search-results">', page)
    return re.sub(r'<th class="head">(<p></p>)?</th>', "<td></td>", page)


def without_eval(script: str) -> str:
    """Return Sphinx's doctools.js without its call of eval. ExtensionError if it isn't as Sphinx 9.0 has it."""
    if _EVAL not in script and _NO_EVAL not in script:
        raise ExtensionError("doctools.js of this version of Sphinx is not known")
    return script.replace(_EVAL, _NO_EVAL)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register it."""
    app.connect("build-finished", postprocess)
    return {"parallel_read_safe": True}
