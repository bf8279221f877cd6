"""The server somebody would otherwise write: FastAPI, eager PyTorch, SQLAlchemy, SQLite in WAL.

It does the work of our `POST /api/v1/predictions/` and stores the same: one row with the glyph and
the probabilities, one with the small drawing, in one transaction. It shares our image guard, our
glyph function and our weights, so that what differs is the stack.
"""

from __future__ import annotations

import datetime
import os
import random
import uuid
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import uvicorn
from fastapi import FastAPI, File, HTTPException
from sqlalchemy import Float, ForeignKey, LargeBinary, String, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from predictions.errors import Declined
from predictions.glyphs.glyph import encode_glyph, glyph_digest, glyph_of
from predictions.glyphs.images import open_image, thumbnail_png
from training.engine.export import network_from


class Base(DeclarativeBase):
    pass


class Prediction(Base):
    __tablename__ = "prediction"
    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    model: Mapped[str] = mapped_column(String(60))
    digit: Mapped[int]
    confidence: Mapped[float] = mapped_column(Float)
    probabilities: Mapped[bytes] = mapped_column(LargeBinary)
    strangeness: Mapped[float] = mapped_column(Float)
    glyph: Mapped[bytes] = mapped_column(LargeBinary)
    glyph_digest: Mapped[str] = mapped_column(String(32))
    source: Mapped[str] = mapped_column(String(6))
    visitor: Mapped[str] = mapped_column(String(32), index=True)
    is_audit: Mapped[bool]
    created_at: Mapped[datetime.datetime]
    day: Mapped[datetime.date] = mapped_column(index=True)


class Drawing(Base):
    __tablename__ = "drawing"
    prediction_id: Mapped[int] = mapped_column(ForeignKey(Prediction.id), primary_key=True)
    png: Mapped[bytes] = mapped_column(LargeBinary)


BASE = Path(__file__).resolve().parents[3] / "predictions" / "base"

torch.set_num_threads(1)
network, temperature = network_from((BASE / "weights.safetensors").read_bytes())
network.eval()
engine = create_engine(f"sqlite:///{os.environ['PEER_DATABASE']}", connect_args={"timeout": 20})
app = FastAPI()


@event.listens_for(engine, "connect")
def set_pragmas(connection: Any, record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


Base.metadata.create_all(engine)


@app.get("/ready")
def ready() -> dict[str, str]:
    return {"state": "ok"}


@app.post("/predictions", status_code=201)
def predict(image: Annotated[bytes, File()]) -> dict[str, Any]:
    try:
        opened = open_image(image)
        glyph, png = glyph_of(opened), thumbnail_png(opened)
    except Declined as declined:
        raise HTTPException(422, str(declined)) from declined
    with torch.inference_mode():
        answer = network(torch.from_numpy(glyph)[None, None].float() / 255)
        probabilities = (answer.logits / temperature).softmax(1)[0].numpy()
        strangeness = float(answer.strangeness.sigmoid())
    digit = int(probabilities.argmax())
    now = datetime.datetime.now(datetime.UTC)
    with Session(engine) as session:
        row = Prediction(
            public_id=uuid.uuid4().hex,
            model="base",
            digit=digit,
            confidence=float(probabilities[digit]),
            probabilities=probabilities.astype(np.float32).tobytes(),
            strangeness=strangeness,
            glyph=encode_glyph(glyph),
            glyph_digest=glyph_digest(glyph)[:32],
            source="api",
            visitor=uuid.uuid4().hex,
            is_audit=random.random() < 0.05,
            created_at=now,
            day=now.date(),
        )
        session.add(row)
        session.flush()
        session.add(Drawing(prediction_id=row.id, png=png))
        session.commit()
        return {
            "id": row.public_id,
            "digit": digit,
            "confidence": row.confidence,
            "probabilities": probabilities.tolist(),
            "strangeness": strangeness,
            "model": row.model,
            "glyph_url": f"/glyphs/{row.public_id}.png",
            "created_at": now.isoformat(),
        }


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=False)
