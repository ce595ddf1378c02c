# Operator and gateway in one image. The embedded development cluster makes the same without Docker, of the same
# locked requirements and the same package (operator/tidegate/devcluster/images/catalog.py).
FROM python:3.11-bookworm AS build
WORKDIR /build
COPY requirements/dev.txt requirements/
RUN python3 -m pip install --no-cache-dir --require-hashes -r requirements/dev.txt
COPY operator operator
COPY tools tools
# Byte code, because the root is read-only and nobody could write it later; unchecked, because sources never change.
RUN python3 tools/compile.py /opt/tidegate \
 && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/tidegate

FROM python:3.11-slim-bookworm
COPY requirements/runtime.txt /tmp/runtime.txt
RUN python3 -m pip install --no-cache-dir --no-compile --require-hashes --only-binary :all: -r /tmp/runtime.txt \
 && rm /tmp/runtime.txt \
 && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /usr/local/lib/python3.11/site-packages
COPY --from=build /opt/tidegate /opt/tidegate
ENV PYTHONPATH=/opt/tidegate PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
ENTRYPOINT ["python3", "-m", "tidegate.cli"]
