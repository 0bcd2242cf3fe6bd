"""Build hook: compile the kernels into the wheel, or say why the package goes without them."""

from __future__ import annotations

import runpy
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class KernelsBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Compiles `quovadis.native`; without a C++ compiler the package works on OpenVINO alone."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the files are collected, for wheels and editable installs alike."""
        module = runpy.run_path(str(Path(self.root, "src", "quovadis", "native", "build.py")))
        try:
            library: Path = module["build"]()
        except module["BuildError"] as error:
            self.app.display_warning(f"quovadis is built without its own kernels, and runs on OpenVINO: {error}")
            return
        build_data["artifacts"].append(str(library.relative_to(self.root)))
        build_data["pure_python"] = False
        # The library knows nothing of Python's version; only the platform matters.
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"
