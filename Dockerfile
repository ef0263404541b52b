# One file, four images: `gateway` (no client library of Bing's in it), `worker` and `emulator`, and `serve`, which has all
# of them in one process and needs no Redis.
# A build needs nothing from outside but the base image and the package registry.
ARG PYTHON=3.11-slim

FROM python:${PYTHON} AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app

# pip older than 24 can't install hashed requirements with extras. Only wheels: nothing is run or compiled to install.
FROM base AS install
COPY requirements/pip.txt ./
RUN pip install --no-cache-dir --root-user-action=ignore --require-hashes -r pip.txt && python -m venv --without-pip /venv
ENV PIP_PYTHON=/venv/bin/python PIP_ONLY_BINARY=:all: PIP_REQUIRE_HASHES=1 PIP_NO_CACHE_DIR=1

FROM install AS gateway-packages
COPY requirements/gateway.txt requirements/tracing.txt ./
RUN pip install -r gateway.txt
# The extra that sends traces: --build-arg TRACING=1.
ARG TRACING=
RUN test -z "$TRACING" || pip install -r tracing.txt

FROM install AS worker-packages
COPY requirements/worker.txt requirements/tracing.txt ./
RUN pip install -r worker.txt
ARG TRACING=
RUN test -z "$TRACING" || pip install -r tracing.txt

FROM install AS serve-packages
COPY requirements/run.txt requirements/tracing.txt ./
RUN pip install -r run.txt
ARG TRACING=
RUN test -z "$TRACING" || pip install -r tracing.txt

# The documents, which gateways serve.
FROM install AS docs
COPY requirements/docs.txt ./
RUN pip install -r docs.txt
COPY ARCHITECTURE.md ./
COPY docs/ docs/
COPY gateway/docs/ gateway/docs/
COPY gateway/page/icon.svg gateway/page/
COPY tools/site.py tools/
RUN /venv/bin/python -m tools.site

# Number 1000 is the first user of most Linux machines, whose files in cookies/ may be readable by their owner only.
# A home folder is needed by nothing; libraries that look for one find /tmp, which holds nothing of ours.
FROM base AS runtime
RUN useradd --uid 1000 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin app
ENV PATH=/venv/bin:$PATH HOME=/tmp

FROM runtime AS gateway
COPY --from=gateway-packages /venv /venv
COPY telemetry/ telemetry/
COPY wire/ wire/
COPY gateway/ gateway/
COPY --from=docs /app/gateway/docs/site.zip gateway/docs/
RUN python -m compileall -q telemetry wire gateway
USER 1000:1000
CMD ["python", "-m", "gateway"]

FROM runtime AS worker-runtime
COPY --from=worker-packages /venv /venv

FROM worker-runtime AS worker
COPY telemetry/ telemetry/
COPY wire/ wire/
COPY worker/ worker/
COPY deploy/start-worker.sh deploy/
COPY deploy/demo-cookies/ deploy/demo-cookies/
RUN python -m compileall -q telemetry wire worker
USER 1000:1000
CMD ["sh", "deploy/start-worker.sh"]

FROM worker-runtime AS emulator
COPY emulator/ emulator/
RUN python -m compileall -q emulator
USER 1000:1000
CMD ["python", "-m", "emulator"]

# Accounts are looked for in /app/cookies; without one, and without OPENAI_BASE_URL, the emulator answers.
FROM runtime AS serve
COPY --from=serve-packages /venv /venv
COPY telemetry/ telemetry/
COPY wire/ wire/
COPY gateway/ gateway/
COPY --from=docs /app/gateway/docs/site.zip gateway/docs/
COPY worker/ worker/
COPY emulator/ emulator/
COPY bing_chat_gateway/ bing_chat_gateway/
RUN python -m compileall -q telemetry wire gateway worker emulator bing_chat_gateway
ENV GATEWAY_HOST=0.0.0.0
EXPOSE 5000
USER 1000:1000
CMD ["python", "-m", "bing_chat_gateway", "serve"]
