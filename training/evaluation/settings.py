"""What an evaluation is asked to do."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """How much is measured; the defaults are the paper's where it names them."""

    shares: tuple[float, ...] = (1.0, 0.44)
    """Budgets as shares of the full network's GMACs. The second is the paper's smaller one on
    NYUD-v2 and PASCAL-Context (Tables 1 and 2: 10 of 22.66 and 4 of 9.43)."""
    preferences: int = 20
    """Sampled preferences (ECMT Sec. 5)."""
    images: int | None = None
    """Test images to measure on; None for all."""
    seed: int = 0
    """Of preferences, searches, random encoders, and the choice of test images."""
    sweep: int = 6
    """Budgets of the sweep, from the smallest sub-network to the full one (Fig. 6)."""
    encoders: int = 5
    """Random encoders that the search is compared with at each budget (Fig. 5)."""
    parity_checks: int = 6
    """Sub-networks that are compared with PyTorch's own slices."""

    def __post_init__(self) -> None:
        if not self.shares or not all(0.0 < share <= 1.0 for share in self.shares):
            found = ", ".join(f"{share:g}" for share in self.shares) or "none"
            raise ValueError(f"budgets are shares of the full GMACs in (0, 1], found {found}")
        if len(set(self.shares)) < len(self.shares):
            raise ValueError("each budget is named once")
        if not 2 <= self.preferences <= 24:
            # Spearman's rank correlation needs two, the exact hypervolume at most 24.
            raise ValueError(f"2 to 24 preferences are possible, found {self.preferences}")
        if self.images is not None and self.images < 1:
            raise ValueError(f"at least 1 test image is needed, found {self.images}")
        if self.sweep < 2 or self.encoders < 1 or self.parity_checks < 2:
            raise ValueError("at least 2 budgets, 1 random encoder and 2 comparisons are needed")

    @property
    def tight(self) -> float:
        """The smallest budget."""
        return min(self.shares)
