"""Search in the Chinese site: the index holds pairs of characters, and the page splits what is searched likewise.

Sphinx's own search for Chinese needs a dictionary, and finds only what the dictionary has as a word.
"""

import re

from sphinx.application import Sphinx
from sphinx.search.zh import SearchChinese

_HAN = re.compile(r"[\u4e00-\u9fff]+")


class PairSearch(SearchChinese):
    """Sphinx's search for Chinese, with pairs of characters in place of a dictionary's words."""

    lang = "zh_CN"
    # The page's stemmer is the English one, and is looked for by this name.
    language_name = "English"
    js_splitter_code = """
function splitQuery(query) {
    const terms = query.toLowerCase().match(/[a-z0-9_]+/g) || [];
    for (const run of query.match(/[\\u4e00-\\u9fff]+/g) || []) {
        if (run.length === 1) terms.push(run);
        for (let i = 0; i + 2 <= run.length; i++) terms.push(run.slice(i, i + 2));
    }
    return terms;
}
"""

    def split(self, input: str) -> list[str]:
        """Return the words in Latin letters, each Han character, and each pair of neighbours."""
        latin = [word.lower() for word in self.latin1_letters.findall(input)]
        self.latin_terms.update(latin)
        runs = _HAN.findall(input)
        pairs = [run[start : start + 2] for run in runs for start in range(len(run) - 1)]
        return [*latin, *dict.fromkeys("".join(runs)), *dict.fromkeys(pairs)]

    def word_filter(self, word: str) -> bool:
        """Keep every word: single characters count in Chinese."""
        return word not in self.stopwords


def setup(app: Sphinx) -> dict[str, bool]:
    """Register it."""
    app.add_search_language(PairSearch)
    return {"parallel_read_safe": True}
