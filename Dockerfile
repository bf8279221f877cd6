# Two images of one release: `web` serves and does the short jobs, `training` has torch as well.
#   docker build --target web -t inkloop .
#   docker build --target training -t inkloop-training .
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /packages
COPY requirements-web.txt constraints.txt ./
RUN pip install -r requirements-web.txt -c constraints.txt

FROM packages AS training-packages
COPY requirements.txt ./
RUN pip install -r requirements.txt -c constraints.txt

FROM python:${PYTHON} AS base
RUN useradd --system --uid 10001 --home-dir /app inkloop \
    && install --directory --owner inkloop /data
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/data \
    HOST=0.0.0.0 \
    PORT=8000
WORKDIR /app

# The pages' files are collected once, here; the secret that Django asks for meanwhile is thrown
# away with the folder it was made in.
FROM base AS source
COPY --from=packages /opt/venv /opt/venv
COPY . /app
RUN DATA_DIR=/tmp/made python manage.py setup --only-static && rm -rf /tmp/made

FROM base AS web
COPY --from=packages /opt/venv /opt/venv
COPY --from=source /app /app
USER 10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-m", "config.alive"]
CMD ["gunicorn", "--config", "config/gunicorn.py"]

FROM base AS training
COPY --from=training-packages /opt/venv /opt/venv
COPY --from=source /app /app
USER 10001
VOLUME /data
CMD ["python", "manage.py", "work", "training"]
