"""The parts of the Open Inference Protocol, put together."""

from dataclasses import dataclass

from model_store.cache import SubnetCache
from service.catalog import Catalog
from service.oip.inference import Inference
from service.oip.numbers import Numbers
from service.oip.repository import Repository
from service.oip.statistics import Statistics
from service.prediction import Predictions
from service.sessions import Sessions
from service.settings import Settings
from service.subnets import Subnets


@dataclass(frozen=True)
class OpenInference:
    """What the routes under ``/v2`` work with."""

    repository: Repository
    inference: Inference
    statistics: Statistics

    @staticmethod
    def of(
        settings: Settings,
        catalog: Catalog,
        cache: SubnetCache,
        subnets: Subnets,
        sessions: Sessions,
        predictions: Predictions,
    ) -> "OpenInference":
        """Over the same sub-networks, sessions and queues as everything else."""
        numbers = Numbers(cache, settings.request_ttl_s)
        repository = Repository(catalog, subnets, sessions, predictions, numbers, settings.workers)
        statistics = Statistics()
        inference = Inference(
            repository,
            predictions,
            statistics,
            settings.max_tensor_batch,
            settings.max_output_bytes,
        )
        return OpenInference(repository, inference, statistics)
