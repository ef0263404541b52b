"""Reading from a connection that is paused for two reasons. See uvicorn, which has one."""

from uvicorn.protocols.http.flow_control import FlowControl


class ReadFlow(FlowControl):
    """Pauses reading while uvicorn has enough, and while what has been read waits for its turn."""

    _held = False

    def pause_reading(self) -> None:
        """See uvicorn: it has enough."""
        if self._held:
            self.read_paused = True
        else:
            super().pause_reading()

    def resume_reading(self) -> None:
        """See uvicorn: it takes more."""
        if self._held:
            self.read_paused = False
        else:
            super().resume_reading()

    def hold(self) -> None:
        """Pause until `release`."""
        if not self._held:
            self._held = True
            if not self.read_paused:
                self._transport.pause_reading()

    def release(self) -> None:
        """Read on, unless uvicorn has enough."""
        if self._held:
            self._held = False
            if not self.read_paused:
                self._transport.resume_reading()
