"""``pbf-ray topics``: the topics that pbf_ray reads and writes."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from pbf_ray.cli.invocation import Invocation
from pbf_ray.cli.options import address_option, json_option, pass_invocation
from pbf_ray.cli.streams import say, write_json
from pbf_ray.errors import BrokerError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pbf_ray.kafka.topics import TopicSpec, TopicState

__all__ = ["topics_command"]


@click.group("topics")
def topics_command() -> None:
    """Create, list, describe and delete topics."""


@topics_command.command("create")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--partitions", type=click.IntRange(min=1), help="Instead of the topic's own number.")
@click.option("--replication", type=click.IntRange(min=1), help="Copies, instead of the usual 3.")
@click.option(
    "--clamp-replication", is_flag=True, help="Make fewer copies where there are fewer brokers."
)
@address_option
@json_option
@pass_invocation
def create_command(
    invocation: Invocation,
    names: tuple[str, ...],
    partitions: int | None,
    replication: int | None,
    clamp_replication: bool,
    as_json: bool,
) -> None:
    """Create the topics that are missing; say how existing ones differ.

    Without NAME, all topics of pbf_ray. Existing topics are never changed.
    """
    from pbf_ray.cli.broker import reach_broker
    from pbf_ray.kafka.topics import create_topics

    specs = _specs(names, partitions, replication)
    config = reach_broker(invocation.settings())
    try:
        outcomes = create_topics(config, specs, clamp_replication=clamp_replication)
    except BrokerError as error:
        if "brokers" not in error.facts:
            raise
        raise BrokerError(
            error.what,
            advice="start more brokers, or give --clamp-replication to make fewer copies",
            **error.facts,
        ) from error
    if as_json:
        write_json({"topics": [asdict(outcome) for outcome in outcomes]})
        return
    from pbf_ray.cli.render.topics import outcomes_view

    _show(outcomes_view([asdict(outcome) for outcome in outcomes]))


@topics_command.command("list")
@address_option
@json_option
@pass_invocation
def list_command(invocation: Invocation, as_json: bool) -> None:
    """List all topics but Kafka's own."""
    from pbf_ray.cli.broker import reach_broker
    from pbf_ray.kafka.topics import describe_topics, list_topics

    config = reach_broker(invocation.settings())
    states = [_plain(state) for state in describe_topics(config, list_topics(config))]
    if as_json:
        keys = ("name", "topic_id", "partitions", "replication", "records")
        write_json({"topics": [_short(state, keys) for state in states]})
        return
    if not states:
        say("there are no topics; pbf-ray topics create makes them")
        return
    from pbf_ray.cli.render.topics import topics_view

    _show(topics_view(states))


@topics_command.command("describe")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@address_option
@json_option
@pass_invocation
def describe_command(invocation: Invocation, names: tuple[str, ...], as_json: bool) -> None:
    """Describe topics: settings, partitions, copies, offsets."""
    from pbf_ray.cli.broker import reach_broker
    from pbf_ray.kafka.topics import describe_topics

    config = reach_broker(invocation.settings())
    states = [_plain(state) for state in describe_topics(config, names)]
    if as_json:
        write_json({"topics": states})
        return
    from pbf_ray.cli.render.topics import topic_view

    for state in states:
        _show(topic_view(state))


@topics_command.command("delete")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--yes", is_flag=True, help="Do not ask.")
@address_option
@json_option
@pass_invocation
def delete_command(
    invocation: Invocation, names: tuple[str, ...], yes: bool, as_json: bool
) -> None:
    """Delete topics with all their records; asks before."""
    from pbf_ray.cli.broker import reach_broker
    from pbf_ray.kafka.topics import delete_topics, describe_topics

    if not yes and (as_json or not sys.stdin.isatty()):
        raise click.UsageError("nobody can be asked here; give --yes to delete")
    config = reach_broker(invocation.settings())
    states = [_plain(state) for state in describe_topics(config, names)]
    held = ", ".join(f"{state['name']} ({state['records']:,} records)" for state in states)
    if not yes and not click.confirm(f"Delete {held}?", err=True):
        say("nothing was deleted")
        raise click.exceptions.Exit(1)
    delete_topics(config, names)
    if as_json:
        write_json({"deleted": list(names)})
    else:
        say(f"deleted {held}")


def _specs(
    names: tuple[str, ...], partitions: int | None, replication: int | None
) -> list[TopicSpec]:
    from pbf_ray.kafka.topics import ALL_TOPICS, TopicSpec

    known = {spec.name: spec for spec in ALL_TOPICS}
    unknown = [name for name in names if name not in known]
    if unknown and partitions is None:
        raise click.UsageError(
            f"{unknown[0]} is not one of pbf_ray's topics ({', '.join(known)}): "
            "give --partitions to create it all the same"
        )
    changes: dict[str, Any] = {}
    if partitions is not None:
        changes["partitions"] = partitions
    if replication is not None:
        changes["replication"] = replication
        changes["min_insync_replicas"] = max(1, replication - 1)
    specs = [known.get(name) or TopicSpec(name, partitions or 1) for name in names or known]
    return [replace(spec, **changes) for spec in specs]


def _plain(state: TopicState) -> dict[str, Any]:
    return {
        "name": state.name,
        "topic_id": state.topic_id,
        "replication": state.replication,
        "records": sum(partition.end - partition.first for partition in state.partitions),
        "partitions": [asdict(partition) for partition in state.partitions],
        "config": dict(state.config),
    }


def _short(state: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: len(state[key]) if key == "partitions" else state[key] for key in keys}


def _show(view: RenderableType) -> None:
    from pbf_ray.cli.render.text import show

    show(view, sys.stdout)
