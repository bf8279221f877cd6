"""How the code is built, counted: `./run bench house [--before REVISION]`.

Counts the working tree, and beside it a revision, each from its files alone. Migrations and tests
do not count, except where a row names them.
"""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.support.report import finish, table

ROOT = Path(__file__).resolve().parents[2]
APPS = ["predictions", "labeling", "training", "dashboard"]
DJANGO_OWN = {"migrations", "management", "templatetags", "apps", "__init__", "__pycache__"}
DATA = {"base", "r"}  # folders that hold no modules
COMPLEX = 10  # ways through one function


@dataclass(frozen=True)
class Module:
    path: str  # from the root of the tree
    name: str  # dotted
    text: str
    tree: ast.Module

    @property
    def app(self) -> str:
        return self.name.split(".")[0]


def modules_in(tree: Path) -> list[Module]:
    found = []
    for app in [*APPS, "config"]:
        for file in sorted((tree / app).rglob("*.py")):
            path = file.relative_to(tree)
            if "migrations" in path.parts:
                continue
            parts = path.with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            text = file.read_text(encoding="utf-8")
            found.append(Module(str(path), name, text, ast.parse(text)))
    return found


# -- what is counted ---------------------------------------------------------------------------


def count(tree: Path) -> dict[str, Any]:
    modules = modules_in(tree)
    names = defined(modules)
    doubles = {name: places for name, places in names.items() if len(places) > 1}
    functions = [each for module in modules for each in functions_of(module)]
    longest = max(functions, key=length)
    file = max(modules, key=lambda module: module.text.count("\n"))
    complicated = [each for each in functions if complexity(each) > COMPLEX]
    hardest = max(functions, key=complexity)
    readmes = {path.parent.name: path.read_text().count("\n") for path in tree.glob("*/README.md")}
    longest_readme = max(readmes, key=lambda app: readmes[app])
    return {
        **{f"{app}: files, lines": size_of(modules, app) for app in [*APPS, "config"]},
        "code without tests and migrations, lines": sum(lines(module) for module in modules),
        "tests, lines": lines_below(tree / "tests", "*.py"),
        "pages and scripts, lines": sum(
            lines_below(tree / folder, pattern)
            for folder, pattern in [
                ("templates", "*.html"),
                ("static", "*.js"),
                ("static", "*.css"),
            ]
        ),
        **{f"{app}: modules and rooms at the root": len(at_root(tree / app)) for app in APPS},
        "top-level names": len(names),
        "names defined in more than one module": len(doubles),
        "imports within functions": sum(map(imports_within, modules)),
        "circles of imports": len(circles(modules)),
        "longest function": f"{length(longest)} ({longest.name})",
        "longest file": f"{lines(file)} ({file.path})",
        f"functions with complexity over {COMPLEX}": len(complicated),
        "most complex function": f"{complexity(hardest)} ({hardest.name})",
        "longest README of an app": f"{readmes[longest_readme]} ({longest_readme})",
        "doubles": {name: sorted(places) for name, places in sorted(doubles.items())},
    }


def lines(module: Module) -> int:
    return module.text.count("\n")


def size_of(modules: list[Module], app: str) -> str:
    own = [module for module in modules if module.app == app]
    return f"{len(own)}, {sum(map(lines, own)):,}"


def lines_below(folder: Path, pattern: str) -> int:
    return sum(file.read_text(encoding="utf-8").count("\n") for file in folder.rglob(pattern))


def at_root(app: Path) -> list[str]:
    entries = {
        path.stem
        for path in app.iterdir()
        if path.suffix == ".py" or (path.is_dir() and path.name not in DATA)
    }
    return sorted(entries - DJANGO_OWN)


def defined(modules: list[Module]) -> dict[str, set[str]]:
    """Functions and classes at the top of modules, and the modules that define each name."""
    found: dict[str, set[str]] = defaultdict(set)
    for module in modules:
        if "management" in module.name.split("."):
            continue  # a command is called Command
        for node in module.tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found[node.name].add(module.name)
    return found


def functions_of(module: Module) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef):
            yield node


def length(function: ast.FunctionDef) -> int:
    """Lines of its body, without its docstring."""
    has_docstring = ast.get_docstring(function, clean=False) is not None
    body = function.body[1:] if has_docstring else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def imports_within(module: Module) -> int:
    return sum(
        isinstance(inner, ast.Import | ast.ImportFrom)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef)
        for inner in ast.walk(node)
    )


def graph_of(modules: list[Module]) -> dict[str, set[str]]:
    """Which module of ours imports which, also within functions; for types alone does not count."""
    ours = {module.name for module in modules}
    graph: dict[str, set[str]] = {}
    for module in modules:
        found: set[str] = set()
        for node in running(module.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                submodules = {f"{node.module}.{alias.name}" for alias in node.names} & ours
                found |= submodules or {node.module}
        graph[module.name] = found & ours - {module.name}
    return graph


def running(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from running(child)


def circles(modules: list[Module]) -> list[list[str]]:
    """Groups of modules that import each other (strongly connected, after Tarjan)."""
    graph = graph_of(modules)
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in graph[name]:
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in graph:
        if name not in index:
            visit(name)
    return found


BRANCHES = (ast.If, ast.IfExp, ast.For, ast.While, ast.ExceptHandler, ast.Assert)


def complexity(function: ast.FunctionDef) -> int:
    """Ways through a function: each branch, loop, handler and part of a condition adds one."""
    count = 1
    for node in ast.walk(function):
        if isinstance(node, BRANCHES):
            count += 1
        elif isinstance(node, ast.BoolOp):
            count += len(node.values) - 1
        elif isinstance(node, ast.comprehension):
            count += 1 + len(node.ifs)
    return count


# -- the table ---------------------------------------------------------------------------------


def count_at(revision: str) -> dict[str, Any]:
    packed = subprocess.run(
        ["git", "archive", "--format=tar", revision], cwd=ROOT, capture_output=True, check=True
    ).stdout
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        return count(Path(folder))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./run bench house", description=__doc__)
    parser.add_argument("--before", metavar="REVISION", help="counted too, in a column of its own")
    parser.add_argument("--doubles", action="store_true", help="name what is defined twice")
    given = parser.parse_args(arguments)
    counts = {"now": count(ROOT)}
    if given.before:
        counts = {given.before: count_at(given.before), **counts}
    names = {what: count.pop("doubles") for what, count in counts.items()}
    rows = [[what, *(each[what] for each in counts.values())] for what in counts["now"]]
    table([["what", *counts], *rows])
    if given.doubles:
        often = Counter({name: len(places) for name, places in names["now"].items()})
        for name, _ in often.most_common():
            print(f"{name}: {', '.join(names['now'][name])}")
    finish({"bench": "house", **counts})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
