# syntax=docker/dockerfile:1
FROM python:3.11-slim AS packages
COPY requirements.txt /
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --quiet -r /requirements.txt

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    REGISTRY_META_DATA_DIR=/data REGISTRY_META_BIND=0.0.0.0
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin registry-meta \
    && install -d -o registry-meta -g registry-meta -m 0700 /data
COPY --from=packages /venv /venv
COPY manage.py /app/
COPY registry_meta /app/registry_meta
COPY authz /app/authz
COPY imagestreams /app/imagestreams
RUN python -m compileall -q /app /venv
WORKDIR /app
USER registry-meta
VOLUME /data
EXPOSE 8443
# Everything in one container; docker-compose.yml runs web, worker and clock apart.
CMD ["python", "manage.py", "serve"]
