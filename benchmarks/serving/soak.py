"""Memory of the session pool: ``python -m benchmarks.serving.soak [--json FILE]``.

Predicts with many sub-networks through a pool that cannot hold them all, several at a time, and
prints the resident memory over time. Sub-networks are cut as the service cuts them, but calibrated
on one image: that changes their values, not their size.
"""

import asyncio
import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.output import show
from model_store.calibration import calibrate
from model_store.published import ModelStore, PublishedModel, default_root
from model_store.subnet.extraction import cut
from model_store.subnetwork import SubnetMetadata, Widths, finish
from service.metrics import Metrics
from service.providers import choose_device
from service.sessions import Sessions

MB = 1 << 20
FLAT = 0.05
"""What memory may grow, over its plateau, to count as flat."""


@dataclass(frozen=True)
class Row:
    """The process at one moment."""

    seconds: float
    visits: int
    loads: int
    evicted: int
    held: int
    estimated_mb: float
    rss_mb: float


@dataclass(frozen=True)
class Verdict:
    """Whether memory stays where it is once the pool is full."""

    start_mb: float
    """Before the first session: the interpreter, libraries, and the model."""
    first_quarter_mb: float
    """Median since the pool was first full."""
    last_quarter_mb: float
    most_mb: float
    growth: float
    flat: bool


def rss_mb() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / MB


def write_subnets(model: PublishedModel, count: int, folder: Path) -> SubnetMetadata:
    """Cuts random sub-networks into files ``<number>.onnx``; returns what describes the last."""
    rng = np.random.default_rng(0)
    tasks, slices = model.space.tasks, model.manifest.slices
    images = model.calibration_NHWC[:1]
    for number in range(count):
        architecture = model.space.random(rng)
        sliced = cut(model.graph, model.space, slices, architecture, tasks)
        _, content = finish(sliced, calibrate(sliced, images, 1), {"number": str(number)})
        (folder / f"{number}.onnx").write_bytes(content)
    return SubnetMetadata(
        model=model.manifest.name,
        version=model.manifest.version,
        model_digest=model.digest,
        tasks=tasks,
        gmacs=0.0,
        parameters=0,
        size_bytes=len(content),
        widths=Widths.of(model, architecture, tasks),
        channels={},
        predicted={},
        timings_ms={},
    )


class Soak:
    """Clients that predict, each with one random sub-network after the other."""

    def __init__(
        self, folder: Path, metadata: SubnetMetadata, shape: tuple[int, ...], budget_bytes: int
    ) -> None:
        self._folder = folder
        self._metadata = metadata
        self._image = np.random.default_rng(0).random((1, *shape), dtype=np.float32)
        self._device = choose_device("cpu", 1)
        self._loader, self._predictor = ThreadPoolExecutor(1), ThreadPoolExecutor(2)
        self._sessions = Sessions(self._device, budget_bytes, self._loader, Metrics())
        self._visits = self._loads = 0
        self._started = time.perf_counter()
        self.evicting = False

    async def visit(self, number: int) -> None:
        """One prediction."""

        async def load() -> tuple[SubnetMetadata, bytes]:
            self._loads += 1
            content = await asyncio.to_thread((self._folder / f"{number}.onnx").read_bytes)
            return self._metadata, content

        async with self._sessions.use(str(number), load) as held:
            run = self._device.run
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(
                self._predictor, run, held.session, self._metadata.tasks, self._image
            )
        self._visits += 1
        self.evicting = self.evicting or self._loads > len(self._sessions) + 8

    def row(self) -> Row:
        """Now."""
        return Row(
            time.perf_counter() - self._started,
            self._visits,
            self._loads,
            self._loads - len(self._sessions),
            len(self._sessions),
            self._sessions.bytes / MB,
            rss_mb(),
        )

    async def run(self, order: list[int], clients: int, every: int) -> tuple[list[Row], list[Row]]:
        """All visits; gives the rows of all the time, and those since the pool was first full."""
        rows, full = [self.row()], []
        for start in range(0, len(order), every):
            numbers = iter(order[start : start + every])

            async def client(numbers: "object" = numbers) -> None:
                for number in numbers:  # type: ignore[attr-defined]
                    await self.visit(number)

            await asyncio.gather(*(client() for _ in range(clients)))
            rows.append(self.row())
            if self.evicting:
                full.append(rows[-1])
        return rows, full


def judge(start_mb: float, full: list[Row]) -> Verdict:
    """Compares the first quarter of the time with a full pool with the last."""
    if len(full) < 8:
        raise typer.BadParameter("the pool was hardly ever full: a smaller --budget-mb, please")
    rss = [r.rss_mb for r in full]
    quarter = len(rss) // 4
    first, last = float(np.median(rss[:quarter])), float(np.median(rss[-quarter:]))
    growth = last / first - 1
    return Verdict(start_mb, first, last, max(rss), growth, growth <= FLAT)


def main(
    model: Annotated[str, typer.Option(help="A model that ships.")] = "caltech100",
    subnets: Annotated[int, typer.Option(min=2)] = 500,
    visits: Annotated[int, typer.Option(min=10)] = 3000,
    budget_mb: Annotated[int, typer.Option(min=1, help="Of the pool.")] = 2048,
    clients: Annotated[int, typer.Option(min=1)] = 4,
    file: Annotated[Path | None, typer.Option("--json", help="Also write JSON here.")] = None,
) -> None:
    """Soak the session pool, and say whether its memory stays flat."""
    published = ModelStore(default_root()).open(model)
    spec = published.manifest.input
    rng = np.random.default_rng(1)
    # Every sub-network once, so that the pool fills; then any of them.
    order = [*range(subnets), *rng.integers(0, subnets, max(visits - subnets, 0)).tolist()]
    with tempfile.TemporaryDirectory() as folder:
        metadata = write_subnets(published, subnets, Path(folder))
        start_mb = rss_mb()
        soak = Soak(Path(folder), metadata, (3, spec.height, spec.width), budget_mb * MB)
        rows, full = asyncio.run(soak.run(order, clients, max(1, len(order) // 60)))
    show(
        f"{subnets} sub-networks of {model} through {budget_mb} MB", rows[:: len(rows) // 20], None
    )
    verdict = judge(start_mb, full)
    show("since the pool was full", [verdict], None)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        found = {"verdict": asdict(verdict), "rows": [asdict(r) for r in rows]}
        file.write_text(json.dumps(found, indent=1))
    raise typer.Exit(0 if verdict.flat else 1)


if __name__ == "__main__":
    typer.run(main)
