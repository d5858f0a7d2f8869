# One image for web, worker, beat and the one-shot database job. docker-compose.yml says what each runs.
# The minor version is the one that the tests run under.
FROM python:3.11.14-slim-trixie AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.txt /tmp/requirements.txt
RUN python -m venv /opt/latchkey \
 && /opt/latchkey/bin/pip install --require-hashes --only-binary :all: -r /tmp/requirements.txt

FROM python:3.11.14-slim-trixie
ENV PATH=/opt/latchkey/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN groupadd --gid 10001 latchkey && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent latchkey
COPY --from=build /opt/latchkey /opt/latchkey
WORKDIR /app
COPY . .
# Byte code and static files are made here, as root: the running process owns nothing and can write nothing.
# These settings are placeholders that lead nowhere; Django only needs them to load.
RUN python -m compileall -q . \
 && SITE_URL=https://build.invalid SECRET_KEY=only-to-collect-static-files DATABASE_URL=postgresql://x@build.invalid/x \
    REDIS_URL=redis://build.invalid EMAIL_URL=smtp://build.invalid MAIL_FROM=build@build.invalid \
    python manage.py collectstatic --noinput -v0
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=4 CMD ["python", "docker/healthy.py"]
# Loaded once, before the workers fork: what stops the start is said once, and its exit code is the container's.
CMD ["gunicorn", "portal.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "4", "--no-control-socket", "--preload", "--worker-tmp-dir", "/dev/shm", "--graceful-timeout", "30"]
