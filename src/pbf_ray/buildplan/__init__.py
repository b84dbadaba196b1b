"""What a build means: lengths, times and energies of the vectors of each layer. Pure functions.

    from pbf_ray.buildplan import plan_layers

    plan = plan_layers(batch.layers, batch.geometries, batch.coordinates, build.build_styles)
    plan.layers  # lengths, areas, times, energies, hatch distance and rotation, a row per layer

Definitions are in docs/buildplan.md. What a file does not say is null.
"""

from pbf_ray.buildplan.planning import BuildPlan, plan_batches, plan_layers
from pbf_ray.buildplan.rotation import LayerBefore
from pbf_ray.buildplan.styles import MachineTimes

__all__ = ["BuildPlan", "LayerBefore", "MachineTimes", "plan_batches", "plan_layers"]
