"""A gateway that serves the site of the zip at SITE_FILE, as `python -m tests.support.browser.site_gateway`."""

import os
from pathlib import Path

from gateway.__main__ import main
from gateway.docs import site

if __name__ == "__main__":
    site.FILE = Path(os.environ["SITE_FILE"])
    main()
