# The image's steps are the Makefile's targets, so they are the same as on a developer's machine.

FROM python:3.13-slim AS base
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app

# The static files, compressed and named by their content. npm comes with the development tools.
FROM base AS static
COPY . .
RUN make static

# What runs: no development tools, no demo data.
FROM base AS environment
COPY Makefile pyproject.toml uv.lock ./
RUN make .venv/installed SYNC="--no-dev --extra sentry"

FROM python:3.13-slim
RUN useradd --system --uid 10001 keepwell && install -d -o keepwell /data
WORKDIR /app
COPY . .
COPY --from=environment /app/.venv .venv
COPY --from=static /app/staticfiles staticfiles
COPY --from=static /app/locale locale
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 KEEPWELL_DATA_DIR=/data
USER keepwell
VOLUME /data
EXPOSE 8000
CMD ["gunicorn", "--config", "config/gunicorn.py", "--bind", "0.0.0.0:8000", "config.wsgi:application"]
