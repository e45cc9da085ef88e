"""The environment of a user that could harm a run, were it handed to the components."""

OF_A_USER = {
    "OMP_PROC_BIND": "true",
    "OMP_THREAD_LIMIT": "1",
    "http_proxy": "http://me:s3cret@127.0.0.1:9",
    "https_proxy": "http://me:s3cret@127.0.0.1:9",
    "RAY_ADDRESS": "127.0.0.1:9",
    "SPARK_CONF_DIR": "/nowhere",
    "JAVA_TOOL_OPTIONS": "-Xmx1m",
    "PYTHONTRACEMALLOC": "25",
}
"""Of a user's environment: what would put all workers on one core, or keep a framework from its
own processes."""
