"""A Delta Lake table made of Parquet files that lie in a folder already."""

from __future__ import annotations

from pathlib import Path

from deltalake import convert_to_deltalake
from deltalake.exceptions import DeltaError

from pbf_ray.contracts import TableContract
from pbf_ray.errors import StoreError
from pbf_ray.storage.deltafiles import file_error
from pbf_ray.storage.deltastatistics import statistics_property

__all__ = ["make_delta_table"]


def make_delta_table(folder: Path, contract: TableContract) -> None:
    """Write the log of a new Delta table over the files of a folder; they stay as they are.

    Args:
        folder: A local folder with Parquet files of one schema, and no log.
        contract: What they hold.

    Raises:
        StoreUnavailableError: The log cannot be written.
        StoreError: The files make no table.
    """
    store = f"delta:{folder.parent}"
    try:
        convert_to_deltalake(
            str(folder),
            name=contract.name,
            configuration={"delta.dataSkippingStatsColumns": statistics_property(contract.schema)},
        )
    except OSError as error:
        raise file_error(store, contract.name, error) from error
    except DeltaError as error:
        raise StoreError(store, f"{contract.name}: {error}", table=contract.name) from error
