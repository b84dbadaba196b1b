"""Everything static about the package stands in pyproject.toml; native extensions go here."""

from setuptools import setup

setup()
