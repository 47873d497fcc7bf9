"""Decoder widths for preferences: the paper's Fig. 8."""

from model_store.subnet.preference import Preference
from model_store.subnet.space import Architecture, Group
from training.evaluation.answers import found
from training.evaluation.results import Decoders, DecoderWidths
from training.evaluation.settings import Settings
from training.evaluation.subject import Subject
from training.hypervolume import drawn_preferences

SHOWN = 6
"""Sampled preferences that are shown, beside equal ones."""


def translated(subject: Subject, settings: Settings) -> Decoders:
    """Decoder widths by Eq. 4, and those that the search keeps at the tightest budget."""
    space = subject.space
    budget = int(settings.tight * subject.cost.of(space.largest()))
    drawn = drawn_preferences(space.tasks, settings.preferences, settings.seed)
    rows: list[DecoderWidths] = []
    for preference in [dict.fromkeys(space.tasks, 1.0), *drawn[:SHOWN]]:
        checked = Preference.of(space, preference, None)
        architecture = found(subject, "evolution", budget, preference, settings.seed)
        groups = {task: space.groups[index] for task, index in space.decoders.items()}
        rows.append(
            DecoderWidths(
                preference=preference,
                normalised=checked.normalised(),
                eq4={t: groups[t].ratios[c] for t, c in checked.decoder_choices().items()},
                found={t: _ratio(architecture, g) for t, g in groups.items()},
            )
        )
    return Decoders(budget_gmacs=budget / 1e9, rows=tuple(rows))


def _ratio(architecture: Architecture, decoder: Group) -> float:
    """The width of a decoder; of a linear head, the share of the features that there are."""
    whole = architecture[decoder.within] if decoder.within else decoder.full
    return architecture[decoder.name] / whole
