"""What the pages show of nginx' configuration, read by a real nginx."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from documentation.elsewhere import left

if TYPE_CHECKING:
    from pathlib import Path

    from documentation.blocks import Block

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


@pytest.mark.skipif(NGINX is None, reason="NGINX' CONFIGURATION WAS NOT READ: there is no nginx")
@pytest.mark.parametrize("block", left("nginx"), ids=lambda block: block.where)
def test_nginx_takes_it(block: Block, tmp_path: Path) -> None:
    assert NGINX is not None
    inside = f"server {{ listen 127.0.0.1:1; {block.text} }}" if "location" in block.text else block.text
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; {inside} }}"
    )
    command = [NGINX, "-t", "-q", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
