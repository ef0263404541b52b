"""Users over HTTP."""

import random

from locust import task

from bench.scenario import answering, mix
from bench.scenario.user import ScenarioUser


class Asking(ScenarioUser):
    """Old programs: one question, one answer, whole or streamed."""

    weight = mix.ASKING

    @task
    def whole(self) -> None:
        """/api."""
        with self.doing("GET", "/api"):
            answering.whole(self.address, mix.question())

    @task(2)
    def streamed(self) -> None:
        """/api_stream, read to its end."""
        with self.doing("SSE", "/api_stream") as told:
            answering.streamed(self.address, mix.question(), told.first)


class Conversing(ScenarioUser):
    """A conversation of several turns, by its token."""

    weight = mix.CONVERSING

    @task
    def converse(self) -> None:
        """Go on for as long as it goes well."""
        token = ""
        for turn in range(random.randint(*mix.TURNS)):
            asked = mix.question() | ({"token": token} if token else {})
            before, token = token, ""
            with self.doing("SSE", f"turn {min(turn + 1, 2)}{' and later' if turn else ''}") as told:
                token = answering.streamed(self.address, asked, told.first)
                answering.check_same(before, token)
            if not token:
                return
            self.wait()


class Resuming(ScenarioUser):
    """An EventSource whose connection is cut in the middle of an answer."""

    weight = mix.RESUMING

    @task
    def resume(self) -> None:
        """Come back, and have the whole text."""
        with self.doing("SSE", "resume") as told:
            answering.resumed(self.address, mix.long_question(), told.first)


class Stopping(ScenarioUser):
    """Stops answers."""

    weight = mix.STOPPING

    @task
    def interrupt(self) -> None:
        """DELETE /answers/{id} while it streams."""
        with self.doing("SSE", "stop") as told:
            answering.stopped(self.address, mix.long_question(), told.first)


class Drawing(ScenarioUser):
    """Wants pictures."""

    weight = mix.DRAWING

    @task
    def draw(self) -> None:
        """/image."""
        with self.doing("GET", "/image"):
            answering.drawn(self.address, mix.picture())
