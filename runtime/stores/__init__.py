"""Where the controllers keep what they share, one file for each way to do so."""

from __future__ import annotations

from pathlib import Path

from threerc.runtime.config import ControllerConfig
from threerc.runtime.stores.directory import DirectoryStore
from threerc.runtime.world import Store


def open_store(config: ControllerConfig) -> Store:
    """The store of a site: etcd where it is configured, else the state directory.

    Raises StoreLost.
    """
    folder = Path(config.state_directory)
    if config.etcd is None:
        return DirectoryStore(folder)
    # Most sites have no etcd, and cron starts a controller every minute.
    from threerc.runtime.stores.etcd import EtcdStore

    return EtcdStore(config.etcd, folder)
