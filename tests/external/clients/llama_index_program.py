"""LlamaIndex: `OpenAILike` or `Anthropic`, a function agent, `structured_predict`, a picture, an index."""

import asyncio
import base64
from typing import Any

from llama_index.core import Document, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.llms.anthropic import Anthropic
from llama_index.llms.openai_like import OpenAILike

from tests.external.clients.jobs import Job, Outcome, serve
from tests.external.clients.person import Person
from tests.external.clients.tools import Toolbox


def model(job: Job, **more: Any) -> FunctionCallingLLM:
    if job["api"] == "anthropic":
        address = job["url"].removesuffix("/v1")
        return Anthropic(model=job["model"], base_url=address, api_key=job["key"], max_tokens=4096)
    return OpenAILike(
        model=job["model"],
        api_base=job["url"],
        api_key=job["key"],
        is_chat_model=True,
        is_function_calling_model=True,
        **more,
    )


def chat(job: Job, deltas: list[str]) -> Outcome:
    replies = model(job).stream_chat([ChatMessage(content=job["question"])])
    deltas += [reply.delta for reply in replies if reply.delta]
    return {"text": "".join(deltas)}


def tools(job: Job, _: list[str]) -> Outcome:
    return asyncio.run(_work(job, streaming=False))


def streamed_tools(job: Job, _: list[str]) -> Outcome:
    """The agent whose model streams."""
    return asyncio.run(_work(job, streaming=True))


async def _work(job: Job, streaming: bool) -> Outcome:
    toolbox = Toolbox(job["results"])
    agent = FunctionAgent(tools=[toolbox.weather, toolbox.time], llm=model(job), streaming=streaming)
    result = await agent.run(job["question"])
    return {"text": str(result), "calls": toolbox.calls}


def schema(job: Job, _: list[str]) -> Outcome:
    """The way is `json-schema`, or else a function that is forced."""
    structured = model(job, should_use_structured_outputs=job.get("mode") == "json-schema")
    person = structured.structured_predict(Person, PromptTemplate("{question}"), question=job["question"])
    return {"value": person.model_dump()}


def picture(job: Job, _: list[str]) -> Outcome:
    data = base64.b64decode(job["picture"].partition(",")[2])
    message = ChatMessage(role="user", blocks=[TextBlock(text=job["question"]), ImageBlock(image=data)])
    return {"text": model(job).chat([message]).message.content}


def retrieval(job: Job, _: list[str]) -> Outcome:
    """Ask an index, which puts the text that is nearest to the question before it."""
    embeddings = OpenAIEmbedding(model_name=job["embedding_model"], api_base=job["url"], api_key=job["key"])
    documents = [Document(text=text) for text in job["texts"]]
    index = VectorStoreIndex.from_documents(documents, embed_model=embeddings)
    response = index.as_query_engine(llm=model(job), similarity_top_k=1).query(job["question"])
    return {"found": response.source_nodes[0].text, "text": str(response)}


if __name__ == "__main__":
    doings = {"chat": chat, "tools": tools, "streamed-tools": streamed_tools, "schema": schema, "picture": picture}
    serve({**doings, "retrieval": retrieval})
