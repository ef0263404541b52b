"""How many tokens a question has, before it is asked."""

from dataclasses import dataclass

from gateway.openai.usage import count_tokens
from wire.about import describe, weigh
from wire.messages import Prompted
from wire.prompt import Prompt
from wire.threads import run_sized


@dataclass(frozen=True)
class TokenCounter:
    """Counts the tokens of prompts: an estimate, a token for each four bytes."""

    async def count(self, prompt: Prompt) -> int:
        """Return the number of tokens of a prompt with all that it contains."""
        work = Prompted("balanced", "", prompt=prompt)
        about = await run_sized(weigh(work), describe, work)
        return count_tokens(None, about, "").prompt
