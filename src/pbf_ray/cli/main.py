"""The entry point ``pbf-ray``: global options, exit codes, and the commands by name.

Commands are named by string and imported on first use, and they import what they need when they
run: ``pbf-ray --help`` loads neither Ray nor Arrow.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from pbf_ray.cli.invocation import LOG_LEVELS, Invocation
from pbf_ray.cli.streams import write_error, write_json
from pbf_ray.errors import PbfRayError

__all__ = ["EXIT_CODES", "cli", "main"]

EXIT_CODES: Final = {
    0: "done",
    1: "failed; builds diff: different",
    2: "wrong use",
    3: "builds parse: done, but not all files could be read",
    130: "interrupted",
}

_COMMANDS: Final = {
    "demo": "Run the main job on a simulated machine, nothing to install.",
    "topics": "Create, list, describe and delete topics.",
    "simulate": "Send records of simulated machines.",
    "replay": "Send the records of a real log.",
    "produce": "Send the records of a source class of your own.",
    "stream": "Run the main job: from Kafka to rolling quality.",
    "status": "Show how a job is: running, waiting, gone; lag, rates, watermarks.",
    "deadletters": "List, show and send again what could not be used, or came late.",
    "builds": "Read, look at, convert, draw and compare build files.",
    "batch": "Run the main job once over files, or over a range of a topic.",
    "results": "Show or export what a job has written.",
    "serve": "Serve results as a web page and an API, live.",
    "stores": "Check the stores; remove what is older than its time.",
    "config": "Show or check the settings.",
    "doctor": "Check this machine, the broker and the stores.",
}
"""Commands in the order of ``--help``, each with its line there."""


class _Commands(click.Group):
    """Loads a command when it is used, and turns errors into messages and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as in click
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"pbf_ray.cli.{cmd_name}")
        command = getattr(module, f"{cmd_name}_command")
        assert isinstance(command, click.Command)  # noqa: S101 - for the type checker
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), what) for code, what in EXIT_CODES.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PbfRayError as error:
            invocation = ctx.find_object(Invocation)
            if invocation is None or invocation.debug:
                raise
            if invocation.json:
                write_json({"error": _plain(error)})
            write_error(error.what, error.advice)
            raise click.exceptions.Exit(1) from error
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            invocation = ctx.find_object(Invocation)
            if invocation is None or invocation.debug:
                raise
            what = f"{type(error).__name__}: {error}".splitlines()[0]
            if invocation.json:
                write_json({"error": {"type": type(error).__name__, "what": what}})
            write_error(what, "unexpected: pbf-ray --debug ... shows where; please report it")
            raise click.exceptions.Exit(1) from error

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        try:
            result = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except click.Abort:
            write_error("interrupted", "")
            code = 130
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        else:
            code = result if isinstance(result, int) else 0
        if standalone_mode:
            sys.exit(code)
        return code


def _plain(error: PbfRayError) -> dict[str, Any]:
    return {
        "type": type(error).__name__,
        "what": error.what,
        "advice": error.advice,
        **{key: value for key, value in error.facts.items() if key not in {"type", "what"}},
    }


def _show_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"pbf-ray {version('pbf_ray')}")
        ctx.exit()


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Settings: defaults < TOML file < environment < command line; see pbf-ray config show.",
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML file of settings (else $PBF_RAY_CONFIG, else ./pbf-ray.toml if it is there).",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set one setting, for example stream.mode=strict; repeatable.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks and debug logs.")
@click.option("--log-json", is_flag=True, help="Write logs as JSON lines.")
@click.option(
    "--log-level",
    type=click.Choice(LOG_LEVELS),
    help="Lowest level of logs to write [default: warning, with --log-json info].",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version.",
)
@click.pass_context
def cli(
    ctx: click.Context,
    config_file: Path | None,
    assignments: tuple[str, ...],
    debug: bool,
    log_json: bool,
    log_level: str | None,
) -> None:
    """Process monitoring of metal 3D printing (PBF-LB/M): sensor records in, layer quality out.

    Start with: pbf-ray demo
    """
    ctx.obj = Invocation(
        config_file=config_file, debug=debug, log_json=log_json, log_level=log_level
    )
    for assignment in assignments:
        ctx.obj.assign(assignment)


def main() -> None:
    """Run the command line; ends the process with one of ``EXIT_CODES``."""
    cli.main(prog_name="pbf-ray")
