# The image of the pods in the tests: what runs there, at the versions that the tests themselves have. The package is not
# in it, since a scheduler gets its code when it starts.
FROM python:3.11-slim
COPY constraints.txt /tmp/constraints.txt
RUN pip install --no-cache-dir -c /tmp/constraints.txt \
    dask distributed pydantic kubernetes cryptography psutil numpy pandas pyarrow bokeh threadpoolctl ipython jupyter_core
