"""Compose's files as YAML, with the tags that are its own."""

import yaml


class Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads `!reset` and `!override` as the values that they are before."""


def _without_tag(loader: Loader, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node) or None


for _tag in ("!reset", "!override"):
    Loader.add_constructor(_tag, _without_tag)
