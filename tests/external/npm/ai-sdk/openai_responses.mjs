// The AI SDK's provider for OpenAI as it is by default, with the Responses API.
import { createOpenAI } from "@ai-sdk/openai";

import { serveModel } from "./program.mjs";

await serveModel((job) => createOpenAI({ baseURL: job.url, apiKey: job.key })(job.model));
