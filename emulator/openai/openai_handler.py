"""What the endpoints of OpenAI's API that take questions have in common."""

from typing import TypeVar

from aiohttp import web

from emulator.accounts import EmulatorAccount
from emulator.openai import api_keys, error_response, models, refusals
from emulator.question_handler import AskedBody, QuestionHandler

B = TypeVar("B", bound=AskedBody)


class OpenaiHandler(QuestionHandler[B]):
    """The keys, the models and the quota."""

    def find_account(self, request: web.Request) -> EmulatorAccount:
        """Return the account that the key names."""
        return api_keys.find_account(request, self.state)

    def check_key(self, account: EmulatorAccount) -> web.Response | None:
        """Return the error that this account gets for everything."""
        error = api_keys.check(account, self.state)
        return None if error is None else error.render()

    def is_known(self, model: str) -> bool:
        """Return whether there is such a model."""
        return models.is_known(model) and model not in models.EMBEDDINGS

    def no_model(self, name: str) -> web.Response:
        """Return the error for a model that does not exist."""
        return error_response.no_model(name).render()

    def over_quota(self, seconds: float) -> web.Response:
        """Return the error for a quota that is used up."""
        return refusals.throttled(max(1.0, seconds))
