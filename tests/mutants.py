"""One change for each function of a file: a sign, a constant, an axis, a comparison, the order of two arguments, …"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

NOT_BEHAVIOR = {"annotation", "returns", "decorator_list", "type_params"}
UNSEEN_OPTIONS = {"keepdims", "keepdim", "strict", "copy", "persistent", "stacklevel", "inplace", "foreach", "fused"}
NOT_SWAPPED = {  # the order does not matter, or the other order is no program
    "add", "addcmul", "addcmul_", "allclose", "cast", "gcd", "huber_loss", "hypot", "isinstance", "l1_loss", "max",
    "maximum", "min", "minimum", "mse_loss", "mul", "multiply", "next", "smooth_l1_loss", "zip",
}
SWAPPED: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or,
    ast.Or: ast.And,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Mutant:
    path: Path
    function: str
    tree: ast.Module
    old: ast.AST
    new: ast.AST

    @property
    def place(self) -> str:
        return f"{self.path.relative_to(self.path.parents[1])}::{self.function}"

    @property
    def change(self) -> str:
        line = getattr(self.old, "lineno", 0)
        return f"{line}: {ast.unparse(self.old)}  ->  {ast.unparse(self.new)}".replace("\n", " ")[:160]


def mutants(path: Path) -> Iterator[Mutant]:
    """One of each function and method of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for name, function in functions(tree):
        offers = [(old, new) for node in behavior(function) for old, new in changes(node)
                  if ast.dump(old) != ast.dump(new)] or last_resort(function)
        if offers:
            yield Mutant(path, name, tree, *offers[crc32(f"{path.name}:{name}".encode()) % len(offers)])


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """(qualified name, node); what is defined inside a function belongs to that function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef) and node.name not in ("__repr__", "extra_repr"):
            yield prefix + node.name, node


def behavior(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it but types, texts and what is said when something is refused."""
    yield node
    for field, value in ast.iter_fields(node):
        if field in NOT_BEHAVIOR:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not silent(child):
                yield from behavior(child)


def silent(node: ast.AST) -> bool:
    """Whether no result depends on it."""
    match node:
        case ast.Raise() | ast.Assert() | ast.JoinedStr():
            return True
        case ast.keyword(option):
            return option in UNSEEN_OPTIONS
        case ast.Call(function):
            return ast.unparse(function) in ("warn", "warnings.warn")
    return False


def changes(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """(old, new) for what this very node offers."""
    match node:
        case ast.BinOp(left, op, right) if type(op) in SWAPPED and not literal(left) and not literal(right):
            yield node, ast.BinOp(left, SWAPPED[type(op)](), right)
        case ast.BinOp(left, ast.MatMult(), right):
            yield node, ast.BinOp(right, ast.MatMult(), left)
        case ast.AugAssign(target, op, value) if type(op) in SWAPPED:
            yield node, ast.AugAssign(target, SWAPPED[type(op)](), value)
        case ast.Compare(left, [op, *more], right):
            yield node, ast.Compare(left, [SWAPPED[type(op)](), *more], right)
        case ast.BoolOp(op, values):
            yield node, ast.BoolOp(SWAPPED[type(op)](), values)
        case ast.UnaryOp(ast.Not(), inside):
            yield node, inside
        case ast.UnaryOp(ast.USub(), ast.Constant(1)):
            yield node, ast.Constant(0)  # an axis as often as not; 1 would be the same axis of a matrix
        case ast.UnaryOp(ast.USub(), inside):
            yield node, inside
        case ast.If(test) | ast.IfExp(test) if isinstance(test, ast.Name | ast.Attribute | ast.Call):
            yield test, ast.UnaryOp(ast.Not(), test)
        case ast.Constant(bool(value)):
            yield node, ast.Constant(not value)
        case ast.Constant(int(value)):
            yield node, ast.Constant({0: 1, 1: 0}.get(value, value + 1))
        case ast.Constant(float(value)):
            yield node, ast.Constant(1.0 if abs(value) < 1e-6 else 2 * value)  # the tiny ones guard a division
        case ast.Attribute(inside, "T" | "mT"):
            yield node, inside
        case ast.Call(ast.Attribute(ast.Name("np" | "torch"), "transpose" | "swapaxes"), [inside, *_]):
            yield node, inside
        case ast.Call(ast.Attribute(inside, "t" | "transpose" | "swapaxes")):
            yield node, inside
        case ast.Call(function, [*first, a, b], keywords) if swaps(function, a, b):
            yield node, ast.Call(function, [*first, b, a], keywords)
        case ast.Return(ast.Tuple([_, _, *_] as values)):
            yield node, ast.Return(ast.Tuple(values[::-1], ast.Load()))


def literal(node: ast.AST) -> bool:
    return isinstance(node, ast.List | ast.Tuple | ast.JoinedStr) or isinstance(getattr(node, "value", None), str)


def swaps(function: ast.expr, a: ast.expr, b: ast.expr) -> bool:
    name = ast.unparse(function).rpartition(".")[2]
    return name not in NOT_SWAPPED and not isinstance(a, ast.Starred) and ast.dump(a) != ast.dump(b) and not literal(a)


def last_resort(function: ast.FunctionDef) -> list[tuple[ast.AST, ast.AST]]:
    """Of a function that only passes on: return nothing, or leave a statement out. What is not written yet is left."""
    body = [s for s in function.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    body = [s for s in body if not isinstance(s, ast.Pass | ast.Raise | ast.Assert | ast.Import | ast.ImportFrom)]
    empty = ast.Return(ast.Constant(None))
    return [(s, empty if isinstance(s, ast.Return) else ast.Pass()) for s in body if ast.unparse(s) != "return None"]
