"""The rules of the layout: who may import what, and who may read the environment."""

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("gateway", "worker", "wire", "telemetry", "emulator", "bing_chat_gateway")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
# But for those that are a docstring.
TESTED_SOURCES = [
    path
    for package in (*PACKAGES, "bench")
    for path in sorted((ROOT / package).rglob("*.py"))
    if len(ast.parse(path.read_text()).body) > 1
]
FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "base"}

# package -> who may import it
ONLY_IN = {
    "redis": ("wire",),
    "fakeredis": ("wire",),
    "starlette": ("gateway",),
    "sse_starlette": ("gateway",),
    "uvicorn": ("gateway",),
}
ONLY_FILE = {"opentelemetry": "telemetry/otel.py"}
LAZY_ONLY_IN = {"EdgeGPT": "worker/providers/bing/edgegpt.py", "BingImageCreator": "worker/providers/bing/images.py"}
NEVER = {
    "gateway": {"worker", "emulator", "bing_chat_gateway"},
    "worker": {"gateway", "emulator", "bing_chat_gateway"},
    "wire": {"gateway", "worker", "emulator", "bing_chat_gateway"},
    "telemetry": {"gateway", "worker", "wire", "emulator", "bing_chat_gateway"},
    "emulator": {"gateway", "worker", "wire", "telemetry", "bing_chat_gateway"},
}


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(top-level package, whether at module level) for each import in a file."""
    tree = ast.parse(path.read_text())
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], id(node) in top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0], id(node) in top


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_imports_only_what_its_package_may(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    for imported, at_top in imports(path):
        assert imported not in NEVER.get(package, set()), f"{package} imports {imported}"
        if imported in ONLY_IN:
            assert package in ONLY_IN[imported], f"{package} imports {imported}"
        assert str(path.relative_to(ROOT)) == ONLY_FILE.get(imported, str(path.relative_to(ROOT)))
        if imported in LAZY_ONLY_IN:
            assert str(path.relative_to(ROOT)) == LAZY_ONLY_IN[imported], f"{path.name} imports {imported}"
            assert not at_top, f"{imported} must be imported lazily"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_settings_modules_read_the_environment(path: Path) -> None:
    names = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    if path.name != "settings.py":
        assert not names & {"getenv", "environb"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_named_for_what_it_holds(path: Path) -> None:
    assert path.stem not in FORBIDDEN_NAMES


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_function_is_longer_than_sixty_lines(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 60, f"{node.name} is too long"


def test_no_trace_is_sent_to_bing() -> None:
    """Of all that asks an upstream, only what asks servers that speak the OpenAI API knows of traces."""
    providers = sorted((ROOT / "worker" / "providers").rglob("*.py"))
    assert [path.name for path in providers if "traces" in path.read_text()] == ["client.py"]


TEST_NAME = re.compile(r"def (test_\w+)")
# Sources without a test file of their own name, and the file that tests them.
TESTED_BY = {
    "gateway/docs/answers.py": "tests/gateway/docs/test_openapi.py",
    "gateway/docs/v2_messages.py": "tests/gateway/docs/test_asyncapi.py",
    "gateway/docs/anthropic/error_responses.py": "tests/gateway/docs/test_errors.py",
    "gateway/docs/anthropic/paths.py": "tests/gateway/docs/test_openapi.py",
    "gateway/docs/anthropic/schemas.py": "tests/gateway/docs/test_openapi.py",
    "gateway/docs/headers.py": "tests/gateway/docs/test_openapi.py",
    "gateway/docs/openai/error_responses.py": "tests/gateway/docs/test_errors.py",
    "gateway/docs/openai/paths.py": "tests/gateway/docs/test_openapi.py",
    "gateway/docs/openai/schemas.py": "tests/gateway/docs/test_openapi.py",
    "gateway/docs/operations.py": "tests/gateway/docs/test_openapi.py",
    "gateway/docs/legacy.py": "tests/gateway/docs/test_openapi.py",
    "gateway/docs/error_responses.py": "tests/gateway/docs/test_errors.py",
    "gateway/docs/schemas.py": "tests/gateway/docs/test_openapi.py",
    "bench/scenario/http_users.py": "tests/external/test_locust.py",
    "bench/scenario/locustfile.py": "tests/external/test_locust.py",
    "bench/scenario/socket_users.py": "tests/external/test_locust.py",
    "bench/scenario/user.py": "tests/external/test_locust.py",
}


def test_each_source_has_a_test_file_of_its_name_at_the_mirrored_place() -> None:
    mirrored = {path.relative_to(ROOT).as_posix(): mirror(path) for path in TESTED_SOURCES}
    missing = {source: test for source, test in mirrored.items() if not test.exists()}
    assert sorted(missing.keys() - TESTED_BY.keys()) == [], "without a test file"
    assert sorted(TESTED_BY.keys() - missing.keys()) == [], "in the table without need"
    assert sorted(test for test in TESTED_BY.values() if not (ROOT / test).exists()) == [], "not there"


def mirror(source: Path) -> Path:
    """Return where the tests of a source belong: `pkg/room/thing.py` has them in `tests/pkg/room/test_thing.py`."""
    name = {"__init__": source.parent.name, "__main__": "main"}.get(source.stem, source.stem)
    return ROOT / "tests" / source.parent.relative_to(ROOT) / f"test_{name}.py"


def test_a_tests_name_has_at_most_eighty_characters() -> None:
    files = [path for path in (ROOT / "tests").rglob("test_*.py") if not INSTALLED.search(path.as_posix())]
    names = [name for path in files for name in TEST_NAME.findall(path.read_text())]
    assert [name for name in names if len(name) > 80] == []


# Inside a package an import leads only to an earlier entry, or stays in its own room.
LAYERS = {
    "gateway": [
        "errors",
        "auth",
        "settings",
        "answering",
        "http",
        "ops",
        "legacy",
        "v2 openai console",
        "anthropic",
        "docs page",
        "app",
        "server",
        "__main__",
    ],
    "worker": [
        "errors",
        "settings heartbeat",
        "accounts",
        "providers",
        "turns",
        "leases reaper cli bell",
        "dispatcher",
        "worker",
        "metrics status",
        "service",
        "__main__",
    ],
    "bing_chat_gateway": ["serve keys", "command", "__main__"],
}


def module_name(path: Path) -> str:
    """Return a source's dotted name."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in SOURCES}


def imported_modules(path: Path) -> set[str]:
    """Return the modules of ours that a source imports, for types alone or not."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name if name in MODULES else node.module for name in inner}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return (names & MODULES.keys()) - {module_name(path)}


def room(module: str) -> str:
    """Return the first part of a module's name inside its package."""
    return module.split(".")[1]


@pytest.mark.parametrize("package", LAYERS)
def test_an_import_leads_only_to_an_earlier_layer(package: str) -> None:
    layer = {name: number for number, entry in enumerate(LAYERS[package]) for name in entry.split()}
    upward = [
        f"{module} imports {imported}"
        for module, path in MODULES.items()
        if module.startswith(f"{package}.")
        for imported in imported_modules(path)
        if imported.startswith(f"{package}.") and room(module) != room(imported)
        if layer[room(imported)] >= layer[room(module)]
    ]
    assert upward == []


def test_no_imports_form_a_circle() -> None:
    remaining = {module: imported_modules(path) for module, path in MODULES.items()}
    while free := [module for module, imported in remaining.items() if not imported & remaining.keys()]:
        for module in free:
            del remaining[module]
    assert sorted(remaining) == []


def test_no_class_name_is_used_twice() -> None:
    names = Counter(
        node.name
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


BANNED = re.compile(
    r"\b(whom|tell|tells|told|telling|stands|goes on|gone on|comes to nothing|for its sake)\b", re.IGNORECASE
)
# Of these nobody can see what they hold.
VAGUE = {"it", "thing", "things", "stuff", "told", "kept", "said", "got", "ends", "foo", "tmp"}
# tests/external holds environments of other people's programs once they are set up.
INSTALLED = re.compile(r"/(\.venv[\w-]*|node_modules)/")
PROSE = [
    *SOURCES,
    *(
        path
        for folder in ("bench", "tools", "tests")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not INSTALLED.search(path.as_posix())
    ),
    *sorted(ROOT.glob("*.md")),
    *(path for folder in ("docs", "emulator", "bench", "cookies", "gateway") for path in (ROOT / folder).rglob("*.md")),
]


def prose(path: Path) -> Iterator[str]:
    """Return what people read in a file: of a source its comments, docstrings and log events, of a document all."""
    if path.suffix != ".py":
        yield path.read_text()
        return
    source = path.read_text()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
        elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("_LOG.", "log.")) and node.args:
            yield ast.unparse(node.args[0])


@pytest.mark.parametrize("path", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_prose_is_plain_english(path: Path) -> None:
    assert [match[0] for text in prose(path) for match in BANNED.finditer(text)] == []


def given_names(path: Path) -> Iterator[str]:
    """Yield the names that a source gives to functions, classes, arguments and variables, as words."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name.replace("_", " ")
        elif isinstance(node, ast.arg):
            yield node.arg.replace("_", " ")
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id.replace("_", " ")


@pytest.mark.parametrize(
    "path", [path for path in PROSE if path.suffix == ".py"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_names_are_plain_english(path: Path) -> None:
    assert [name for name in given_names(path) if BANNED.search(name) or name in VAGUE] == []
