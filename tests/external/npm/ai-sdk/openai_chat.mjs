// The AI SDK's provider for OpenAI, with chat completions.
import { createOpenAI } from "@ai-sdk/openai";

import { serveModel } from "./program.mjs";

await serveModel((job) => createOpenAI({ baseURL: job.url, apiKey: job.key }).chat(job.model));
