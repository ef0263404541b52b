// The openai package for Node at work: its stream helper, `runTools`, `parse` with zod, a picture.
import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

import { serve } from "../../clients/jobs.mjs";
import { DESCRIPTIONS, Toolbox } from "../../clients/toolbox.mjs";

const Person = z.object({ name: z.string(), age: z.number().int() });
const completions = (job) => new OpenAI({ baseURL: job.url, apiKey: job.key }).chat.completions;
const asked = (job) => ({ model: job.model, messages: [{ role: "user", content: job.question }] });

const chat = async (job, deltas) => {
  const stream = completions(job).stream(asked(job));
  stream.on("content", (delta) => deltas.push(delta));
  return { text: await stream.finalContent() };
};

const runTools = async (job, stream) => {
  const toolbox = new Toolbox(job.results);
  const tool = (name, parameters) =>
    zodFunction({
      name,
      description: DESCRIPTIONS[name],
      parameters: z.object(parameters),
      function: (given) => toolbox.run(name, given),
    });
  const tools = [tool("weather", { city: z.string() }), tool("time", { zone: z.string() })];
  const runner = completions(job).runTools({ ...asked(job), tools, stream });
  return { text: await runner.finalContent(), calls: toolbox.calls };
};

const schema = async (job) => {
  const response_format = zodResponseFormat(Person, "person");
  return { value: (await completions(job).parse({ ...asked(job), response_format })).choices[0].message.parsed };
};

// The schema as the parameters of a tool that has to be called.
const forced = async (job) => {
  const tools = [zodFunction({ name: "Person", parameters: Person })];
  const made = await completions(job).parse({ ...asked(job), tools, tool_choice: "required" });
  return { value: made.choices[0].message.tool_calls[0].function.parsed_arguments };
};

const picture = async (job) => {
  const content = [
    { type: "text", text: job.question },
    { type: "image_url", image_url: { url: job.picture } },
  ];
  const made = await completions(job).create({ model: job.model, messages: [{ role: "user", content }] });
  return { text: made.choices[0].message.content };
};

const tools = (job) => runTools(job, false);
await serve({ chat, tools, "streamed-tools": (job) => runTools(job, true), schema, forced, picture });
