"""Everything static about the package stands in pyproject.toml; native extensions go here."""

from pathlib import Path

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension, build_ext
from setuptools import setup

NATIVE = Path("native")

# -ffp-contract=off: what the C++ computes is to be the same bits on every machine.
FLAGS = ["-O3", "-Wall", "-Wextra", "-Werror=return-type"]
FLAGS += ["-fvisibility=hidden", "-ffp-contract=off"]


def sources(*folders: str) -> list[str]:
    """All C++ sources of folders of native/, sorted: the same wheel from the same tree."""
    return sorted(str(file) for folder in folders for file in (NATIVE / folder).glob("*.cpp"))


ParallelCompile("PBF_RAY_BUILD_JOBS", default=2).install()


def extension(name: str, *folders: str) -> Pybind11Extension:
    """An extension module of the C++ in some folders of native/."""
    return Pybind11Extension(
        name,
        sources("core", *folders),
        include_dirs=[str(NATIVE)],
        depends=sorted(str(file) for file in NATIVE.rglob("*.hpp")),
        cxx_std=20,
        extra_compile_args=FLAGS,
    )


setup(
    ext_modules=[
        extension("pbf_ray.formats._core", "buildfile", "bind"),
        extension("pbf_ray.decode._core", "decode", "bind_decode"),
    ],
    cmdclass={"build_ext": build_ext},
)
