"""How Sphinx builds the site: `make docs`. Chinese: `-D language=zh_CN`, with the catalogues in docs/locale."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "Bing Chat gateway"
extensions = ["myst_parser", "chinese_search", "postprocess"]
exclude_patterns = ["_build", "locale", "templates"]
language = "en"
# Every link between pages and to a heading is checked.
nitpicky = True
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

locale_dirs = ["locale"]
gettext_compact = False
gettext_uuid = False
gettext_location = False

html_theme = "furo"
templates_path = ["templates"]
# Furo's own, and a link to the other language.
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "languages.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_favicon = "../gateway/page/icon.svg"
html_title = project
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_use_index = False
html_domain_indices = False
# For them the page of results fetches each page that has the word, which is more than a first visit should weigh.
html_show_search_summary = False
# Of the styles that are readable in every colour (WCAG AA); they come with furo.
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
