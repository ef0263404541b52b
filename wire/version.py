"""The project's version, from which the package has its own."""

VERSION = "0.2.0"
