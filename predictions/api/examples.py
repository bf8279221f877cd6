"""Examples for the API's schema: one for each field name.

A name with several meanings is listed with its component: `FigureOutput.name`.
"""

from __future__ import annotations

import base64
import io
from functools import cache
from typing import Any

from PIL import Image, ImageDraw

LABEL_CONFIG = (
    '<View><Image name="image" value="$image"/><Choices name="digit" toName="image">'
    + "".join(f'<Choice value="{digit}"/>' for digit in range(10))
    + '<Choice value="unreadable"/></Choices></View>'
)
ID = "8f0c2f5e-6d1b-4a39-9f6e-2b7c1d4e5a60"
TIME = "2026-11-21T12:00:00Z"
REGION = {
    "from_name": "digit",
    "to_name": "image",
    "type": "choices",
    "value": {"choices": ["7"]},
}


@cache
def seven() -> str:
    """A drawn seven as a data URL, so that the documented request works."""
    image = Image.new("L", (56, 56), 255)
    ImageDraw.Draw(image).line([(14, 12), (42, 12), (26, 46)], fill=0, width=5, joint="curve")
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


WORDS: dict[str, Any] = {
    "digit": 7,
    "guess": 7,
    "predicted": 7,
    "confidence": 0.9993,
    "probabilities": [0.0, 0.0001, 0.0, 0.0002, 0.0, 0.0, 0.0, 0.9993, 0.0001, 0.0003],
    "strangeness": 0.01,
    "is_digit": True,
    "box": [0.21, 0.18, 0.77, 0.86],
    "ImageFileInputRequest.box": "0.2,0.1,0.8,0.9",
    "model": "base-1",
    "version": "base-2",
    "parent": "base-1",
    "before": "base-1",
    "after": "base-2",
    "against": "base-1",
    "name": "base-1",
    "FigureNameOutput.name": "accuracy-by-month",
    "FigureOutput.name": "accuracy-by-month",
    "RefusedImage.name": "digits.zip/7/first.png",
    "RefusedImage.why": "There is no ink found in the image: it is blank.",
    "ItemOutput.why": "The model was unsure: 7 at 51%, then 1.",
    "ColumnOutput.key": "month",
    "ColumnOutput.title": "Month",
    "VersionOutput.name": "base-2",
    "FullVersionOutput.name": "base-2",
    "state": "settled",
    "reason": "",
    "log": ["2026-11-21T12:00:31 Epoch 1: loss 0.5000, 90.00% while learning."],
    "glyph": "data:image/png;base64,iVBORw0KGgo=",
    "glyph_url": f"/glyphs/{ID}.png",
    "drawing_url": f"/drawings/{ID}.png",
    "next": f"https://digits.example.org/api/v1/predictions/?before={ID}&limit=50",
    "code": "invalid",
    "message": "digit: A valid integer is required.",
    "fields": {"digit": ["A valid integer is required."]},
    "why": "It reads sevens better.",
    "reasons": ["12 read better, 1 worse."],
    "labeled_by": "ada",
    "by": "ada",
    "made_by": "ada",
    "undone_by": "bea",
    "one": "ada",
    "other": "bea",
    "labeler": "ada",
    "asked_by": "dee",
    "over": "base-1",
    "seconds": 1.4,
    "correct": True,
    "progress": 0.5,
    "shows": "Accuracy month by month; promotions are marks on it.",
    "title": "Accuracy by month",
    "sentence": "98 of 100 drawings were read right in September 2026.",
    "sampled_from": "100 drawings chosen at random when they were made, and labeled blind.",
    "columns": [{"key": "month", "title": "Month", "kind": "month"}],
    "rows": [["2026-09"]],
    "marks": [{"month": "2026-09", "title": "base-2 went live"}],
    "warning": "",
    "as_of": "6000.412.97.2",
    "url": "https://digits.example.org/api/v1/figures/accuracy-by-month/",
    "label_config": LABEL_CONFIG,
    "schema": LABEL_CONFIG,
    "tasks": [{"id": 1, "data": {"image": f"/glyphs/{ID}.png"}}],
    "result": [REGION],
    "action": "ANNOTATION_CREATED",
    "project": {"id": 1, "label_config": LABEL_CONFIG},
    "task": {"id": 1, "data": {"image": f"/glyphs/{ID}.png"}},
    "annotation": {"id": 1, "result": [REGION]},
    "problem": "The labeling config has no image.",
    "model_version": "base-1",
    "model_class": "Inkloop",
    "versions": ["base-1"],
    "score": 0.9993,
    "seed": 0,
}


def add_examples(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Add a complete example to every request and response body."""
    schemas = result["components"]["schemas"]
    for name, schema in schemas.items():
        if schema.get("type") == "object" and schema.get("properties"):
            schema["example"] = example_of(schema, schemas, inside=name)
    return result


def example_of(
    schema: dict[str, Any], schemas: dict[str, Any], name: str = "", inside: str = ""
) -> Any:
    if reference := reference_in(schema):
        component = reference.rpartition("/")[2]
        return example_of(schemas[component], schemas, name, component)
    if schema.get("properties"):
        return {
            each: WORDS.get(f"{inside}.{each}") or example_of(inner, schemas, each)
            for each, inner in schema["properties"].items()
        }
    if "enum" in schema:
        return schema["enum"][0]
    kind = type_in(schema)
    if schema.get("format") == "binary":
        return "the bytes of a file"
    if name == "image":
        return seven()
    if name in WORDS and fits(WORDS[name], kind):
        return WORDS[name]
    return plain_example(schema, schemas, kind)


def reference_in(schema: dict[str, Any]) -> str | None:
    parts = [schema, *schema.get("allOf", []), *schema.get("oneOf", [])]
    return next((part["$ref"] for part in parts if "$ref" in part), None)


def type_in(schema: dict[str, Any]) -> str | None:
    """The type of the value; null may be named beside it."""
    kind = schema.get("type")
    return kind[0] if isinstance(kind, list) else kind


KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def fits(value: Any, kind: str | None) -> bool:
    if kind is None:
        return True  # any type
    return isinstance(value, bool) == (kind == "boolean") and isinstance(value, KINDS[kind])


def plain_example(schema: dict[str, Any], schemas: dict[str, Any], kind: str | None) -> Any:
    """An example by the type alone."""
    if kind == "string":
        return {"uuid": ID, "date-time": TIME}.get(schema.get("format", ""), "text")
    if kind == "array":
        return [example_of(schema["items"], schemas)]
    if kind in {"integer", "number"}:
        return schema.get("minimum", 1) or 1
    return {"boolean": False, "object": {}}.get(kind or "")
