"""A FastAPI application that answers questions from a bundle.

    LRC_BUNDLE=bundles/german uvicorn --app-dir examples fastapi_app:app
    curl -s 127.0.0.1:8000/answer --json '{"question": "Wer?", "context": "Anna Berg baute die Mühle."}'

Needs lrc-runtime, fastapi and uvicorn. A bundle is opened once; calls run in threads, one for each CPU.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

import lrc_runtime


class Question(BaseModel):
    """What is asked, and of which text."""

    question: str = Field(min_length=1, max_length=1_000)
    context: str = Field(max_length=100_000)
    lang: str | None = None


class Answer(BaseModel):
    """A span of the context; browsers count in UTF-16 units."""

    text: str
    start: int = Field(validation_alias="utf16_start")
    end: int = Field(validation_alias="utf16_end")
    score: float
    no_answer: float


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Opens the bundle before the first request and closes it after the last."""
    with lrc_runtime.load_question_answerer(os.environ["LRC_BUNDLE"], preset="throughput") as qa:
        async with lrc_runtime.AsyncAnswerer(qa, workers=os.cpu_count() or 1) as answerer:
            app.state.answerer = answerer
            yield


app = FastAPI(title="Answers from a bundle", lifespan=lifespan)


@app.exception_handler(lrc_runtime.InputError)
async def refuse_text(request: Request, error: lrc_runtime.InputError) -> JSONResponse:
    """Tells the caller what is wrong with a text."""
    return JSONResponse({"detail": [{"loc": ["body"], "msg": str(error), "type": "text"}]}, status_code=422)


@app.exception_handler(RequestValidationError)
async def refuse_body(request: Request, error: RequestValidationError) -> JSONResponse:
    """Tells the caller what is wrong with a body.

    FastAPI's own handler sends the body's text back, and fails where that holds half of a surrogate pair.
    """
    detail = [{"loc": one["loc"], "msg": one["msg"], "type": one["type"]} for one in error.errors()]
    return JSONResponse({"detail": detail}, status_code=422)


@app.post("/answer")
async def answer(body: Question, request: Request) -> Answer:
    """Answers one question."""
    found = await request.app.state.answerer.answer(body.question, body.context, lang=body.lang)
    return Answer.model_validate(found, from_attributes=True)
