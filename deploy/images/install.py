"""`install.py LOCK cuda|cpu INDEX`, in the trainer's image: install the lock, with PyTorch as the variant wants it.

Runs on the standard library alone. The files are compiled so that their time of writing does not matter.
"""

import compileall
import py_compile
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

_OF_CUDA = re.compile(r"(torch|triton|nvidia-[\w-]+|cuda-[\w-]+)==")


def blocks(lock: str) -> list[str]:
    """The lock's entries, each with the hashes below it."""
    return re.findall(r"^\S.*\n(?:[ \t].*\n)*", lock, re.MULTILINE)


def without_cuda(lock: str) -> str:
    """Everything but PyTorch and what is there for its sake on a GPU."""
    return "".join(block for block in blocks(lock) if not _OF_CUDA.match(block))


def version_of_torch(lock: str) -> str:
    found = re.search(r"^torch==([^\s;+]+)", lock, re.MULTILINE)
    assert found, "the lock has no torch"
    return found[1]


def _pip(*arguments: str) -> None:
    options = ["--no-cache-dir", "--disable-pip-version-check", "--no-compile"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, *arguments], check=True)


def main(lock: Path, variant: str, index: str) -> None:
    text = lock.read_text()
    if variant == "cuda":
        _pip("--require-hashes", "-r", str(lock))
    elif variant == "cpu":
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as rest:
            rest.write(without_cuda(text))
            rest.flush()
            _pip("--require-hashes", "-r", rest.name)
        _pip("--no-deps", "--index-url", index, f"torch=={version_of_torch(text)}+cpu")
    else:
        sys.exit(f"TORCH is cuda or cpu, not {variant}")
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    # Some packages bring files for other versions of Python, which do not compile: that is none of their business here.
    compileall.compile_dir(sysconfig.get_path("purelib"), quiet=2, invalidation_mode=mode)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
