"""A deployment on one Valkey under faults, its clients, and the verdict over both."""

from dataclasses import dataclass

from tests.support.faults.cluster import Cluster
from tests.support.faults.system_scenario import SystemScenario


@dataclass
class FaultScenario(SystemScenario):
    """See SystemScenario."""

    system: Cluster

    @property
    def cluster(self) -> Cluster:
        return self.system
