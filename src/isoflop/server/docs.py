"""The API's description as a page of its own: no script, nothing from anywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

_STYLE = """
body { font: 15px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
body { color: #17212b; background: #fff }
code { background: #f3f6f9; padding: 0 .2em }
table { border-collapse: collapse; font-size: .93em }
tr { border-bottom: 1px solid #dde3e9 }
td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0 }
@media (prefers-color-scheme: dark) {
  body { background: #0f1720; color: #e6ecf2 }
  code { background: #1a2530 }
  tr { border-color: #2c3946 }
  a { color: #6db5e8 }
}
"""


def page(described: Mapping[str, Any]) -> str:
    """Return an OpenAPI description as HTML."""
    shared, title = described["components"]["schemas"], f"{escape(described['info']['title'])} API"
    parts = [
        "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'>",
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>",
        *(f"<p>{_text(said)}</p>" for said in described["info"]["description"].split("\n\n")),
        "<p>As OpenAPI: <a href='openapi.json'>openapi.json</a>.</p>",
    ]
    prefix = described["servers"][0]["url"]
    for path, methods in described["paths"].items():
        for method, route in methods.items():
            parts.append(f"<h2><code>{method.upper()} {escape(prefix + path)}</code></h2>")
            parts.append(f"<p>{_text(route.get('description') or route['summary'])}</p>")
            parts += _fields(route, shared)
    return "\n".join([*parts, "</body></html>"])


def _fields(route: Mapping[str, Any], shared: Mapping[str, Any]) -> list[str]:
    body = route.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = _resolved(body.get("schema", {}), shared)
    rows = [
        (one["name"], one["in"], one.get("description", "")) for one in route.get("parameters", ())
    ]
    rows += _rows("", schema, shared)
    if not rows:
        return []
    cells = [
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(kind)}</td><td>{_text(said)}</td></tr>"
        for name, kind, said in rows
    ]
    return ["<table>", *cells, "</table>"]


def _rows(
    prefix: str, schema: Mapping[str, Any], shared: Mapping[str, Any]
) -> list[tuple[str, str, str]]:
    """Return name, kind and meaning of each field, those of parts behind their part."""
    found = []
    for name, field in schema.get("properties", {}).items():
        entry = _resolved(field, shared)
        kind = "needed" if name in schema.get("required", ()) else _default(entry)
        said = field.get("description") or entry.get("description", "")
        found.append((f"{prefix}{name}", kind, said))
        for part in (entry, *entry.get("anyOf", ())):
            found += _rows(f"{prefix}{name}.", _resolved(part, shared), shared)
    return found


def _resolved(schema: Mapping[str, Any], shared: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return shared[name] if name else schema


def _default(entry: Mapping[str, Any]) -> str:
    default = entry.get("default")
    return "" if default in (None, "", []) or isinstance(default, dict) else f"default: {default}"


def _text(said: str) -> str:
    parts = escape(said).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))
