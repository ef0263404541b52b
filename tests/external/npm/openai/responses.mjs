// The openai package for Node with the Responses API: its stream helper, tools, `parse` with zod, a picture.
import OpenAI from "openai";
import { zodResponsesFunction, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

import { serve } from "../../clients/jobs.mjs";
import { DESCRIPTIONS, Toolbox } from "../../clients/toolbox.mjs";

const Person = z.object({ name: z.string(), age: z.number().int() });
const responses = (job) => new OpenAI({ baseURL: job.url, apiKey: job.key }).responses;
const asked = (job) => ({ model: job.model, input: job.question });
const offered = (name, parameters) =>
  zodResponsesFunction({ name, description: DESCRIPTIONS[name], parameters: z.object(parameters) });
const TOOLS = [offered("weather", { city: z.string() }), offered("time", { zone: z.string() })];

const chat = async (job, deltas) => {
  const stream = responses(job).stream(asked(job));
  stream.on("response.output_text.delta", (event) => deltas.push(event.delta));
  return { text: (await stream.finalResponse()).output_text };
};

const answer = (job, streamed, more) => {
  const request = { model: job.model, tools: TOOLS, ...more };
  return streamed ? responses(job).stream(request).finalResponse() : responses(job).create(request);
};

const run = (toolbox, response) =>
  response.output
    .filter((item) => item.type === "function_call")
    .map((call) => ({
      type: "function_call_output",
      call_id: call.call_id,
      output: toolbox.run(call.name, JSON.parse(call.arguments)),
    }));

// All that was before in each request, each second one streamed.
const tools = async (job) => {
  const toolbox = new Toolbox(job.results);
  const input = [{ role: "user", content: job.question }];
  for (;;) {
    const more = { input, store: false, include: ["reasoning.encrypted_content"] };
    const response = await answer(job, toolbox.calls.length % 2 > 0, more);
    const results = run(toolbox, response);
    if (!results.length) return { text: response.output_text, calls: toolbox.calls };
    input.push(...response.output, ...results);
  }
};

// Only what is new in each request, behind the response before.
const storedTools = async (job) => {
  const toolbox = new Toolbox(job.results);
  let [input, previous_response_id] = [job.question, undefined];
  for (;;) {
    const response = await answer(job, toolbox.calls.length % 2 === 0, { input, previous_response_id });
    [input, previous_response_id] = [run(toolbox, response), response.id];
    if (!input.length) return { text: response.output_text, calls: toolbox.calls };
  }
};

const schema = async (job) => {
  const text = { format: zodTextFormat(Person, "person") };
  return { value: (await responses(job).parse({ ...asked(job), text })).output_parsed };
};

// The schema as the parameters of a tool that has to be called.
const forced = async (job) => {
  const tools = [zodResponsesFunction({ name: "Person", parameters: Person })];
  const made = await responses(job).parse({ ...asked(job), tools, tool_choice: "required" });
  return { value: made.output.find((item) => item.type === "function_call").parsed_arguments };
};

const picture = async (job) => {
  const content = [
    { type: "input_text", text: job.question },
    { type: "input_image", image_url: job.picture, detail: "auto" },
  ];
  return { text: (await responses(job).create({ model: job.model, input: [{ role: "user", content }] })).output_text };
};

await serve({ chat, tools, "stored-tools": storedTools, schema, forced, picture });
