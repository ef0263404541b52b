// LangChain for JavaScript at work: an agent of `createAgent`, `withStructuredOutput` in its three ways, a picture.
import { HumanMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatOpenAI } from "@langchain/openai";
import { createAgent, toolStrategy } from "langchain";
import { z } from "zod";

import { serve } from "../../clients/jobs.mjs";
import { DESCRIPTIONS, Toolbox } from "../../clients/toolbox.mjs";

const Person = z.object({ name: z.string(), age: z.number().int() });
const modelOf = (job) => new ChatOpenAI({ model: job.model, apiKey: job.key, configuration: { baseURL: job.url } });
const asked = (job) => ({ messages: [{ role: "user", content: job.question }] });

const agentOf = (job, toolbox) => {
  const offered = (name, input) =>
    tool((given) => toolbox.run(name, given), { name, description: DESCRIPTIONS[name], schema: z.object(input) });
  const tools = [offered("weather", { city: z.string() }), offered("time", { zone: z.string() })];
  return createAgent({ model: modelOf(job), tools });
};

const chat = async (job, deltas) => {
  for await (const chunk of await modelOf(job).stream(job.question)) if (chunk.text) deltas.push(chunk.text);
  return { text: deltas.join("") };
};

const tools = async (job) => {
  const toolbox = new Toolbox(job.results);
  const state = await agentOf(job, toolbox).invoke(asked(job));
  return { text: state.messages.at(-1).text, calls: toolbox.calls };
};

const streamedTools = async (job, deltas) => {
  const toolbox = new Toolbox(job.results);
  for await (const [chunk] of await agentOf(job, toolbox).stream(asked(job), { streamMode: "messages" })) {
    if (chunk.getType() === "ai" && chunk.text) deltas.push(chunk.text);
  }
  return { text: deltas.join(""), calls: toolbox.calls };
};

// The way is `jsonSchema`, `functionCalling` or `jsonMode`.
const schema = async (job) => {
  const structured = modelOf(job).withStructuredOutput(Person, { name: "Person", method: job.mode });
  return { value: await structured.invoke(job.question) };
};

// An agent that answers by a tool of its own.
const agentSchema = async (job) => {
  const named = Person.meta({ title: "Person" });
  const agent = createAgent({ model: modelOf(job), tools: [], responseFormat: toolStrategy(named) });
  return { value: (await agent.invoke(asked(job))).structuredResponse };
};

const picture = async (job) => {
  const content = [
    { type: "text", text: job.question },
    { type: "image", source_type: "url", url: job.picture },
  ];
  return { text: (await modelOf(job).invoke([new HumanMessage({ content })])).text };
};

await serve({ chat, tools, "streamed-tools": streamedTools, schema, "agent-schema": agentSchema, picture });
