"""Which models and versions this process offers over the Open Inference Protocol.

Any sub-network that was dialled is a version, on every replica: it is fetched or built again when
it is asked for. To load one is to have it ready beforehand; to unload is to free its memory.
"""

from collections.abc import Mapping

from model_store.published import PublishedModel
from model_store.subnetwork import SubnetMetadata
from service.catalog import Catalog
from service.errors import BadRequestError, NotFoundError, UnavailableError
from service.oip.dials import from_config, query
from service.oip.numbers import Numbers, is_number, number_of
from service.oip.schemas import IndexEntry, Loaded, Parameter
from service.prediction import InUse, Predictions
from service.schemas import PredictQuery
from service.sessions import Sessions
from service.subnets import Subnets


class Repository:
    """Models by name, sub-networks as their versions."""

    def __init__(
        self,
        catalog: Catalog,
        subnets: Subnets,
        sessions: Sessions,
        predictions: Predictions,
        numbers: Numbers,
        workers: int,
    ) -> None:
        """Every model is loaded.

        Args:
            catalog: the models.
            subnets: where sub-networks come from.
            sessions: those that are ready.
            predictions: gets sub-networks ready.
            numbers: of sub-networks, for clients that want such.
            workers: processes behind one address; what only one of them would do is refused.
        """
        self._catalog = catalog
        self._subnets = subnets
        self._sessions = sessions
        self._predictions = predictions
        self._numbers = numbers
        self._workers = workers
        self._unloaded: set[str] = set()
        self._full: dict[str, str] = {}

    def model(self, name: str) -> PublishedModel:
        """A model that is loaded.

        Raises:
            NotFoundError: there is no such model.
            UnavailableError: it was unloaded.
        """
        model = self._catalog.get(name)
        if name in self._unloaded:
            raise UnavailableError(f"model {name!r} was unloaded; load it first")
        return model

    async def subnet_id(self, version: str) -> str:
        """The sub-network that a version, its id or its number, names; it may not exist.

        Raises:
            NotFoundError: no sub-network with this number is known.
        """
        if not is_number(version):
            return version
        held = next((v for v in self._sessions.held() if number_of(v) == version), None)
        found = held or await self._numbers.find(version)
        if found is None:
            raise NotFoundError(
                f"unknown version {version}: numbers are given out by load and infer; "
                "any subnet_id is a version as well"
            )
        return found

    async def version(self, model: PublishedModel, version: str) -> SubnetMetadata:
        """What is known of a sub-network, by its ``subnet_id``.

        Raises:
            NotFoundError: the model has no such version.
        """
        known = self._sessions.held().get(version) or (await self._subnets.get(version)).metadata
        if known.model_digest != model.digest:
            raise NotFoundError(f"unknown version {version[:64]!r} of {model.manifest.name!r}")
        return known

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of a model that are held ready here, that used last first."""
        held = self._sessions.held()
        return tuple(reversed([v for v, known in held.items() if known.model == name]))

    def wish(
        self, model: PublishedModel, version: str | None, parameters: Mapping[str, Parameter]
    ) -> PredictQuery:
        """The sub-network that a request asks for: its version, its dial, or the full network.

        Raises:
            BadRequestError: the parameters are not those of a dial.
        """
        name = model.manifest.name
        asked = query(name, version, parameters)
        if asked is not None:
            return asked
        full = self._full.get(model.digest)
        if full is not None and full in self._sessions:
            return PredictQuery.model_validate({"subnet_id": full})
        largest = model.full_macs / 1e9
        return PredictQuery.model_validate({"model": name, "budget": {"gmacs": largest}})

    async def used(self, model: PublishedModel, wish: PredictQuery, used: InUse) -> None:
        """Told which sub-network a wish led to.

        Raises:
            NotFoundError: it is one of another model.
        """
        if used.model.digest != model.digest:
            raise NotFoundError(f"unknown version {used.subnet_id!r} of {model.manifest.name!r}")
        if wish.budget is not None and used.metadata.channels == model.space.largest().as_dict():
            self._full[model.digest] = used.subnet_id
        await self._numbers.remember(used.subnet_id)

    async def load(self, name: str, parameters: Mapping[str, Parameter]) -> Loaded:
        """Gets a sub-network ready: that of a dial, or the full network.

        Raises:
            ServiceError: there is no such model, or no such sub-network.
            InfeasibleBudget: no sub-network is that small.
        """
        model = self._catalog.get(name)
        if files := sorted(p for p in parameters if p.startswith("file:")):
            raise BadRequestError(f"models are not taken over HTTP: {files}")
        wish = self.wish(model, None, from_config(parameters))
        async with self._predictions.use(wish) as used:
            await self.used(model, wish, used)
            await self._numbers.write(used.subnet_id)
        self._unloaded.discard(name)
        return Loaded(
            name=name,
            version=used.subnet_id,
            number=number_of(used.subnet_id),
            state="READY",
            gmacs=used.metadata.gmacs,
        )

    async def unload(self, name: str, version: str | int | None) -> None:
        """Frees the memory of a version; or of all, and then the model is not ready any more.

        Raises:
            NotFoundError: there is no such model, or no such version is ready.
            BadRequestError: there are several workers, and one only would do so.
        """
        self._catalog.get(name)
        if self._workers > 1:
            raise BadRequestError(
                f"this service has {self._workers} workers, and one of them only would unload; "
                "SLIMDIAL_MAX_SESSION_BYTES bounds what each of them holds"
            )
        versions = self.versions(name)
        if version is None:
            self._unloaded.add(name)
            self._sessions.discard(versions)
            return
        subnet_id = await self.subnet_id(str(version))
        if subnet_id not in versions:
            raise NotFoundError(f"version {str(version)[:64]!r} of {name!r} is not loaded")
        self._sessions.discard([subnet_id])

    def index(self, ready: bool) -> list[IndexEntry]:
        """Models, and the versions that are held ready here."""
        found = []
        for name in self._catalog.models:
            if name in self._unloaded:
                entry = IndexEntry(name=name, version="", state="UNAVAILABLE", reason="unloaded")
                found += [] if ready else [entry]
                continue
            found += [
                IndexEntry(name=name, version=version, state="READY", reason="")
                for version in self.versions(name) or ("",)
            ]
        return found
