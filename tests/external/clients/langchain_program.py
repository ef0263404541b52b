"""LangChain: an agent of `create_agent`, `with_structured_output` in its ways, a picture, texts found by embeddings."""

from typing import Any

from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from tests.external.clients.jobs import Job, Outcome, serve
from tests.external.clients.person import Person
from tests.external.clients.tools import Toolbox


def model(job: Job) -> BaseChatModel:
    if job["api"] == "anthropic":
        address = job["url"].removesuffix("/v1")
        return ChatAnthropic(model=job["model"], base_url=address, api_key=job["key"])
    return ChatOpenAI(
        model=job["model"],
        base_url=job["url"],
        api_key=job["key"],
        stream_usage=True,
        use_responses_api=job["api"] == "responses",
    )


def chat(job: Job, deltas: list[str]) -> Outcome:
    deltas += [chunk.text for chunk in model(job).stream(job["question"]) if chunk.text]
    return {"text": "".join(deltas)}


def tools(job: Job, _: list[str]) -> Outcome:
    toolbox = Toolbox(job["results"])
    agent = create_agent(model(job), tools=[toolbox.weather, toolbox.time])
    state = agent.invoke({"messages": [("user", job["question"])]})
    return {"text": state["messages"][-1].text, "calls": toolbox.calls}


def streamed_tools(job: Job, _: list[str]) -> Outcome:
    """The agent whose model streams."""
    toolbox, texts = Toolbox(job["results"]), list[str]()
    agent = create_agent(model(job), tools=[toolbox.weather, toolbox.time])
    for chunk, _metadata in agent.stream({"messages": [("user", job["question"])]}, stream_mode="messages"):
        texts += [chunk.text] if chunk.type == "AIMessageChunk" else []
    return {"text": "".join(texts), "calls": toolbox.calls}


def schema(job: Job, _: list[str]) -> Outcome:
    """The way is `json_schema`, `function_calling` or `json_mode`."""
    structured = model(job).with_structured_output(Person, method=job.get("mode", "json_schema"))
    value: Any = structured.invoke(job["question"])
    return {"value": value.model_dump()}


def agent_schema(job: Job, _: list[str]) -> Outcome:
    """An agent that answers by a tool of its own."""
    agent = create_agent(model(job), tools=[], response_format=ToolStrategy(Person))
    return {"value": agent.invoke({"messages": [("user", job["question"])]})["structured_response"].model_dump()}


def picture(job: Job, _: list[str]) -> Outcome:
    data = job["picture"].partition(",")[2]
    parts = [
        {"type": "text", "text": job["question"]},
        {"type": "image", "base64": data, "mime_type": "image/png"},
    ]
    return {"text": model(job).invoke([{"role": "user", "content": parts}]).text}


def retrieval(job: Job, _: list[str]) -> Outcome:
    """Ask about the text that is nearest to the question."""
    # Otherwise it fetches a tokenizer, and sends numbers.
    embeddings = OpenAIEmbeddings(
        model=job["embedding_model"], base_url=job["url"], api_key=job["key"], check_embedding_ctx_length=False
    )
    store = InMemoryVectorStore.from_texts(job["texts"], embeddings)
    (found,) = store.similarity_search(job["question"], k=1)
    return {"found": found.page_content, "text": model(job).invoke(f"{found.page_content}\n{job['question']}").text}


if __name__ == "__main__":
    doings = {"chat": chat, "tools": tools, "streamed-tools": streamed_tools, "schema": schema}
    serve({**doings, "agent-schema": agent_schema, "picture": picture, "retrieval": retrieval})
