"""A worker that answers each request at once: nginx, behind the arguments that vLLM takes.

python fixed_answer.py FOLDER --host 127.84.0.1 --port 8000 …
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness.load import ANSWER

CONFIG = """
daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 4096; }}
http {{
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f;
  uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s; access_log off; keepalive_requests 100000000;
  server {{
    listen {host}:{port} backlog=4096; default_type application/json;
    location / {{ return 200 '{answer}'; }}
  }}
}}
"""


def main() -> None:
    """Becomes nginx, on the cores that it has."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", required=True)
    options, _ = parser.parse_known_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    config = options.folder / "nginx.conf"
    filled = CONFIG.format(dir=options.folder, host=options.host, port=options.port, answer=ANSWER)
    config.write_text(filled)
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    error_log = str(options.folder / "error.log")
    os.execv(nginx, ["nginx", "-p", str(options.folder), "-e", error_log, "-c", str(config)])  # noqa: S606


if __name__ == "__main__":
    main()
