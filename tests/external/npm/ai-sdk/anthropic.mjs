// The AI SDK's provider for Anthropic.
import { createAnthropic } from "@ai-sdk/anthropic";

import { serveModel } from "./program.mjs";

await serveModel((job) => createAnthropic({ baseURL: job.url, apiKey: job.key })(job.model));
