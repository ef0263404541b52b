"""Users over HTTP."""

import random

from locust import task

from bench.scenario import mix, questions
from bench.scenario.user import ScenarioUser


class QuestionUser(ScenarioUser):
    """An old program: one question, one answer, whole or streamed."""

    weight = mix.QUESTION_USERS

    @task
    def whole(self) -> None:
        """Ask /api."""
        with self.action("GET", "/api"):
            questions.ask_whole(self.address, mix.question())

    @task(2)
    def streamed(self) -> None:
        """Ask /api_stream and read it to its end."""
        with self.action("SSE", "/api_stream") as timer:
            questions.ask_stream(self.address, mix.question(), timer.first)


class ConversationUser(ScenarioUser):
    """A conversation of several turns, by its token."""

    weight = mix.CONVERSATION_USERS

    @task
    def converse(self) -> None:
        """Ask turn after turn until one fails."""
        token = ""
        for turn in range(random.randint(*mix.TURNS)):
            fields = mix.question() | ({"token": token} if token else {})
            before, token = token, ""
            with self.action("SSE", f"turn {min(turn + 1, 2)}{' and later' if turn else ''}") as timer:
                token = questions.ask_stream(self.address, fields, timer.first)
                questions.check_same_token(before, token)
            if not token:
                return
            self.wait()


class ReconnectUser(ScenarioUser):
    """An EventSource whose connection is cut in the middle of an answer."""

    weight = mix.RECONNECT_USERS

    @task
    def resume(self) -> None:
        """Reconnect and get the whole text."""
        with self.action("SSE", "resume") as timer:
            questions.ask_and_reconnect(self.address, mix.long_question(), timer.first, cut_after=mix.cut_after())


class StopUser(ScenarioUser):
    """A user who stops answers."""

    weight = mix.STOP_USERS

    @task
    def interrupt(self) -> None:
        """Send DELETE /answers/{id} while it streams."""
        with self.action("SSE", "stop") as timer:
            questions.ask_and_stop(self.address, mix.long_question(), timer.first, stop_after=mix.cut_after())


class ImageUser(ScenarioUser):
    """A user who asks for pictures."""

    weight = mix.IMAGE_USERS

    @task
    def draw(self) -> None:
        """Ask /image."""
        with self.action("GET", "/image"):
            questions.ask_images(self.address, mix.picture())
