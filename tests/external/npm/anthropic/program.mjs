// The anthropic package for Node: its stream helper, tools, `toolRunner`, a schema, thoughts, a picture.
import Anthropic from "@anthropic-ai/sdk";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { z } from "zod";

import { serve } from "../../clients/jobs.mjs";
import { DESCRIPTIONS, Toolbox } from "../../clients/toolbox.mjs";

const Person = z.object({ name: z.string(), age: z.number().int() });
const client = (job) => new Anthropic({ baseURL: job.url.replace(/\/v1$/, ""), apiKey: job.key });
const asked = (job) => ({
  model: job.model,
  max_tokens: 4096,
  messages: [{ role: "user", content: job.question }],
});
const textOf = (message) => message.content.map((block) => (block.type === "text" ? block.text : "")).join("");

const offered = (name, properties) => ({
  name,
  description: DESCRIPTIONS[name],
  input_schema: { type: "object", properties, required: Object.keys(properties) },
});
const TOOLS = [offered("weather", { city: { type: "string" } }), offered("time", { zone: { type: "string" } })];

const chat = async (job, deltas) => {
  const stream = client(job).messages.stream(asked(job));
  stream.on("text", (delta) => deltas.push(delta));
  return { text: await stream.finalText() };
};

const answer = (job, streamed, more) => {
  const request = { ...asked(job), tools: TOOLS, ...more };
  return streamed ? client(job).messages.stream(request).finalMessage() : client(job).messages.create(request);
};

const run = (toolbox, message) =>
  message.content
    .filter((block) => block.type === "tool_use")
    .map((block) => ({
      type: "tool_result",
      tool_use_id: block.id,
      content: toolbox.run(block.name, block.input),
    }));

// Each second request is streamed.
const tools = async (job) => {
  const toolbox = new Toolbox(job.results);
  const { messages } = asked(job);
  for (;;) {
    const message = await answer(job, toolbox.calls.length % 2 > 0, { messages });
    const results = run(toolbox, message);
    if (!results.length) return { text: textOf(message), calls: toolbox.calls };
    messages.push({ role: "assistant", content: message.content }, { role: "user", content: results });
  }
};

// The package runs the tools itself, and sends all of the conversation each time.
const runner = async (job) => {
  const toolbox = new Toolbox(job.results);
  const runnable = (name, input) =>
    betaZodTool({
      name,
      description: DESCRIPTIONS[name],
      inputSchema: z.object(input),
      run: (given) => toolbox.run(name, given),
    });
  const tools = [runnable("weather", { city: z.string() }), runnable("time", { zone: z.string() })];
  const message = await client(job).beta.messages.toolRunner({ ...asked(job), tools, thread: false });
  return { text: textOf(message), calls: toolbox.calls };
};

const schema = async (job) => {
  const output_config = { format: zodOutputFormat(Person) };
  return { value: (await client(job).messages.parse({ ...asked(job), output_config })).parsed_output };
};

const picture = async (job) => {
  const source = { type: "base64", media_type: "image/png", data: job.picture.split(",")[1] };
  const content = [
    { type: "text", text: job.question },
    { type: "image", source },
  ];
  return { text: textOf(await client(job).messages.create({ ...asked(job), messages: [{ role: "user", content }] })) };
};

// The thoughts of the first message go back with what its call returned.
const thinking = async (job) => {
  const toolbox = new Toolbox(job.results);
  const { messages } = asked(job);
  const more = { messages, thinking: { type: "enabled", budget_tokens: 2048 } };
  const first = await answer(job, true, more);
  const thoughts = first.content.filter((block) => block.type === "thinking");
  messages.push({ role: "assistant", content: first.content }, { role: "user", content: run(toolbox, first) });
  return {
    thoughts: thoughts.map((block) => block.thinking).join(""),
    sealed: thoughts.every((block) => block.signature),
    text: textOf(await answer(job, false, more)),
  };
};

const count = async (job) => {
  const { model, messages } = asked(job);
  return { tokens: (await client(job).messages.countTokens({ model, messages, tools: TOOLS })).input_tokens };
};

await serve({ chat, tools, runner, schema, picture, thinking, count });
